//! Saying no: the answer, the counters, the event, and whether the connection may go on.

use super::{Command, Desk, LAST, Payload, Phase, Session, Step};
use crate::board::Outcome;
use crate::events::{AGENT, Details, Key, TARGET};
use crate::http1::framing::{Framing, Length};
use crate::http1::pages;
use crate::verdict::{Reason, Tier, Verdict};

impl Session {
    /// Refuse a request whose head is complete. Its connection goes on when the next request's start
    /// is beyond doubt: framing in order, no body to skip.
    pub(super) fn refuse(
        &mut self,
        desk: &mut Desk<'_>,
        src: &[u8],
        plan: &Framing,
        verdict: Verdict,
    ) -> Step {
        let bodiless = matches!(plan.length, Length::None | Length::Exact(0));
        let keep = bodiless && plan.keep_alive && verdict.reason.tier() < Tier::Malformed;
        let head = desk.work.head.method.of(src) == b"HEAD";
        let minor = desk.work.head.minor;
        self.answer_no(desk, Some(src), verdict, (head, minor), keep)
    }

    /// Refuse because of what the body holds: the rest of it would have to be skipped.
    pub(super) fn refuse_with_body(&mut self, desk: &mut Desk<'_>, src: &[u8], verdict: Verdict) -> Step {
        let head = self.exchange.asked.head;
        self.answer_no(desk, Some(src), verdict, (head, self.exchange.asked.minor), false)
    }

    /// Refuse what cannot be framed: nothing after it can be trusted either.
    pub(super) fn refuse_malformed(&mut self, desk: &mut Desk<'_>, src: &[u8], verdict: Verdict) -> Step {
        self.answer_no(desk, Some(src), verdict, (false, 1), false)
    }

    /// Refuse in the middle of a request: a deadline, or a body that breaks the grammar or a limit.
    pub(super) fn refuse_client(&mut self, desk: &mut Desk<'_>, reason: Reason) -> Step {
        let asked = self.exchange.asked;
        self.answer_no(desk, None, Verdict::new(reason, 0), (asked.head, asked.minor), false)
    }

    fn answer_no(
        &mut self,
        desk: &mut Desk<'_>,
        src: Option<&[u8]>,
        verdict: Verdict,
        (head, minor): (bool, u8),
        keep: bool,
    ) -> Step {
        let id = self.note(desk, src, verdict, false);
        let status = self.policy.status(&verdict);
        desk.out.clear();
        pages::refusal(status, id, head, minor, !keep, desk.out);
        self.pending = None;
        if keep {
            self.go(Phase::Idle, desk.now);
            return Step::new(Command::Answer, Payload::Written);
        }
        self.go(Phase::Closed, desk.now);
        self.input = Vec::new();
        Step::new(Command::Close, Payload::Written)
    }

    /// The origin could not be used, or not in time: an answer of ours if none has begun.
    pub fn fail(&mut self, desk: &mut Desk<'_>, reason: Reason) -> Step {
        desk.out.clear();
        if matches!(self.phase, Phase::Idle | Phase::Head) {
            return Step::WAIT;
        }
        if self.phase == Phase::Closed || self.phase == Phase::Tunnel || self.answering() {
            self.go(Phase::Closed, desk.now);
            return Step::new(Command::Close, Payload::Empty);
        }
        let verdict = Verdict::new(reason, 0);
        let asked = self.exchange.asked;
        let keep = self.phase == Phase::Answer && asked.keep_alive;
        let id = self.note(desk, None, verdict, false);
        pages::refusal(self.policy.status(&verdict), id, asked.head, asked.minor, !keep, desk.out);
        self.answer = Vec::new();
        self.settle(desk, Command::Retire, Payload::Written, keep)
    }

    /// Count and log a verdict; the event's id.
    pub(super) fn note(
        &mut self,
        desk: &mut Desk<'_>,
        src: Option<&[u8]>,
        mut verdict: Verdict,
        detected: bool,
    ) -> u64 {
        let index = self.exchange.site;
        let policy = &self.policy;
        let site = policy.site(usize::from(index));
        if verdict.rule.is_none() {
            verdict.rule = site.and_then(|site| site.rules.label(verdict.reason));
        }
        let rule = verdict.rule.and_then(|rule| policy.rules.get(rule as usize));
        desk.counters.reason(verdict.reason, detected);
        if let Some(rule) = rule {
            desk.counters.rule(rule.counter, detected);
        }
        if let (Some(site), true) = (site, verdict.reason.tier() != Tier::Failed) {
            desk.counters.request(site.counter, if detected { Outcome::Detected } else { Outcome::Refused });
        }
        let key =
            Key { client: self.address, site: index, reason: verdict.reason, rule: verdict.rule, detected };
        let (client, work) = (&self.client, &*desk.work);
        let (id, kept) = desk.ledger.note(desk.now / 1_000_000, key, || {
            let head = &work.head;
            let buf = src.unwrap_or(&[]);
            let target = match head.target.of(buf) {
                // A head that could not be parsed: show its first line as it came.
                [] => buf.split(|byte| *byte == b'\n').next().unwrap_or(&[]),
                target => target,
            };
            let agent =
                head.fields.iter().find(|field| field.name.of(buf).eq_ignore_ascii_case(b"user-agent"));
            let agent = agent.map_or(&b""[..], |field| field.value.of(buf));
            let structural = verdict.reason.tier() <= Tier::Ambiguous && src.is_some();
            Details {
                site: site.map_or_else(String::new, |site| site.name.clone()),
                rule: rule.map_or_else(String::new, |rule| rule.id.clone()),
                status: policy.status(&verdict),
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
                client: client.to_string(),
            }
        });
        if !kept {
            desk.counters.event_dropped();
        }
        id
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
