//! A session driven by chance: whatever comes, in whatever order, every turn is one the table allows
//! (`go` asserts it in test builds), and what is forwarded is framed.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use proptest::prelude::*;

use super::{Command, Desk, Payload, Session};
use crate::board::{Counters, WORDS};
use crate::events::Ledger;
use crate::policy::{Policy, Work};
use crate::verdict::Reason;

fn policy(body: &str) -> Arc<Policy> {
    let json = format!(
        r#"{{"rules": [{{"id": "ida", "counter": 0, "match": {{"field": "extension", "test": "equals", "value": ["ida"]}}}},
                      {{"id": "evil", "counter": 1, "match": {{"field": "body", "test": "contains", "value": ["evil"]}}}}],
            "sites": [{{"name": "s", "counter": 0, "hosts": ["*"], "server": "iis5", "codepages": [932], "mode": "block",
                       "rules": [0, 1], "limits": {{"body": 1000}}, "deadlines": {{}}, "body": "{body}",
                       "raw_bytes": "refuse", "upgrade": ["websocket"], "exceptions": []}}]}}"#
    );
    Arc::new(Policy::compile(json.as_bytes()).unwrap())
}

/// A worker's desk and one session, as `lib.rs` holds them.
struct Bench {
    policy: Arc<Policy>,
    session: Session,
    work: Work,
    out: Vec<u8>,
    ledger: Ledger,
    words: Vec<AtomicU64>,
    now: u64,
}

impl Bench {
    fn new(body: &str) -> Bench {
        let policy = policy(body);
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
        }
    }

    fn call(
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
            now: self.now,
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

    fn receive(&mut self, data: &[u8]) -> (u8, Vec<u8>) {
        self.call(|session, desk| session.receive(desk, data), data)
    }

    fn respond(&mut self, data: &[u8]) -> (u8, Vec<u8>) {
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
