//! What the fields of one request hold: every value of a field, in every reading.
//!
//! Readings of the query, of its parameters and of the body are made when a rule first asks for
//! them, once a judgement, in buffers that are kept.

use std::net::IpAddr;
use std::ops::Range;

use crate::http1::head::Head;
use crate::iis::readings::{QueryReadings, Readings};
use crate::iis::room::Room;
use crate::iis::table::{CodePage, ServerTable};
use crate::rules::expr::Side;
use crate::rules::field::Field;
use crate::rules::without::Without;
use crate::verdict::Reason;

/// `%uHHHH`.
const LONGEST_ESCAPE: usize = 6;

/// One request, as the rules see it.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The buffer that `head` was parsed from.
    pub buf: &'a [u8],
    pub head: &'a Head,
    pub readings: &'a Readings,
    pub table: &'a ServerTable,
    pub pages: &'a [CodePage],
    pub client: Option<IpAddr>,
    /// The body or its first part, once it is there. Empty for a request without a body.
    pub body: Option<&'a [u8]>,
    /// Declared or received length of the body; `None` while a chunked one is coming.
    pub body_length: Option<u64>,
}

impl<'a> Subject<'a> {
    /// The query as it came, empty when there is none.
    pub fn query(&self) -> &'a [u8] {
        self.head.query.map_or(&[], |span| span.of(self.buf))
    }

    /// The body that a script reads as a form: all that has come of it, and none where another type is declared.
    pub fn form(&self) -> &'a [u8] {
        let body = self.window();
        if !body.is_empty() && self.posts_form() { body } else { &[] }
    }

    /// What has come of the body, without an escape that the end of the window has cut: it would be read in
    /// every way that a stray `%` is.
    fn window(&self) -> &'a [u8] {
        let body = self.body.unwrap_or(&[]);
        let cut = self.body_length.is_some_and(|length| length > body.len() as u64);
        let tail = body.len().saturating_sub(LONGEST_ESCAPE - 1);
        let escape = memchr::memrchr(b'%', &body[tail..]).map(|at| tail + at).filter(|_| cut);
        let whole = escape.filter(|&at| body.len() - at < 3 || body[at + 1] | 0x20 == b'u');
        &body[..whole.unwrap_or(body.len())]
    }

    /// The body is declared an url-encoded form, or posted without a type. What is PUT without one is a file.
    pub fn posts_form(&self) -> bool {
        let urlencoded =
            |value: &[u8]| value.windows(10).any(|part| part.eq_ignore_ascii_case(b"urlencoded"));
        let mut types = self.header(b"content-type").peekable();
        match types.peek() {
            None => self.head.method.of(self.buf) == b"POST",
            Some(_) => types.any(|value| value.is_empty() || urlencoded(value)),
        }
    }

    /// Values of a header, by its lower-case name.
    fn header(self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let named =
            move |field: &&crate::http1::head::Field| field.name.of(self.buf).eq_ignore_ascii_case(name);
        self.head.fields.iter().filter(named).map(move |field| field.value.of(self.buf))
    }
}

/// The readings that are made on demand.
#[derive(Debug, Default)]
pub struct Lazy {
    query: Made,
    body: Made,
    params: Params,
    form: Params,
    /// What may still be spent on readings of query, parameters and body.
    room: Room,
    /// A query or parameter has more readings than were judged.
    pub incomplete: bool,
    /// So has the body, or a parameter of the form.
    pub unread_form: bool,
    pub hashes: Vec<u64>,
    /// Of the path in a Destination.
    destination: Readings,
    /// The request without the fields that exceptions hide.
    pub without: Vec<Without>,
}

#[derive(Debug, Default)]
struct Made {
    ready: bool,
    readings: QueryReadings,
}

impl Lazy {
    /// Forget the request before; keep the buffers.
    pub fn clear(&mut self) {
        self.query.ready = false;
        self.body.ready = false;
        self.params.ready = false;
        self.form.forget();
        self.incomplete = false;
        self.without.clear();
        self.unread_form = false;
        self.room = Room::default();
    }

    pub fn query(&mut self, subject: &Subject<'_>) -> &QueryReadings {
        if !self.query.ready {
            self.query.ready = true;
            self.query.readings.read(subject.query(), subject.table, subject.pages, &mut self.room);
            self.incomplete |= self.query.readings.is_incomplete();
        }
        &self.query.readings
    }

    /// The parameters of the query, or of the form in the body.
    pub fn pairs(&mut self, field: Field, subject: &Subject<'_>) -> &Params {
        if field == Field::Form { self.form(subject) } else { self.params(subject) }
    }

    pub fn params(&mut self, subject: &Subject<'_>) -> &Params {
        if !self.params.ready {
            self.incomplete |= self.params.read(subject.query(), subject, &mut self.room);
        }
        &self.params
    }

    fn form(&mut self, subject: &Subject<'_>) -> &Params {
        if !self.form.ready {
            self.unread_form |= self.form.read(subject.form(), subject, &mut self.room);
        }
        &self.form
    }

    /// Every path that the URL in a Destination may be read as (RFC 4918 10.3): the name a file is given by COPY or
    /// MOVE is spelled as freely as a target.
    fn destinations(
        &mut self,
        url: &[u8],
        subject: &Subject<'_>,
        see: &mut impl FnMut(&[u8], usize) -> bool,
    ) -> bool {
        let after_scheme = memchr::memmem::find(url, b"://").map_or(0, |at| at + 3);
        let Some(start) = url[after_scheme..].iter().position(|&byte| byte == b'/') else { return false };
        let path = &url[after_scheme + start..];
        let end = memchr::memchr(b'?', path).unwrap_or(path.len());
        self.destination.read(&path[..end], subject.table, subject.pages);
        let gravest = self.destination.anomalies().first();
        self.incomplete |= gravest.is_some_and(|anomaly| anomaly.reason == Reason::TooManyReadings);
        (0..self.destination.len()).any(|index| {
            let view = self.destination.view(index);
            see(view.path, after_scheme + start) || see(view.opened, after_scheme + start)
        })
    }

    /// Decoded readings of an url-encoded body.
    pub fn body(&mut self, subject: &Subject<'_>) -> &QueryReadings {
        if !self.body.ready {
            self.body.ready = true;
            self.body.readings.read(subject.window(), subject.table, subject.pages, &mut self.room);
            self.unread_form |= self.body.readings.is_incomplete();
        }
        &self.body.readings
    }
}

/// The parameters of a query or form: split at raw `&`, then at the first `=`; name and value are decoded
/// apart.
#[derive(Debug, Default)]
pub struct Params {
    ready: bool,
    incomplete: bool,
    scrap: QueryReadings,
    bytes: Vec<u8>,
    pieces: Vec<Range<usize>>,
    list: Vec<Param>,
}

/// One parameter: which pieces are readings of its name, which of its value.
#[derive(Clone, Debug)]
pub struct Param {
    name: Range<usize>,
    value: Range<usize>,
    /// Offsets in the query or the body.
    pub name_at: usize,
    pub value_at: usize,
}

/// Bytes and entries beyond which buffers are given back: one long form must not cost for ever.
const KEPT: usize = 16_384;

impl Params {
    /// Forget the text before; keep the buffers unless it was a long one.
    fn forget(&mut self) {
        if self.list.capacity() > KEPT || self.bytes.capacity() > KEPT {
            *self = Params::default();
        }
        self.ready = false;
    }

    /// Whether a name or value of `text` has more readings than were made.
    fn read(&mut self, text: &[u8], subject: &Subject<'_>, room: &mut Room) -> bool {
        self.ready = true;
        self.incomplete = false;
        self.bytes.clear();
        self.pieces.clear();
        self.list.clear();
        let mut at = 0;
        for piece in text.split(|&byte| byte == b'&') {
            let start = at;
            at += piece.len() + 1;
            if piece.is_empty() {
                continue;
            }
            if room.left() == 0 {
                break;
            }
            let cut = memchr::memchr(b'=', piece).unwrap_or(piece.len());
            let after = (cut + 1).min(piece.len());
            let name = self.keep(&piece[..cut], subject, room);
            let value = self.keep(&piece[after..], subject, room);
            self.list.push(Param { name, value, name_at: start, value_at: start + after });
        }
        self.incomplete
    }

    fn keep(&mut self, text: &[u8], subject: &Subject<'_>, room: &mut Room) -> Range<usize> {
        let first = self.pieces.len();
        self.scrap.read(text, subject.table, subject.pages, room);
        self.incomplete |= self.scrap.is_incomplete();
        for i in 0..self.scrap.len() {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(self.scrap.get(i));
            self.pieces.push(start..self.bytes.len());
        }
        first..self.pieces.len()
    }

    pub fn list(&self) -> &[Param] {
        &self.list
    }

    /// The readings of a parameter's name or value.
    pub fn side<'p>(&'p self, param: &Param, side: Side) -> impl Iterator<Item = &'p [u8]> + use<'p> {
        self.of(match side {
            Side::Name => param.name.clone(),
            Side::Value => param.value.clone(),
        })
    }

    /// Every reading of every name and value.
    pub fn texts(&self) -> impl Iterator<Item = &[u8]> {
        self.of(0..self.pieces.len())
    }

    /// The parameters of this lower-case name; all where there is no name.
    pub fn named<'p>(&'p self, name: Option<&'p [u8]>) -> impl Iterator<Item = &'p Param> + use<'p> {
        let called = move |param: &Param, name: &[u8]| {
            self.side(param, Side::Name).any(|reading| reading.eq_ignore_ascii_case(name))
        };
        self.list.iter().filter(move |param| name.is_none_or(|name| called(param, name)))
    }

    fn of(&self, range: Range<usize>) -> impl Iterator<Item = &[u8]> {
        self.pieces.get(range).unwrap_or(&[]).iter().map(|piece| self.bytes.get(piece.clone()).unwrap_or(&[]))
    }
}

/// The header whose value is a path.
pub const DESTINATION: &[u8] = b"destination";

/// Hand every value of a field to `see` with its offset in the field, until `see` answers true.
pub fn values<'a>(
    field: Field,
    name: Option<&'a [u8]>,
    reading: usize,
    subject: &Subject<'a>,
    lazy: &mut Lazy,
    mut see: impl FnMut(&[u8], usize) -> bool,
) -> bool {
    let (head, buf) = (subject.head, subject.buf);
    match field {
        Field::Method => see(head.method.of(buf), 0),
        Field::Version => see(if head.minor == 0 { b"HTTP/1.0" } else { b"HTTP/1.1" }, 0),
        Field::Host => !head.host.is_empty() && see(head.host.of(buf), 0),
        Field::Target => see(head.target.of(buf), 0),
        Field::PathRaw => see(head.path.of(buf), 0),
        Field::QueryRaw => head.query.is_some_and(|span| see(span.of(buf), 0)),
        Field::Path => {
            let view = subject.readings.view(reading);
            see(view.path, 0) || see(view.resolved, 0) || see(view.opened, 0)
        }
        Field::Extension | Field::Segment | Field::Basename => {
            let view = subject.readings.view(reading);
            view.names.iter().any(|name| {
                let start = match field {
                    Field::Extension if name.dot >= name.end => return false,
                    Field::Extension => name.dot + 1,
                    Field::Basename if name.dot >= name.end && !name.last => return false,
                    _ => name.start,
                } as usize;
                see(view.path.get(start..name.end as usize).unwrap_or(&[]), start)
            })
        }
        // As it came first: a worm's query needs no decoding to be known.
        Field::Query => head.query.is_some_and(|span| {
            see(span.of(buf), 0) || {
                let query = lazy.query(subject);
                (1..query.len()).any(|i| see(query.get(i), 0))
            }
        }),
        Field::Param | Field::Form => {
            let params = lazy.pairs(field, subject);
            params
                .named(name)
                .any(|param| params.side(param, Side::Value).any(|value| see(value, param.value_at)))
        }
        Field::Header => subject.header(name.unwrap_or(&[])).any(|value| {
            see(value, 0) || name == Some(DESTINATION) && lazy.destinations(value, subject, &mut see)
        }),
        Field::Headers => head.fields.iter().any(|field| see(field.name.of(buf), 0)),
        Field::Cookie => cookies(subject, name, see),
        Field::Body => subject.body.is_some_and(|body| {
            see(body, 0)
                || url_encoded(subject, body) && {
                    let readings = lazy.body(subject);
                    (0..readings.len()).any(|i| see(readings.get(i), 0))
                }
        }),
        Field::Depth | Field::Reason => false,
    }
}

/// Every cookie value of this lower-case name (of every name where there is none).
fn cookies<'a>(
    subject: &Subject<'a>,
    name: Option<&[u8]>,
    mut see: impl FnMut(&[u8], usize) -> bool,
) -> bool {
    subject.header(b"cookie").any(|header| {
        let mut at = 0;
        header.split(|&byte| byte == b';').any(|pair| {
            let start = at;
            at += pair.len() + 1;
            let cut = memchr::memchr(b'=', pair).unwrap_or(pair.len());
            let after = (cut + 1).min(pair.len());
            let (key, value) = (pair[..cut].trim_ascii(), pair[after..].trim_ascii());
            if key.is_empty() && value.is_empty() {
                return false;
            }
            name.is_none_or(|name| key.eq_ignore_ascii_case(name)) && see(value, start + after)
        })
    })
}

/// A body that a script may decode like a query: declared so, or of no declared type.
pub fn url_encoded(subject: &Subject<'_>, body: &[u8]) -> bool {
    subject.posts_form() && body.iter().any(|&byte| byte == b'%' || byte == b'+' || byte >= 0x80)
}
