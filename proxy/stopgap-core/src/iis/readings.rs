//! The set of readings of one target: what each server table and code page could make of it.

use crate::iis::table::{CodePage, ServerTable};
use crate::verdict::Reason;

/// A name that a script map, a file system or a rule might see: a segment of a reading, whole or cut.
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
    pub path: &'a [u8],
    /// `path` with its dot segments resolved.
    pub resolved: &'a [u8],
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
pub struct Readings {}

impl Readings {
    /// Derive every reading of `path` (as it came, from the `/` up to the raw `?`). Bounded: above
    /// the cap it stops and notes `Reason::TooManyReadings`.
    pub fn read(&mut self, _path: &[u8], _table: &ServerTable, _pages: &[CodePage]) {}

    /// Number of readings; at least 1 after `read`.
    pub fn len(&self) -> usize {
        1
    }

    pub fn is_empty(&self) -> bool {
        false
    }

    pub fn view(&self, _index: usize) -> View<'_> {
        View { path: b"/", resolved: b"/", names: &[], depth: 0 }
    }

    /// The steps that made a reading, e.g. `["percent", "utf8-lax", "best-fit-1252", "percent-2"]`.
    pub fn steps(&self, _index: usize) -> Vec<String> {
        Vec::new()
    }

    /// The first anomaly of each kind, the gravest first.
    pub fn anomalies(&self) -> &[Anomaly] {
        &[]
    }
}

/// All readings of a query or of one parameter's name or value: raw, decoded with `+` as space,
/// decoded with stray `%` dropped (catalogue P7), decoded twice; in each charset. ASCII lower case.
#[derive(Debug, Default)]
pub struct QueryReadings {}

impl QueryReadings {
    pub fn read(&mut self, _query: &[u8], _table: &ServerTable, _pages: &[CodePage]) {}

    pub fn len(&self) -> usize {
        0
    }

    pub fn is_empty(&self) -> bool {
        true
    }

    pub fn get(&self, _index: usize) -> &[u8] {
        &[]
    }

    pub fn steps(&self, _index: usize) -> Vec<String> {
        Vec::new()
    }
}
