//! What was refused or detected and has not been written yet: one event for the first, a count for
//! the repeats, so that a flood costs a lookup a request and cannot fill a disk.
//!
//! Repeats within a minute of the same client, site, rule or reason share the first one's id: whoever
//! has an id from a block page finds its event. Everything here is bounded; what does not fit is
//! counted under no client, and at last only counted.

use std::net::IpAddr;

use rustc_hash::FxHashMap;

use crate::evidence::Shelf;
use crate::verdict::{Action, Mode, Reason, Tier};

/// Milliseconds during which repeats are added up.
const WINDOW: u64 = 60_000;
/// Open counts with a client of their own; as many again without one.
const OPEN: usize = 4096;
/// Events between two calls of `take`.
const WAITING: usize = 4096;
/// Bytes of a target and of a user agent that an event keeps.
pub const TARGET: usize = 2048;
pub const AGENT: usize = 256;

/// What was done, where the origin answered what had been detected.
const ANSWERED: &str = "exploit-answered";

/// What repeats have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    pub client: Option<IpAddr>,
    pub site: u16,
    pub reason: Reason,
    pub rule: Option<u32>,
    pub action: Action,
    pub mode: Mode,
    /// The status of the origin's answer, where this tells of that; else 0.
    pub answered: u16,
}

/// The first of its kind, as it is told.
#[derive(Clone, Debug)]
pub struct Details {
    pub site: String,
    pub rule: String,
    pub status: u16,
    pub reading: String,
    pub offset: u32,
    pub method: String,
    pub target: Vec<u8>,
    pub target_length: usize,
    pub host: String,
    pub agent: Vec<u8>,
    pub client: String,
    /// The id of the event that this one follows from; 0: of none.
    pub cause: u64,
}

/// One line to write.
#[derive(Clone, Debug)]
pub struct Event {
    pub id: u64,
    /// 0 for the first; otherwise how many further ones this line stands for.
    pub count: u64,
    pub first: u64,
    pub last: u64,
    /// What was done, in a word.
    pub done: &'static str,
    pub mode: Mode,
    pub tier: Tier,
    pub reason: Reason,
    pub details: Details,
}

/// All of a worker's events that are not written yet.
#[derive(Debug)]
pub struct Ledger {
    seed: u64,
    made: u64,
    open: FxHashMap<Key, Event>,
    waiting: Vec<Event>,
    /// The bytes of their requests, where a site keeps them.
    pub shelf: Shelf,
}

/// What became of one that was noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub id: u64,
    /// It, or the first of its kind, is told.
    pub told: bool,
    /// It is the first of its kind.
    pub first: bool,
}

impl Ledger {
    pub fn new(seed: u64) -> Self {
        Ledger { seed, made: 0, open: FxHashMap::default(), waiting: Vec::new(), shelf: Shelf::new(!seed) }
    }

    /// Note one at `now` (milliseconds).
    pub fn note(&mut self, now: u64, key: Key, details: impl FnOnce() -> Details) -> Place {
        let key = if self.open.len() < OPEN || self.open.contains_key(&key) {
            key
        } else {
            Key { client: None, ..key }
        };
        if let Some(open) = self.open.get_mut(&key) {
            open.count += 1;
            open.last = now;
            return Place { id: open.id, told: true, first: false };
        }
        let id = self.next_id();
        let event = Event {
            id,
            count: 0,
            first: now,
            last: now,
            done: if key.answered > 0 { ANSWERED } else { key.action.done() },
            mode: key.mode,
            tier: key.reason.tier(),
            reason: key.reason,
            details: details(),
        };
        let kept = self.waiting.len() < WAITING;
        if kept {
            self.waiting.push(event.clone());
        }
        if self.open.len() < 2 * OPEN {
            self.open.insert(key, event);
        }
        Place { id, told: kept, first: true }
    }

    /// Take what is to be written: first lines, and the counts of minutes that are over at `now`.
    pub fn take(&mut self, now: u64) -> Vec<Event> {
        let mut events = std::mem::take(&mut self.waiting);
        self.open.retain(|_, open| {
            let over = now.saturating_sub(open.first) >= WINDOW;
            if over && open.count > 0 {
                events.push(open.clone());
            }
            !over
        });
        events
    }

    /// End every minute now, so that the next `take` has all counts.
    pub fn end(&mut self) {
        let counted = self.open.drain().map(|(_, event)| event).filter(|event| event.count > 0);
        self.waiting.extend(counted);
    }

    /// A bijection of a counter (splitmix64), so ids do not repeat and cannot be guessed from a few.
    pub fn next_id(&mut self) -> u64 {
        self.made = self.made.wrapping_add(1);
        let mut z = self.seed.wrapping_add(self.made.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
