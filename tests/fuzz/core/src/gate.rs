//! A gate without sockets, as `tests/conversation.py` is one: carries out the commands of one session.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use _core::board::{self, Counters};
use _core::events::Ledger;
use _core::policy::{Policy, Rates, Work};
use _core::session::{Command, Desk, LAST, MORE, Payload, Session, Step};

/// What a worker has.
pub struct Gate {
    pub policy: Arc<Policy>,
    work: Work,
    out: Vec<u8>,
    words: Vec<AtomicU64>,
}

/// What a connection came to.
#[derive(Debug, Default)]
pub struct Said {
    pub requests: Vec<Vec<u8>>,
    pub client: Vec<u8>,
    pub closed: bool,
    pub reasons: Vec<&'static str>,
}

/// One client connection. The origin answers each request with the pieces of `answer`, or not at all where
/// there are none.
pub struct Line<'a> {
    session: Session,
    ledger: Ledger,
    now: u64,
    answer: &'a [&'a [u8]],
    request: Vec<u8>,
    held: Vec<u8>,
    finished: usize,
    tunnel: bool,
    said: Said,
}

impl Gate {
    pub fn new(policy: Arc<Policy>) -> Gate {
        let words = (0..board::WORDS).map(|_| AtomicU64::new(0)).collect();
        Gate { policy, work: Work::default(), out: Vec::new(), words }
    }

    pub fn connect<'a>(&self, answer: &'a [&'a [u8]]) -> Line<'a> {
        Line {
            session: Session::new(self.policy.clone(), "192.0.2.7", false, false, 1),
            ledger: Ledger::new(1),
            now: 1,
            answer,
            request: Vec::new(),
            held: Vec::new(),
            finished: 0,
            tunnel: false,
            said: Said::default(),
        }
    }
}

fn is(command: u8, kind: Command) -> bool {
    command & (MORE - 1) == kind as u8
}

impl Line<'_> {
    fn call(
        &mut self,
        gate: &mut Gate,
        given: &[u8],
        step: impl FnOnce(&mut Session, &mut Desk<'_>) -> Step,
    ) -> (u8, Vec<u8>) {
        self.now += 1000;
        let mut desk = Desk {
            policy: &gate.policy,
            work: &mut gate.work,
            out: &mut gate.out,
            ledger: &mut self.ledger,
            counters: Counters(&gate.words),
            rates: Rates::NONE,
            now: self.now,
            leaving: false,
            decided: false,
        };
        let step = step(&mut self.session, &mut desk);
        let bytes = match step.payload {
            Payload::Empty => Vec::new(),
            Payload::Given => given.to_vec(),
            Payload::Written => gate.out.clone(),
        };
        (step.command, bytes)
    }

    /// The client sends a piece, if it may still send.
    pub fn receive(&mut self, gate: &mut Gate, data: &[u8]) {
        let mut data = data;
        while !self.said.closed {
            let (command, bytes) = self.call(gate, data, |session, desk| session.receive(desk, data));
            self.send_on(gate, command, &bytes);
            if command & MORE == 0 {
                return;
            }
            data = b"";
        }
    }

    /// The origin sends a piece.
    pub fn respond(&mut self, gate: &mut Gate, data: &[u8]) {
        let (command, bytes) = self.call(gate, data, |session, desk| session.respond(desk, data));
        self.hand_back(gate, command, &bytes);
    }

    /// The origin closes.
    pub fn lost(&mut self, gate: &mut Gate) {
        let (command, bytes) = self.call(gate, b"", Session::lost);
        self.hand_back(gate, command, &bytes);
    }

    /// So many nanoseconds later the deadlines are looked at.
    pub fn expire(&mut self, gate: &mut Gate, later: u64) {
        self.now += later;
        let (command, bytes) = self.call(gate, b"", Session::expire);
        self.hand_back(gate, command, &bytes);
    }

    /// The client closes.
    pub fn finish(mut self, gate: &mut Gate) -> Said {
        self.call(gate, b"", |session, desk| {
            session.end(desk);
            Step::WAIT
        });
        self.ledger.end();
        let events = self.ledger.take(self.now / 1_000_000);
        let first = events.iter().filter(|event| event.count == 0);
        self.said.reasons = first.map(|event| event.reason.name()).collect();
        self.said
    }

    /// What a command of `receive` means.
    fn send_on(&mut self, gate: &mut Gate, command: u8, bytes: &[u8]) {
        if is(command, Command::Answer) || is(command, Command::Close) {
            self.said.client.extend_from_slice(bytes);
            self.said.closed |= is(command, Command::Close);
        } else if is(command, Command::Hold) {
            self.held.extend_from_slice(bytes);
        } else if is(command, Command::Open) || is(command, Command::Body) {
            self.request.extend_from_slice(bytes);
        } else if is(command, Command::Forward) || is(command, Command::End) || is(command, Command::Send) {
            let mut request = std::mem::take(&mut self.request);
            request.extend_from_slice(bytes);
            request.append(&mut self.held);
            self.said.requests.push(request);
            if !self.answer.is_empty() {
                self.exchange(gate);
            }
        }
    }

    /// The origin answers the last request, and closes where that was no whole answer.
    fn exchange(&mut self, gate: &mut Gate) {
        let number = self.said.requests.len();
        for piece in self.answer {
            if self.finished >= number {
                return;
            }
            self.respond(gate, piece);
        }
        if self.finished < number && !self.tunnel {
            self.lost(gate);
        }
    }

    /// What a command of the origin's side means.
    fn hand_back(&mut self, gate: &mut Gate, command: u8, bytes: &[u8]) {
        self.said.client.extend_from_slice(bytes);
        self.said.closed |= is(command, Command::Close) || command & LAST != 0;
        let over = [Command::Finish, Command::Retire, Command::Pin, Command::Close];
        self.finished += usize::from(over.into_iter().any(|kind| is(command, kind)));
        self.tunnel |= is(command, Command::Tunnel);
        if command & MORE != 0 {
            self.receive(gate, b"");
        }
    }
}

/// A whole connection: the client sends the pieces and closes.
pub fn converse(gate: &mut Gate, pieces: &[&[u8]], answer: &[&[u8]]) -> Said {
    let mut line = gate.connect(answer);
    for piece in pieces {
        line.receive(gate, piece);
    }
    line.finish(gate)
}
