//! One client connection: bytes in, commands out.
//!
//! A session reads requests from the client's bytes and answers from the origin's, one exchange after
//! the other, and says with a command what whoever holds the sockets must do (`_core.pyi` has the
//! table). It does no I/O and has no clock: `now` comes with every call, in nanoseconds.
//!
//! The table `PHASES` is the whole life of a session; `request.rs` and `response.rs` hold what is done
//! in a phase.

mod alarm;
mod evidence;
mod redirect;
mod refuse;
mod request;
mod response;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

use crate::board::Counters;
use crate::events::Ledger;
use crate::http1::answer::Asked;
use crate::http1::chunked::Decoder;
use crate::policy::{Deadlines, Noted, Policy, Rates, Tally, Work};
use crate::present::Counted;
use crate::verdict::Reason;

/// What the holder of the sockets is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Command {
    Wait = 0,
    Forward = 1,
    Open = 2,
    Body = 3,
    End = 4,
    Hold = 5,
    Send = 6,
    Answer = 7,
    Close = 8,
    Pause = 9,
    Relay = 10,
    Write = 11,
    Finish = 12,
    Retire = 13,
    Pin = 14,
    Tunnel = 15,
    Tarpit = 16,
}

/// Another command is ready: call `receive` again with nothing.
pub const MORE: u8 = 64;
/// Close the client's connection after writing.
pub const LAST: u8 = 128;

/// The bytes that go with a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    Empty,
    /// The chunk that was given, as it is.
    Given,
    /// What stands in `Desk::out`.
    Written,
}

/// A command with its flags and bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub command: u8,
    pub payload: Payload,
}

impl Step {
    pub const WAIT: Step = Step { command: Command::Wait as u8, payload: Payload::Empty };

    fn new(command: Command, payload: Payload) -> Self {
        Step { command: command as u8, payload }
    }

    fn with(self, flag: u8, set: bool) -> Self {
        Step { command: if set { self.command | flag } else { self.command }, ..self }
    }
}

/// What a worker lends to its sessions for one call.
pub struct Desk<'a> {
    pub policy: &'a Arc<Policy>,
    pub work: &'a mut Work,
    pub out: &'a mut Vec<u8>,
    pub ledger: &'a mut Ledger,
    pub counters: Counters<'a>,
    pub rates: Rates<'a>,
    /// Nanoseconds since the worker began.
    pub now: u64,
    /// The worker ends: no connection is kept for another request.
    pub leaving: bool,
    /// Set when this call decided about a request.
    pub decided: bool,
}

/// Where a session is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Phase {
    /// Between requests.
    Idle,
    /// A head has begun.
    Head,
    /// A head was accepted, its body is coming.
    Body,
    /// The request is complete; the origin's answer is awaited or under way.
    Answer,
    /// Bytes of an upgraded connection pass both ways.
    Tunnel,
    /// Refused; the answer is held back until its deadline.
    Tarpit,
    /// Nothing more is read.
    Closed,
}

type Receive = fn(&mut Session, &mut Desk<'_>, &[u8]) -> Step;
type Respond = fn(&mut Session, &mut Desk<'_>, &[u8]) -> Step;

/// One row a phase: what client bytes do, what origin bytes do, and where it may lead.
struct Row {
    receive: Receive,
    respond: Respond,
    next: &'static [Phase],
}

const PHASES: [Row; 7] = [
    Row {
        receive: Session::read_head,
        respond: Session::unasked,
        next: &[Phase::Head, Phase::Body, Phase::Answer, Phase::Tarpit, Phase::Closed],
    },
    Row {
        receive: Session::read_head,
        respond: Session::unasked,
        next: &[Phase::Idle, Phase::Body, Phase::Answer, Phase::Tarpit, Phase::Closed],
    },
    Row {
        receive: Session::read_body,
        respond: Session::read_answer,
        next: &[Phase::Answer, Phase::Tarpit, Phase::Closed],
    },
    Row {
        receive: Session::queue,
        respond: Session::read_answer,
        next: &[Phase::Idle, Phase::Tunnel, Phase::Closed],
    },
    Row { receive: Session::tunnel, respond: Session::tunnel, next: &[Phase::Closed] },
    Row { receive: Session::ignore, respond: Session::unasked, next: &[Phase::Closed] },
    Row { receive: Session::ignore, respond: Session::unasked, next: &[] },
];

/// How the rest of a request's body comes.
#[derive(Clone, Copy, Debug)]
enum Incoming {
    None,
    /// Bytes still to come of a declared length.
    Exact(u64),
    Chunked(Decoder),
}

/// How the rest of an answer comes.
#[derive(Clone, Copy, Debug)]
enum Outgoing {
    /// The head is not complete; how many 1xx answers were left out.
    Head(u8),
    Exact(u64),
    Chunked(Decoder),
    /// Until the origin closes.
    Close,
}

/// The request in progress.
#[derive(Clone, Copy, Debug)]
struct Exchange {
    asked: Asked,
    site: u16,
    /// The client: the peer, or whom a trusted peer speaks for.
    client: Option<IpAddr>,
    /// What was noted of it, and which exceptions were counted.
    noted: Noted,
    excepted: Noted,
    incoming: Incoming,
    outgoing: Outgoing,
    /// Body bytes that have come, decoded.
    received: u64,
    /// The body is held back until it is complete.
    held: bool,
    /// The held body is complete: SEND is next.
    ready: bool,
    /// The request has a body.
    bodied: bool,
    /// Safe to send again when the origin never answered (RFC 9110 9.2.2).
    repeatable: bool,
    /// The answer's body is sent in chunks of ours.
    rechunk: bool,
    origin_keeps: bool,
    client_keeps: bool,
    /// A match was let pass and noted.
    detected: bool,
    /// What became of it is counted.
    counted: bool,
    /// What the origin, or the way to it, failed with.
    fault: Option<Reason>,
    /// The origin that the client's cookie names, and the one that a new cookie is to name.
    belongs: Option<u16>,
    moved: Option<u16>,
    /// When it began, in nanoseconds.
    began: u64,
}

impl Default for Exchange {
    fn default() -> Self {
        Exchange {
            asked: Asked { head: false, minor: 1, keep_alive: false, upgrade: false },
            site: 0,
            client: None,
            noted: Noted::default(),
            excepted: Noted::default(),
            incoming: Incoming::None,
            outgoing: Outgoing::Head(0),
            received: 0,
            held: false,
            ready: false,
            bodied: false,
            repeatable: false,
            rechunk: false,
            origin_keeps: false,
            client_keeps: false,
            detected: false,
            counted: false,
            fault: None,
            belongs: None,
            moved: None,
            began: 0,
        }
    }
}

/// What a request keeps beside its facts while its body comes; absent for most.
#[derive(Debug, Default)]
struct Pending {
    /// The rewritten head, not yet sent.
    head: Vec<u8>,
    /// The head as it came, and the first bytes of the body, when rules read bodies.
    original: Vec<u8>,
    window: Vec<u8>,
    /// The head as it came, where the site keeps evidence and no rule reads the body.
    kept: Vec<u8>,
}

impl Pending {
    /// The head as it came, where anybody wants it.
    fn sent(&self) -> &[u8] {
        if self.original.is_empty() { &self.kept } else { &self.original }
    }
}

pub struct Session {
    policy: Arc<Policy>,
    /// The peer: as text, and as an address.
    peer: Box<str>,
    address: Option<IpAddr>,
    tls: bool,
    trusted: bool,
    /// The port with TLS that requests are sent to instead of an origin; 0: they are not.
    redirect: u16,
    /// As what the connection is counted among those that are open, if it is.
    counted: Option<Counted>,
    phase: Phase,
    /// The origin connection belongs to this client.
    bound: bool,
    /// At least one request was read: idle is then keep-alive.
    served: bool,
    exchange: Exchange,
    pending: Option<Box<Pending>>,
    /// The host that was asked for, on a site that scrubs its answers.
    host: Vec<u8>,
    /// What of the request in progress is an alarm if the origin answers it.
    caught: Option<Box<alarm::Caught>>,
    /// Rules with a rate that the request in progress has matched.
    tallies: Vec<Tally>,
    /// Client bytes not read yet, and origin bytes of an unfinished head (or the answer that a tarpit
    /// holds back).
    input: Vec<u8>,
    answer: Vec<u8>,
    /// When the phase began, and the client bytes that came in it.
    since: u64,
    moved: u64,
}

/// Client bytes kept while an answer is under way, before reading is paused.
const QUEUE: usize = 65_536;
/// Nanoseconds before the body's rate is looked at.
const GRACE: u64 = 10_000_000_000;
/// Nanoseconds without a byte after which a worker that ends closes a connection between two requests.
const PARTING: u64 = 2_000_000_000;

impl Session {
    pub fn new(policy: Arc<Policy>, peer: &str, tls: bool, trusted: bool, now: u64) -> Self {
        Session {
            policy,
            peer: peer.into(),
            address: peer.parse().ok(),
            tls,
            trusted,
            redirect: 0,
            counted: None,
            phase: Phase::Idle,
            bound: false,
            served: false,
            exchange: Exchange::default(),
            pending: None,
            host: Vec::new(),
            caught: None,
            tallies: Vec::new(),
            input: Vec::new(),
            answer: Vec::new(),
            since: now,
            moved: 0,
        }
    }

    /// Send every request that may pass to the same URL with TLS, on this port.
    pub fn redirect_to(&mut self, port: u16) {
        self.redirect = port;
    }

    /// Count the connection; one too many is closed unread. A trusted peer speaks for many: it counts among all only.
    pub fn open(&mut self, desk: &mut Desk<'_>) {
        let client = self.address.filter(|_| !self.trusted);
        if desk.rates.connects(self.policy.connections, client) {
            self.turn_away(desk, Reason::TooManyConnections);
            return;
        }
        match desk.rates.enters(self.policy.room, client) {
            Ok(counted) => self.counted = counted,
            Err(reason) => self.turn_away(desk, reason),
        }
    }

    /// End a connection of which nothing has been read.
    pub fn turn_away(&mut self, desk: &mut Desk<'_>, reason: Reason) {
        self.exchange.client = self.address;
        self.exchange.site = self.policy.default_site();
        self.note_unjudged(desk, reason);
        self.go(Phase::Closed, desk.now);
    }

    /// Nothing more of the client is read.
    pub fn closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// Bytes from the client; nothing when a step said MORE.
    pub fn receive(&mut self, desk: &mut Desk<'_>, data: &[u8]) -> Step {
        desk.out.clear();
        (PHASES[self.phase as usize].receive)(self, desk, data)
    }

    /// Bytes from the origin.
    pub fn respond(&mut self, desk: &mut Desk<'_>, data: &[u8]) -> Step {
        desk.out.clear();
        (PHASES[self.phase as usize].respond)(self, desk, data)
    }

    /// Whether a deadline has passed, and what follows.
    pub fn expire(&mut self, desk: &mut Desk<'_>) -> Step {
        desk.out.clear();
        let Some(site) = self.policy.site(usize::from(self.exchange.site)) else { return Step::WAIT };
        let limits = site.deadlines;
        let waited = desk.now.saturating_sub(self.since);
        match self.phase {
            Phase::Idle if waited > self.patience(&limits, desk.leaving) => {
                self.go(Phase::Closed, desk.now);
                Step::new(Command::Close, Payload::Empty)
            }
            Phase::Head if waited > limits.head => self.refuse_client(desk, Reason::HeadTimeout),
            Phase::Body
                if waited > GRACE
                    && u128::from(self.moved) * 1_000_000_000
                        < u128::from(limits.body_rate) * u128::from(waited) =>
            {
                self.refuse_client(desk, Reason::BodyTimeout)
            }
            Phase::Answer if !self.answering() && waited > limits.first_byte => {
                self.fail(desk, Reason::OriginTimeout)
            }
            Phase::Answer if desk.now.saturating_sub(self.exchange.began) > limits.total => {
                self.fail(desk, Reason::OriginTimeout)
            }
            Phase::Tunnel if waited > limits.tunnel => {
                self.go(Phase::Closed, desk.now);
                Step::new(Command::Close, Payload::Empty)
            }
            Phase::Tarpit if waited > limits.tarpit => {
                desk.out.append(&mut self.answer);
                self.go(Phase::Closed, desk.now);
                Step::new(Command::Close, Payload::Written)
            }
            _ => Step::WAIT,
        }
    }

    /// How long the connection may lie idle.
    fn patience(&self, limits: &Deadlines, leaving: bool) -> u64 {
        let usual = if self.served { limits.idle } else { limits.head };
        if leaving { usual.min(PARTING) } else { usual }
    }

    /// The client closed: a body that was declared and did not come is noted (CVE-2001-0545).
    pub fn end(&mut self, desk: &mut Desk<'_>) {
        if let Some(counted) = self.counted.take() {
            desk.rates.present.leave(counted);
        }
        if self.phase == Phase::Body {
            self.note_unjudged(desk, Reason::BodyCut);
        }
        self.go(Phase::Closed, desk.now);
    }

    pub fn site(&self) -> u16 {
        self.exchange.site
    }

    /// What the last exchange failed with at the origin; `None`: it has ended well, or not yet.
    pub fn fault(&self) -> Option<Reason> {
        self.exchange.fault
    }

    /// The origin that the request in progress belongs to by its cookie.
    pub fn belongs(&self) -> Option<u16> {
        self.exchange.belongs
    }

    /// This origin has the request: its client is brought a cookie for it, if it has none or another.
    pub fn carried(&mut self, origin: u16) {
        self.exchange.moved = (self.exchange.belongs != Some(origin)).then_some(origin);
    }

    pub fn busy(&self) -> bool {
        matches!(self.phase, Phase::Body | Phase::Answer | Phase::Tunnel)
    }

    pub fn retriable(&self) -> bool {
        let unanswered = matches!(self.exchange.outgoing, Outgoing::Head(0)) && self.answer.is_empty();
        self.phase == Phase::Answer && self.exchange.repeatable && unanswered
    }

    /// Nothing more of the client is read.
    fn over(&self) -> bool {
        matches!(self.phase, Phase::Tarpit | Phase::Closed)
    }

    /// A byte of the answer has gone to the client.
    fn answering(&self) -> bool {
        !matches!(self.exchange.outgoing, Outgoing::Head(_))
    }

    /// Enter a phase. The table must allow it; a wrong turn ends the session rather than go on.
    fn go(&mut self, next: Phase, now: u64) {
        let row = &PHASES[self.phase as usize];
        let allowed = next == self.phase || next == Phase::Closed || row.next.contains(&next);
        debug_assert!(allowed, "{:?} does not lead to {next:?}", self.phase);
        self.phase = if allowed { next } else { Phase::Closed };
        self.since = now;
        self.moved = 0;
    }

    /// Client bytes while an answer is under way: a pipelined request waits its turn.
    fn queue(&mut self, _desk: &mut Desk<'_>, data: &[u8]) -> Step {
        self.input.extend_from_slice(data);
        if self.input.len() > QUEUE { Step::new(Command::Pause, Payload::Empty) } else { Step::WAIT }
    }

    fn tunnel(&mut self, desk: &mut Desk<'_>, _data: &[u8]) -> Step {
        self.since = desk.now;
        Step::new(Command::Tunnel, Payload::Given)
    }

    fn ignore(&mut self, _desk: &mut Desk<'_>, _data: &[u8]) -> Step {
        Step::WAIT
    }

    /// Origin bytes that nobody asked for: that connection can't be trusted any more.
    fn unasked(&mut self, _desk: &mut Desk<'_>, _data: &[u8]) -> Step {
        Step::new(Command::Retire, Payload::Empty)
    }
}
