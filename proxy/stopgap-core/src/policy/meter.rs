//! Is the client of a request over the rate of a rule that it matches, or that of a connection over the limit?
//!
//! A match counts once an exchange, though it is judged twice where a body comes: at once, or when the
//! origin has answered with a status that counts. A match without a client, or without the field whose
//! different values are counted, counts nothing.

use std::net::IpAddr;
use std::sync::atomic::AtomicU64;

use super::RuleFacts;
use crate::present::{self, Counted, Places, Present};
use crate::rate::{self, Limit, Table};
use crate::rules::neighbours;
use crate::rules::spec::RateSpec;
use crate::verdict::Reason;

/// The counter of new connections; those of rules are small.
const CONNECTIONS: u64 = u64::MAX;
/// Sets the places of open connections apart from those of all counters.
const PRESENT: u64 = u64::MAX - 1;

/// The rate of a rule.
pub struct Rate {
    limit: Limit,
    distinct: bool,
    answers: Vec<u16>,
}

impl Rate {
    pub fn new(spec: &RateSpec) -> Rate {
        Rate {
            limit: Limit { over: spec.over, per: spec.per },
            distinct: spec.distinct.is_some(),
            answers: spec.answers.clone(),
        }
    }
}

/// A rule with a rate that one exchange has matched.
#[derive(Clone, Copy, Debug)]
pub struct Tally {
    rule: u32,
    value: Option<u64>,
}

/// What all exchanges of a worker count with.
#[derive(Clone, Copy)]
pub struct Rates<'a> {
    pub table: Table<'a>,
    /// Nanoseconds of the clock that all workers share, and that no jump of the time of day moves.
    pub clock: u64,
    pub present: Present<'a>,
}

/// How many connections there may be at once; 0: any number.
#[derive(Clone, Copy, Debug, Default)]
pub struct Room {
    pub of_client: u32,
    pub of_all: u32,
}

impl<'a> Rates<'a> {
    /// Length of what all workers share: the table of rates, and behind it that of the open connections.
    pub const WORDS: usize = rate::WORDS + present::WORDS;

    /// `own` is the worker's part of the open connections.
    pub fn new(shared: &'a [AtomicU64], own: &'a [AtomicU64], clock: u64) -> Self {
        let (table, shared) = shared.split_at(rate::WORDS.min(shared.len()));
        Rates { table: Table(table), clock, present: Present { shared, own } }
    }

    /// Counts nothing: for a request that nobody has sent.
    pub const NONE: Rates<'static> = Rates { table: Table(&[]), clock: 0, present: Present::NONE };

    /// Milliseconds.
    fn now(self) -> u64 {
        self.clock / 1_000_000
    }

    /// Count a match of `rule`; whether it is over the rate.
    pub(super) fn count(
        self,
        facts: &RuleFacts,
        rule: u32,
        value: Option<u64>,
        client: Option<IpAddr>,
        tallies: &mut Vec<Tally>,
    ) -> bool {
        let (Some(rate), Some(client)) = (&facts.rate, client) else { return false };
        if rate.distinct && value.is_none() || tallies.iter().any(|tally| tally.rule == rule) {
            return false;
        }
        tallies.push(Tally { rule, value });
        let key = self.table.key(neighbours(client), facts.counter as u64);
        let now = self.now();
        if rate.answers.is_empty() {
            self.table.count(key, rate.limit, value, now)
        } else {
            self.table.is_over(key, rate.limit, rate.distinct, now)
        }
    }

    /// Count a new connection; whether its client opens more than the limit.
    pub fn connects(self, limit: Option<Limit>, client: Option<IpAddr>) -> bool {
        let (Some(limit), Some(client)) = (limit, client) else { return false };
        self.table.count(self.table.key(neighbours(client), CONNECTIONS), limit, None, self.now())
    }

    /// Count a connection as open, unless that is one too many: of its client (who is none where a trusted peer
    /// speaks for many), or of all.
    pub fn enters(self, room: Room, client: Option<IpAddr>) -> Result<Option<Counted>, Reason> {
        if room.of_client == 0 && room.of_all == 0 {
            return Ok(None);
        }
        let limited = client.filter(|_| room.of_client > 0);
        let counted = limited.map(|client| Places::new(self.table.hash(&[neighbours(client), PRESENT])));
        let (of_client, of_all) = self.present.enter(counted);
        let many = |count: u64, most: u32| most > 0 && count > u64::from(most);
        let reason = if many(of_client, room.of_client) {
            Reason::TooManyConnections
        } else if many(of_all, room.of_all) {
            Reason::GateFull
        } else {
            return Ok(Some(counted));
        };
        self.present.leave(counted);
        Err(reason)
    }

    /// The origin has answered: count what waited for that.
    pub fn answered(self, rules: &[RuleFacts], status: u16, client: Option<IpAddr>, tallies: &[Tally]) {
        for tally in tallies {
            let facts = rules.get(tally.rule as usize);
            let rate = facts.and_then(|facts| Some((facts.counter, facts.rate.as_ref()?)));
            let (Some((counter, rate)), Some(client)) = (rate, client) else { continue };
            if rate.answers.contains(&status) {
                let key = self.table.key(neighbours(client), counter as u64);
                self.table.count(key, rate.limit, tally.value, self.now());
            }
        }
    }
}
