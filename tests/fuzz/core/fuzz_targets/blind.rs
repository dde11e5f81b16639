//! A target without libFuzzer: inputs of a corpus, changed blindly, many times faster than with coverage.
//!
//! `blind CORPUS FINDS SECONDS LONGEST SEED`; `STOPGAP_FUZZ_TARGET` names the target. Prints how many inputs were
//! run. An input on which the target panics is written to FINDS, and the exit code is then 1.

use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, fs, process};

use stopgap_fuzz::chosen;

/// Inputs between two looks at the clock.
const BATCH: u32 = 256;

/// xorshift64* (Vigna): fast, and good enough to choose mutations.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 33) as usize % end.max(1)
    }
}

/// One input from others: bytes changed, doubled, dropped, or a piece of another input put in.
fn mutate(input: &mut Vec<u8>, corpus: &[Vec<u8>], chance: &mut Chance) {
    input.clear();
    input.extend_from_slice(&corpus[chance.below(corpus.len())]);
    for _ in 0..=chance.below(5) {
        let at = chance.below(input.len() + 1);
        let end = (at + chance.below(9)).min(input.len());
        match chance.below(4) {
            0 if at < input.len() => input[at] = chance.next() as u8,
            1 => drop(input.drain(at..end)),
            2 => {
                let piece = input[at..end].to_vec();
                input.splice(at..at, piece);
            }
            _ => {
                let other = &corpus[chance.below(corpus.len())];
                let from = chance.below(other.len() + 1);
                let to = (from + chance.below(40)).min(other.len());
                input.splice(at..end, other[from..to].iter().copied());
            }
        }
    }
}

fn read(folder: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| fs::read(entry.expect("an entry").path()).expect("a readable input")).collect()
}

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    let [corpus, finds, seconds, longest, seed] = words.as_slice() else {
        eprintln!("usage: blind CORPUS FINDS SECONDS LONGEST SEED");
        process::exit(2);
    };
    let corpus = read(Path::new(corpus));
    let number = |text: &str| text.parse::<u64>().unwrap_or_else(|_| panic!("{text:?} is no number"));
    let (longest, target) = (number(longest) as usize, chosen());
    let mut chance = Chance(number(seed) | 1);
    let end = Instant::now() + Duration::from_secs(number(seconds));
    let (mut input, mut count) = (Vec::new(), 0u64);
    while Instant::now() < end {
        for _ in 0..BATCH {
            mutate(&mut input, &corpus, &mut chance);
            input.truncate(longest);
            count += 1;
            if catch_unwind(|| target(&input)).is_err() {
                let find = Path::new(finds).join(format!("blind-{seed}-{count}"));
                fs::write(&find, &input).expect("the find is kept");
                println!("{count}");
                process::exit(1);
            }
        }
    }
    println!("{count}");
}
