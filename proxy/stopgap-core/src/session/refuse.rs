//! Saying no: the answer, the counters, the event, and whether the connection may go on.

use super::{Command, Desk, LAST, Payload, Phase, Session, Step};
use crate::board::Outcome;
use crate::events::{AGENT, Details, Key, TARGET};
use crate::http1::framing::{Framing, Length};
use crate::http1::pages;
use crate::policy::{Site, Work};
use crate::verdict::{Action, Mode, Reason, Ruling, Tier, Verdict};

impl Session {
    /// Refuse a request whose head is complete. Its connection goes on when the next request's start
    /// is beyond doubt: framing in order, no body to skip.
    pub(super) fn refuse(&mut self, desk: &mut Desk<'_>, src: &[u8], plan: &Framing, ruling: Ruling) -> Step {
        let bodiless = matches!(plan.length, Length::None | Length::Exact(0));
        let framed = bodiless && ruling.verdict.reason.tier() < Tier::Malformed;
        let keep = framed && plan.keep_alive && !desk.leaving;
        let head = desk.work.head.method.of(src) == b"HEAD";
        let minor = desk.work.head.minor;
        self.answer_no(desk, Some(src), ruling, (head, minor), keep)
    }

    /// Refuse because of what the body holds: the rest of it would have to be skipped.
    pub(super) fn refuse_with_body(&mut self, desk: &mut Desk<'_>, src: &[u8], ruling: Ruling) -> Step {
        let head = self.exchange.asked.head;
        self.answer_no(desk, Some(src), ruling, (head, self.exchange.asked.minor), false)
    }

    /// Refuse what cannot be framed: nothing after it can be trusted either.
    pub(super) fn refuse_malformed(&mut self, desk: &mut Desk<'_>, src: &[u8], verdict: Verdict) -> Step {
        let ruling = self.policy.refusal(usize::from(self.exchange.site), verdict);
        let head = desk.work.head.method.of(src) == b"HEAD"; // empty where the fault is in the request line
        self.answer_no(desk, Some(src), ruling, (head, 1), false)
    }

    /// Refuse in the middle of a request: a deadline, or a body that breaks the grammar or a limit.
    pub(super) fn refuse_client(&mut self, desk: &mut Desk<'_>, reason: Reason) -> Step {
        let asked = self.exchange.asked;
        let ruling = self.policy.refusal(usize::from(self.exchange.site), Verdict::new(reason, 0));
        self.answer_no(desk, None, ruling, (asked.head, asked.minor), false)
    }

    fn answer_no(
        &mut self,
        desk: &mut Desk<'_>,
        src: Option<&[u8]>,
        ruling: Ruling,
        (head, minor): (bool, u8),
        keep: bool,
    ) -> Step {
        let event = self.note(desk, src, ruling);
        self.pending = None;
        let keep = keep && ruling.action == Action::Block;
        self.write_page(desk, &ruling.verdict, event, (head, minor), keep);
        if keep {
            self.go(Phase::Idle, desk.now);
            return Step::new(Command::Answer, Payload::Written);
        }
        self.input = Vec::new();
        match ruling.action {
            Action::Drop => {
                self.go(Phase::Closed, desk.now);
                Step::new(Command::Close, Payload::Empty)
            }
            Action::Tarpit => {
                self.answer = desk.out.clone();
                self.go(Phase::Tarpit, desk.now);
                Step::new(Command::Tarpit, Payload::Empty)
            }
            Action::Block | Action::Detect | Action::Strip => {
                self.go(Phase::Closed, desk.now);
                Step::new(Command::Close, Payload::Written)
            }
        }
    }

    fn write_page(
        &self,
        desk: &mut Desk<'_>,
        verdict: &Verdict,
        event: u64,
        (head, minor): (bool, u8),
        keep: bool,
    ) {
        let site = self.policy.site(usize::from(self.exchange.site));
        let page = pages::Refusal {
            status: self.policy.status(verdict),
            event,
            head,
            minor,
            close: !keep,
            allow: site.map_or("", |site| &site.allow),
            hsts: site.filter(|_| self.tls).map_or(0, |site| site.hsts),
        };
        desk.out.clear();
        pages::refusal(&page, desk.out);
    }

    /// The origin could not be used, or not in time: an answer of ours if none has begun.
    pub fn fail(&mut self, desk: &mut Desk<'_>, reason: Reason) -> Step {
        desk.out.clear();
        if matches!(self.phase, Phase::Idle | Phase::Head) {
            return Step::WAIT;
        }
        let over = self.over() || self.phase == Phase::Tunnel;
        if over || self.answering() {
            if !over {
                self.blame(desk, reason);
            }
            self.go(Phase::Closed, desk.now);
            return Step::new(Command::Close, Payload::Empty);
        }
        let asked = self.exchange.asked;
        let keep = self.phase == Phase::Answer && asked.keep_alive && !desk.leaving;
        let event = self.blame(desk, reason);
        self.write_page(desk, &Verdict::new(reason, 0), event, (asked.head, asked.minor), keep);
        self.answer = Vec::new();
        self.settle(desk, Command::Retire, Payload::Written, keep)
    }

    /// Note what the last decision saw and let pass.
    pub(super) fn note_all(&mut self, desk: &mut Desk<'_>, src: &[u8]) {
        let notes = std::mem::take(&mut desk.work.notes);
        for ruling in &notes {
            let event = self.note(desk, Some(src), *ruling);
            self.keep_caught(desk, src, *ruling, event);
        }
        self.exchange.detected |= notes.iter().any(|ruling| ruling.action == Action::Detect);
        desk.work.notes = notes;
    }

    /// Count what became of the request, once: a body may still break what was let go.
    pub(super) fn count_request(&mut self, desk: &Desk<'_>, outcome: Outcome) {
        let site = self.policy.site(usize::from(self.exchange.site));
        if let (Some(site), false) = (site, self.exchange.counted) {
            self.exchange.counted = true;
            desk.counters.request(site.counter, outcome);
        }
    }

    /// Count the exceptions that let the request pass the last decision, each once a request.
    pub(super) fn count_exceptions(&mut self, desk: &Desk<'_>, site: &Site) {
        for exception in &desk.work.scratch.used {
            let counter = site.rules.exception_counter(*exception);
            let new = |counter: &usize| self.exchange.excepted.add_key(*counter as u32);
            if let Some(counter) = counter.filter(new) {
                desk.counters.exception(counter);
            }
        }
    }

    /// Note that the exchange failed at the origin, or on the way there.
    pub(super) fn blame(&mut self, desk: &mut Desk<'_>, reason: Reason) -> u64 {
        self.exchange.fault = Some(reason);
        self.note_unjudged(desk, reason)
    }

    /// Note what no rule was asked about: a peer that fails in the middle.
    pub(super) fn note_unjudged(&mut self, desk: &mut Desk<'_>, reason: Reason) -> u64 {
        let ruling = self.policy.refusal(usize::from(self.exchange.site), Verdict::new(reason, 0));
        self.note(desk, None, Ruling { action: Action::Block, ..ruling })
    }

    /// Note that an answer went to its client whole, but that more came behind it, which goes to nobody.
    pub(super) fn note_surplus(&mut self, desk: &mut Desk<'_>) {
        let site = usize::from(self.exchange.site);
        let ruling = self.policy.refusal(site, Verdict::new(Reason::OriginMalformed, 0));
        self.note(desk, None, Ruling { action: Action::Detect, mode: Mode::Detect, ..ruling });
    }

    /// Count and log a ruling; the event's id.
    fn note(&mut self, desk: &mut Desk<'_>, src: Option<&[u8]>, ruling: Ruling) -> u64 {
        let Ruling { verdict, action, mode } = ruling;
        let judged = verdict.reason.tier() != Tier::Failed || verdict.reason == Reason::InternalError;
        if action.stops() && judged {
            self.count_request(desk, Outcome::Refused);
        }
        let (site, client) = (self.exchange.site, self.exchange.client);
        let (reason, rule) = (verdict.reason, verdict.rule);
        desk.counters.reason(reason, action);
        if let Some(rule) = rule.and_then(|rule| self.policy.rules.get(rule as usize)) {
            desk.counters.rule(rule.counter, action);
        }
        let key = Key { client, site, reason, rule, action, mode, answered: 0 };
        let work = &*desk.work;
        let place = desk.ledger.note(desk.now / 1_000_000, key, || self.details(work, src, &verdict));
        if !place.told {
            desk.counters.event_dropped();
        } else if place.first {
            self.keep_evidence(desk, src, place.id, reason);
        }
        place.id
    }

    /// What an event tells of the request, whose head the desk still holds.
    pub(super) fn details(&self, work: &Work, src: Option<&[u8]>, verdict: &Verdict) -> Details {
        let site = self.policy.site(usize::from(self.exchange.site));
        let rule = verdict.rule.and_then(|rule| self.policy.rules.get(rule as usize));
        let head = &work.head;
        let buf = src.unwrap_or(&[]);
        let target = match head.target.of(buf) {
            // A head that could not be parsed: show its first line as it came.
            [] => buf.split(|byte| *byte == b'\n').next().unwrap_or(&[]),
            target => target,
        };
        let agent = head.fields.iter().find(|field| field.name.of(buf).eq_ignore_ascii_case(b"user-agent"));
        let agent = agent.map_or(&b""[..], |field| field.value.of(buf));
        let structural = verdict.reason.tier() <= Tier::Ambiguous && src.is_some();
        Details {
            site: site.map_or_else(String::new, |site| site.name.clone()),
            rule: rule.map_or_else(String::new, |rule| rule.id.clone()),
            status: self.policy.status(verdict),
            reading: if structural {
                work.readings.steps(usize::from(verdict.reading)).join(" ")
            } else {
                String::new()
            },
            offset: verdict.offset,
            method: String::from_utf8_lossy(head.method.of(buf)).into_owned(),
            target: target[..target.len().min(TARGET)].to_vec(),
            target_length: target.len(),
            host: String::from_utf8_lossy(head.host.of(buf)).into_owned(),
            agent: agent[..agent.len().min(AGENT)].to_vec(),
            client: self.exchange.client.map_or_else(|| self.peer.to_string(), |client| client.to_string()),
            cause: 0,
        }
    }

    /// The exchange is over: its command, and whether the client's connection goes on.
    pub(super) fn settle(
        &mut self,
        desk: &mut Desk<'_>,
        command: Command,
        payload: Payload,
        keep: bool,
    ) -> Step {
        if self.exchange.began > 0 {
            desk.counters.duration(desk.now.saturating_sub(self.exchange.began));
        }
        self.pending = None;
        if keep {
            self.go(Phase::Idle, desk.now);
            return Step::new(command, payload).with(super::MORE, !self.input.is_empty());
        }
        self.go(Phase::Closed, desk.now);
        self.input = Vec::new();
        Step::new(command, payload).with(LAST, true)
    }
}
