//! The alarm: an origin answered what a rule had caught and the mode let pass.
//!
//! Where the hole is closed such a request gets a 404 or a 403. An answer of 2xx says that something is
//! there (for the worm's `.ida` the mapping is enough), one of 5xx that something broke. It is counted, and
//! has an event of its own that names the one of the detection. What that event tells is kept from the
//! judgement to the answer, for a request with a detection only.

use super::{Desk, Session};
use crate::events::{Details, Key};
use crate::verdict::{Action, Reason, Ruling, Verdict};

/// The first rule that caught the request in progress, and what its event told.
#[derive(Debug)]
pub(super) struct Caught {
    ruling: Ruling,
    details: Details,
}

impl Session {
    /// Keep what an answer may make an alarm of; `event` is the id of the detection.
    pub(super) fn keep_caught(&mut self, desk: &Desk<'_>, src: &[u8], ruling: Ruling, event: u64) {
        if self.caught.is_none() && ruling.action == Action::Detect && self.is_match(&ruling.verdict) {
            let details = self.details(desk.work, Some(src), &ruling.verdict);
            self.caught = Some(Box::new(Caught { ruling, details: Details { cause: event, ..details } }));
        }
    }

    /// Whether a rule matched that guards a hole: one that only labels a structural reason says nothing of
    /// any, one with a rate only of a client, and one of a policy pack of what sites use every day.
    fn is_match(&self, verdict: &Verdict) -> bool {
        let site = self.policy.site(usize::from(self.exchange.site));
        let label = site.and_then(|site| site.rules.label(verdict.reason));
        let facts = verdict.rule.and_then(|rule| self.policy.rules.get(rule as usize));
        verdict.rule != label
            && verdict.reason != Reason::RateExceeded
            && facts.is_some_and(|facts| !facts.policy)
    }

    /// The origin's answer has begun, with this status.
    pub(super) fn watch(&mut self, desk: &mut Desk<'_>, status: u16) {
        let Some(caught) = self.caught.take() else { return };
        if !matches!(status, 200..=299 | 500..=599) {
            return;
        }
        let Caught { ruling: Ruling { verdict, action, mode }, details } = *caught;
        let (site, client) = (self.exchange.site, self.exchange.client);
        if let Some(site) = self.policy.site(usize::from(site)) {
            desk.counters.answered(site.counter, status);
        }
        let (reason, rule) = (verdict.reason, verdict.rule);
        let key = Key { client, site, reason, rule, action, mode, answered: status };
        if !desk.ledger.note(desk.now / 1_000_000, key, || Details { status, ..details }).told {
            desk.counters.event_dropped();
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::events::Event;
    use crate::session::tests::Bench;
    use crate::verdict::Reason;

    const RULES: &str = r#"{"id": "ida", "counter": 0, "match": {"field": "extension", "test": "equals", "value": ["ida"]}},
        {"id": "worm", "counter": 1, "match": {"field": "query", "test": "contains", "value": ["nnnn"]}},
        {"id": "label", "counter": 2, "match": {"field": "reason", "test": "equals", "value": ["backslash"]}}"#;
    const WORM: &[u8] = b"GET /x.ida?nnnn HTTP/1.1\r\nHost: h\r\n\r\n";
    const PLAIN: &[u8] = b"GET /x.asp HTTP/1.1\r\nHost: h\r\n\r\n";

    fn bench(mode: &str) -> Bench {
        Bench::with(RULES, &format!(r#""mode": "{mode}""#))
    }

    fn answer(status: u16) -> Vec<u8> {
        format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n").into_bytes()
    }

    /// Events in order, by what was done.
    fn events(bench: &mut Bench) -> Vec<Event> {
        bench.ledger.end();
        bench.ledger.take(u64::MAX)
    }

    #[test]
    fn an_answer_is_an_alarm_by_its_class() {
        for (status, word) in [(200, 0), (204, 0), (299, 0), (500, 1), (503, 1)] {
            let mut bench = bench("detect");
            bench.receive(WORM);
            bench.respond(&answer(status));
            assert_eq!(bench.counts("answered"), [(word, 1)], "{status}");
        }
        for status in [301, 304, 401, 403, 404] {
            let mut bench = bench("detect");
            bench.receive(WORM);
            bench.respond(&answer(status));
            assert_eq!(bench.counts("answered"), [], "{status}");
            assert!(events(&mut bench).iter().all(|event| event.done == "detected"), "{status}");
        }
    }

    #[test]
    fn it_names_the_first_detection_and_tells_of_its_own_request() {
        let mut bench = bench("detect");
        bench.receive(b"GET /first.ida HTTP/1.1\r\nHost: h\r\n\r\n");
        bench.respond(&answer(404));
        bench.receive(WORM);
        bench.respond(b"HTTP/1.1 100 Continue\r\n\r\n");
        bench.respond(&answer(200));
        let events = events(&mut bench);
        let alarms: Vec<&Event> = events.iter().filter(|event| event.done == "exploit-answered").collect();
        assert_eq!(alarms.len(), 1);
        let (alarm, detection) = (&alarms[0], &events[0]);
        assert_eq!((alarm.details.rule.as_str(), detection.details.rule.as_str()), ("ida", "ida"));
        assert_eq!(alarm.details.cause, detection.id);
        assert_eq!((alarm.details.status, detection.details.cause), (200, 0));
        assert_eq!(alarm.details.target, b"/x.ida?nnnn");
    }

    #[test]
    fn repeats_are_added_up_and_counted_each() {
        let mut bench = bench("detect");
        for _ in 0..3 {
            bench.receive(WORM);
            bench.respond(&answer(200));
        }
        assert_eq!(bench.counts("answered"), [(0, 3)]);
        let counts: Vec<u64> = events(&mut bench)
            .iter()
            .filter(|event| event.done == "exploit-answered")
            .map(|event| event.count)
            .collect();
        assert_eq!(counts, [0, 2]);
    }

    #[test]
    fn what_some_sites_use_every_day_is_none() {
        let rules = r#"{"id": "admin", "counter": 0, "policy": true,
            "match": {"field": "path", "test": "prefix", "value": ["/iisadmin"]}},
            {"id": "ida", "counter": 1, "match": {"field": "extension", "test": "equals", "value": ["ida"]}}"#;
        for (target, alarms) in [("/iisadmin/", 0), ("/iisadmin/x.ida", 1)] {
            let mut bench = Bench::with(rules, r#""mode": "detect""#);
            bench.receive(format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
            bench.respond(&answer(200));
            let events = events(&mut bench);
            assert_eq!(events[0].details.rule, "admin");
            assert_eq!(events.iter().filter(|event| event.done == "exploit-answered").count(), alarms);
        }
    }

    #[test]
    fn what_only_looks_odd_is_none() {
        let mut bench = bench("detect");
        bench.receive(b"GET /a%5cb HTTP/1.1\r\nHost: h\r\n\r\n");
        bench.respond(&answer(200));
        let events = events(&mut bench);
        assert_eq!(events.iter().map(|event| event.details.rule.as_str()).collect::<Vec<_>>(), ["label"]);
        assert_eq!(bench.counts("answered"), []);
    }

    #[test]
    fn the_next_request_does_not_inherit_it() {
        let mut bench = bench("detect");
        bench.receive(WORM);
        bench.call(|session, desk| session.fail(desk, Reason::OriginTimeout), b"");
        bench.receive(PLAIN);
        bench.respond(&answer(200));
        assert_eq!(bench.counts("answered"), []);
    }

    #[test]
    fn a_refusal_is_none() {
        let mut bench = bench("block");
        bench.receive(WORM);
        bench.receive(PLAIN);
        bench.respond(&answer(200));
        assert_eq!(bench.counts("answered"), []);
    }
}
