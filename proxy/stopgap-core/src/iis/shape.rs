//! What path does a reading have, which names are in it, and what in it is ambiguous (catalogue 1.4)?

use crate::iis::charset;
use crate::iis::codepage::Page;
use crate::iis::readings::{Anomaly, Name};
use crate::iis::segment;
use crate::iis::unescape::is_escape;
use crate::iis::unit::{
    BAD_LEAD, CHANCE, CONTROL, FITTED, NOTED, OVERLONG, PERCENT_U, STRAY, Unit, VALUE, push_utf8,
};
use crate::verdict::Reason;

/// Names of all readings together.
const MOST_NAMES: usize = 1 << 12;
/// Longer paths are not worth a fast lane, and might have more names.
const MOST_PLAIN: usize = MOST_NAMES;

/// What an ASCII byte means in a path: 0 is nothing.
type Class = u8;
const PLAIN: Class = 0;
const SEPARATOR: Class = 1;
const DOT: Class = 2;
/// It ends the name in one of the ways that Windows or a script map cuts it: `;` `:` NUL.
const CUT: Class = 4;
const TILDE: Class = 8;
/// `%` or a character that no file name has; judged one by one.
const ODD: Class = 16;
/// Never in a plain path: more than one reading may follow.
const SPACE: Class = 32;

/// For each ASCII byte its lower case and its class.
static ASCII: [(u8, Class); 128] = {
    let mut table = [(0, PLAIN); 128];
    let mut byte = 0;
    while byte < 128 {
        let class = match byte as u8 {
            b'/' | b'\\' => SEPARATOR,
            b'.' => DOT,
            b';' | b':' | 0 => CUT,
            b'~' => TILDE,
            b' ' => SPACE,
            b'%' | b'*' | b'?' | b'"' | b'<' | b'>' | b'|' | 1..0x20 | 0x7F => ODD,
            _ => PLAIN,
        };
        table[byte] = ((byte as u8).to_ascii_lowercase(), class);
        byte += 1;
    }
    table
};

/// Bytes of a plain path that are nothing but themselves.
static PLAIN_BYTE: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = ASCII[byte].1 == PLAIN;
        byte += 1;
    }
    table
};

/// Anomalies that a flag of a unit stands for.
const FLAGS: [(Unit, Reason); 6] = [
    (STRAY, Reason::BadEscape),
    (PERCENT_U, Reason::PercentU),
    (FITTED, Reason::BestFit),
    (OVERLONG, Reason::OverlongUtf8),
    (BAD_LEAD, Reason::BadDbcs),
    (CONTROL, Reason::ControlInPath),
];

/// Where a reading lies in the stores of `Shapes`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shape {
    pub path: (u32, u32),
    pub resolved: (u32, u32),
    pub opened: (u32, u32),
    pub names: (u32, u32),
    pub depth: u16,
}

/// Paths, names and anomalies of all readings; reused from request to request.
#[derive(Debug, Default)]
pub struct Shapes {
    pub bytes: Vec<u8>,
    pub names: Vec<Name>,
    pub notes: Vec<Anomaly>,
    /// Reading, path start and reasons noted so far of the reading being written.
    reading: u16,
    base: usize,
    noted: u64,
    /// A segment of it is `.` or `..`.
    climbs: bool,
    /// A segment of it may be cut.
    cut: bool,
    /// Where the names of the segment being judged end.
    ends: Vec<usize>,
}

/// The segment being written.
#[derive(Clone, Copy, Default)]
struct Segment {
    start: usize,
    /// The last dot so far; 0 when there is none.
    dot: usize,
    /// Classes that it holds.
    classes: Class,
    /// A tilde is in it, and not by chance.
    tilde: bool,
}

impl Shapes {
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.names.clear();
        self.notes.clear();
    }

    /// Write a path that has exactly one reading; `None`, and nothing written, when it may have more.
    pub fn plain(&mut self, path: &[u8]) -> Option<Shape> {
        let first = self.begin(0);
        self.bytes.extend_from_slice(path);
        self.bytes.make_ascii_lowercase();
        let (mut start, mut dot, mut number) = (1, usize::MAX, 0);
        let mut before = 0;
        for (at, &byte) in path.iter().enumerate() {
            if PLAIN_BYTE[usize::from(byte)] {
                before = byte;
                continue;
            }
            match byte {
                b'.' if before != b'/' => dot = at,
                b'/' if at == 0 => {}
                b'/' if before != b'/' && before != b'.' => {
                    self.plain_segment(start, at, dot, number);
                    (start, dot, number) = (at + 1, usize::MAX, number + 1);
                }
                _ => return self.not_plain(first),
            }
            before = byte;
        }
        if before == b'.' || path.first() != Some(&b'/') || path.len() > MOST_PLAIN {
            return self.not_plain(first);
        }
        if start < path.len() {
            self.plain_segment(start, path.len(), dot, number);
        }
        Some(self.end(first))
    }

    fn plain_segment(&mut self, start: usize, end: usize, dot: usize, number: u16) {
        self.push_name(start, end, dot.min(end), number, true);
        if segment::is_device(&self.bytes[start..end]) {
            self.note(Reason::DeviceName, start);
        }
    }

    fn not_plain(&mut self, first: usize) -> Option<Shape> {
        self.names.truncate(first);
        self.bytes.clear();
        self.notes.clear();
        None
    }

    /// Write one reading, its bytes above 0x7F as characters of `single`. `doubtful`: control and forbidden
    /// characters in it are chance.
    pub fn write(&mut self, units: &[Unit], single: Option<&Page>, reading: u16, doubtful: bool) -> Shape {
        let first = self.begin(reading);
        self.bytes.reserve(units.len() * 3 + 1);
        self.bytes.push(b'/');
        let mut segment = Segment { start: 1, ..Segment::default() };
        for (at, &unit) in units.iter().enumerate() {
            let value = unit & VALUE;
            if unit & NOTED != 0 {
                self.flags(unit);
            }
            let Some(&(lower, class)) = ASCII.get(value as usize) else {
                push_utf8(&mut self.bytes, charset::single(unit, single));
                continue;
            };
            if class == SEPARATOR {
                if value == Unit::from(b'\\') && unit & CHANCE == 0 {
                    self.note(Reason::Backslash, self.length());
                }
                if self.length() > segment.start {
                    self.segment(segment, first);
                    self.bytes.push(b'/');
                }
                segment = Segment { start: self.length(), ..Segment::default() };
                continue;
            }
            if class != PLAIN {
                segment.classes |= class;
                segment.dot = if class == DOT { self.length() } else { segment.dot };
                segment.tilde |= class == TILDE && unit & CHANCE == 0;
                if class & (CUT | ODD) != 0 && unit & CHANCE == 0 {
                    self.odd(lower, &units[at + 1..], doubtful);
                }
            }
            self.bytes.push(lower);
        }
        if self.length() > segment.start {
            self.segment(segment, first);
        }
        self.end(first)
    }

    /// Start a reading; returns where its names start.
    fn begin(&mut self, reading: u16) -> usize {
        (self.reading, self.base, self.noted) = (reading, self.bytes.len(), 0);
        (self.climbs, self.cut) = (false, false);
        self.names.len()
    }

    fn end(&mut self, first: usize) -> Shape {
        let depth = self.names.last().map_or(0, |name| name.segment.saturating_add(1));
        for name in self.names[first..].iter_mut().rev().take_while(|name| name.segment + 1 == depth) {
            name.last = true;
        }
        let path = (self.base as u32, self.bytes.len() as u32);
        let resolved = if self.climbs { self.resolve(path, first, |whole, _| whole.end) } else { path };
        let opened = if self.cut { self.resolve(path, first, |_, shortest| shortest) } else { resolved };
        Shape {
            path,
            resolved,
            opened,
            names: (first as u32, self.names.len() as u32),
            depth: if self.names.len() > first { depth } else { 0 },
        }
    }

    /// Take back the reading just written, because its path equals that of an earlier one. What was noted
    /// in it is noted there.
    pub fn take_back(&mut self, shape: &Shape, earlier: u16) {
        self.bytes.truncate(shape.path.0 as usize);
        self.names.truncate(shape.names.0 as usize);
        let known = |notes: &[Anomaly], reason| {
            notes.iter().any(|note| note.reading == earlier && note.reason == reason)
        };
        let mut at = 0;
        while at < self.notes.len() {
            if self.notes[at].reading == self.reading {
                if known(&self.notes, self.notes[at].reason) {
                    self.notes.swap_remove(at);
                    continue;
                }
                self.notes[at].reading = earlier;
            }
            at += 1;
        }
    }

    /// Length of the path written so far.
    fn length(&self) -> usize {
        self.bytes.len() - self.base
    }

    fn note(&mut self, reason: Reason, offset: usize) {
        let bit = 1 << (reason as u32 & 63);
        if self.noted & bit == 0 {
            self.noted |= bit;
            self.notes.push(Anomaly { reason, reading: self.reading, offset: offset as u32 });
        }
    }

    fn flags(&mut self, unit: Unit) {
        for (flag, reason) in FLAGS {
            if unit & flag != 0 {
                self.note(reason, self.length());
            }
        }
    }

    fn odd(&mut self, byte: u8, after: &[Unit], doubtful: bool) {
        let reason = match byte {
            b':' => Reason::Stream,
            b'%' if is_escape(after) => Reason::DoubleEscape,
            0 if !doubtful => Reason::NulInPath,
            1..0x20 | 0x7F if !doubtful => Reason::ControlInPath,
            b'*' | b'?' | b'"' | b'<' | b'>' | b'|' if !doubtful => Reason::BadPathCharacter,
            _ => return,
        };
        self.note(reason, self.length());
    }

    /// The segment ends where the path ends: its names, and what is ambiguous in it as a whole.
    fn segment(&mut self, segment: Segment, first: usize) {
        let Segment { start, dot, classes, tilde } = segment;
        let number = match self.names.get(first..).and_then(|names| names.last()) {
            Some(before) => before.segment + 1,
            None => 0,
        };
        let end = self.length();
        self.push_name(start, end, if dot == 0 { end } else { dot }, number, true);
        let text = &self.bytes[self.base + start..];
        let reasons = [
            segment::is_device(text).then_some(Reason::DeviceName),
            (tilde && segment::has_short_name(text)).then_some(Reason::ShortName),
            (classes & (DOT | SPACE) != 0).then(|| segment::dots_or_cut_dots(text)).flatten(),
        ];
        let semicolon = (classes & CUT != 0).then(|| segment::differing_semicolon(text)).flatten();
        self.climbs |= matches!(text, b"." | b"..");
        if classes & CUT != 0 || matches!(text, [.., b'.' | b' ']) || segment::severed(text) < text.len() {
            let mut ends = std::mem::take(&mut self.ends);
            ends.extend(segment::cuts(text).take(MOST_NAMES).map(|cut| start + cut));
            self.cut |= !ends.is_empty();
            for end in ends.drain(..) {
                self.push_name(start, end, self.last_dot(start, end), number, false);
            }
            self.ends = ends;
        }
        for reason in reasons.into_iter().flatten() {
            self.note(reason, start);
        }
        if let Some(at) = semicolon {
            self.note(Reason::SemicolonExtension, start + at);
        }
    }

    /// The last dot of the span, or its end.
    fn last_dot(&self, start: usize, end: usize) -> usize {
        let text = &self.bytes[self.base + start..self.base + end];
        memchr::memrchr(b'.', text).map_or(end, |dot| start + dot)
    }

    fn push_name(&mut self, start: usize, end: usize, dot: usize, segment: u16, whole: bool) {
        if self.names.len() >= MOST_NAMES {
            self.note(Reason::TooManyReadings, start);
            return;
        }
        let (start, end, dot) = (start as u32, end as u32, dot as u32);
        self.names.push(Name { start, end, dot, segment, whole, last: false });
    }

    /// X3: write the path again without its dot segments. `end` says where a name ends: of the whole one, or of
    /// the shortest cut.
    fn resolve(&mut self, path: (u32, u32), first: usize, end: fn(Name, u32) -> u32) -> (u32, u32) {
        let start = self.bytes.len();
        let trailing = self.bytes[path.1 as usize - 1] == b'/';
        let mut ends_open = trailing;
        for at in first..self.names.len() {
            let name = self.names[at];
            if !name.whole {
                continue;
            }
            let cuts = self.names[at + 1..].iter().take_while(|cut| !cut.whole);
            let shortest = cuts.map(|cut| cut.end).min().unwrap_or(name.end);
            let span = self.base + name.start as usize..self.base + end(name, shortest) as usize;
            match &self.bytes[span.clone()] {
                b"." => ends_open = true,
                b".." => {
                    let cut = memchr::memrchr(b'/', &self.bytes[start..]).unwrap_or(0);
                    self.bytes.truncate(start + cut);
                    ends_open = true;
                }
                _ => {
                    self.bytes.push(b'/');
                    self.bytes.extend_from_within(span);
                    ends_open = trailing;
                }
            }
        }
        if ends_open || self.bytes.len() == start {
            self.bytes.push(b'/');
        }
        (start as u32, self.bytes.len() as u32)
    }
}
