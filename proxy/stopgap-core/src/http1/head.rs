//! The grammar of a request head: which bytes are a head, and nothing else is.
//!
//! Old servers read far more than RFC 9112 allows: white space before the method, tabs between the
//! parts, lines that end in LF, folded lines, lines without a version (catalogue 1.5). Two readers that
//! differ in such a detail see two different requests, so each is refused here with its own reason,
//! and what passes has exactly one reading. The parser starts over when more bytes come; the session
//! calls it only when a line has ended, so a slow head costs one parse a line.

use memchr::{memchr, memchr2};

use crate::verdict::Reason;

/// A span of bytes in the buffer that was parsed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    pub fn new(start: usize, end: usize) -> Self {
        Span { start: start as u32, end: end as u32 }
    }
    pub fn of(self, buf: &[u8]) -> &[u8] {
        buf.get(self.start as usize..self.end as usize).unwrap_or(&[])
    }
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// One header field: name without the colon, value without surrounding white space.
#[derive(Clone, Copy, Debug, Default)]
pub struct Field {
    pub name: Span,
    pub value: Span,
}

/// The header fields that the gate itself acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    Other,
    Host,
    Connection,
    KeepAlive,
    ProxyConnection,
    Te,
    Trailer,
    TransferEncoding,
    ContentLength,
    ContentEncoding,
    Expect,
    Upgrade,
    Http2Settings,
    Forwarded,
    ForwardedFor,
    ForwardedProto,
    Authorization,
    Cookie,
    /// `Content_Length` or `Transfer_Encoding`: what hands headers on as variables reads `-` and `_` as one.
    Disguised,
}

/// By the length of the name, so that one comparison or two decide.
const KNOWN: [&[(&[u8], Known)]; 18] = [
    &[],
    &[],
    &[(b"te", Known::Te)],
    &[],
    &[(b"host", Known::Host)],
    &[],
    &[(b"cookie", Known::Cookie), (b"expect", Known::Expect)],
    &[(b"upgrade", Known::Upgrade), (b"trailer", Known::Trailer)],
    &[],
    &[(b"forwarded", Known::Forwarded)],
    &[(b"connection", Known::Connection), (b"keep-alive", Known::KeepAlive)],
    &[],
    &[],
    &[(b"authorization", Known::Authorization)],
    &[
        (b"content-length", Known::ContentLength),
        (b"http2-settings", Known::Http2Settings),
        (b"content_length", Known::Disguised),
    ],
    &[(b"x-forwarded-for", Known::ForwardedFor)],
    &[(b"proxy-connection", Known::ProxyConnection), (b"content-encoding", Known::ContentEncoding)],
    &[
        (b"transfer-encoding", Known::TransferEncoding),
        (b"x-forwarded-proto", Known::ForwardedProto),
        (b"transfer_encoding", Known::Disguised),
    ],
];

impl Known {
    pub fn of(name: &[u8]) -> Known {
        let row = KNOWN.get(name.len()).copied().unwrap_or(&[]);
        row.iter()
            .find(|(known, _)| name.eq_ignore_ascii_case(known))
            .map_or(Known::Other, |(_, known)| *known)
    }
}

/// A parsed head. Spans refer to the buffer it was parsed from; reused from request to request.
#[derive(Debug, Default)]
pub struct Head {
    pub method: Span,
    /// The whole request target as it came.
    pub target: Span,
    /// The path: up to the first raw `?` (catalogue X18), after the authority of an absolute target.
    /// Empty for `*` and for an absolute target without a path.
    pub path: Span,
    /// The query without its `?`; `None` when there is no `?`.
    pub query: Option<Span>,
    /// 0 for HTTP/1.0, 1 for HTTP/1.1.
    pub minor: u8,
    /// Host header, or the authority of an absolute target; empty when a 1.0 request has none.
    pub host: Span,
    pub fields: Vec<Field>,
    /// What each field is, in the same order.
    pub kinds: Vec<Known>,
    /// Length of the head with its empty line, in bytes, counted from the start of the buffer.
    pub length: usize,
    /// Longest value among Authorization and Cookie, and among the other fields.
    pub longest_credentials: u32,
    pub longest_value: u32,
}

impl Head {
    fn clear(&mut self) {
        self.length = 0;
        self.fields.clear();
        self.kinds.clear();
        self.method = Span::default();
        self.target = Span::default();
        self.path = Span::default();
        self.query = None;
        self.host = Span::default();
        self.longest_credentials = 0;
        self.longest_value = 0;
    }
}

/// What is wrong with a head, and at which byte of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub reason: Reason,
    pub offset: usize,
}

fn fault<T>(reason: Reason, offset: usize) -> Result<T, Fault> {
    Err(Fault { reason, offset })
}

/// The widest head that any site allows: what is not complete within it never will be.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub line: usize,
    pub head: usize,
    pub fields: usize,
}

/// The longest method that is read; WebDAV's longest has 16 letters (VERSION-CONTROL has 15).
const METHOD: usize = 32;

/// RFC 9110 5.6.2: tchar.
const fn token_table() -> [bool; 256] {
    let mut table = [false; 256];
    let mut index = 0;
    while index < 256 {
        let byte = index as u8;
        table[index] = byte.is_ascii_alphanumeric();
        index += 1;
    }
    let marks = b"!#$%&'*+-.^_`|~";
    let mut mark = 0;
    while mark < marks.len() {
        table[marks[mark] as usize] = true;
        mark += 1;
    }
    table
}

const TOKEN: [bool; 256] = token_table();

/// Read a head from the start of `buf`. `Ok(true)`: complete; `Ok(false)`: more bytes are needed.
pub fn parse(buf: &[u8], head: &mut Head, bounds: &Bounds) -> Result<bool, Fault> {
    head.clear();
    // RFC 9112 2.2: at least one empty line before the request line is ignored. We ignore two at most.
    let mut start = 0;
    while start < 4 && buf.get(start) == Some(&b'\r') {
        match buf.get(start + 1) {
            Some(b'\n') => start += 2,
            Some(_) => return fault(Reason::BareCr, start),
            None => return Ok(false),
        }
    }
    let Some(first) = buf.get(start) else { return Ok(false) };
    if !first.is_ascii_uppercase() {
        let reason = match first {
            b' ' | b'\t' | 0x0b | 0x0c => Reason::LeadingWhitespace,
            b'\n' => Reason::BareLf,
            b'\r' => Reason::BadRequestLine,
            0 => Reason::NulByte,
            byte if byte.is_ascii_control() => Reason::ControlByte,
            _ => Reason::BadMethod,
        };
        return fault(reason, start);
    }
    let Some(length) = memchr(b'\n', buf.get(start..).unwrap_or(&[])) else {
        return if buf.len() - start > bounds.line {
            fault(Reason::TargetTooLong, bounds.line)
        } else {
            Ok(false)
        };
    };
    if length > bounds.line {
        return fault(Reason::TargetTooLong, bounds.line);
    }
    request_line(buf, start, start + length, head)?;
    fields(buf, start + length + 1, head, bounds)
}

/// `METHOD SP target SP HTTP/1.x CR LF` (RFC 9112 3), with one space each and nothing else.
fn request_line(buf: &[u8], start: usize, lf: usize, head: &mut Head) -> Result<(), Fault> {
    if lf == start || buf[lf - 1] != b'\r' {
        return fault(Reason::BareLf, lf);
    }
    let end = lf - 1;
    let line = &buf[start..end];
    let method =
        line.iter().take_while(|byte| byte.is_ascii_uppercase() || matches!(byte, b'-' | b'_')).count();
    let Some(delimiter) = line.get(method) else { return fault(Reason::NoVersion, end) };
    if *delimiter != b' ' || method > METHOD {
        return fault(odd_byte(*delimiter, Reason::BadMethod), start + method);
    }
    let rest = &line[method + 1..];
    let target_start = start + method + 1;
    if let Some(bad) = first_control(rest, b' ') {
        return fault(odd_byte(rest[bad], Reason::ControlByte), target_start + bad);
    }
    let Some(space) = memchr(b' ', rest) else { return fault(Reason::NoVersion, end) };
    if space == 0 {
        return fault(Reason::BadRequestLine, target_start);
    }
    head.method = Span::new(start, start + method);
    head.target = Span::new(target_start, target_start + space);
    let version = &rest[space + 1..];
    head.minor = match version {
        b"HTTP/1.1" => 1,
        b"HTTP/1.0" => 0,
        [] => return fault(Reason::NoVersion, end),
        _ if memchr(b' ', version).is_some() => return fault(Reason::BadRequestLine, target_start + space),
        _ if version.len() >= 5 && version[..5].eq_ignore_ascii_case(b"HTTP/") => {
            return fault(Reason::BadVersion, target_start + space + 1);
        }
        _ => return fault(Reason::BadRequestLine, target_start + space + 1),
    };
    split_target(buf, head)
}

/// Origin form, absolute form, or `*` with OPTIONS (RFC 9112 3.2). CONNECT has no meaning here, whatever its
/// target: behind a 2xx the origin would take all that follows for a tunnel.
fn split_target(buf: &[u8], head: &mut Head) -> Result<(), Fault> {
    let target = head.target.of(buf);
    let base = head.target.start as usize;
    head.host = Span::default();
    if head.method.of(buf) == b"CONNECT" {
        return fault(Reason::BadTarget, base);
    }
    let path_start = match target {
        [b'/', ..] => 0,
        b"*" if head.method.of(buf) == b"OPTIONS" => 1,
        _ => {
            let scheme = [&b"http://"[..], &b"https://"[..]].into_iter().find(|scheme| {
                target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
            });
            let Some(scheme) = scheme else { return fault(Reason::BadTarget, base) };
            let authority = &target[scheme.len()..];
            let length = memchr2(b'/', b'?', authority).unwrap_or(authority.len());
            if authority.get(length) == Some(&b'?') {
                return fault(Reason::BadTarget, base + scheme.len() + length);
            }
            head.host = Span::new(base + scheme.len(), base + scheme.len() + length);
            if !host_is_valid(head.host.of(buf)) {
                return fault(Reason::BadHost, base + scheme.len());
            }
            scheme.len() + length
        }
    };
    let question = memchr(b'?', &target[path_start..]).map(|at| path_start + at);
    head.path = Span::new(base + path_start, base + question.unwrap_or(target.len()));
    head.query = question.map(|at| Span::new(base + at + 1, base + target.len()));
    Ok(())
}

/// Header fields up to the empty line (RFC 9112 5), without obs-fold and with CRLF only.
fn fields(buf: &[u8], mut pos: usize, head: &mut Head, bounds: &Bounds) -> Result<bool, Fault> {
    let authority = head.host;
    let mut host: Option<Span> = None;
    loop {
        if pos > bounds.head {
            return fault(Reason::HeadTooLong, bounds.head);
        }
        let Some(first) = buf.get(pos) else { break };
        if *first == b'\r' {
            match buf.get(pos + 1) {
                Some(b'\n') => {
                    head.length = pos + 2;
                    return settle_host(buf, head, host, authority).map(|()| true);
                }
                Some(_) => return fault(Reason::BareCr, pos),
                None => break,
            }
        }
        if head.fields.len() >= bounds.fields {
            return fault(Reason::TooManyHeaders, pos);
        }
        let name = token_length(&buf[pos..]);
        let colon = pos + name;
        match buf.get(colon) {
            Some(b':') if name > 0 => {}
            None => break,
            Some(byte) => match odd_line(buf, pos, name, *byte) {
                Some(reason) => return fault(reason, colon),
                None => break,
            },
        }
        let Some(length) = memchr(b'\n', &buf[colon + 1..]) else { break };
        let lf = colon + 1 + length;
        let mut start = colon + 1;
        let mut end = lf;
        if buf[lf - 1] == b'\r' {
            end -= 1;
        }
        if let Some(bad) = first_control(&buf[start..end], b'\t') {
            return fault(odd_byte(buf[start + bad], Reason::ControlByte), start + bad);
        }
        if end == lf {
            return fault(Reason::BareLf, lf);
        }
        while start < end && matches!(buf[start], b' ' | b'\t') {
            start += 1;
        }
        while end > start && matches!(buf[end - 1], b' ' | b'\t') {
            end -= 1;
        }
        let known = Known::of(&buf[pos..colon]);
        let field = Field { name: Span::new(pos, colon), value: Span::new(start, end) };
        match known {
            Known::Host if host.is_some() => return fault(Reason::DuplicateHost, pos),
            Known::Host => host = Some(field.value),
            _ => {}
        }
        let longest = match known {
            Known::Authorization | Known::Cookie => &mut head.longest_credentials,
            _ => &mut head.longest_value,
        };
        *longest = (*longest).max((end - start) as u32);
        head.fields.push(field);
        head.kinds.push(known);
        pos = lf + 1;
    }
    if buf.len() > bounds.head { fault(Reason::HeadTooLong, bounds.head) } else { Ok(false) }
}

/// RFC 9112 3.2: exactly one valid Host on 1.1; with an absolute target it must be the same one.
fn settle_host(buf: &[u8], head: &mut Head, host: Option<Span>, authority: Span) -> Result<(), Fault> {
    match host {
        None if head.minor == 1 => fault(Reason::MissingHost, head.length),
        None => Ok(()),
        Some(span) if span.is_empty() => fault(Reason::MissingHost, span.start as usize),
        Some(span) if !host_is_valid(span.of(buf)) => fault(Reason::BadHost, span.start as usize),
        Some(span) => {
            if !authority.is_empty() && !authority.of(buf).eq_ignore_ascii_case(span.of(buf)) {
                return fault(Reason::HostMismatch, span.start as usize);
            }
            head.host = span;
            Ok(())
        }
    }
}

/// A name, an IPv4 address or an IPv6 address in brackets, with an optional port; 255 bytes at most
/// (catalogue R11). Stricter than RFC 3986's reg-name: no escapes, no sub-delimiters.
fn host_is_valid(host: &[u8]) -> bool {
    let (name, port) = match host {
        [b'[', rest @ ..] => match memchr(b']', rest) {
            Some(end) => {
                let inside = &rest[..end];
                if inside.len() < 2
                    || !inside.iter().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'))
                {
                    return false;
                }
                (&b"x"[..], &rest[end + 1..])
            }
            None => return false,
        },
        _ => host.split_at(memchr(b':', host).unwrap_or(host.len())),
    };
    let name_ok = !name.is_empty()
        && host.len() <= 255
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    let port_ok = match port {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    name_ok && port_ok
}

/// RFC 9110 5.6.2: tchar.
pub fn is_tchar(byte: u8) -> bool {
    TOKEN[byte as usize]
}

/// RFC 9110 5.6.2: one or more tchar.
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && token_length(bytes) == bytes.len()
}

/// How many bytes of a token stand at the start. Four at a time: a name is half of a head's work.
fn token_length(bytes: &[u8]) -> usize {
    let mut length = 0;
    for four in bytes.chunks_exact(4) {
        let whole = four.iter().fold(true, |all, byte| all & TOKEN[*byte as usize]);
        if !whole {
            break;
        }
        length += 4;
    }
    length + bytes[length..].iter().take_while(|byte| TOKEN[**byte as usize]).count()
}

/// The first control byte that is not `allowed`. The fold has no branches, so it is vectorised.
fn first_control(bytes: &[u8], allowed: u8) -> Option<usize> {
    let bad = |byte: u8| (byte < 0x20 || byte == 0x7f) && byte != allowed;
    if !bytes.iter().fold(false, |found, byte| found | bad(*byte)) {
        return None;
    }
    bytes.iter().position(|byte| bad(*byte))
}

fn odd_byte(byte: u8, otherwise: Reason) -> Reason {
    match byte {
        0 => Reason::NulByte,
        b'\t' => Reason::TabInRequestLine,
        b'\r' => Reason::BareCr,
        b'\n' => Reason::BareLf,
        byte if byte.is_ascii_control() => Reason::ControlByte,
        _ => otherwise,
    }
}

/// Why a line that does not begin with `name:` is none; `None` when its end has not come yet.
fn odd_line(buf: &[u8], pos: usize, name: usize, byte: u8) -> Option<Reason> {
    let end = memchr(b'\n', &buf[pos..]).map(|at| pos + at)?;
    let line = &buf[pos..end];
    Some(match byte {
        b'\n' if name == 0 => Reason::BareLf,
        b' ' | b'\t' if name == 0 => {
            if line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r')) {
                Reason::WhitespaceLine
            } else {
                Reason::ObsFold
            }
        }
        b' ' | b'\t' => {
            let after = line[name..].iter().find(|byte| !matches!(byte, b' ' | b'\t'));
            if after == Some(&b':') { Reason::SpaceBeforeColon } else { Reason::BadHeaderName }
        }
        0 => Reason::NulByte,
        b'\r' | b'\n' => Reason::BadHeaderName,
        byte if byte.is_ascii_control() => Reason::ControlByte,
        _ => Reason::BadHeaderName,
    })
}
