//! What path does a reading have, which names are in it, and what in it is ambiguous (catalogue 1.4)?

use crate::iis::readings::{Anomaly, Name};
use crate::iis::unescape::is_escape;
use crate::iis::unit::{BAD_LEAD, FITTED, NOTED, OVERLONG, PERCENT_U, STRAY, TRAIL, Unit, VALUE, push_utf8};
use crate::verdict::Reason;

/// Names of all readings together.
const MOST_NAMES: usize = 1 << 14;

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

/// Anomalies that a flag of a unit stands for.
const FLAGS: [(Unit, Reason); 5] = [
    (STRAY, Reason::BadEscape),
    (PERCENT_U, Reason::PercentU),
    (FITTED, Reason::BestFit),
    (OVERLONG, Reason::OverlongUtf8),
    (BAD_LEAD, Reason::BadDbcs),
];

/// Where a reading lies in the stores of `Shapes`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shape {
    pub path: (u32, u32),
    pub resolved: (u32, u32),
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
}

/// The segment being written.
#[derive(Clone, Copy, Default)]
struct Segment {
    start: usize,
    /// Classes that it holds.
    classes: Class,
    /// A tilde is in it that is no trail byte.
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
        let (mut start, mut dot) = (1, usize::MAX);
        let mut before = b'/';
        for (at, &byte) in path.iter().enumerate().skip(1) {
            let class = ASCII.get(usize::from(byte)).map_or(ODD, |&(_, class)| class);
            if class != PLAIN {
                match byte {
                    b'.' if before != b'/' => dot = at,
                    b'/' if before != b'/' && before != b'.' => {
                        self.name(start, at, dot.min(at), first, true);
                        (start, dot) = (at + 1, usize::MAX);
                    }
                    _ => return self.not_plain(first),
                }
            }
            before = byte;
        }
        if path.first() != Some(&b'/') || before == b'.' {
            return self.not_plain(first);
        }
        if start < path.len() {
            self.name(start, path.len(), dot.min(path.len()), first, true);
        }
        self.bytes.extend_from_slice(path);
        self.bytes[self.base..].make_ascii_lowercase();
        for at in first..self.names.len() {
            let name = self.names[at];
            if is_device(&self.bytes[self.base..][name.start as usize..name.end as usize]) {
                self.note(Reason::DeviceName, name.start as usize);
            }
        }
        Some(self.end(first))
    }

    fn not_plain(&mut self, first: usize) -> Option<Shape> {
        self.names.truncate(first);
        None
    }

    /// Write one reading. `doubtful`: control and forbidden characters in it are chance.
    pub fn write(&mut self, units: &[Unit], reading: u16, doubtful: bool) -> Shape {
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
                push_utf8(&mut self.bytes, value);
                continue;
            };
            if class == SEPARATOR {
                if value == Unit::from(b'\\') && unit & TRAIL == 0 {
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
                segment.tilde |= class == TILDE && unit & TRAIL == 0;
                if class & (CUT | ODD) != 0 && unit & TRAIL == 0 {
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
        (self.reading, self.base, self.noted, self.climbs) = (reading, self.bytes.len(), 0, false);
        self.names.len()
    }

    fn end(&mut self, first: usize) -> Shape {
        let depth = self.names.last().map_or(0, |name| name.segment.saturating_add(1));
        for name in self.names[first..].iter_mut().rev().take_while(|name| name.segment + 1 == depth) {
            name.last = true;
        }
        let path = (self.base as u32, self.bytes.len() as u32);
        Shape {
            path,
            resolved: if self.climbs { self.resolve(first) } else { path },
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
        let (start, end) = (segment.start, self.length());
        let number = self.name(start, end, self.last_dot(start, end), first, true);
        let text = &self.bytes[self.base + start..];
        let (device, short) = (is_device(text), segment.tilde && is_short_name(text));
        if device {
            self.note(Reason::DeviceName, start);
        }
        if short {
            self.note(Reason::ShortName, start);
        }
        if segment.classes & (DOT | SPACE | CUT) != 0 {
            self.dots(start, end);
            self.cuts(segment, number);
        }
    }

    /// X3, X4 and X5: what dots and spaces do to a segment.
    fn dots(&mut self, start: usize, end: usize) {
        let text = &self.bytes[self.base + start..self.base + end];
        let reason = match text {
            b"." => None,
            b".." => Some(Reason::Traversal),
            _ if text.iter().all(|&byte| byte == b'.') => Some(Reason::DotsSegment),
            [.., b'.' | b' '] => Some(Reason::TrailingDot),
            _ => None,
        };
        self.climbs |= matches!(text, b"." | b"..");
        if let Some(reason) = reason {
            self.note(reason, start);
        }
    }

    /// X5, X6, X7 and X14: the names that a segment has when it is cut, and extensions that differ for it.
    fn cuts(&mut self, segment: Segment, number: u16) {
        let (start, end) = (segment.start, self.length());
        if segment.classes & CUT != 0 {
            for at in start..end {
                let byte = self.bytes[self.base + at];
                if !matches!(byte, b';' | b':' | 0) {
                    continue;
                }
                self.cut(start, at, end, number);
                if byte == b';' && self.extensions_differ(start, at, end) {
                    self.note(Reason::SemicolonExtension, at);
                }
            }
        }
        self.cut(start, end, end, number);
    }

    /// Add the name that ends at `at`, and the one without trailing dots and spaces.
    fn cut(&mut self, start: usize, at: usize, end: usize, number: u16) {
        let stripped = self.stripped(start, at);
        for stop in [at, stripped] {
            if stop > start && stop < end && (stop == at || stripped < at) {
                self.push_name(start, stop, self.last_dot(start, stop), number, false);
            }
            if stripped == at {
                break;
            }
        }
    }

    fn extensions_differ(&self, start: usize, at: usize, end: usize) -> bool {
        let extension = |from: usize, to: usize| {
            let to = self.stripped(from, to);
            let dot = self.last_dot(from, to);
            &self.bytes[self.base + (dot + 1).min(to)..self.base + to]
        };
        let (before, after) = (extension(start, at), extension(at + 1, end));
        !before.is_empty() && !after.is_empty() && before != after
    }

    /// The end of the span without trailing dots and spaces.
    fn stripped(&self, start: usize, end: usize) -> usize {
        let text = &self.bytes[self.base + start..self.base + end];
        text.iter().rposition(|&byte| byte != b'.' && byte != b' ').map_or(start, |last| start + last + 1)
    }

    /// The last dot of the span, or its end.
    fn last_dot(&self, start: usize, end: usize) -> usize {
        let text = &self.bytes[self.base + start..self.base + end];
        memchr::memrchr(b'.', text).map_or(end, |dot| start + dot)
    }

    /// Add the whole name of the next segment; returns the segment's number.
    fn name(&mut self, start: usize, end: usize, dot: usize, first: usize, whole: bool) -> u16 {
        let number = match self.names.get(first..).and_then(|names| names.last()) {
            Some(before) => before.segment.saturating_add(1),
            None => 0,
        };
        self.push_name(start, end, dot, number, whole);
        number
    }

    fn push_name(&mut self, start: usize, end: usize, dot: usize, segment: u16, whole: bool) {
        if self.names.len() >= MOST_NAMES {
            self.note(Reason::TooManyReadings, start);
            return;
        }
        let (start, end, dot) = (start as u32, end as u32, dot as u32);
        self.names.push(Name { start, end, dot, segment, whole, last: false });
    }

    /// X3: write the path again without its dot segments.
    fn resolve(&mut self, first: usize) -> (u32, u32) {
        let start = self.bytes.len();
        let trailing = self.bytes[start - 1] == b'/';
        let mut ends_open = trailing;
        for at in first..self.names.len() {
            let name = self.names[at];
            if !name.whole {
                continue;
            }
            let span = self.base + name.start as usize..self.base + name.end as usize;
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

/// X13: the part before the first dot (or colon), without trailing spaces, is a DOS device.
fn is_device(segment: &[u8]) -> bool {
    if segment.len() < 3 || !matches!(segment[0], b'a' | b'c' | b'l' | b'n' | b'p') {
        return false;
    }
    let stem = segment.iter().position(|byte| matches!(byte, b'.' | b':' | b';')).unwrap_or(segment.len());
    matches!(
        segment[..stem].trim_ascii_end(),
        b"aux" | b"con" | b"nul" | b"prn" | [b'c', b'o', b'm', b'1'..=b'9'] | [b'l', b'p', b't', b'1'..=b'9']
    )
}

/// X12: `^[^~]{1,6}~[0-9]{1,3}(\.[^.]{0,3})?$`.
fn is_short_name(segment: &[u8]) -> bool {
    let Some(tilde) = segment.iter().position(|&byte| byte == b'~') else { return false };
    let tail = &segment[tilde + 1..];
    let digits = tail.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let extension = match &tail[digits..] {
        [] => true,
        [b'.', extension @ ..] => extension.len() <= 3 && !extension.contains(&b'.'),
        _ => false,
    };
    (1..=6).contains(&tilde) && (1..=3).contains(&digits) && extension
}
