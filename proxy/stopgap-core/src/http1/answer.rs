//! An origin's answer: where it ends, and the head that the client gets.
//!
//! The origin is old, not hostile, but what it sends must still have one reading: two lengths, a
//! length beside a transfer coding, or a transfer coding we do not know is a 502 (RFC 9112 6.3).
//! An answer whose end is only the end of its connection is sent on chunked, so that a cut answer is
//! seen as cut and the client keeps its connection.

use std::mem::MaybeUninit;

use super::framing::{binds, decimal, tokens};
use super::rewrite::{line, number};
use super::scrub::{Fate, Scrub};

/// Bytes of an answer's head, and how many fields and 1xx answers it may have.
pub const HEAD: usize = 65_536;
const FIELDS: usize = 100;

/// How the body of an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    None,
    Exact(u64),
    Chunked,
    Close,
}

/// What the request that is answered was.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// The method is HEAD.
    pub head: bool,
    /// The minor version of the client.
    pub minor: u8,
    /// The client's connection is kept after the answer.
    pub keep_alive: bool,
    /// The request was a permitted upgrade.
    pub upgrade: bool,
}

/// A complete head of an answer.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    pub status: u16,
    pub length: usize,
    pub ending: Ending,
    /// The body goes to the client in chunks of ours.
    pub rechunk: bool,
    /// The origin keeps its connection.
    pub origin_keeps: bool,
    /// The client's connection is kept.
    pub client_keeps: bool,
    /// The origin asks for NTLM or Negotiate: the connection belongs to this client.
    pub binds: bool,
}

/// The answer has no single reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unframeable;

/// `Err`: cannot be framed safely. `Ok(None)`: more bytes are needed. The client's head is appended to
/// `out`, except for 1xx answers, which end here (101 passes when the upgrade was permitted).
pub fn read(
    buf: &[u8],
    asked: &Asked,
    scrub: Option<&Scrub<'_>>,
    out: &mut Vec<u8>,
) -> Result<Option<Answer>, Unframeable> {
    let mut fields: [MaybeUninit<httparse::Header<'_>>; FIELDS] = [const { MaybeUninit::uninit() }; FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let length = match config.parse_response_with_uninit_headers(&mut response, buf, &mut fields) {
        Ok(httparse::Status::Complete(length)) if length <= HEAD => length,
        Ok(httparse::Status::Partial) if buf.len() <= HEAD => return Ok(None),
        _ => return Err(Unframeable),
    };
    // RFC 9110 15: the first digit is a class of 1 to 5; old applications go beyond, none begins with 0.
    let status = response.code.filter(|code| *code >= 100).ok_or(Unframeable)?;
    let minor = response.version.ok_or(Unframeable)?;
    let mut sizes: Option<u64> = None;
    let (mut chunked, mut close, mut keep, mut binding) = (false, false, false, false);
    let mut upgrade: &[u8] = b"";
    let mut nominates = false;
    let mut kinds = [Kind::Other; FIELDS];
    for (field, known) in response.headers.iter().zip(&mut kinds) {
        let value = field.value.trim_ascii();
        *known = kind(field.name);
        match *known {
            Kind::Length => {
                let size = decimal(value).ok_or(Unframeable)?;
                if sizes.is_some_and(|other| other != size) {
                    return Err(Unframeable);
                }
                sizes = Some(size);
            }
            Kind::Transfer => {
                if chunked || minor == 0 || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Unframeable);
                }
                chunked = true;
            }
            Kind::Connection => {
                for token in tokens(value) {
                    match token {
                        token if token.eq_ignore_ascii_case(b"close") => close = true,
                        token if token.eq_ignore_ascii_case(b"keep-alive") => keep = true,
                        _ => nominates = true,
                    }
                }
            }
            Kind::Authenticate => binding |= binds(value),
            Kind::Upgrade => upgrade = value,
            Kind::Hop | Kind::Other => {}
        }
    }
    if chunked && sizes.is_some() {
        return Err(Unframeable);
    }
    let bodiless = asked.head || status < 200 || status == 204 || status == 304;
    let ending = match (bodiless, chunked, sizes) {
        (true, _, _) => Ending::None,
        (_, true, _) => Ending::Chunked,
        (_, _, Some(size)) => Ending::Exact(size),
        _ => Ending::Close,
    };
    let rechunk = matches!(ending, Ending::Chunked | Ending::Close) && asked.minor == 1;
    let delimited = matches!(ending, Ending::None | Ending::Exact(_)) || rechunk;
    let answer = Answer {
        status,
        length,
        ending,
        rechunk,
        origin_keeps: !close && (minor == 1 || keep) && ending != Ending::Close,
        client_keeps: asked.keep_alive && delimited,
        binds: binding,
    };
    if status < 200 && !(status == 101 && asked.upgrade) {
        return if status == 101 { Err(Unframeable) } else { Ok(Some(answer)) };
    }
    out.extend_from_slice(b"HTTP/1.1 ");
    number(out, u64::from(status));
    out.push(b' ');
    out.extend_from_slice(response.reason.unwrap_or("").as_bytes());
    out.extend_from_slice(b"\r\n");
    let mut run: Option<(usize, usize)> = None;
    for (field, known) in response.headers.iter().zip(&kinds) {
        let kept = match known {
            // RFC 9110 7.6.1: a field that Connection names goes no further.
            Kind::Other => !(nominates && is_nominated(response.headers, field.name)),
            Kind::Authenticate => true,
            _ => false,
        };
        if !kept {
            continue;
        }
        match scrub.map_or(Fate::Kept, |scrub| scrub.field(field.name, field.value)) {
            Fate::Kept => {}
            Fate::LeftOut => continue,
            Fate::Changed(value) => {
                flush(buf, run.take(), out);
                line(out, field.name.as_bytes(), &value);
                continue;
            }
        }
        // Neighbours that are already `Name: value CRLF` go in one piece.
        let (start, end) = (offset(buf, field.name.as_bytes()), offset(buf, field.value) + field.value.len());
        let canonical = !field.value.is_empty()
            && end.checked_sub(start) == Some(field.name.len() + 2 + field.value.len())
            && buf.get(start + field.name.len()..start + field.name.len() + 2) == Some(b": ")
            && buf.get(end..end + 2) == Some(b"\r\n");
        match &mut run {
            Some((_, until)) if canonical && *until == start => *until = end + 2,
            _ => {
                flush(buf, run.take(), out);
                if canonical {
                    run = Some((start, end + 2));
                } else {
                    line(out, field.name.as_bytes(), field.value.trim_ascii());
                }
            }
        }
    }
    flush(buf, run, out);
    if let Some(scrub) = scrub {
        scrub.add(out);
    }
    if status == 101 {
        out.extend_from_slice(b"Connection: Upgrade\r\n");
        line(out, b"Upgrade", upgrade);
    } else {
        frame(&answer, sizes, asked, out);
    }
    out.extend_from_slice(b"\r\n");
    Ok(Some(answer))
}

/// Where a part of `buf` begins in it.
fn offset(buf: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize).wrapping_sub(buf.as_ptr() as usize)
}

fn flush(buf: &[u8], run: Option<(usize, usize)>, out: &mut Vec<u8>) {
    if let Some((start, end)) = run {
        out.extend_from_slice(buf.get(start..end).unwrap_or(&[]));
    }
}

fn is_nominated(fields: &[httparse::Header<'_>], name: &str) -> bool {
    let connection = fields.iter().filter(|field| kind(field.name) == Kind::Connection);
    connection.flat_map(|field| tokens(field.value)).any(|token| token.eq_ignore_ascii_case(name.as_bytes()))
}

/// The framing of the answer and the fate of the connection, in our words.
fn frame(answer: &Answer, sizes: Option<u64>, asked: &Asked, out: &mut Vec<u8>) {
    if answer.rechunk {
        out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
    } else if let (Some(size), true) = (sizes, answer.status != 204) {
        out.extend_from_slice(b"Content-Length: ");
        number(out, size);
        out.extend_from_slice(b"\r\n");
    }
    if !answer.client_keeps {
        out.extend_from_slice(b"Connection: close\r\n");
    } else if asked.minor == 0 {
        out.extend_from_slice(b"Connection: keep-alive\r\n");
    }
}

/// One chunk of ours.
pub fn chunk(data: &[u8], out: &mut Vec<u8>) {
    let mut digits = [0u8; 16];
    let mut at = digits.len();
    let mut rest = data.len();
    while rest > 0 {
        at -= 1;
        digits[at] = b"0123456789abcdef"[rest & 15];
        rest >>= 4;
    }
    if at < digits.len() {
        out.extend_from_slice(&digits[at..]);
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(data);
        out.extend_from_slice(b"\r\n");
    }
}

/// The last chunk of ours.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Other,
    Length,
    Transfer,
    Connection,
    Authenticate,
    Upgrade,
    Hop,
}

/// By the length of the name, so that most fields cost one look.
const KINDS: [&[(&str, Kind)]; 18] = [
    &[],
    &[],
    &[("te", Kind::Hop)],
    &[],
    &[],
    &[],
    &[],
    &[("trailer", Kind::Hop), ("upgrade", Kind::Upgrade)],
    &[],
    &[],
    &[("connection", Kind::Connection), ("keep-alive", Kind::Hop)],
    &[],
    &[],
    &[],
    &[("content-length", Kind::Length)],
    &[],
    &[("proxy-connection", Kind::Hop), ("www-authenticate", Kind::Authenticate)],
    &[("transfer-encoding", Kind::Transfer)],
];

fn kind(name: &str) -> Kind {
    let row = KINDS.get(name.len()).copied().unwrap_or(&[]);
    row.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map_or(Kind::Other, |(_, kind)| *kind)
}
