//! What would a request be without some of its fields? For exceptions that hide fields from a rule.
//!
//! The head is written again without them and parsed again, and the body is cut, so that every field of
//! the language sees the same request: without `param.q` the query, the target and the count of
//! parameters lack it too.
//! This is the slow way; it is only gone when a rule with such an exception has matched.

use std::ops::Range;

use crate::http1::head::{self, Bounds, Head};
use crate::iis::readings::QueryReadings;
use crate::iis::room::Room;
use crate::rules::field::Field;
use crate::rules::node::Node;
use crate::rules::spec::FieldSpec;
use crate::rules::values::{Lazy, Subject};

const UNBOUNDED: Bounds = Bounds { line: usize::MAX, head: usize::MAX, fields: usize::MAX };

/// The fields that an exception hides, names in lower case.
#[derive(Debug, Default)]
pub struct Fields {
    params: Vec<Vec<u8>>,
    headers: Vec<Vec<u8>>,
    cookies: Vec<Vec<u8>>,
    forms: Vec<Vec<u8>>,
}

impl Fields {
    pub fn compile(specs: &[FieldSpec]) -> Result<Fields, String> {
        let mut fields = Fields::default();
        for FieldSpec { field, name } in specs {
            let list = match Field::by_name(field) {
                Some(Field::Param) => &mut fields.params,
                Some(Field::Header) => &mut fields.headers,
                Some(Field::Cookie) => &mut fields.cookies,
                Some(Field::Form) => &mut fields.forms,
                _ => return Err(format!("{field:?} cannot be hidden; a param, header, cookie or form can")),
            };
            if name.is_empty() || (field == "header" && name.eq_ignore_ascii_case("host")) {
                return Err(format!("{field}.{name} cannot be hidden"));
            }
            list.push(name.to_ascii_lowercase().into_bytes());
        }
        Ok(fields)
    }

    pub fn is_empty(&self) -> bool {
        [&self.params, &self.headers, &self.cookies, &self.forms].into_iter().all(Vec::is_empty)
    }
}

/// A request without the fields that one exception hides.
#[derive(Debug)]
pub struct Without {
    /// Index of the exception.
    pub exception: usize,
    /// `None`: there was nothing to hide, or nothing is left that is a request.
    rest: Option<Rest>,
}

#[derive(Debug)]
struct Rest {
    buf: Vec<u8>,
    head: Head,
    /// What is left of the body, where something of it is hidden.
    body: Option<Vec<u8>>,
    lazy: Lazy,
}

impl Without {
    pub fn new(exception: usize, fields: &Fields, subject: &Subject<'_>) -> Without {
        let edits = edits(fields, subject);
        let body = keep_params(subject.form(), &fields.forms, subject);
        let hides = !edits.is_empty() || body.is_some();
        let rest = if hides { rewrite(&edits, subject) } else { None };
        Without { exception, rest: rest.map(|(buf, head)| Rest { buf, head, body, lazy: Lazy::default() }) }
    }

    /// Whether a formula does not hold any more on this reading.
    pub fn clears(&mut self, node: &Node, reading: usize, subject: &Subject<'_>) -> bool {
        let Some(Rest { buf, head, body, lazy }) = &mut self.rest else { return false };
        let mut hidden = Subject { buf: buf.as_slice(), head: &*head, ..*subject };
        if let (Some(left), Some(whole)) = (body, subject.body) {
            let cut = (whole.len() - left.len()) as u64;
            hidden.body_length = hidden.body_length.map(|length| length.saturating_sub(cut));
            hidden.body = Some(left.as_slice());
        }
        !node.holds(reading, &hidden, lazy) && !lazy.incomplete && !lazy.unread_form
    }
}

/// A range of the head and what stands there instead.
type Edit = (Range<usize>, Vec<u8>);

fn edits(fields: &Fields, subject: &Subject<'_>) -> Vec<Edit> {
    let mut edits = Vec::new();
    if let Some(span) = subject.head.query.filter(|_| !fields.params.is_empty()) {
        let (start, end) = (span.start as usize, span.end as usize);
        match keep_params(span.of(subject.buf), &fields.params, subject) {
            None => {}
            Some(kept) if kept.is_empty() => edits.push((start - 1..end, kept)),
            Some(kept) => edits.push((start..end, kept)),
        }
    }
    for (index, field) in subject.head.fields.iter().enumerate() {
        let name = field.name.of(subject.buf);
        let next = subject.head.fields.get(index + 1).map(|next| next.name.start as usize);
        let line = field.name.start as usize..next.unwrap_or(subject.head.length.saturating_sub(2));
        if is_listed(name, &fields.headers) {
            edits.push((line, Vec::new()));
        } else if name.eq_ignore_ascii_case(b"cookie") {
            let is_cookie = |pair: &[u8]| {
                let name = pair.split(|byte| *byte == b'=').next().unwrap_or(pair);
                is_listed(name.trim_ascii(), &fields.cookies)
            };
            match keep(field.value.of(subject.buf), b';', is_cookie) {
                None => {}
                Some(kept) if kept.trim_ascii().is_empty() => edits.push((line, Vec::new())),
                Some(kept) => edits.push((field.value.start as usize..field.value.end as usize, kept)),
            }
        }
    }
    edits
}

/// What is left of a query or form; `None`: all of it.
fn keep_params(text: &[u8], names: &[Vec<u8>], subject: &Subject<'_>) -> Option<Vec<u8>> {
    keep(text, b'&', |piece| {
        let name = piece.split(|byte| *byte == b'=').next().unwrap_or(piece);
        is_certainly(name, names, subject)
    })
}

/// What is left of a list when the pieces that are hidden are taken out; `None`: none is.
fn keep(list: &[u8], separator: u8, hidden: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    let pieces = || list.split(|byte| *byte == separator);
    let kept: Vec<&[u8]> = pieces().filter(|piece| !hidden(piece)).collect();
    (kept.len() < pieces().count()).then(|| kept.join(&separator))
}

fn is_listed(name: &[u8], list: &[Vec<u8>]) -> bool {
    list.iter().any(|listed| name.eq_ignore_ascii_case(listed))
}

/// The name can be read as one of the list, and as no other name that a script would ask for: a
/// parameter that may be another one hides nothing. What still looks encoded is no such name.
fn is_certainly(name: &[u8], list: &[Vec<u8>], subject: &Subject<'_>) -> bool {
    if list.is_empty() {
        return false;
    }
    let mut readings = QueryReadings::default();
    readings.read(name, subject.table, subject.pages, &mut Room::default());
    let plain = |name: &[u8]| name.iter().all(|byte| byte.is_ascii_graphic() && !b"%+".contains(byte));
    let all = || (0..readings.len()).map(|index| readings.get(index));
    let listed = |name: &[u8]| is_listed(name, list);
    !readings.is_incomplete() && all().any(listed) && all().all(|name| listed(name) || !plain(name))
}

fn rewrite(edits: &[Edit], subject: &Subject<'_>) -> Option<(Vec<u8>, Head)> {
    let mut buf = Vec::new();
    let mut at = 0;
    for (range, text) in edits {
        buf.extend_from_slice(subject.buf.get(at..range.start)?);
        buf.extend_from_slice(text);
        at = range.end;
    }
    buf.extend_from_slice(subject.buf.get(at..subject.head.length)?);
    let mut head = Head::default();
    let parsed = head::parse(&buf, &mut head, &UNBOUNDED);
    (parsed == Ok(true)).then_some((buf, head))
}
