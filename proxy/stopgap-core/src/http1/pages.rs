//! The answers that are ours: a small constant page, the event's id, and nothing of the request.

use super::rewrite::number;
use crate::verdict::Reason;

pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// RFC 9110 15: the phrases of the statuses that reasons have.
const PHRASES: [(u16, &str); 15] = [
    (400, "Bad Request"),
    (403, "Forbidden"),
    (404, "Not Found"),
    (405, "Method Not Allowed"),
    (408, "Request Timeout"),
    (413, "Content Too Large"),
    (414, "URI Too Long"),
    (415, "Unsupported Media Type"),
    (417, "Expectation Failed"),
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

/// Append a whole answer. `event` is its id; `body` is left out for HEAD; `close` says so.
pub fn refusal(status: u16, event: u64, head: bool, minor: u8, close: bool, out: &mut Vec<u8>) {
    let id = hex(event);
    out.extend_from_slice(b"HTTP/1.1 ");
    number(out, u64::from(status));
    out.push(b' ');
    out.extend_from_slice(phrase(status).as_bytes());
    out.extend_from_slice(b"\r\nContent-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n");
    if status == 405 {
        out.extend_from_slice(b"Allow: GET, HEAD, POST\r\n");
    }
    out.extend_from_slice(b"X-Stopgap-Event: ");
    out.extend_from_slice(&id);
    out.extend_from_slice(b"\r\nContent-Length: ");
    number(out, (PAGE.0.len() + id.len() + PAGE.1.len()) as u64);
    out.extend_from_slice(match (close, minor) {
        (true, _) => &b"\r\nConnection: close\r\n\r\n"[..],
        (false, 0) => b"\r\nConnection: keep-alive\r\n\r\n",
        (false, _) => b"\r\n\r\n",
    });
    if !head {
        out.extend_from_slice(PAGE.0);
        out.extend_from_slice(&id);
        out.extend_from_slice(PAGE.1);
    }
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
