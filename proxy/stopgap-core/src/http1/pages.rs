//! The answers that are ours: a small constant page, the event's id, and nothing of the request.

use super::rewrite::{line, number};
use super::scrub::hsts;
use crate::verdict::Reason;

pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// RFC 9110 15: the phrases of the statuses that reasons have.
const PHRASES: [(u16, &str); 16] = [
    (400, "Bad Request"),
    (403, "Forbidden"),
    (404, "Not Found"),
    (405, "Method Not Allowed"),
    (408, "Request Timeout"),
    (413, "Content Too Large"),
    (414, "URI Too Long"),
    (415, "Unsupported Media Type"),
    (417, "Expectation Failed"),
    (429, "Too Many Requests"),
    (431, "Request Header Fields Too Large"),
    (500, "Internal Server Error"),
    (501, "Not Implemented"),
    (502, "Bad Gateway"),
    (503, "Service Unavailable"),
    (504, "Gateway Timeout"),
];

pub fn phrase(status: u16) -> &'static str {
    PHRASES.iter().find(|(known, _)| *known == status).map_or("Refused", |(_, phrase)| phrase)
}

/// What an answer of ours says.
#[derive(Clone, Copy, Debug)]
pub struct Refusal<'a> {
    pub status: u16,
    /// Id of the event.
    pub event: u64,
    /// The request was a HEAD: no body.
    pub head: bool,
    pub minor: u8,
    /// The connection closes.
    pub close: bool,
    /// The methods that the site takes, for a 405 (RFC 9110 15.5.6).
    pub allow: &'a str,
    /// Seconds of Strict-Transport-Security; 0: none.
    pub hsts: u32,
}

/// Append a whole answer.
pub fn refusal(refusal: &Refusal<'_>, out: &mut Vec<u8>) {
    let Refusal { status, event, head, minor, close, allow, hsts: seconds } = *refusal;
    let id = hex(event);
    out.extend_from_slice(b"HTTP/1.1 ");
    number(out, u64::from(status));
    out.push(b' ');
    out.extend_from_slice(phrase(status).as_bytes());
    out.extend_from_slice(b"\r\nContent-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n");
    if status == 405 {
        line(out, b"Allow", allow.as_bytes());
    }
    hsts(seconds, out);
    out.extend_from_slice(b"X-Stopgap-Event: ");
    out.extend_from_slice(&id);
    out.extend_from_slice(b"\r\nContent-Length: ");
    number(out, (PAGE.0.len() + id.len() + PAGE.1.len()) as u64);
    out.extend_from_slice(end(close, minor));
    if !head {
        out.extend_from_slice(PAGE.0);
        out.extend_from_slice(&id);
        out.extend_from_slice(PAGE.1);
    }
}

fn end(close: bool, minor: u8) -> &'static [u8] {
    match (close, minor) {
        (true, _) => b"\r\nConnection: close\r\n\r\n",
        (false, 0) => b"\r\nConnection: keep-alive\r\n\r\n",
        (false, _) => b"\r\n\r\n",
    }
}

/// The way to the same URL over TLS.
#[derive(Clone, Copy, Debug)]
pub struct Redirect<'a> {
    /// Without a port. Like `target`, it has passed the grammar: no white space, no control byte.
    pub host: &'a [u8],
    pub port: u16,
    /// Path and query as they came.
    pub target: &'a [u8],
    /// The method is GET or HEAD, for which every client knows 301; any other must stay what it is.
    pub safe: bool,
    pub minor: u8,
    pub close: bool,
}

/// Append a whole answer without a body.
pub fn redirect(redirect: &Redirect<'_>, out: &mut Vec<u8>) {
    let Redirect { host, port, target, safe, minor, close } = *redirect;
    out.extend_from_slice(if safe {
        b"HTTP/1.1 301 Moved Permanently\r\nLocation: https://"
    } else {
        b"HTTP/1.1 308 Permanent Redirect\r\nLocation: https://"
    });
    out.extend_from_slice(host);
    if port != 443 {
        out.push(b':');
        number(out, u64::from(port));
    }
    out.extend_from_slice(if target.is_empty() { b"/" } else { target });
    out.extend_from_slice(b"\r\nContent-Length: 0");
    out.extend_from_slice(end(close, minor));
}

const PAGE: (&[u8], &[u8]) = (
    b"<!doctype html><meta charset=utf-8><title>Request not completed</title>\n<p>Request not completed. Reference: <code>",
    b"</code></p>\n",
);

/// Sixteen hexadecimal digits, as the event log shows the id.
pub fn hex(id: u64) -> [u8; 16] {
    std::array::from_fn(|index| b"0123456789abcdef"[(id >> (60 - 4 * index) & 15) as usize])
}

/// The status of an answer: the rule's own, or the reason's.
pub fn status(reason: Reason, rule: Option<u16>) -> u16 {
    rule.unwrap_or_else(|| reason.status())
}
