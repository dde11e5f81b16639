//! The readings of a query, or of one parameter's name or value.

use crate::iis::charset;
use crate::iis::expand::{Expansion, Job, spelled};
use crate::iis::table::{CodePage, ServerTable};
use crate::iis::trace::Trace;
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
    pub fn read(&mut self, query: &[u8], table: &ServerTable, pages: &[CodePage]) {
        self.bytes.clear();
        self.readings.clear();
        self.bytes.extend_from_slice(query);
        self.bytes.make_ascii_lowercase();
        self.readings.push((0, query.len(), Trace::default()));
        self.incomplete = false;
        if !query.iter().any(|&byte| byte >= 0x80 || matches!(byte, b'%' | b'+')) {
            return;
        }
        let most = MOST_READINGS - 1;
        // Room for all of them and for what they are derived from: padding hides no reading.
        let job = Job { table, pages, passes: PASSES, query: true, most, times: 2 * most };
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
