//! The head that the origin gets: written anew, so that what was inspected is what is sent.
//!
//! The target goes byte for byte, in origin form. Fields that speak of the client's own connection are
//! dropped (RFC 9110 7.6.1), framing is ours, and the client's address is added.

use super::framing::{Framing, tokens};
use super::head::{Head, Known, Span};
use super::sticky::Sticky;

/// What the gate knows and the head does not.
#[derive(Clone, Copy, Debug)]
pub struct Hop<'a> {
    pub client: &'a str,
    pub tls: bool,
    /// The client is a known proxy: its X-Forwarded-For is kept, and our line added to it.
    pub trusted: bool,
    /// Host for a request that has none (catalogue R10: never let IIS make one up).
    pub default_host: &'a str,
    /// Fields that a rule leaves out.
    pub strip: &'a [&'a str],
    /// Ask the origin to close after this request (catalogue B1).
    pub close: bool,
    /// The site allows this upgrade: keep Connection and Upgrade.
    pub upgrade: bool,
    /// The cookie that is the gate's own and goes no further.
    pub sticky: Option<&'a Sticky>,
}

/// Write the head without its framing and its last line; `finish` ends it.
pub fn head(buf: &[u8], head: &Head, framing: &Framing, hop: &Hop<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(head.method.of(buf));
    out.push(b' ');
    let target = Span { start: head.path.start, end: head.target.end }.of(buf);
    match target {
        [] if head.target.of(buf) == b"*" => out.push(b'*'),
        [] => out.push(b'/'),
        _ => out.extend_from_slice(target),
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
    if !head.kinds.contains(&Known::Host) {
        let host = if head.host.is_empty() { hop.default_host.as_bytes() } else { head.host.of(buf) };
        line(out, b"Host", host);
    }
    copy_fields(buf, head, framing, hop, out);
    line(out, b"X-Forwarded-For", hop.client.as_bytes());
    if !(hop.trusted && head.kinds.contains(&Known::ForwardedProto)) {
        line(out, b"X-Forwarded-Proto", if hop.tls { b"https" } else { b"http" });
    }
    out.extend_from_slice(b"Via: 1.1 stopgap\r\n");
    if let (true, Some(index)) = (hop.upgrade, framing.upgrade) {
        out.extend_from_slice(b"Connection: Upgrade\r\n");
        line(out, b"Upgrade", head.fields[index].value.of(buf));
    } else if hop.close {
        out.extend_from_slice(b"Connection: close\r\n");
    }
}

/// End a head: the length of its body, if it has one, and the empty line.
pub fn finish(out: &mut Vec<u8>, length: Option<u64>) {
    if let Some(length) = length {
        out.extend_from_slice(b"Content-Length: ");
        number(out, length);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// Copy the fields that are kept. Neighbours that are already `Name: value CRLF` go in one piece.
fn copy_fields(buf: &[u8], head: &Head, framing: &Framing, hop: &Hop<'_>, out: &mut Vec<u8>) {
    let mut run: Option<(u32, u32)> = None;
    for (index, (field, known)) in head.fields.iter().zip(&head.kinds).enumerate() {
        let kept = is_kept(*known, hop.trusted)
            && !(framing.nominates && is_nominated(buf, head, index))
            && (hop.strip.is_empty() || !is_stripped(field.name.of(buf), hop.strip));
        if !kept {
            continue;
        }
        let sticky = hop.sticky.filter(|_| *known == Known::Cookie);
        if let Some(rest) = sticky.and_then(|sticky| sticky.without(field.value.of(buf))) {
            flush(buf, run.take(), out);
            if !rest.is_empty() {
                line(out, field.name.of(buf), &rest);
            }
            continue;
        }
        let next = head.fields.get(index + 1).map_or(head.length as u32 - 2, |next| next.name.start);
        let canonical = field.value.start == field.name.end + 2
            && field.value.end + 2 == next
            && buf.get(field.name.end as usize + 1) == Some(&b' ');
        match (&mut run, canonical) {
            (Some((_, end)), true) if *end == field.name.start => *end = next,
            (_, true) => {
                flush(buf, run.replace((field.name.start, next)), out);
            }
            (_, false) => {
                flush(buf, run.take(), out);
                line(out, field.name.of(buf), field.value.of(buf));
            }
        }
    }
    flush(buf, run, out);
}

fn flush(buf: &[u8], run: Option<(u32, u32)>, out: &mut Vec<u8>) {
    if let Some((start, end)) = run {
        out.extend_from_slice(Span { start, end }.of(buf));
    }
}

fn is_kept(known: Known, trusted: bool) -> bool {
    match known {
        Known::Other | Known::Host | Known::Authorization | Known::Cookie | Known::ContentEncoding => true,
        Known::ForwardedFor | Known::ForwardedProto => trusted,
        Known::Connection
        | Known::KeepAlive
        | Known::ProxyConnection
        | Known::Te
        | Known::Trailer
        | Known::TransferEncoding
        | Known::ContentLength
        | Known::Expect
        | Known::Upgrade
        | Known::Http2Settings
        | Known::Forwarded
        | Known::Disguised => false,
    }
}

/// RFC 9110 7.6.1: a field named by Connection goes no further. Fields that the gate or the origin's
/// safety rests on cannot be taken out in this way.
fn is_nominated(buf: &[u8], head: &Head, index: usize) -> bool {
    if head.kinds[index] != Known::Other {
        return false;
    }
    let name = head.fields[index].name.of(buf);
    head.fields
        .iter()
        .zip(&head.kinds)
        .filter(|(_, known)| **known == Known::Connection)
        .any(|(field, _)| tokens(field.value.of(buf)).any(|token| token.eq_ignore_ascii_case(name)))
}

fn is_stripped(name: &[u8], strip: &[&str]) -> bool {
    strip.iter().any(|stripped| name.eq_ignore_ascii_case(stripped.as_bytes()))
}

pub fn line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

pub fn number(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 || at == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}
