//! The client's side of an exchange: from its bytes to a judged, rewritten request.

use memchr::memchr;

use super::{Command, Desk, Exchange, Incoming, MORE, Payload, Pending, Phase, Session, Step};
use crate::board::Outcome;
use crate::http1::answer::Asked;
use crate::http1::chunked::{ChunkError, Decoder};
use crate::http1::framing::{Framing, Length, framing};
use crate::http1::pages::CONTINUE;
use crate::http1::{forwarded, head, rewrite};
use crate::policy::{Memory, Part, Policy, Request, Site};
use crate::verdict::{Reason, Verdict};

impl Session {
    pub(super) fn read_head(&mut self, desk: &mut Desk<'_>, data: &[u8]) -> Step {
        if self.phase == Phase::Idle && data.is_empty() && self.input.is_empty() {
            return Step::WAIT;
        }
        // Also for a head that has begun: its site must be one of the policy in force when it is judged.
        if !std::ptr::eq(&*self.policy, &**desk.policy) {
            self.policy = desk.policy.clone();
        }
        self.exchange.site = self.policy.default_site();
        if self.input.is_empty() {
            let (step, consumed) = self.try_head(desk, data);
            if !self.over() {
                self.input.extend_from_slice(data.get(consumed..).unwrap_or(&[]));
            }
            return self.after_head(step);
        }
        let mut input = std::mem::take(&mut self.input);
        input.extend_from_slice(data);
        // A head is only ever completed, or seen to be wrong, by the end of a line or by its length.
        let ended = self.phase == Phase::Idle || memchr(b'\n', data).is_some();
        let bounds = self.policy.bounds;
        let within =
            input.len() <= bounds.head && (input.len() <= bounds.line || memchr(b'\n', &input).is_some());
        if !ended && within {
            self.input = input;
            return Step::WAIT;
        }
        let (step, consumed) = self.try_head(desk, &input);
        // When all was used, what follows the body is in `self.input` already.
        if !self.over() && consumed < input.len() {
            input.drain(..consumed);
            self.input = input;
        }
        self.after_head(step)
    }

    /// A refusal that leaves the connection open, with the next request already here.
    fn after_head(&self, step: Step) -> Step {
        let answered = step.command == Command::Answer as u8 && self.phase == Phase::Idle;
        step.with(MORE, answered && !self.input.is_empty())
    }

    /// Read a head from the start of `src`; how many bytes of it were used.
    fn try_head(&mut self, desk: &mut Desk<'_>, src: &[u8]) -> (Step, usize) {
        let policy = self.policy.clone();
        self.exchange.client = self.address;
        self.exchange.counted = false;
        match head::parse(src, &mut desk.work.head, &policy.bounds) {
            Ok(true) => {}
            Ok(false) => {
                if self.phase == Phase::Idle {
                    self.go(Phase::Head, desk.now);
                }
                return (Step::WAIT, 0);
            }
            Err(fault) => {
                desk.decided = true;
                return (
                    self.refuse_malformed(desk, src, Verdict::new(fault.reason, fault.offset)),
                    src.len(),
                );
            }
        }
        desk.decided = true;
        self.served = true;
        let length = desk.work.head.length;
        if self.trusted {
            self.exchange.client = forwarded::client(src, &desk.work.head).or(self.address);
        }
        let client = self.exchange.client;
        let plan = match framing(src, &desk.work.head) {
            Ok(plan) => plan,
            Err(fault) => {
                return (
                    self.refuse_malformed(desk, src, Verdict::new(fault.reason, fault.offset)),
                    src.len(),
                );
            }
        };
        let host = desk.work.head.host.of(src);
        let Some(index) = policy.site_of(host) else {
            let verdict = Verdict::new(Reason::UnknownHost, desk.work.head.host.start as usize);
            return (
                self.refuse(desk, src, &plan, policy.refusal(policy.default_site().into(), verdict)),
                length,
            );
        };
        self.exchange = Exchange { site: index as u16, client, began: desk.now, ..Exchange::default() };
        let Some(site) = policy.site(index) else {
            let verdict = Verdict::new(Reason::InternalError, 0);
            return (self.refuse(desk, src, &plan, policy.refusal(index, verdict)), length);
        };
        let request = Request::new(src, &plan, client);
        self.tallies.clear();
        self.caught = None;
        let memory = &mut Memory { noted: &mut self.exchange.noted, tallies: &mut self.tallies };
        let ruling = policy.decide(index, Part::Head, &request, desk.work, desk.rates, memory);
        self.note_all(desk, src);
        if let Some(ruling) = ruling {
            return (self.refuse(desk, src, &plan, ruling), length);
        }
        self.count_exceptions(desk, site);
        if self.redirect > 0 {
            return (self.send_to_tls(desk, src, &plan), length);
        }
        self.accept(desk, src, &plan, &policy, site)
    }

    /// The request is judged: rewrite its head and take what has come of its body.
    fn accept(
        &mut self,
        desk: &mut Desk<'_>,
        src: &[u8],
        plan: &Framing,
        policy: &Policy,
        site: &Site,
    ) -> (Step, usize) {
        let head = &desk.work.head;
        let method = head.method.of(src);
        let bodied = matches!(plan.length, Length::Exact(1..) | Length::Chunked);
        let upgrade = plan.upgrade.is_some() && site.permits_upgrade(src, head, plan);
        self.bound |= plan.binds;
        if site.scrub.is_some() {
            let host = head.host.of(src);
            self.host.clear();
            self.host.extend_from_slice(if host.is_empty() { site.default_host.as_bytes() } else { host });
        }
        let asked = Asked {
            head: method == b"HEAD",
            minor: head.minor,
            keep_alive: plan.keep_alive && !upgrade,
            upgrade,
        };
        let exchange = &mut self.exchange;
        exchange.asked = asked;
        exchange.bodied = bodied;
        exchange.belongs = site.sticky.as_ref().and_then(|sticky| sticky.belongs(src, head));
        exchange.repeatable = !bodied && matches!(method, b"GET" | b"HEAD" | b"OPTIONS");
        let strip = policy.stripped(&desk.work.stripping);
        let hop = rewrite::Hop {
            client: &self.peer,
            tls: self.tls,
            trusted: self.trusted,
            default_host: &site.default_host,
            strip: &strip,
            close: bodied && !site.table.reuse_after_body && !self.bound,
            upgrade,
            sticky: site.sticky.as_ref(),
        };
        rewrite::head(src, head, plan, &hop, desk.out);
        let start = head.length;
        let rest = &src[start..];
        match plan.length {
            Length::None | Length::Exact(0) => {
                let zero = plan.length == Length::Exact(0) || matches!(method, b"POST" | b"PUT");
                rewrite::finish(desk.out, zero.then_some(0));
                self.let_pass(desk, &src[..start], start, &[]);
                self.go(Phase::Answer, desk.now);
                (Step::new(Command::Forward, Payload::Written), start)
            }
            Length::Exact(size) if rest.len() as u64 >= size => {
                let end = start + size as usize;
                let body = &src[start..end];
                let request = Request::new(src, plan, self.exchange.client);
                if policy.judges_body(usize::from(self.exchange.site), &request, desk.work) {
                    let request = request.with_body(body, size);
                    if let Some(step) = self.judge_body(desk, policy, &request) {
                        return (step, end);
                    }
                }
                self.exchange.received = size;
                rewrite::finish(desk.out, Some(size));
                desk.out.extend_from_slice(body);
                self.let_pass(desk, &src[..end], start, &[]);
                self.go(Phase::Answer, desk.now);
                (Step::new(Command::Forward, Payload::Written), end)
            }
            _ => {
                self.begin_body(desk, src, plan, policy, site);
                if plan.expect && rest.is_empty() {
                    desk.out.clear();
                    desk.out.extend_from_slice(CONTINUE);
                    return (Step::new(Command::Answer, Payload::Written), start);
                }
                desk.out.clear();
                let step = if rest.is_empty() && self.exchange.held {
                    Step::WAIT
                } else {
                    self.take_body(desk, rest)
                };
                // `take_body` keeps what follows the body in `input` itself.
                let step = if step.payload == Payload::Given {
                    desk.out.extend_from_slice(rest);
                    Step { payload: Payload::Written, ..step }
                } else {
                    step
                };
                (step, src.len())
            }
        }
    }

    /// Set aside the rewritten head; it is sent with the body's first bytes, or after all of them.
    fn begin_body(&mut self, desk: &mut Desk<'_>, src: &[u8], plan: &Framing, policy: &Policy, site: &Site) {
        let (exchange, length) = (&mut self.exchange, plan.length);
        exchange.held = site.buffer_body || length == Length::Chunked;
        exchange.incoming = match length {
            Length::Exact(size) => Incoming::Exact(size),
            _ => Incoming::Chunked(Decoder::default()),
        };
        let mut pending = Box::new(Pending { head: desk.out.clone(), ..Pending::default() });
        if let (Length::Exact(size), false) = (length, exchange.held) {
            rewrite::finish(&mut pending.head, Some(size));
        }
        let request = Request::new(src, plan, exchange.client);
        if policy.judges_body(usize::from(exchange.site), &request, desk.work) {
            pending.original = src[..desk.work.head.length].to_vec();
        } else if site.evidence.is_some() {
            pending.kept = src[..desk.work.head.length].to_vec();
        }
        self.pending = Some(pending);
        self.go(Phase::Body, desk.now);
    }

    pub(super) fn read_body(&mut self, desk: &mut Desk<'_>, data: &[u8]) -> Step {
        self.moved += data.len() as u64;
        if self.exchange.ready {
            self.input.extend_from_slice(data);
            return self.send_held(desk);
        }
        self.take_body(desk, data)
    }

    fn take_body(&mut self, desk: &mut Desk<'_>, data: &[u8]) -> Step {
        match self.exchange.incoming {
            Incoming::Exact(left) => self.take_exact(desk, data, left),
            Incoming::Chunked(decoder) => self.take_chunked(desk, data, decoder),
            Incoming::None => Step::WAIT,
        }
    }

    fn take_exact(&mut self, desk: &mut Desk<'_>, data: &[u8], left: u64) -> Step {
        let size = usize::try_from(left).unwrap_or(usize::MAX).min(data.len());
        let (body, after) = data.split_at(size);
        let left = left - size as u64;
        self.exchange.incoming = Incoming::Exact(left);
        self.exchange.received += size as u64;
        self.input.extend_from_slice(after);
        self.keep_window(body);
        if self.exchange.held {
            let payload = self.give(desk, body, data);
            return if left == 0 {
                self.body_complete(desk, payload)
            } else {
                Step::new(Command::Hold, payload)
            };
        }
        self.stream(desk, body, data, left)
    }

    /// Stream mode: the head goes with the first bytes, or when the window of the rules is full.
    fn stream(&mut self, desk: &mut Desk<'_>, body: &[u8], data: &[u8], left: u64) -> Step {
        let done = left == 0;
        if self.pending.is_none() {
            let payload = self.give(desk, body, data);
            if done {
                self.go(Phase::Answer, desk.now);
            }
            return Step::new(if done { Command::End } else { Command::Body }, payload);
        }
        let windowed = self.pending.as_ref().is_some_and(|pending| !pending.original.is_empty());
        if windowed {
            if !done && self.exchange.received < self.window() as u64 {
                return Step::WAIT;
            }
            if let Some(step) = self.judge_window(desk) {
                return step;
            }
        }
        desk.out.clear();
        if let Some(pending) = self.pending.take() {
            desk.out.extend_from_slice(&pending.head);
            desk.out.extend_from_slice(&pending.window);
            // What of this piece the window had no room for, or all of it where there is no window.
            let missing = self.exchange.received.saturating_sub(pending.window.len() as u64) as usize;
            desk.out.extend_from_slice(&body[body.len().saturating_sub(missing)..]);
            let (head, there) = (pending.sent(), if windowed { &pending.window } else { body });
            self.let_pass(desk, head, head.len(), there);
        } else {
            self.let_go(desk);
        }
        if done {
            self.go(Phase::Answer, desk.now);
        }
        Step::new(if done { Command::Forward } else { Command::Open }, Payload::Written)
    }

    fn take_chunked(&mut self, desk: &mut Desk<'_>, data: &[u8], mut decoder: Decoder) -> Step {
        let limit = self.policy.site(usize::from(self.exchange.site)).map_or(0, |site| site.limits.body);
        desk.out.clear();
        let out = &mut *desk.out;
        let progress = decoder.feed(data, limit, |run| out.extend_from_slice(run));
        self.exchange.incoming = Incoming::Chunked(decoder);
        let progress = match progress {
            Ok(progress) => progress,
            Err(error) => {
                let reason = match error {
                    ChunkError::Grammar => Reason::BadChunk,
                    ChunkError::TooLong => Reason::BodyTooLong,
                };
                return self.refuse_client(desk, reason);
            }
        };
        self.exchange.received += desk.out.len() as u64;
        if self.pending.as_ref().is_some_and(|pending| !pending.original.is_empty()) {
            let decoded = std::mem::take(desk.out);
            self.keep_window(&decoded);
            *desk.out = decoded;
        }
        if progress.done {
            self.input.extend_from_slice(data.get(progress.consumed..).unwrap_or(&[]));
            let payload = if desk.out.is_empty() { Payload::Empty } else { Payload::Written };
            return self.body_complete(desk, payload);
        }
        if desk.out.is_empty() { Step::WAIT } else { Step::new(Command::Hold, Payload::Written) }
    }

    /// All of a held body is here: judge it, then let it go.
    fn body_complete(&mut self, desk: &mut Desk<'_>, payload: Payload) -> Step {
        if self.pending.as_ref().is_some_and(|pending| !pending.original.is_empty()) {
            let kept = std::mem::take(desk.out);
            if let Some(step) = self.judge_window(desk) {
                return step;
            }
            *desk.out = kept;
        }
        self.exchange.ready = true;
        if payload == Payload::Empty {
            self.send_held(desk)
        } else {
            Step::new(Command::Hold, payload).with(MORE, true)
        }
    }

    fn send_held(&mut self, desk: &mut Desk<'_>) -> Step {
        desk.out.clear();
        let pending = self.pending.take().unwrap_or_default();
        desk.out.extend_from_slice(&pending.head);
        rewrite::finish(desk.out, Some(self.exchange.received));
        self.exchange.ready = false;
        self.let_pass(desk, pending.sent(), pending.sent().len(), &pending.window);
        self.go(Phase::Answer, desk.now);
        Step::new(Command::Send, Payload::Written)
    }

    /// The origin is to get the request, or its beginning: that is what became of it.
    pub(super) fn let_go(&mut self, desk: &Desk<'_>) {
        let outcome = if self.exchange.detected { Outcome::Detected } else { Outcome::Passed };
        self.count_request(desk, outcome);
    }

    /// The given chunk itself when all of it is body, else a copy of the part that is.
    fn give(&self, desk: &mut Desk<'_>, body: &[u8], data: &[u8]) -> Payload {
        if body.len() == data.len() {
            return if body.is_empty() { Payload::Empty } else { Payload::Given };
        }
        desk.out.clear();
        desk.out.extend_from_slice(body);
        Payload::Written
    }

    /// Bytes of a body that rules may look at.
    fn window(&self) -> usize {
        self.policy.site(usize::from(self.exchange.site)).map_or(0, |site| site.limits.window)
    }

    fn keep_window(&mut self, body: &[u8]) {
        let window = self.window();
        if let Some(pending) = self.pending.as_mut().filter(|pending| !pending.original.is_empty()) {
            let room = window.saturating_sub(pending.window.len()).min(body.len());
            pending.window.extend_from_slice(&body[..room]);
        }
    }

    /// Judge the window of a body. The head is read again: other sessions have used the desk since.
    fn judge_window(&mut self, desk: &mut Desk<'_>) -> Option<Step> {
        let policy = self.policy.clone();
        let pending = self.pending.take()?;
        let parsed = head::parse(&pending.original, &mut desk.work.head, &policy.bounds);
        let before = desk.ledger.shelf.waiting.len();
        let step = match (parsed, framing(&pending.original, &desk.work.head)) {
            (Ok(true), Ok(plan)) => {
                let request = Request::new(&pending.original, &plan, self.exchange.client)
                    .with_body(&pending.window, self.exchange.received);
                self.judge_body(desk, &policy, &request)
            }
            _ => Some(self.refuse_client(desk, Reason::InternalError)),
        };
        self.keep_window_of(desk, before, &pending.window);
        if step.is_none() {
            self.pending = Some(pending);
        }
        step
    }

    fn judge_body(&mut self, desk: &mut Desk<'_>, policy: &Policy, request: &Request<'_>) -> Option<Step> {
        let index = usize::from(self.exchange.site);
        let site = policy.site(index)?;
        let memory = &mut Memory { noted: &mut self.exchange.noted, tallies: &mut self.tallies };
        let ruling = policy.decide(index, Part::Body, request, desk.work, desk.rates, memory);
        self.note_all(desk, request.buf);
        if let Some(ruling) = ruling {
            return Some(self.refuse_with_body(desk, request.buf, ruling));
        }
        self.count_exceptions(desk, site);
        None
    }
}
