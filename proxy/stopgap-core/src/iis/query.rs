//! The readings of a query, or of one parameter's name or value.

use crate::iis::charset;
use crate::iis::expand::{Expansion, Job, spelled};
use crate::iis::room::{DECODE, EXPAND, LOOK, Room, SEARCHED, WRITTEN};
use crate::iis::table::{CodePage, ServerTable};
use crate::iis::trace::{Step, Trace};
use crate::iis::unit::push_utf8;

/// More ways to read a query than any honest one has.
const MOST_READINGS: usize = 32;
/// A script decodes what the server has decoded: twice is enough for every row of the catalogue.
const PASSES: u8 = 2;

/// All readings of a query or of one parameter's name or value: raw, decoded with `+` as space,
/// decoded with stray `%` dropped (catalogue P7), decoded twice; in each charset. ASCII lower case.
#[derive(Debug, Default)]
pub struct QueryReadings {
    expansion: Expansion,
    bytes: Vec<u8>,
    readings: Vec<(usize, usize, Trace)>,
    incomplete: bool,
}

impl QueryReadings {
    /// Derive the readings of `query` while there is room.
    pub fn read(&mut self, query: &[u8], table: &ServerTable, pages: &[CodePage], room: &mut Room) {
        self.bytes.clear();
        self.readings.clear();
        self.bytes.extend_from_slice(query);
        self.bytes.make_ascii_lowercase();
        self.readings.push((0, query.len(), Trace::default()));
        self.incomplete = !room.take(LOOK + query.len() / SEARCHED);
        if self.incomplete || !query.iter().any(|&byte| byte >= 0x80 || matches!(byte, b'%' | b'+')) {
            return;
        }
        if is_mild(query) {
            self.incomplete = !room.take(DECODE + query.len() / SEARCHED);
            return self.decode(query);
        }
        let most = MOST_READINGS - 1;
        // Room for all of them and for what they are derived from: padding hides no reading.
        let job = Job { table, pages, passes: PASSES, query: true, most, times: 2 * most, room: room.left() };
        self.incomplete = !self.expansion.expand(query, job);
        for (candidate, units) in self.expansion.candidates() {
            for (trace, page) in spelled(candidate.trace, units, pages) {
                if self.readings.len() == MOST_READINGS {
                    self.incomplete = true;
                    break;
                }
                let start = self.bytes.len();
                for &unit in units {
                    match charset::single(unit, page) {
                        value @ 0x80.. => push_utf8(&mut self.bytes, value),
                        ascii => self.bytes.push((ascii as u8).to_ascii_lowercase()),
                    }
                }
                let text = &self.bytes[start..];
                let known = self.readings.iter().any(|&(from, to, _)| self.bytes[from..to] == *text);
                if known {
                    self.bytes.truncate(start);
                } else {
                    self.readings.push((start, self.bytes.len(), trace));
                }
            }
        }
        let derived = self.expansion.size() + (self.bytes.len() - query.len()) / WRITTEN;
        self.incomplete |= !room.take(EXPAND + derived);
    }

    /// The one other reading of a mild query.
    fn decode(&mut self, query: &[u8]) {
        let start = self.bytes.len();
        let (mut trace, mut at) = (Trace::default(), 0);
        let (mut plus, mut percent) = (false, false);
        while let Some(&byte) = query.get(at) {
            at += 1;
            let byte = match (byte, query.get(at..at + 2).and_then(hex_pair)) {
                (b'+', _) => {
                    plus = true;
                    b' '
                }
                (b'%', Some(value)) => {
                    percent = true;
                    at += 2;
                    value
                }
                _ => byte,
            };
            self.bytes.push(byte.to_ascii_lowercase());
        }
        for (taken, step) in [(plus, Step::Plus), (percent, Step::Percent(1))] {
            trace = if taken { trace.with(step) } else { trace };
        }
        self.readings.push((start, self.bytes.len(), trace));
    }

    /// Number of readings; at least 1 after `read`, and the first is the query as it came.
    pub fn len(&self) -> usize {
        self.readings.len()
    }

    pub fn is_empty(&self) -> bool {
        self.readings.is_empty()
    }

    /// There were more readings than could be kept (`Reason::TooManyReadings`).
    pub fn is_incomplete(&self) -> bool {
        self.incomplete
    }

    /// The reading at `index`, which is below `len`; an empty one above it.
    pub fn get(&self, index: usize) -> &[u8] {
        self.readings.get(index).and_then(|&(from, to, _)| self.bytes.get(from..to)).unwrap_or(&[])
    }

    pub fn steps(&self, index: usize) -> Vec<String> {
        self.readings.get(index).map(|(_, _, trace)| trace.names()).unwrap_or_default()
    }
}

/// Decoded in one way by everybody: ASCII, and every escape stands for an ASCII character but `%`.
pub fn is_mild(query: &[u8]) -> bool {
    let mild = |at: usize| match query.get(at + 1..at + 3) {
        Some(b"25") => false,
        Some([b'0'..=b'7', low]) => low.is_ascii_hexdigit(),
        _ => false,
    };
    query.is_ascii() && memchr::memchr_iter(b'%', query).all(mild)
}

fn hex_pair(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    match digits {
        [high, low] => u8::try_from(digit(*high)? << 4 | digit(*low)?).ok(),
        _ => None,
    }
}
