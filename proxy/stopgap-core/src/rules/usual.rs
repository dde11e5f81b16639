//! How often usual requests show a sign: the costs that the choice of triggers weighs. 1 is hardly
//! ever, 1000 every request. They steer speed only, never what matches.

use crate::rules::trigger::Size;

pub fn extension(value: &[u8]) -> u64 {
    if COMMON_EXTENSIONS.contains(&value) { 300 } else { 1 }
}

pub fn name(value: &[u8]) -> u64 {
    if COMMON_NAMES.contains(&value) { 100 } else { 1 }
}

pub fn method(value: &[u8]) -> u64 {
    match value {
        b"GET" => 600,
        b"POST" => 300,
        b"HEAD" => 50,
        _ => 3,
    }
}

pub fn literal(literal: &[u8]) -> u64 {
    match literal.len() {
        // No usual request holds a control character, raw or escaped.
        1.. if literal.iter().any(|byte| *byte < 0x20) => 2,
        0 | 1 => 2000,
        2 => 200,
        3 => 40,
        4 => 8,
        5..=7 => 4,
        _ => 2,
    }
}

pub fn header(name: &[u8]) -> u64 {
    if COMMON_HEADERS.contains(&name) { 600 } else { 3 }
}

/// A header that begins or ends with a sign, or is empty.
pub const EDGE: u64 = 3;
/// A header that holds two signs side by side.
pub const PAIR: u64 = 20;

/// A size over `limit`: so many have one at all, and with each step of the limit half as many are left.
pub fn size(size: Size, limit: u64) -> u64 {
    let (any, step) = match size {
        Size::Path | Size::PathRaw => (1000, 20),
        Size::Target => (1000, 30),
        Size::Query | Size::QueryRaw => (400, 30),
        Size::Depth => (1000, 2),
        Size::Segment => (1000, 8),
        Size::Extension => (900, 3),
        Size::Headers => (1000, 5),
        Size::Host => (1000, 10),
        Size::Method => (1000, 2),
        Size::Body | Size::BodyText => (200, 500),
    };
    (any >> (limit / step).min(10)) + 5
}

const COMMON_EXTENSIONS: [&[u8]; 18] = [
    b"", b"asp", b"aspx", b"ashx", b"axd", b"css", b"dll", b"gif", b"htm", b"html", b"ico", b"jpeg", b"jpg",
    b"js", b"pdf", b"php", b"png", b"svg",
];

const COMMON_NAMES: [&[u8]; 14] = [
    b"",
    b"api",
    b"app",
    b"css",
    b"default.asp",
    b"default.aspx",
    b"default.htm",
    b"favicon.ico",
    b"images",
    b"index.asp",
    b"index.htm",
    b"index.html",
    b"js",
    b"scripts",
];

const COMMON_HEADERS: [&[u8]; 21] = [
    b"accept",
    b"accept-charset",
    b"accept-encoding",
    b"accept-language",
    b"authorization",
    b"cache-control",
    b"connection",
    b"content-length",
    b"content-type",
    b"cookie",
    b"host",
    b"if-modified-since",
    b"if-none-match",
    b"keep-alive",
    b"origin",
    b"pragma",
    b"referer",
    b"upgrade-insecure-requests",
    b"user-agent",
    b"via",
    b"x-forwarded-for",
];
