//! How often has one client done what a rule counts? A table of fixed size, shared by all workers.
//!
//! Two windows of time are kept of a client and rule: the one that runs, and the one before it, which
//! weighs by the share of it that the last `per` seconds still cover. A window that is over the limit
//! is counted no further, so nobody is held out longer than one window after the last request.
//! Different values are counted as bits of a word, and how many they were is estimated from the bits
//! that are set (linear counting).
//!
//! The table never grows. A key has eight places; when all are taken, the entry whose windows end
//! first makes room, and is counted as lost if they had not ended. A flood of clients thus makes the
//! counts of others too small, never too large.
//!
//! Every word is read and written by itself. Where two processes meet in the same entry in the same
//! moment, a bit of `distinct` may be lost at the turn of a window; counts are exact, because a window's
//! number and its counts are one word.

use std::hash::{DefaultHasher, Hasher};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Entries that were lost while they still counted.
const LOST: usize = 0;
/// What makes the places of keys unforeseeable; whoever makes the table writes it.
const SEED: usize = 1;
const HEADER: usize = 8;
const SETS: usize = 8192;
const WAYS: usize = 8;
const ENTRY: usize = 4;
/// Length of the table in words: 2 MiB.
pub const WORDS: usize = HEADER + SETS * WAYS * ENTRY;

/// The words of an entry. `OWNER` is the key's tag (40 bits) and the second when its windows end (24).
const OWNER: usize = 0;
/// Check (8 bits), window (16), count of it (20), count of the one before (20).
const STATE: usize = 1;
/// Bits of the values seen in the window, and in the one before.
const VALUES: usize = 2;
const VALUES_BEFORE: usize = 3;

/// The largest limit of matches, and of different values.
pub const MOST: u32 = 1_000_000;
pub const MOST_DISTINCT: u32 = 60;
pub const LONGEST: u32 = 86_400;

/// More than `over` within `per` seconds.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    pub over: u32,
    pub per: u32,
}

/// Whom a count is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    set: usize,
    /// Never 0, which stands for nobody.
    tag: u64,
    check: u64,
}

#[derive(Clone, Copy)]
pub struct Table<'a>(pub &'a [AtomicU64]);

/// A window of a client and rule: its number, and the counts of it and of the one before.
#[derive(Clone, Copy, PartialEq, Eq)]
struct State {
    check: u64,
    window: u16,
    count: u64,
    before: u64,
}

/// The time of a call in windows of one limit.
#[derive(Clone, Copy)]
struct Moment {
    window: u16,
    /// Milliseconds into the window, and its whole length.
    elapsed: u64,
    length: u64,
    second: u64,
}

impl Limit {
    fn moment(self, now: u64) -> Moment {
        let length = u64::from(self.per.max(1)) * 1000;
        Moment { window: (now / length) as u16, elapsed: now % length, length, second: now / 1000 }
    }
}

impl State {
    fn read(word: u64) -> State {
        let bits = |from: u32, count: u32| (word >> from) & ((1 << count) - 1);
        State { check: bits(56, 8), window: bits(40, 16) as u16, count: bits(20, 20), before: bits(0, 20) }
    }

    fn word(self) -> u64 {
        self.check << 56 | u64::from(self.window) << 40 | self.count << 20 | self.before
    }

    /// What stands there now for the owner of `check`, and the milliseconds that have passed of the window.
    /// A window of the past or of far ahead (the clock was set back) counts no more.
    fn now(self, check: u64, moment: Moment) -> (State, u64) {
        let fresh = State { check, window: moment.window, count: 0, before: 0 };
        if self.check != check {
            return (fresh, moment.elapsed);
        }
        match moment.window.wrapping_sub(self.window) {
            0 => (self, moment.elapsed),
            1 => (State { before: self.count, ..fresh }, moment.elapsed),
            // Another worker looked at the clock a moment later, and has turned the window already.
            u16::MAX if moment.elapsed > moment.length / 8 * 7 => (self, 0),
            _ => (fresh, moment.elapsed),
        }
    }
}

impl<'a> Table<'a> {
    /// The key of a client (see `network`) and the counter of a rule.
    pub fn key(self, client: u64, counter: u64) -> Key {
        let hash = self.hash(&[client, counter]);
        Key { set: (hash as usize) % SETS, tag: (hash >> 16 & ((1 << 40) - 1)).max(1), check: hash >> 56 }
    }

    /// Count a match, or a value if there is one, at `now` (milliseconds). Whether that is over the limit.
    pub fn count(self, key: Key, limit: Limit, value: Option<u64>, now: u64) -> bool {
        let moment = limit.moment(now);
        let Some(entry) = self.claim(key, moment.second, u64::from(limit.per) * 2) else { return false };
        match value {
            Some(value) => self.count_value(entry, key, limit, value, moment),
            None => self.count_match(entry, key, limit, moment),
        }
    }

    /// Whether what was counted so far is over the limit. Of values if `distinct`.
    pub fn is_over(self, key: Key, limit: Limit, distinct: bool, now: u64) -> bool {
        let moment = limit.moment(now);
        let Some(entry) = self.find(key) else { return false };
        let stored = State::read(self.get(entry + STATE));
        let (state, elapsed) = stored.now(key.check, moment);
        if !distinct {
            return exceeds(state.count, state.before, elapsed, moment, limit);
        }
        let (values, before) = self.values(entry, stored, state);
        exceeds_values(values, before, elapsed, moment, limit)
    }

    fn count_match(self, entry: usize, key: Key, limit: Limit, moment: Moment) -> bool {
        loop {
            let word = self.get(entry + STATE);
            let (state, elapsed) = State::read(word).now(key.check, moment);
            let next = State { count: (state.count + 1).min(u64::from(limit.over) + 1), ..state };
            if next.word() == word || self.replace(entry + STATE, word, next.word()) {
                return exceeds(next.count, next.before, elapsed, moment, limit);
            }
        }
    }

    fn count_value(self, entry: usize, key: Key, limit: Limit, value: u64, moment: Moment) -> bool {
        let word = self.get(entry + STATE);
        let stored = State::read(word);
        let (state, elapsed) = stored.now(key.check, moment);
        let (values, before) = self.values(entry, stored, state);
        if state.word() != word && self.replace(entry + STATE, word, state.word()) {
            self.set(entry + VALUES_BEFORE, before);
            self.set(entry + VALUES, values);
        }
        let mut values = values;
        if estimate(values) <= f64::from(limit.over) {
            let bit = 1 << (self.hash(&[value]) % 64);
            values |= bit;
            if let Some(cell) = self.0.get(entry + VALUES) {
                cell.fetch_or(bit, Relaxed);
            }
        }
        exceeds_values(values, before, elapsed, moment, limit)
    }

    /// The values of the window and of the one before, as `stored` has become `state`.
    fn values(self, entry: usize, stored: State, state: State) -> (u64, u64) {
        let turned = state.window.wrapping_sub(stored.window);
        match (stored.check == state.check, turned) {
            (true, 0) => (self.get(entry + VALUES), self.get(entry + VALUES_BEFORE)),
            (true, 1) => (0, self.get(entry + VALUES)),
            _ => (0, 0),
        }
    }

    /// The entry of a key.
    fn find(self, key: Key) -> Option<usize> {
        ways(key).find(|entry| self.get(*entry) >> 24 == key.tag)
    }

    /// The entry of a key, or the one that makes room for it; its windows end after `life` seconds. `None`:
    /// others were quicker, as often as there are places.
    fn claim(self, key: Key, second: u64, life: u64) -> Option<usize> {
        let owner = key.tag << 24 | (second + life) & 0xff_ffff;
        for _ in 0..WAYS {
            if let Some(entry) = self.find(key) {
                let word = self.get(entry + OWNER);
                if word != owner && word >> 24 == key.tag {
                    self.replace(entry + OWNER, word, owner);
                }
                return Some(entry);
            }
            let entry = ways(key).min_by_key(|entry| self.remaining(*entry, second))?;
            let (word, lost) = (self.get(entry + OWNER), self.remaining(entry, second) > 0);
            if self.replace(entry + OWNER, word, owner) {
                if let (true, Some(cell)) = (lost, self.0.get(LOST)) {
                    cell.fetch_add(1, Relaxed);
                }
                return Some(entry);
            }
        }
        None
    }

    /// Seconds until the windows of an entry end; negative when they have, least for a free one.
    fn remaining(self, entry: usize, second: u64) -> i64 {
        match self.get(entry + OWNER) {
            0 => i64::MIN,
            word => (word.wrapping_sub(second) << 40) as i64 >> 40,
        }
    }

    pub fn hash(self, words: &[u64]) -> u64 {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.get(SEED));
        words.iter().for_each(|word| hasher.write_u64(*word));
        hasher.finish()
    }

    fn get(self, word: usize) -> u64 {
        self.0.get(word).map_or(0, |cell| cell.load(Relaxed))
    }

    fn set(self, word: usize, value: u64) {
        if let Some(cell) = self.0.get(word) {
            cell.store(value, Relaxed);
        }
    }

    fn replace(self, word: usize, old: u64, new: u64) -> bool {
        self.0.get(word).is_some_and(|cell| cell.compare_exchange(old, new, Relaxed, Relaxed).is_ok())
    }
}

fn ways(key: Key) -> impl Iterator<Item = usize> {
    (0..WAYS).map(move |way| HEADER + (key.set * WAYS + way) * ENTRY)
}

/// The window before weighs by the share of it that lies within the last `per` seconds.
fn exceeds(count: u64, before: u64, elapsed: u64, moment: Moment, limit: Limit) -> bool {
    count * moment.length + before * (moment.length - elapsed) > u64::from(limit.over) * moment.length
}

fn exceeds_values(values: u64, before: u64, elapsed: u64, moment: Moment, limit: Limit) -> bool {
    let (now, both) = (estimate(values), estimate(values | before));
    let share = (moment.length - elapsed) as f64 / moment.length as f64;
    now + (both - now) * share > f64::from(limit.over)
}

/// How many different values set these bits (Whang et al., 1990), as a whole number.
fn estimate(bits: u64) -> f64 {
    let free = f64::from(bits.count_zeros()).max(0.5);
    (64.0 * (64.0 / free).ln()).round()
}

#[cfg(test)]
mod tests;
