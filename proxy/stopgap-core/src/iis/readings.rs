//! The set of readings of one target: what each server table and code page could make of it.

use crate::iis::expand::{Expansion, Job, spelled};
pub use crate::iis::query::QueryReadings;
use crate::iis::shape::{Shape, Shapes};
use crate::iis::shelf::Shelf;
use crate::iis::table::{CodePage, ServerTable};
use crate::iis::trace::Trace;
use crate::verdict::Reason;

/// More ways to read a path than any honest one has.
const MOST_READINGS: usize = 64;
/// An honest path has at most three readings for each double-byte page and some six more.
const MOST_TIMES: usize = 16;

/// The anomalies from the gravest down: what hides something, then what climbs, then what renames.
const GRAVITY: [Reason; 18] = [
    Reason::TooManyReadings,
    Reason::NulInPath,
    Reason::OverlongUtf8,
    Reason::DoubleEscape,
    Reason::PercentU,
    Reason::BadEscape,
    Reason::BestFit,
    Reason::BadDbcs,
    Reason::Traversal,
    Reason::DotsSegment,
    Reason::Backslash,
    Reason::Stream,
    Reason::SemicolonExtension,
    Reason::DeviceName,
    Reason::ShortName,
    Reason::TrailingDot,
    Reason::ControlInPath,
    Reason::BadPathCharacter,
];

/// A name that a script map, a file system or a rule might see: a segment of a reading, whole or cut.
/// An empty segment has no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    /// Span in `View::path`.
    pub start: u32,
    pub end: u32,
    /// Position of the last dot in the span, or `end` when there is none.
    pub dot: u32,
    /// Which segment it comes from, counted from 0.
    pub segment: u16,
    /// False for a cut of the segment (at `;`, `:`, NUL, or without trailing dots and spaces).
    pub whole: bool,
    /// It is (a cut of) the last segment.
    pub last: bool,
}

/// One reading, ready to be matched.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Lower-case ASCII, `\` as `/`, runs of separators collapsed; dot segments kept. Starts with `/`.
    /// What is not ASCII is UTF-8.
    pub path: &'a [u8],
    /// `path` with its dot segments resolved.
    pub resolved: &'a [u8],
    /// `resolved` with every name as short as Windows or a script map may cut it: at `;`, `:`, NUL, and without
    /// trailing dots and spaces. Mostly the same.
    pub opened: &'a [u8],
    pub names: &'a [Name],
    /// How many segments `path` has.
    pub depth: u16,
}

/// Something in a reading that makes the target ambiguous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anomaly {
    pub reason: Reason,
    pub reading: u16,
    /// Offset in the reading's path.
    pub offset: u32,
}

/// All readings of a path; reused from request to request.
#[derive(Debug, Default)]
pub struct Readings {
    expansion: Expansion,
    shapes: Shapes,
    readings: Vec<(Shape, Trace)>,
    shelf: Shelf,
}

impl Readings {
    /// Derive every reading of `path` (as it came, from the `/` up to the raw `?`). Bounded: above
    /// the cap it stops and notes `Reason::TooManyReadings`.
    pub fn read(&mut self, path: &[u8], table: &ServerTable, pages: &[CodePage]) {
        self.shapes.clear();
        self.readings.clear();
        if let Some(shape) = self.shapes.plain(path) {
            self.readings.push((shape, Trace::default()));
            return;
        }
        if let Some(kept) = self.shelf.find(path, table, pages) {
            self.shapes.bytes.extend_from_slice(&kept.bytes);
            self.shapes.names.extend_from_slice(&kept.names);
            self.readings.extend_from_slice(&kept.readings);
            return;
        }
        self.derive(path, table, pages);
        if self.shapes.notes.is_empty() {
            self.shelf.keep(path, table, pages, (&self.shapes.bytes, &self.shapes.names, &self.readings));
        }
    }

    fn derive(&mut self, path: &[u8], table: &ServerTable, pages: &[CodePage]) {
        let job = Job {
            table,
            pages,
            passes: 1 + table.more_passes,
            query: false,
            most: MOST_READINGS,
            times: MOST_TIMES,
            room: usize::MAX,
        };
        let mut complete = self.expansion.expand(path, job);
        for (candidate, units) in self.expansion.candidates() {
            for (trace, page) in spelled(candidate.trace, units, pages) {
                if self.readings.len() == MOST_READINGS {
                    complete = false;
                    break;
                }
                let shape = self.shapes.write(units, page, self.readings.len() as u16, candidate.doubtful);
                let bytes = &self.shapes.bytes;
                let path = span(bytes, shape.path);
                match self.readings.iter().position(|(earlier, _)| span(bytes, earlier.path) == path) {
                    Some(earlier) => self.shapes.take_back(&shape, earlier as u16),
                    None => self.readings.push((shape, trace)),
                }
            }
        }
        if !complete {
            self.shapes.notes.push(Anomaly { reason: Reason::TooManyReadings, reading: 0, offset: 0 });
        }
        let rank = |reason| GRAVITY.iter().position(|&graver| graver == reason);
        self.shapes.notes.sort_unstable_by_key(|note| (rank(note.reason), note.reading));
    }

    /// Number of readings; at least 1 after `read`.
    pub fn len(&self) -> usize {
        self.readings.len()
    }

    pub fn is_empty(&self) -> bool {
        self.readings.is_empty()
    }

    /// The reading at `index`, which is below `len`; an empty one above it.
    pub fn view(&self, index: usize) -> View<'_> {
        let shape = self.readings.get(index).map(|&(shape, _)| shape).unwrap_or_default();
        View {
            path: span(&self.shapes.bytes, shape.path),
            resolved: span(&self.shapes.bytes, shape.resolved),
            opened: span(&self.shapes.bytes, shape.opened),
            names: span(&self.shapes.names, shape.names),
            depth: shape.depth,
        }
    }

    /// The steps that made a reading, e.g. `["percent", "utf8-lax", "best-fit-1252", "percent-2"]`.
    pub fn steps(&self, index: usize) -> Vec<String> {
        self.readings.get(index).map(|(_, trace)| trace.names()).unwrap_or_default()
    }

    /// The first anomaly of each kind in each reading: the gravest kind first, then in the order of readings.
    pub fn anomalies(&self) -> &[Anomaly] {
        &self.shapes.notes
    }
}

fn span<T>(all: &[T], (start, end): (u32, u32)) -> &[T] {
    all.get(start as usize..end as usize).unwrap_or(&[])
}
