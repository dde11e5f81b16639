//! How many connections has each client open now, and how many are there in all? A table of fixed size, shared
//! by all workers.
//!
//! A client has a place in each of four rows, and as many connections as the least of its four places
//! says (a count-min sketch). So a count may be too large, where others share all four places, and never too
//! small: the limit is never exceeded, and whoever wanted to keep another client out would have to fill all four of
//! its places, which nobody can foresee (`rate.rs` has the seed).
//!
//! A worker also keeps its own part of every count, so that what a dead one has left is taken out again by the
//! one that follows it.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

const ROWS: usize = 4;
const COLUMNS: usize = 4096;
/// All connections of everybody.
const ALL: usize = 0;
/// Length of the table in words: 128 KiB; a worker's own part is as long.
pub const WORDS: usize = 1 + ROWS * COLUMNS;

/// Where a client is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places([u16; ROWS]);

impl Places {
    /// From a hash that nobody can foresee.
    pub fn new(hash: u64) -> Places {
        Places([0, 16, 32, 48].map(|shift| (hash >> shift) as u16 % COLUMNS as u16))
    }

    fn words(self) -> impl Iterator<Item = usize> {
        self.0.into_iter().enumerate().map(|(row, column)| 1 + row * COLUMNS + usize::from(column))
    }
}

/// What a connection is counted as: of its client where it has one, and always of all.
pub type Counted = Option<Places>;

#[derive(Clone, Copy)]
pub struct Present<'a> {
    pub shared: &'a [AtomicU64],
    pub own: &'a [AtomicU64],
}

impl Present<'_> {
    /// Counts nothing.
    pub const NONE: Present<'static> = Present { shared: &[], own: &[] };

    /// Count a connection; how many there are now: of its client, and of all.
    pub fn enter(self, client: Counted) -> (u64, u64) {
        let of = client.map(|places| places.words().map(|word| self.add(word, 1)).min());
        (of.flatten().unwrap_or(0), self.add(ALL, 1))
    }

    /// It is closed.
    pub fn leave(self, client: Counted) {
        self.add(ALL, -1);
        for word in client.into_iter().flat_map(Places::words) {
            self.add(word, -1);
        }
    }

    /// Take out what a worker before this one has left.
    pub fn sweep(self) {
        for word in 0..self.own.len() {
            let left = self.own.get(word).map_or(0, |cell| cell.load(Relaxed));
            if left != 0 {
                self.add(word, (left as i64).wrapping_neg());
            }
        }
    }

    /// Counts are signed: a worker may have died between its part and the whole.
    fn add(self, word: usize, count: i64) -> u64 {
        let (Some(whole), Some(own)) = (self.shared.get(word), self.own.get(word)) else { return 0 };
        let before = whole.fetch_add(count as u64, Relaxed) as i64;
        own.fetch_add(count as u64, Relaxed);
        u64::try_from(before.saturating_add(count)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::hash::{BuildHasher, RandomState};
    use std::sync::atomic::AtomicU64;
    use std::sync::atomic::Ordering::Relaxed;

    use proptest::prelude::*;

    use super::{Places, Present, WORDS};

    fn words() -> Vec<AtomicU64> {
        (0..WORDS).map(|_| AtomicU64::new(0)).collect()
    }

    proptest! {
        /// Of any clients that come and go at two workers, each counts exactly, for so few share no four places;
        /// and when a worker dies, the one that follows leaves only the other's.
        #[test]
        fn counts_are_those_of_a_plain_list(steps in prop::collection::vec((0u64..40, 0usize..2), 1..400)) {
            let (shared, own, seed) = (words(), [words(), words()], RandomState::new());
            let present = |worker: usize| Present { shared: &shared, own: &own[worker] };
            let places = |client: u64| Some(Places::new(seed.hash_one(client)));
            let mut model: HashMap<(u64, usize), u64> = HashMap::new();
            for (turn, (client, worker)) in steps.into_iter().enumerate() {
                let there = model.get(&(client, worker)).copied().unwrap_or(0);
                if turn % 3 == 2 && there > 0 {
                    present(worker).leave(places(client));
                    model.insert((client, worker), there - 1);
                } else {
                    model.insert((client, worker), there + 1);
                    let both = (0..2).map(|one| model.get(&(client, one)).copied().unwrap_or(0)).sum();
                    prop_assert_eq!(present(worker).enter(places(client)), (both, model.values().sum()));
                }
            }
            present(0).sweep();
            let left: u64 = model.iter().filter(|((_, worker), _)| *worker == 1).map(|(_, count)| *count).sum();
            prop_assert_eq!(present(1).enter(None), (0, left + 1));
            present(1).sweep();
            prop_assert!(shared.iter().chain(own.iter().flatten()).all(|word| word.load(Relaxed) == 0));
        }

        /// However many there are, no count is too small.
        #[test]
        fn a_count_is_never_too_small(clients in prop::collection::vec(any::<u64>(), 1..3000)) {
            let (shared, own, seed) = (words(), words(), RandomState::new());
            let present = Present { shared: &shared, own: &own };
            let mut model: HashMap<u64, u64> = HashMap::new();
            for client in clients {
                let count = model.entry(client % 500).or_default();
                *count += 1;
                prop_assert!(present.enter(Some(Places::new(seed.hash_one(client % 500)))).0 >= *count);
            }
        }
    }
}
