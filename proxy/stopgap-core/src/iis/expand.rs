//! Which unit sequences can the bytes of a target become? Percent-decoding, charset and best fit, pass by pass.
//!
//! Every candidate is kept; one that still holds an escape is decoded again while passes are left. The
//! work is bounded by a number of candidates and of units.

use std::ops::Range;

use crate::iis::charset::{self, Mixed};
use crate::iis::codepage::{self, Page};
use crate::iis::table::{CodePage, ServerTable};
use crate::iis::trace::{Step, Trace};
use crate::iis::unescape::{Found, Manner, Stray, unescape};
use crate::iis::unit::{Unit, VALUE, is_high_byte};

/// Units that all candidates of a short target may have together. Bounding units bounds what a hostile target
/// costs: some 10 ns each, until its reading is written.
const LEAST_ROOM: usize = 1 << 14;

/// What kind of target is read.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    pub table: &'a ServerTable,
    pub pages: &'a [CodePage],
    /// Passes of percent-decoding.
    pub passes: u8,
    /// A query: `+` is a space, and stray `%` may be dropped.
    pub query: bool,
    /// Candidates to keep at most.
    pub most: usize,
    /// How many times the target's length all candidates may have together, in units.
    pub times: usize,
    /// And how many units at most, whatever the length.
    pub room: usize,
}

/// One candidate.
#[derive(Clone, Debug)]
pub struct Candidate {
    units: Range<usize>,
    pub trace: Trace,
    pass: u8,
    /// Read as UTF-8 in part although it is valid on a double-byte page: control characters are chance.
    pub doubtful: bool,
}

/// The candidates of one target; reused from request to request.
#[derive(Debug, Default)]
pub struct Expansion {
    units: Vec<Unit>,
    /// What a step writes before it is appended to `units`, and what a further pass reads.
    spare: Vec<Unit>,
    candidates: Vec<Candidate>,
    /// Units to keep at most.
    room: usize,
    overflow: bool,
}

impl Expansion {
    /// Derive the candidates of `bytes`. True when none was left out for the bounds.
    pub fn expand(&mut self, bytes: &[u8], job: Job) -> bool {
        self.units.clear();
        self.candidates.clear();
        self.overflow = false;
        self.room = LEAST_ROOM.max(bytes.len().saturating_mul(job.times)).min(job.room);
        self.pass(bytes, Trace::default(), 1, job);
        let mut next = 0;
        while let Some(candidate) = self.candidates.get(next) {
            next += 1;
            let (trace, pass) = (candidate.trace, candidate.pass + 1);
            let units = &self.units[candidate.units.clone()];
            if pass <= job.passes && units.iter().any(|&unit| unit & VALUE == b'%' as Unit) && !self.overflow
            {
                let input = units.to_vec();
                self.pass(&input, trace, pass, job);
            }
        }
        !self.overflow
    }

    /// Units that were derived, of whatever candidate.
    pub fn size(&self) -> usize {
        self.units.len()
    }

    pub fn candidates(&self) -> impl Iterator<Item = (&Candidate, &[Unit])> {
        self.candidates.iter().map(|candidate| (candidate, &self.units[candidate.units.clone()]))
    }

    /// One pass of percent-decoding, in every manner, and all charsets after it.
    fn pass<T: Copy + Into<Unit>>(&mut self, input: &[T], trace: Trace, pass: u8, job: Job) {
        let keep = Manner {
            stray: Stray::Keep,
            percent_u: job.table.percent_u,
            plus: job.query && pass == 1,
            mark: pass == 1,
        };
        let found = self.decode(input, keep, trace, pass, job);
        if found.stray && job.table.arithmetic_escape {
            self.decode(input, Manner { stray: Stray::Compute, ..keep }, trace, pass, job);
        }
        if found.stray && job.query {
            self.decode(input, Manner { stray: Stray::Drop, ..keep }, trace, pass, job);
        }
    }

    fn decode<T: Copy + Into<Unit>>(
        &mut self,
        input: &[T],
        manner: Manner,
        trace: Trace,
        pass: u8,
        job: Job,
    ) -> Found {
        let start = self.units.len();
        let found = unescape(input, manner, &mut self.units);
        let dropped = manner.stray == Stray::Drop && found.stray;
        let new = match manner.stray {
            Stray::Keep => pass == 1 || found.changed(),
            Stray::Compute => found.computed,
            Stray::Drop => dropped,
        };
        if !new {
            self.units.truncate(start);
            return found;
        }
        let taken = [
            (found.plus, Step::Plus),
            (found.percent, Step::Percent(pass)),
            (found.percent_u, Step::PercentU),
            (found.computed, Step::Arithmetic),
            (dropped, Step::StrayDropped),
        ];
        let trace = taken.iter().filter(|(took, _)| *took).fold(trace, |trace, &(_, step)| trace.with(step));
        let base = Candidate { units: start..self.units.len(), trace, pass, doubtful: false };
        self.charsets(base, found, job);
        found
    }

    /// Read the high bytes of a decoded candidate in every charset.
    fn charsets(&mut self, base: Candidate, found: Found, job: Job) {
        if !found.high {
            self.push(base, found.wide, job);
            return;
        }
        let source = base.units.clone();
        let start = self.units.len();
        let strict = self.derive(&source, charset::utf8);
        let mut double = false;
        if strict {
            self.push(base.at(start..self.units.len(), Step::Utf8), true, job);
        } else {
            for page in doubles(job.pages) {
                double |= charset::mark_pairs(&mut self.units[source.clone()], page);
            }
        }
        for page in doubles(job.pages) {
            let start = self.units.len();
            self.derive(&source, |units, out| charset::paged(units, page, out));
            self.push(base.at(start..self.units.len(), Step::Page(page.number)), found.wide, job);
        }
        self.push(base.clone(), found.wide, job);
        // Four bytes that are valid are none to a decoder of three.
        let how = Mixed { longest: 3, lax: false, double };
        if job.table.utf8_each && !job.query && (!strict || found.four) {
            self.mixed(&base, Step::Utf8Each, how, job);
        }
        if job.table.lax_utf8 && !strict {
            self.mixed(&base, Step::Utf8Lax, Mixed { lax: true, ..how }, job);
            if found.four {
                self.mixed(&base, Step::Utf8Lax, Mixed { longest: 4, lax: true, ..how }, job);
            }
        }
    }

    /// UTF-8 beside other bytes, which are left alone or, in a path, read with each double-byte page.
    fn mixed(&mut self, base: &Candidate, step: Step, how: Mixed, job: Job) {
        for page in [None].into_iter().chain(doubles(job.pages).filter(|_| !job.query).map(Some)) {
            let start = self.units.len();
            let seen = self.derive(&base.units, |units, out| charset::mixed(units, how, page, out));
            if !seen {
                self.units.truncate(start);
                match page {
                    // Pages only take bytes away from UTF-8: where none is without one, none is with one.
                    None => return,
                    Some(_) => continue,
                }
            }
            let mut mixed = base.at(start..self.units.len(), step);
            mixed.doubtful = how.double;
            match page {
                None => self.push(mixed, true, job),
                Some(page) => {
                    mixed.trace = mixed.trace.with(Step::Page(page.number));
                    self.push(mixed, true, Job { pages: &[CodePage(page.number)], ..job });
                }
            }
        }
    }

    /// Keep a candidate, and what best fit makes of it when it holds characters of Unicode.
    fn push(&mut self, candidate: Candidate, wide: bool, job: Job) {
        if !self.keep(candidate.clone(), job) || !wide || !job.table.best_fit {
            return;
        }
        for page in job.pages.iter().filter_map(|&number| codepage::page(number)) {
            self.fold(&candidate, |char| page.fold(char), Step::BestFit(page.number), job);
        }
        if job.pages.iter().filter_map(|&number| codepage::page(number)).any(|page| !page.is_double()) {
            self.fold(&candidate, charset::full_width, Step::FullWidth, job);
        }
    }

    fn fold(&mut self, candidate: &Candidate, fold: impl Fn(Unit) -> Option<u8>, step: Step, job: Job) {
        let start = self.units.len();
        if self.derive(&candidate.units, |units, out| charset::best_fit(units, fold, out)) {
            self.keep(candidate.at(start..self.units.len(), step), job);
        }
    }

    /// False when the same units are kept already, or there is no room.
    fn keep(&mut self, candidate: Candidate, job: Job) -> bool {
        let units = &self.units[candidate.units.clone()];
        if self.candidates.iter().any(|other| self.units[other.units.clone()] == *units) {
            return false;
        }
        self.overflow |= self.candidates.len() >= job.most || self.units.len() > self.room;
        if !self.overflow {
            self.candidates.push(candidate);
        }
        !self.overflow
    }

    /// Let `step` read the units at `source` and append to the same store.
    fn derive<T>(&mut self, source: &Range<usize>, step: impl FnOnce(&[Unit], &mut Vec<Unit>) -> T) -> T {
        self.spare.clear();
        let result = step(&self.units[source.clone()], &mut self.spare);
        self.units.extend_from_slice(&self.spare);
        result
    }
}

impl Candidate {
    fn at(&self, units: Range<usize>, step: Step) -> Candidate {
        Candidate { units, trace: self.trace.with(step), ..self.clone() }
    }
}

/// The double-byte pages among the site's.
fn doubles(pages: &[CodePage]) -> impl Iterator<Item = &'static Page> {
    pages.iter().filter_map(|&number| codepage::page(number)).filter(|page| page.is_double())
}

/// How to write a candidate out: the trace of it, and the page of its bytes above 0x7F. That is each single-byte
/// page of the site, or `None`, Latin-1, on a site without one.
pub fn spelled(
    trace: Trace,
    units: &[Unit],
    pages: &[CodePage],
) -> impl Iterator<Item = (Trace, Option<&'static Page>)> {
    let high = units.iter().any(|&unit| is_high_byte(unit));
    let pages = if high { pages } else { &[] };
    let single = |&number: &CodePage| codepage::page(number).filter(|page| !page.is_double());
    let mut paged = pages.iter().filter_map(single).peekable();
    let trace_alone = if high { trace.with(Step::Latin1) } else { trace };
    let alone = paged.peek().is_none().then_some((trace_alone, None));
    alone.into_iter().chain(paged.map(move |page| (trace.with(Step::Page(page.number)), Some(page))))
}
