//! Which of many literals occur in a text, at a cost that hardly grows with their number.
//!
//! Every literal of four bytes or more leaves one of its four-byte grams in a bitmap that is small
//! enough for the cache, or up to four neighbouring ones, if all are longer: then every second to
//! fourth place of a text is enough to look at. Only a text that shows such a gram is walked by the
//! automaton. Shorter literals are few: a text without the rarest byte of one of them is not walked
//! for them.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use rustc_hash::FxHashSet;

/// Bytes in a gram.
const GRAM: usize = 4;
/// Most places from one that is looked at to the next.
const STRIDE: usize = 4;
/// Slots of the bitmap a literal, and logarithms of the least and the most slots (128 KiB).
const SLOTS: usize = 128;
const SMALLEST: u32 = 12;
const LARGEST: u32 = 20;
/// Automata over more bytes of patterns than this are walked as compact NFA, not as DFA.
const DFA_BYTES: usize = 4096;

/// Literals and the rules that each of them wakes.
#[derive(Debug, Default)]
pub struct Literals {
    common: Option<u8>,
    short: Option<(Marks, Automaton)>,
    long: Option<(Grams, Automaton)>,
}

#[derive(Debug)]
struct Automaton {
    search: AhoCorasick,
    wakes: Vec<Vec<u32>>,
}

#[derive(Debug)]
struct Grams {
    /// A bit for each slot that a word falls into.
    bits: Vec<u64>,
    shift: u32,
    words: FxHashSet<u32>,
    /// Every which place of a text is looked at: 1 to `STRIDE`.
    stride: usize,
}

impl Literals {
    /// Build from lower-case, non-empty literals with the rules they wake.
    pub fn build(literals: Vec<(Vec<u8>, Vec<u32>)>) -> Result<Literals, String> {
        let common = common_sign(&literals);
        let (long, short): (Vec<_>, Vec<_>) = literals.into_iter().partition(|(text, _)| text.len() >= GRAM);
        let texts: Vec<&[u8]> = long.iter().map(|(text, _)| text.as_slice()).collect();
        let grams = Grams::build(&texts);
        let marks = Marks::build(&short);
        Ok(Literals {
            common,
            short: Automaton::build(short)?.map(|automaton| (marks, automaton)),
            long: Automaton::build(long)?.map(|automaton| (grams, automaton)),
        })
    }

    pub fn is_empty(&self) -> bool {
        self.short.is_none() && self.long.is_none()
    }

    /// Wake the rules of every literal that occurs in `text`, whatever its ASCII case.
    pub fn scan(&self, text: &[u8], mut wake: impl FnMut(u32)) {
        if self.common.is_some_and(|sign| memchr::memchr(sign, text).is_none()) {
            return;
        }
        if let Some((marks, automaton)) = &self.short {
            if marks.may_hold(text) {
                automaton.scan(text, &mut wake);
            }
        }
        if let Some((grams, automaton)) = &self.long {
            if grams.may_hold(text) {
                automaton.scan(text, &mut wake);
            }
        }
    }
}

/// Bytes of which a text must hold one: the rarest of each literal, in both cases.
#[derive(Debug)]
enum Marks {
    Few(Vec<[u8; 3]>),
    Many(Box<[bool; 256]>),
}

/// More marks are looked up in a table, byte by byte.
const FEW_MARKS: usize = 9;

impl Marks {
    fn build(literals: &[(Vec<u8>, Vec<u32>)]) -> Marks {
        let mut table = Box::new([false; 256]);
        let rarest = |text: &[u8]| text.iter().copied().max_by_key(|byte| rarity(&[*byte]));
        for byte in literals.iter().filter_map(|(text, _)| rarest(text)) {
            table[usize::from(byte.to_ascii_lowercase())] = true;
            table[usize::from(byte.to_ascii_uppercase())] = true;
        }
        let bytes: Vec<u8> = (0..=255).filter(|&byte| table[usize::from(byte)]).collect();
        if bytes.len() > FEW_MARKS {
            return Marks::Many(table);
        }
        let three = |some: &[u8]| [0, 1, 2].map(|place| some[place.min(some.len() - 1)]);
        Marks::Few(bytes.chunks(3).map(three).collect())
    }

    fn may_hold(&self, text: &[u8]) -> bool {
        match self {
            Marks::Few(marks) => {
                marks.iter().any(|&[one, two, three]| memchr::memchr3(one, two, three, text).is_some())
            }
            Marks::Many(table) => text.iter().any(|byte| table[usize::from(*byte)]),
        }
    }
}

/// The sign that all literals hold, `%` for one: a text without it holds none of them.
fn common_sign(literals: &[(Vec<u8>, Vec<u32>)]) -> Option<u8> {
    let (first, rest) = literals.split_first()?;
    let in_all = |byte: &&u8| !byte.is_ascii_alphabetic() && rest.iter().all(|(text, _)| text.contains(byte));
    first.0.iter().find(in_all).copied()
}

impl Automaton {
    fn build(literals: Vec<(Vec<u8>, Vec<u32>)>) -> Result<Option<Automaton>, String> {
        if literals.is_empty() {
            return Ok(None);
        }
        let (texts, wakes): (Vec<Vec<u8>>, Vec<Vec<u32>>) = literals.into_iter().unzip();
        let small = texts.iter().map(Vec::len).sum::<usize>() <= DFA_BYTES;
        let search = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(true)
            .prefilter(false) // a text that gets here has passed ours
            .kind(Some(if small { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA }))
            .build(texts)
            .map_err(|error| format!("too many literals in the rules: {error}"))?;
        Ok(Some(Automaton { search, wakes }))
    }

    fn scan(&self, text: &[u8], wake: &mut impl FnMut(u32)) {
        for hit in self.search.find_overlapping_iter(text) {
            if let Some(rules) = self.wakes.get(hit.pattern().as_usize()) {
                rules.iter().for_each(|&rule| wake(rule));
            }
        }
    }
}

impl Grams {
    fn build(texts: &[&[u8]]) -> Grams {
        let width =
            (texts.len() * SLOTS).max(1).next_power_of_two().trailing_zeros().clamp(SMALLEST, LARGEST);
        let shortest = texts.iter().map(|text| text.len()).min().unwrap_or(GRAM);
        let stride = (shortest + 1 - GRAM).min(STRIDE);
        let (bits, shift) = (vec![0; 1 << (width - 6)], 32 - width);
        let mut grams = Grams { bits, shift, words: FxHashSet::default(), stride };
        let mut order: Vec<&[u8]> = texts.to_vec();
        order.sort_by_key(|text| text.len());
        for text in order {
            let places = || text.windows(GRAM + stride - 1);
            let known = |place: &[u8]| words(place).all(|word| grams.words.contains(&word));
            if places().any(known) {
                continue;
            }
            if let Some(best) = places().max_by_key(|place| rarity(place)) {
                words(best).for_each(|word| grams.add(word));
            }
        }
        grams
    }

    fn add(&mut self, word: u32) {
        let slot = self.slot(word);
        if let Some(bits) = self.bits.get_mut(slot >> 6) {
            *bits |= 1 << (slot & 63);
        }
        self.words.insert(word);
    }

    fn may_hold(&self, text: &[u8]) -> bool {
        // A literal has left as many neighbouring grams as the stride is long: one of them is looked at.
        let mut rest = text;
        while let Some(gram) = rest.first_chunk() {
            if self.is_word(word(*gram)) {
                return true;
            }
            rest = rest.get(self.stride..).unwrap_or(&[]);
        }
        false
    }

    fn is_word(&self, word: u32) -> bool {
        let slot = self.slot(word);
        self.bits.get(slot >> 6).is_some_and(|bits| bits >> (slot & 63) & 1 == 1)
            && self.words.contains(&word)
    }

    fn slot(&self, word: u32) -> usize {
        (word.wrapping_mul(0x9E37_79B1) >> self.shift) as usize
    }
}

/// The words of a text, one a place.
fn words(text: &[u8]) -> impl Iterator<Item = u32> {
    text.windows(GRAM).filter_map(|gram| gram.first_chunk()).map(|gram| word(*gram))
}

/// Four bytes as one word, letters in lower case (and a few signs made one, which does no harm).
fn word(gram: [u8; GRAM]) -> u32 {
    u32::from_le_bytes(gram) | 0x2020_2020
}

/// How seldom a gram is met in the text of usual requests: signs and rare letters count.
fn rarity(gram: &[u8]) -> u32 {
    gram.iter()
        .map(|byte| match byte {
            b'e' | b'a' | b't' | b'i' | b'o' | b'n' | b's' | b'r' | b'/' | b'.' => 0,
            b'l' | b'c' | b'd' | b'm' | b'p' | b'u' | b'h' | b'-' | b'=' | b'0' | b'1' => 1,
            b'g' | b'b' | b'f' | b'w' | b'y' | b'v' | b'2'..=b'9' | b'_' | b' ' | b'&' => 2,
            _ => 3,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::Literals;

    fn woken(literals: &[&str], text: &str) -> Vec<u32> {
        let list =
            literals.iter().zip(0..).map(|(text, rule)| (text.as_bytes().to_vec(), vec![rule])).collect();
        let mut woken = Vec::new();
        Literals::build(list).unwrap().scan(text.as_bytes(), |rule| woken.push(rule));
        woken.sort_unstable();
        woken.dedup();
        woken
    }

    #[test]
    fn overlapping_literals_all_wake() {
        let literals = ["..", "winnt", "nnt/s", "winnt/system32", "cmd.exe", "x"];
        assert_eq!(woken(&literals, "/a/../WinNT/System32/CMD.EXE"), [0, 1, 2, 3, 4, 5]);
        assert_eq!(woken(&literals, "/default.htm"), [0u32; 0]);
        assert_eq!(woken(&literals, "/b/winnt"), [1]);
        assert_eq!(woken(&literals, ""), [0u32; 0]);
        assert_eq!(woken(&["%ud8", "ed%a"], "/X%UD8/ED%A"), [0, 1]);
        assert_eq!(woken(&["%ud8", "ed%a"], "/xud8/eda"), [0u32; 0]);
        assert_eq!(woken(&["~", "wct", "\u{ff1c}", "*"], "a=\u{ff1c}&WCT=1"), [1, 2]);
    }
}
