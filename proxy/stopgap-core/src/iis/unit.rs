//! What is one element of a half-decoded target? A unit: a byte or a character, and where it came from.
//!
//! The low 21 bits are the value. A unit without CHAR bits is a byte as the server holds it; above 0x7F
//! it is either the start of something in a later step or, read alone, of the site's single-byte page. The other bits mark what
//! makes a target ambiguous, so that whoever writes the reading out can say so at the right place.

pub type Unit = u32;

pub const VALUE: Unit = 0x1F_FFFF;
/// A character of UTF-8 or `%uHHHH`: best fit applies to it.
pub const UNICODE: Unit = 1 << 31;
/// A character that needs no further folding: it came from a page.
pub const SETTLED: Unit = 1 << 30;
pub const CHAR: Unit = UNICODE | SETTLED;
/// What it says is likely chance: it is also the trail byte of a valid pair in one of the site's pages, or
/// UTF-8 with unchecked continuation bytes in what is valid there.
pub const CHANCE: Unit = 1 << 29;
/// A `%` that starts no escape.
pub const STRAY: Unit = 1 << 28;
/// It was written `%uHHHH`.
pub const PERCENT_U: Unit = 1 << 27;
/// Best fit made a structural ASCII character of it.
pub const FITTED: Unit = 1 << 26;
/// An ASCII character written as several bytes of UTF-8.
pub const OVERLONG: Unit = 1 << 25;
/// A lead byte without its trail byte.
pub const BAD_LEAD: Unit = 1 << 24;
/// A control character above ASCII (U+0080 to U+009F), written as well-formed UTF-8.
pub const CONTROL: Unit = 1 << 23;
/// Units with one of these are worth an anomaly.
pub const NOTED: Unit = STRAY | PERCENT_U | FITTED | OVERLONG | BAD_LEAD | CONTROL;

pub const REPLACEMENT: Unit = 0xFFFD;

pub fn is_high_byte(unit: Unit) -> bool {
    unit & CHAR == 0 && unit & VALUE >= 0x80
}

/// The characters whose appearance changes what a path reaches (catalogue 1.3.1).
pub fn is_structural(value: Unit) -> bool {
    matches!(value, 0x00 | 0x25 | 0x2E | 0x2F | 0x3A | 0x3B | 0x5C | 0x7E)
}

/// Append a value above 0x7F as UTF-8; what is no Unicode scalar becomes U+FFFD.
pub fn push_utf8(out: &mut Vec<u8>, value: Unit) {
    let mut room = [0; 4];
    let char = char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(char.encode_utf8(&mut room).as_bytes());
}
