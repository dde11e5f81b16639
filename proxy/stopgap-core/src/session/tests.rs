//! A session driven by chance: whatever comes, in whatever order, every turn is one the table allows
//! (`go` asserts it in test builds), and what is forwarded is framed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use super::{Command, Desk, Payload, Session};
use crate::board::{Counters, LAYOUT, WORDS};
use crate::events::Ledger;
use crate::policy::tests::let_stumble;
use crate::policy::{Policy, Rates, Work};
use crate::verdict::{Action, Reason};

fn policy(body: &str, more: &str) -> Arc<Policy> {
    let json = format!(
        r#"{{"rules": [{{"id": "ida", "counter": 0, "match": {{"field": "extension", "test": "equals", "value": ["ida"]}}}},
                      {{"id": "evil", "counter": 1, "match": {{"field": "body", "test": "contains", "value": ["evil"]}}}}],
            "sites": [{{"name": "s", "counter": 0, "hosts": ["*"], "server": "iis5", "codepages": [932], "mode": "block",
                       "rules": [0, 1], "limits": {{"body": 1000}}, "deadlines": {{}}, "body": "{body}",
                       "raw_bytes": "refuse", "upgrade": ["websocket"], "exceptions": [] {more}}}]}}"#
    );
    Arc::new(Policy::compile(json.as_bytes()).unwrap())
}

/// A worker's desk and one session, as `lib.rs` holds them.
pub(super) struct Bench {
    policy: Arc<Policy>,
    pub(super) session: Session,
    work: Work,
    out: Vec<u8>,
    pub(super) ledger: Ledger,
    words: Vec<AtomicU64>,
    now: u64,
    leaving: bool,
}

impl Bench {
    pub(super) fn new(body: &str) -> Bench {
        let policy = policy(body, "");
        let session = Session::new(policy.clone(), "192.0.2.1", false, false, 0);
        let words = (0..WORDS).map(|_| AtomicU64::new(0)).collect();
        Bench {
            policy,
            session,
            work: Work::default(),
            out: Vec::new(),
            ledger: Ledger::new(1),
            words,
            now: 1,
            leaving: false,
        }
    }

    pub(super) fn call(
        &mut self,
        step: impl FnOnce(&mut Session, &mut Desk<'_>) -> super::Step,
        given: &[u8],
    ) -> (u8, Vec<u8>) {
        self.now += 1_000_000;
        let mut desk = Desk {
            policy: &self.policy,
            work: &mut self.work,
            out: &mut self.out,
            ledger: &mut self.ledger,
            counters: Counters(&self.words),
            rates: Rates::NONE,
            now: self.now,
            leaving: self.leaving,
            decided: false,
        };
        let step = step(&mut self.session, &mut desk);
        let bytes = match step.payload {
            Payload::Empty => Vec::new(),
            Payload::Given => given.to_vec(),
            Payload::Written => self.out.clone(),
        };
        (step.command, bytes)
    }

    pub(super) fn receive(&mut self, data: &[u8]) -> (u8, Vec<u8>) {
        self.call(|session, desk| session.receive(desk, data), data)
    }

    pub(super) fn respond(&mut self, data: &[u8]) -> (u8, Vec<u8>) {
        self.call(|session, desk| session.respond(desk, data), data)
    }
}

const PIECES: [&[u8]; 16] = [
    b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET /x.ida HTTP/1.1\r\nHost: h\r\n\r\n",
    b"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n",
    b"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
    b"POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"hello",
    b"evil!",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\n",
    b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"\r\n",
    b"",
];

#[derive(Clone, Debug)]
enum Turn {
    Receive(Vec<u8>),
    Respond(Vec<u8>),
    Lost,
    Fail,
    Expire(u64),
    End,
}

fn turn() -> impl Strategy<Value = Turn> {
    let bytes = prop_oneof![
        6 => prop::sample::select(PIECES.to_vec()).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    prop_oneof![
        6 => bytes.clone().prop_map(Turn::Receive),
        5 => bytes.prop_map(Turn::Respond),
        1 => Just(Turn::Lost),
        1 => Just(Turn::Fail),
        1 => (0..200u64).prop_map(Turn::Expire),
        1 => Just(Turn::End),
    ]
}

proptest! {
    #[test]
    fn every_turn_is_in_the_table(turns in prop::collection::vec(turn(), 0..40), stream in any::<bool>()) {
        let mut bench = Bench::new(if stream { "stream" } else { "buffer" });
        for turn in turns {
            match turn {
                Turn::Receive(data) => { bench.receive(&data); }
                Turn::Respond(data) => { bench.respond(&data); }
                Turn::Lost => { bench.call(Session::lost, b""); }
                Turn::Fail => { bench.call(|session, desk| session.fail(desk, Reason::OriginTimeout), b""); }
                Turn::Expire(seconds) => {
                    bench.now += seconds * 1_000_000_000;
                    bench.call(Session::expire, b"");
                }
                Turn::End => { bench.call(|session, desk| { session.end(desk); super::Step::WAIT }, b""); }
            }
        }
    }
}

impl Bench {
    /// A bench with rules and site keys of its own.
    pub(super) fn with(rules: &str, site: &str) -> Bench {
        let indexes: Vec<usize> = (0..rules.matches(r#""counter""#).count()).collect();
        let limits = if site.contains("limits") { "" } else { r#""limits": {},"# };
        let json = format!(
            r#"{{"rules": [{rules}],
                "sites": [{{"name": "s", "counter": 0, "hosts": ["*"], "server": "iis5", "codepages": [1252],
                           "rules": {indexes:?}, "deadlines": {{"tarpit": 5}}, "body": "stream",
                           "raw_bytes": "refuse", {limits} {site}}}]}}"#
        );
        let mut bench = Bench::new("buffer");
        bench.policy = Arc::new(Policy::compile(json.as_bytes()).unwrap());
        bench
    }

    /// What a region of the board holds: (word, count) where it is not 0.
    pub(super) fn counts(&self, region: &str) -> Vec<(usize, u64)> {
        let (_, first, words) = LAYOUT.iter().find(|(name, _, _)| *name == region).unwrap();
        let words = self.words[*first..first + words].iter().map(|word| word.load(Ordering::Relaxed));
        words.enumerate().filter(|(_, count)| *count > 0).collect()
    }
}

const TRIAL: &str = r#"{"id": "trial", "counter": 3, "action": "detect",
    "match": {"field": "path", "test": "prefix", "value": ["/trial"]}},
    {"id": "worm", "counter": 4, "action": "ACTION",
    "match": {"any": [{"field": "path", "test": "prefix", "value": ["/trial/worm"]},
                      {"field": "body", "test": "contains", "value": ["evil"]}]}}"#;

fn after(action: &str, mode: &str, head: &[u8]) -> Bench {
    let mut bench = Bench::with(&TRIAL.replace("ACTION", action), &format!(r#""mode": "{mode}""#));
    bench.receive(head);
    bench
}

const WORM: &[u8] = b"GET /trial/worm HTTP/1.1\r\nHost: h\r\n\r\n";
/// Words of a rule on the board: refused, detected, dropped, tarpitted, stripped.
const TRIAL_DETECTED: (usize, u64) = (3 * 5 + 1, 1);

#[test]
fn each_action_is_counted_in_its_column_and_the_request_once() {
    for (action, column) in [("block", 0), ("drop", 2), ("tarpit", 3)] {
        let bench = after(action, "block", WORM);
        assert_eq!(bench.counts("rules"), [TRIAL_DETECTED, (4 * 5 + column, 1)], "{action}");
        assert_eq!(bench.counts("requests"), [(1, 1)], "{action}");
    }
    for (action, mode) in [("drop", "detect"), ("detect", "block")] {
        let bench = after(action, mode, WORM);
        assert_eq!(bench.counts("rules"), [TRIAL_DETECTED, (4 * 5 + 1, 1)], "{action}");
        assert_eq!(bench.counts("requests"), [(2, 1)], "{action}");
    }
    assert_eq!(after("drop", "block", PIECES[0]).counts("requests"), [(0, 1)]);
}

const HEAD: &[u8] = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\n";

#[test]
fn a_request_with_a_body_is_counted_once() {
    for (body, mode, outcome) in
        [("12345678", "block", 0), ("1evil678", "block", 1), ("1evil678", "detect", 2), ("1evil", "block", 9)]
    {
        for cut in [3, HEAD.len(), 9999] {
            let whole = [HEAD, body.as_bytes()].concat();
            let mut bench = Bench::with(&TRIAL.replace("ACTION", "block"), &format!(r#""mode": "{mode}""#));
            whole.chunks(cut).for_each(|piece| drop(bench.receive(piece)));
            let counted: Vec<_> = if outcome < 9 { vec![(outcome, 1)] } else { Vec::new() };
            assert_eq!(bench.counts("requests"), counted, "{body} {mode} in pieces of {cut}");
        }
    }
}

#[test]
fn the_window_of_a_body_ends_where_the_site_says() {
    for (window, outcome) in [(4, 0), (5, 1), (65_536, 1)] {
        for cut in [3, HEAD.len(), 9999] {
            let site = format!(r#""mode": "block", "limits": {{"window": {window}}}"#);
            let mut bench = Bench::with(&TRIAL.replace("ACTION", "block"), &site);
            [HEAD, b"1evil678"].concat().chunks(cut).for_each(|piece| drop(bench.receive(piece)));
            assert_eq!(bench.counts("requests"), [(outcome, 1)], "a window of {window}, pieces of {cut}");
        }
    }
}

/// A rule of the property below: action, and the mode that the site gives it.
type Trial = (&'static str, Option<&'static str>);

proptest! {
    #[test]
    fn what_only_detects_shields_nothing(
        trials in prop::collection::vec((
            prop::sample::select(vec!["block", "detect", "drop", "tarpit", "strip"]),
            prop::sample::select(vec![None, Some("block"), Some("detect")]),
        ), 6),
        mode in prop::sample::select(vec!["block", "detect"]),
        path in "[a-f]{0,6}(%5cx)?",
    ) {
        let rule = |(index, (action, _)): (usize, &Trial)| {
            let letter = char::from(b'a' + index as u8);
            let strip = if *action == "strip" { r#", "strip": ["x-a"]"# } else { "" };
            format!(
                r#"{{"id": "{letter}", "counter": {index}, "action": "{action}"{strip},
                    "match": {{"field": "path.raw", "test": "regex", "value": ["^/[^%]*{letter}"]}}}}"#
            )
        };
        let own = |(index, (_, mode)): (usize, &Trial)| {
            mode.map(|mode| format!(r#""{}": "{mode}""#, char::from(b'a' + index as u8)))
        };
        let rules: Vec<String> = trials.iter().enumerate().map(rule).collect();
        let modes: Vec<String> = trials.iter().enumerate().filter_map(own).collect();
        let site = format!(r#""mode": "{mode}", "modes": {{{}}}"#, modes.join(", "));
        let mut bench = Bench::with(&rules.join(", "), &site);
        bench.receive(format!("GET /{path} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());

        // Rule by rule, as the manual says.
        let (mut counts, mut noted, mut refused) = (Vec::new(), 0, false);
        for (index, (action, own)) in trials.iter().enumerate() {
            if refused || !path.split('%').next().unwrap_or("").contains(char::from(b'a' + index as u8)) {
                continue;
            }
            let enforced = *action != "detect" && own.unwrap_or(mode) == "block";
            refused = enforced && *action != "strip";
            let column = match *action {
                _ if !enforced => 1,
                "block" => 0,
                "drop" => 2,
                "tarpit" => 3,
                _ => 4,
            };
            noted += usize::from(!refused);
            if refused || noted <= 4 {
                counts.push((index * 5 + column, 1));
            }
        }
        refused |= mode == "block" && path.contains('%');
        prop_assert_eq!(bench.counts("rules"), counts);
        let forwarded = bench.counts("requests").first() != Some(&(1, 1));
        prop_assert_eq!(forwarded, !refused);
    }
}

#[test]
fn what_was_noted_with_the_head_is_not_noted_with_the_body() {
    let head = b"POST /trial HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n";
    for pieces in [vec![[&head[..], b"good"].concat()], vec![head.to_vec(), b"go".to_vec(), b"od".to_vec()]] {
        let mut bench = Bench::with(&TRIAL.replace("ACTION", "block"), r#""mode": "block""#);
        let last = pieces.iter().map(|piece| bench.receive(piece).0).last();
        assert_eq!(last, Some(Command::Forward as u8));
        assert_eq!(bench.counts("rules"), [TRIAL_DETECTED]);
        assert_eq!(bench.counts("requests"), [(2, 1)]);
    }
}

#[test]
fn a_tarpit_answers_at_its_deadline_and_reads_nothing_before() {
    let mut bench = after("tarpit", "block", WORM);
    assert_eq!(bench.receive(PIECES[0]), (Command::Wait as u8, Vec::new()));
    assert_eq!(bench.call(Session::expire, b"").0, Command::Wait as u8);
    bench.now += 5_000_000_000;
    let (command, page) = bench.call(Session::expire, b"");
    assert_eq!(command, Command::Close as u8);
    assert!(page.starts_with(b"HTTP/1.1 404 Not Found\r\n"));
    assert!(page.windows(17).any(|part| part == b"Connection: close"));
    assert_eq!(bench.call(Session::expire, b"").0, Command::Wait as u8);
}

#[test]
fn an_exception_is_counted_once_a_request_that_it_let_pass() {
    let rules = TRIAL.replace("ACTION", "block");
    let site = r#""mode": "block", "exceptions": [
        {"rule": "worm", "counter": 7, "path": "/trial/worm/ok"},
        {"rule": "short-name", "counter": 8}, {"rule": "trial", "path": "/nowhere", "counter": 9}]"#;
    let mut bench = Bench::with(&rules, site);
    let ask = |bench: &mut Bench, target: &str, body: &str| {
        let head = format!("POST {target} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", body.len());
        bench.receive(format!("{head}{body}").as_bytes()).0
    };
    assert_eq!(ask(&mut bench, "/trial/worm/no", "good"), Command::Close as u8);
    assert_eq!(bench.counts("exceptions"), []);
    let mut bench = Bench::with(&rules, site);
    // Judged twice, with and without its body.
    assert_eq!(ask(&mut bench, "/trial/worm/ok", "good"), Command::Forward as u8);
    assert_eq!(bench.counts("exceptions"), [(7, 1)]);
    bench.respond(PIECES[9]);
    bench.respond(b"hello");
    assert_eq!(ask(&mut bench, "/longna~1.txt", "good"), Command::Forward as u8);
    assert_eq!(bench.counts("exceptions"), [(7, 1), (8, 1)]);
}

#[test]
fn a_method_that_is_not_taken_hears_which_are() {
    let mut bench =
        Bench::with(&TRIAL.replace("ACTION", "block"), r#""mode": "block", "methods": ["GET", "PROPFIND"]"#);
    let (_, page) = bench.receive(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
    assert!(page.starts_with(b"HTTP/1.1 405 "));
    assert!(page.windows(22).any(|part| part == b"\r\nAllow: GET, PROPFIND"));
}

#[test]
fn a_request_goes_and_its_answer_comes() {
    let mut bench = Bench::new("buffer");
    let (command, head) = bench.receive(PIECES[0]);
    assert_eq!(command, Command::Forward as u8);
    assert!(head.starts_with(b"GET /a HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 192.0.2.1\r\n"));
    let (command, answer) =
        bench.respond(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok");
    assert_eq!(command, Command::Finish as u8);
    assert_eq!(answer, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

#[test]
fn a_client_is_brought_the_cookie_of_the_origin_that_has_its_request() {
    let mut bench = Bench::new("buffer");
    bench.policy = policy("buffer", r#", "sticky": {"cookie": "GATE", "values": ["aa", "bb"]}"#);
    for (cookie, belongs, origin, brought) in [
        ("", None, 1, "Set-Cookie: GATE=bb; Path=/; HttpOnly\r\nCache-Control: private\r\n"),
        ("Cookie: a=b; GATE=bb\r\n", Some(1), 1, ""),
        (
            "Cookie: GATE=bb\r\n",
            Some(1),
            0,
            "Set-Cookie: GATE=aa; Path=/; HttpOnly\r\nCache-Control: private\r\n",
        ),
        ("Cookie: GATE=forged\r\nCookie: GATE=aa\r\n", Some(0), 0, ""),
    ] {
        let (_, head) = bench.receive(format!("GET /a HTTP/1.1\r\nHost: h\r\n{cookie}\r\n").as_bytes());
        assert!(!head.windows(4).any(|part| part == b"GATE"), "{cookie}");
        assert_eq!(bench.session.belongs(), belongs, "{cookie}");
        bench.session.carried(origin);
        let (_, answer) = bench.respond(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        let expected = format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n{brought}\r\nok");
        assert_eq!(String::from_utf8(answer).unwrap(), expected);
    }
}

#[test]
fn a_worker_that_ends_says_so_in_each_answer() {
    let mut bench = Bench::new("buffer");
    bench.receive(PIECES[0]);
    bench.leaving = true;
    let (command, answer) = bench.respond(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert_eq!(command, Command::Finish as u8 | super::LAST);
    assert_eq!(answer, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    let mut bench = Bench::new("buffer");
    bench.leaving = true;
    let (command, page) = bench.receive(PIECES[1]);
    assert_eq!(command, Command::Close as u8);
    assert!(page.windows(17).any(|part| part == b"Connection: close"));
}

#[test]
fn a_worker_that_ends_waits_less_between_requests_and_not_in_one() {
    let mut bench = Bench::new("buffer");
    bench.leaving = true;
    bench.now += super::PARTING / 2;
    assert_eq!(bench.call(Session::expire, b"").0, Command::Wait as u8);
    bench.receive(b"GET /a");
    bench.now += super::PARTING * 2;
    assert_eq!(bench.call(Session::expire, b"").0, Command::Wait as u8);
    bench.receive(b" HTTP/1.1\r\nHost: h\r\n\r\n");
    bench.now += super::PARTING * 2;
    assert_eq!(bench.call(Session::expire, b"").0, Command::Wait as u8);
    let mut bench = Bench::new("buffer");
    bench.now += super::PARTING * 2;
    assert_eq!(bench.call(Session::expire, b"").0, Command::Wait as u8);
    bench.leaving = true;
    assert_eq!(bench.call(Session::expire, b"").0, Command::Close as u8);
}

#[test]
fn a_body_is_held_until_it_is_whole_and_judged() {
    let mut bench = Bench::new("buffer");
    assert_eq!(bench.receive(PIECES[2]).0, Command::Wait as u8);
    assert_eq!(bench.receive(b"hel"), (Command::Hold as u8, b"hel".to_vec()));
    let (command, rest) = bench.receive(b"lo");
    assert_eq!((command, rest), (Command::Hold as u8 | super::MORE, b"lo".to_vec()));
    let (command, head) = bench.receive(b"");
    assert_eq!(command, Command::Send as u8);
    assert!(head.ends_with(b"Connection: close\r\nContent-Length: 5\r\n\r\n"));
    let mut bench = Bench::new("buffer");
    bench.receive(PIECES[2]);
    assert_eq!(bench.receive(b"evil!").0, Command::Close as u8);
}

#[test]
fn a_streamed_body_waits_for_the_rules_that_read_it() {
    let mut bench = Bench::new("stream");
    assert_eq!(bench.receive(PIECES[2]).0, Command::Wait as u8);
    assert_eq!(bench.receive(b"hel").0, Command::Wait as u8);
    let (command, sent) = bench.receive(b"lo");
    assert_eq!(command, Command::Forward as u8);
    assert!(sent.ends_with(b"Content-Length: 5\r\n\r\nhello"));
}

#[test]
fn a_refusal_shares_its_event_with_its_repeats() {
    let mut bench = Bench::new("buffer");
    let (first, page) = bench.receive(PIECES[1]);
    assert_eq!(first, Command::Answer as u8);
    assert_eq!(bench.receive(PIECES[1]), (first, page));
    let events = bench.ledger.take(0);
    assert_eq!(events.len(), 1);
    bench.ledger.end();
    let counts: Vec<u64> = bench.ledger.take(0).iter().map(|event| event.count).collect();
    assert_eq!(counts, [1]);
}

#[test]
fn a_judge_that_fails_refuses_or_forwards_as_the_site_wants() {
    let rules =
        r#"{"id": "evil", "counter": 0, "match": {"field": "body", "test": "contains", "value": ["evil"]}}"#;
    for (on_error, piece, command, action) in [
        ("refuse", PIECES[0], Command::Close, Action::Block),
        ("refuse", PIECES[2], Command::Close, Action::Block),
        ("forward", PIECES[0], Command::Forward, Action::Detect),
        ("forward", PIECES[2], Command::Forward, Action::Detect),
    ] {
        let mut bench = Bench::with(rules, &format!(r#""mode": "block", "on_error": "{on_error}""#));
        let_stumble(true);
        let mut told = bench.receive(piece);
        if told.0 == Command::Wait as u8 {
            told = bench.receive(b"hello");
        }
        let_stumble(false);
        let closes = told.0 == Command::Answer as u8 || told.0 == Command::Close as u8;
        assert!(told.0 == command as u8 || (closes && command == Command::Close), "{on_error}: {told:?}");
        assert_eq!(told.1.starts_with(b"HTTP/1.1 500 "), action == Action::Block);
        let noted: Vec<(Reason, &str)> =
            bench.ledger.take(0).iter().map(|event| (event.reason, event.done)).collect();
        assert_eq!(noted, [(Reason::InternalError, action.done())]);
    }
}

#[test]
fn a_judge_that_failed_judges_the_next_request() {
    let ida =
        r#"{"id": "ida", "counter": 0, "match": {"field": "extension", "test": "equals", "value": ["ida"]}}"#;
    let mut bench = Bench::with(ida, r#""mode": "block", "on_error": "forward""#);
    let_stumble(true);
    assert_eq!(bench.receive(PIECES[1]).0, Command::Forward as u8);
    let_stumble(false);
    bench.session = Session::new(bench.policy.clone(), "192.0.2.2", false, false, 0);
    assert_eq!(bench.receive(PIECES[1]).0, Command::Answer as u8);
}
