//! The table against the plainest model of it, and what it promises whatever clients do.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use proptest::prelude::*;

use super::{Limit, SETS, Table, WAYS, WORDS, estimate};

fn words() -> Vec<AtomicU64> {
    (0..WORDS).map(|_| AtomicU64::new(0)).collect()
}

fn lost(words: &[AtomicU64]) -> u64 {
    words[0].load(Relaxed)
}

const MINUTE: Limit = Limit { over: 3, per: 60 };
/// The start of a window.
const START: u64 = 60_000 * 29_000_000;

/// Two windows of each client, as the first paragraph of `rate.rs` says it.
#[derive(Default)]
struct Model {
    counts: HashMap<(u64, u64), u64>,
}

impl Model {
    fn count(&mut self, client: u64, limit: Limit, now: u64) -> bool {
        let length = u64::from(limit.per) * 1000;
        let before = *self.counts.get(&(client, now / length - 1)).unwrap_or(&0);
        let count = self.counts.entry((client, now / length)).or_default();
        *count = (*count + 1).min(u64::from(limit.over) + 1);
        let share = (length - now % length) as f64 / length as f64;
        *count as f64 + before as f64 * share > f64::from(limit.over) + 1e-9
    }
}

proptest! {
    #[test]
    fn counts_are_those_of_the_model(
        steps in prop::collection::vec((0u64..6, 0u64..30_000), 1..200), over in 1u32..12, per in 1u32..90,
    ) {
        let (words, limit) = (words(), Limit { over, per });
        let (table, mut model, mut now) = (Table(&words), Model::default(), START + 7);
        for (client, step) in steps {
            now += step;
            let found = table.count(table.key(client, 1), limit, None, now);
            prop_assert_eq!(found, model.count(client, limit, now));
            prop_assert_eq!(table.is_over(table.key(client, 1), limit, false, now), found);
        }
        prop_assert_eq!(lost(&words), 0);
    }

    /// Against a log: nothing is refused that did not come too often within two windows, and never is more
    /// than twice as much let through within one.
    #[test]
    fn a_rate_is_kept_within_a_window(steps in prop::collection::vec(0u64..20_000, 1..120), over in 1u32..9) {
        let (words, limit) = (words(), Limit { over, per: 60 });
        let (table, mut all, mut passed, mut now) = (Table(&words), Vec::new(), Vec::new(), START);
        for step in steps {
            now += step;
            all.push(now);
            let within =
                |log: &[u64], ms: u64| log.iter().filter(|at| **at + ms > now).count() as u32;
            let found = table.count(table.key(1, 1), limit, None, now);
            if !found {
                passed.push(now);
            }
            prop_assert!(!found || within(&all, 120_000) > over);
            prop_assert!(within(&passed, 60_000) <= 2 * over);
        }
    }

    #[test]
    fn different_values_are_estimated(values in prop::collection::hash_set(any::<u64>(), 1..61), seed in any::<u64>()) {
        let words = words();
        words[1].store(seed, Relaxed);
        let (table, wanted) = (Table(&words), values.len() as f64);
        let limit = Limit { over: 60, per: 60 };
        for value in &values {
            for _ in 0..3 {
                table.count(table.key(1, 1), limit, Some(*value), START);
            }
        }
        let bits = table.get(table.find(table.key(1, 1)).unwrap() + super::VALUES);
        let found = estimate(bits);
        // Four deviations of linear counting in 64 bits.
        let load = wanted / 64.0;
        let deviation = (64.0 * (load.exp() - load - 1.0)).sqrt();
        prop_assert!((found - wanted).abs() <= 4.0 * deviation + 2.0, "{found} of {wanted}");
    }
}

#[test]
fn one_client_over_the_rate_leaves_the_others_alone() {
    let words = words();
    let table = Table(&words);
    let answers: Vec<bool> = (0..6).map(|i| table.count(table.key(1, 1), MINUTE, None, START + i)).collect();
    assert_eq!(answers, [false, false, false, true, true, true]);
    assert!(!table.count(table.key(2, 1), MINUTE, None, START));
    assert!(!table.count(table.key(1, 2), MINUTE, None, START));
    assert!(!table.is_over(table.key(3, 1), MINUTE, false, START));
}

#[test]
fn nobody_is_held_out_longer_than_a_window_after_the_last_request() {
    let words = words();
    let (table, key) = (Table(&words), Table(&words).key(1, 1));
    for i in 0..1000 {
        table.count(key, MINUTE, None, START + i);
    }
    assert!(table.is_over(key, MINUTE, false, START + 60_000));
    assert!(!table.is_over(key, MINUTE, false, START + 60_000 + 15_001));
    for value in 0..1000 {
        table.count(table.key(2, 1), MINUTE, Some(value), START);
    }
    assert!(table.is_over(table.key(2, 1), MINUTE, true, START + 59_999));
    assert!(!table.is_over(table.key(2, 1), MINUTE, true, START + 60_000 + 30_000));
    assert!(!table.is_over(table.key(2, 1), MINUTE, true, START + 120_000));
}

#[test]
fn a_clock_that_is_set_back_holds_nobody_out_for_longer() {
    for back in [30_000, 59_000, 61_000, 90_000, 3_600_000, 86_400_000] {
        let words = words();
        let (table, key) = (Table(&words), Table(&words).key(1, 1));
        let jump = START + 59_999;
        (0..10).for_each(|_| {
            table.count(key, MINUTE, None, jump);
        });
        let now = jump - back;
        let held = (0..2000).take_while(|tenth| table.is_over(key, MINUTE, false, now + tenth * 100)).count();
        // A window and the share of the next that a count over the limit weighs, and the eighth of a moment.
        assert!(held <= 600 + 150 + 75, "{back}: {held}");
    }
}

#[test]
fn a_worker_whose_clock_is_a_moment_behind_counts_in_the_same_window() {
    let words = words();
    let (table, key) = (Table(&words), Table(&words).key(1, 1));
    let answers: Vec<bool> = [0, -3, 1, -1]
        .into_iter()
        .map(|ms| table.count(key, MINUTE, None, START.wrapping_add_signed(ms)))
        .collect();
    assert_eq!(answers, [false, false, false, true]);
}

#[test]
fn a_flood_of_clients_takes_no_memory_and_what_it_pushes_out_is_counted() {
    let words = words();
    let (table, places) = (Table(&words), (SETS * WAYS) as u64);
    for client in 0..places * 2 {
        assert!(!table.count(table.key(client, 1), MINUTE, None, START));
    }
    let known = (0..places * 2).filter(|client| table.find(table.key(*client, 1)).is_some()).count() as u64;
    assert!(known <= places && known > places * 9 / 10, "{known}");
    assert_eq!(lost(&words), places * 2 - known);
    // What has ended makes room and is no loss.
    let later = START + 121_000;
    let before = lost(&words);
    for client in places * 2..places * 2 + 1000 {
        table.count(table.key(client, 1), MINUTE, None, later);
    }
    assert_eq!(lost(&words), before);
}

#[test]
fn keys_are_spread_by_the_seed() {
    let (first, second) = (words(), words());
    second[1].store(7, Relaxed);
    let sets =
        |words: &[AtomicU64]| -> HashSet<usize> { (0..1000).map(|c| Table(words).key(c, 1).set).collect() };
    assert!(sets(&first).len() > 900);
    assert_ne!(Table(&first).key(1, 1), Table(&second).key(1, 1));
}

#[test]
fn an_estimate_is_exact_for_a_few() {
    let bits = |count: u32| u64::MAX.checked_shr(64 - count).unwrap_or(0);
    let exact: Vec<f64> = (0..7).map(|count| estimate(bits(count))).collect();
    assert_eq!(exact, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert!(estimate(bits(40)) > 60.0 && estimate(u64::MAX) > 300.0);
}
