//! The counters: one slot of shared memory a worker, written here, read by the supervisor.
//!
//! A slot is a row of 64-bit words; the table below says which words are what. A worker that is
//! restarted gets the same slot, so totals go on. Words are only ever added to, by one process; but for "present",
//! the worker's part of what `present.rs` counts.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::present;
use crate::verdict::{Action, Reason};

/// Sites and rules that have counters of their own; the supervisor gives the indexes out.
pub const SITES: usize = 256;
pub const RULES: usize = 16_384;
pub const EXCEPTIONS: usize = 4096;
pub const ORIGINS: usize = 256;
const REASONS: usize = 128;
const FAILURES: usize = 8;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Outcome {
    Passed = 0,
    Refused = 1,
    Detected = 2,
}

const OUTCOMES: usize = 3;

/// A histogram's buckets are powers of two of a nanosecond, from `first` on; the word after the last
/// bucket is the sum in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    first: u32,
    pub buckets: usize,
}

/// 256 ns to 2 ms, then above: what a decision takes.
pub const FILTER: Scale = Scale { first: 8, buckets: 15 };
/// 131 µs to 68 s, then above: what a request takes.
pub const REQUEST: Scale = Scale { first: 17, buckets: 21 };

impl Scale {
    /// Upper bounds in seconds; the last bucket has none.
    pub fn bounds(self) -> Vec<f64> {
        (0..self.buckets - 1).map(|index| (1u64 << (self.first as usize + index)) as f64 / 1e9).collect()
    }

    fn bucket(self, nanoseconds: u64) -> usize {
        let above = u64::BITS - (nanoseconds.saturating_sub(1) >> self.first).leading_zeros();
        (above as usize).min(self.buckets - 1)
    }
}

macro_rules! layout {
    ($($constant:ident $name:literal $words:expr;)*) => {
        layout!(@starts 0; $($constant $words;)*);
        /// (name, first word, words) of every region of a slot.
        pub const LAYOUT: &[(&str, usize, usize)] = &[$(($name, $constant, $words)),*];
    };
    (@starts $at:expr; $constant:ident $words:expr; $($rest:tt)*) => {
        const $constant: usize = $at;
        layout!(@starts $at + $words; $($rest)*);
    };
    (@starts $at:expr;) => {
        /// Length of a slot in words.
        pub const WORDS: usize = $at;
    };
}

layout! {
    REQUESTS "requests" SITES * OUTCOMES;
    RULE_MATCHES "rules" RULES * Action::COUNT;
    REASON_COUNTS "reasons" REASONS * 2;
    FILTER_SECONDS "filter_seconds" FILTER.buckets + 1;
    REQUEST_SECONDS "request_seconds" REQUEST.buckets + 1;
    OPENED "connections_opened" 1;
    CLOSED "connections_closed" 1;
    EVENTS_DROPPED "events_dropped" 1;
    EXCEPTION_HITS "exceptions" EXCEPTIONS;
    ORIGIN_ERRORS "origin_errors" ORIGINS * FAILURES;
    ORIGIN_OPENED "origin_connections_opened" ORIGINS;
    ORIGIN_REUSED "origin_connections_reused" ORIGINS;
    HEARTBEAT "heartbeat" 1;
    SHED "connections_shed" 1;
    ANSWERED "answered" SITES * 2;
    PRESENT "present" present::WORDS;
}

const _: () = assert!(Reason::ALL.len() <= REASONS);
// The regions that only Python writes: origin failures, pool counts, the heartbeat, clients beyond the most.
const _: usize = ORIGIN_ERRORS + ORIGIN_OPENED + ORIGIN_REUSED + HEARTBEAT + SHED;

/// A worker's slot.
#[derive(Clone, Copy)]
pub struct Counters<'a>(pub &'a [AtomicU64]);

impl<'a> Counters<'a> {
    /// The worker's part of the connections that are open now.
    pub fn present(self) -> &'a [AtomicU64] {
        self.0.get(PRESENT..PRESENT + present::WORDS).unwrap_or(&[])
    }
    fn add(self, word: usize, count: u64) {
        if let Some(cell) = self.0.get(word) {
            // One writer a slot: a load and a store are enough, and half as dear as an exchange.
            cell.store(cell.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
        }
    }

    pub fn request(self, site: usize, outcome: Outcome) {
        if site < SITES {
            self.add(REQUESTS + site * OUTCOMES + outcome as usize, 1);
        }
    }

    /// Refused, or detected. What only loses a header is neither; its rule counts it.
    pub fn reason(self, reason: Reason, action: Action) {
        if action != Action::Strip {
            self.add(REASON_COUNTS + reason as usize * 2 + usize::from(!action.stops()), 1);
        }
    }

    pub fn rule(self, counter: usize, action: Action) {
        if counter < RULES {
            self.add(RULE_MATCHES + counter * Action::COUNT + action as usize, 1);
        }
    }

    /// The origin answered with 2xx, or 5xx, what a rule had caught.
    pub fn answered(self, site: usize, status: u16) {
        if site < SITES {
            self.add(ANSWERED + site * 2 + usize::from(status >= 500), 1);
        }
    }

    /// An exception let a request pass.
    pub fn exception(self, counter: usize) {
        if counter < EXCEPTIONS {
            self.add(EXCEPTION_HITS + counter, 1);
        }
    }

    pub fn decision(self, nanoseconds: u64) {
        self.add(FILTER_SECONDS + FILTER.bucket(nanoseconds), 1);
        self.add(FILTER_SECONDS + FILTER.buckets, nanoseconds);
    }

    pub fn duration(self, nanoseconds: u64) {
        self.add(REQUEST_SECONDS + REQUEST.bucket(nanoseconds), 1);
        self.add(REQUEST_SECONDS + REQUEST.buckets, nanoseconds);
    }

    pub fn opened(self) {
        self.add(OPENED, 1);
    }

    pub fn closed(self) {
        self.add(CLOSED, 1);
    }

    pub fn event_dropped(self) {
        self.add(EVENTS_DROPPED, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::{FILTER, LAYOUT, REQUEST, WORDS};

    #[test]
    fn regions_follow_each_other_and_fill_a_slot() {
        let end = LAYOUT.iter().fold(0, |at, (name, start, words)| {
            assert_eq!(at, *start, "{name}");
            at + words
        });
        assert_eq!(end, WORDS);
    }

    #[test]
    fn a_bucket_holds_what_its_bound_says() {
        for scale in [FILTER, REQUEST] {
            let bounds = scale.bounds();
            for nanoseconds in
                [0u64, 1, 256, 257, 512, 513, 1_000_000, 1_048_576, 1_048_577, 60_000_000_000, u64::MAX]
            {
                let bucket = scale.bucket(nanoseconds);
                let seconds = nanoseconds as f64 / 1e9;
                assert!(
                    bounds.get(bucket).is_none_or(|bound| seconds <= *bound),
                    "{nanoseconds} in {bucket}"
                );
                assert!(bucket == 0 || seconds > bounds[bucket - 1], "{nanoseconds} in {bucket}");
            }
        }
    }
}
