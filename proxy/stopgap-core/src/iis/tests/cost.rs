//! What does reading cost? `cargo test --release -- --ignored --nocapture cost` prints it; nothing is asserted.

use std::hint::black_box;
use std::time::Instant;

use super::{DEFAULT_PAGES, JAPANESE, server};
use crate::iis::readings::{QueryReadings, Readings};

const BATCHES: u32 = 40;
const ROUNDS: u32 = 5_000;

/// The best batch: what others do on the machine only ever adds.
fn time(label: &str, mut work: impl FnMut()) {
    let batch = |_| {
        let start = Instant::now();
        (0..ROUNDS).for_each(|_| work());
        start.elapsed().as_nanos() as f64 / f64::from(ROUNDS)
    };
    println!("{:8.1} ns  {label}", (0..BATCHES).map(batch).fold(f64::INFINITY, f64::min));
}

#[test]
#[ignore = "a measurement"]
fn cost_of_reading() {
    let paths = [
        "/kaikei/shiwake/list_of_accounts_2001.asp",
        "/~user/index.html",
        "/docs/annual%20report/2001.htm",
        "/%E7%B5%8C%E7%90%86/%E4%BB%95%E8%A8%B3/%E4%B8%80%E8%A6%A7.asp",
        "/%8Co%97%9D/%8Ed%96%F3/%95%5C%83%5C%88%EA%97%97/list.asp",
        "/scripts/..%255c../winnt/system32/cmd.exe",
        "/scripts/..%c0%af../winnt/system32/cmd.exe",
    ];
    let mut readings = Readings::default();
    for (pages, name) in [(DEFAULT_PAGES, "1252+932"), (JAPANESE, "932")] {
        for path in paths {
            readings.read(path.as_bytes(), server("any"), pages);
            let label = format!("{name} {path} ({} readings)", readings.len());
            time(&label, || readings.read(black_box(path.as_bytes()), server("any"), pages));
        }
    }
    let mut queries = QueryReadings::default();
    for query in ["kamoku=genkin&tsuki=8&nen=2001", "q=%E7%B5%8C%E7%90%86&x=1+2"] {
        time(query, || queries.read(black_box(query.as_bytes()), server("any"), DEFAULT_PAGES));
    }
}
