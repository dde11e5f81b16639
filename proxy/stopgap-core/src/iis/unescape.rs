//! What does one pass of percent-decoding make of bytes or units (catalogue 1.2)?

use crate::iis::unit::{PERCENT_U, STRAY, UNICODE, Unit, VALUE, is_high_byte};

const PERCENT: Unit = b'%' as Unit;

/// What to do with a `%` that starts no escape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stray {
    /// It stands for itself (P6).
    Keep,
    /// Two letters or digits after it are computed with (P5).
    Compute,
    /// It is dropped (P7).
    Drop,
}

/// How to decode.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    pub stray: Stray,
    pub percent_u: bool,
    /// `+` is a space: a query, first pass.
    pub plus: bool,
    /// Mark what is stray: the first pass, for later ones meet decoded `%`.
    pub mark: bool,
}

/// What a pass found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub percent: bool,
    pub percent_u: bool,
    pub computed: bool,
    pub stray: bool,
    pub plus: bool,
    /// A byte above 0x7F is among the output.
    pub high: bool,
    /// One of these starts four bytes of UTF-8, or looks so.
    pub four: bool,
    /// A character above 0x7F is among the output.
    pub wide: bool,
}

impl Found {
    /// The pass changed something.
    pub fn changed(self) -> bool {
        self.percent || self.percent_u || self.computed || self.plus
    }

    fn byte(&mut self, unit: Unit) {
        self.high |= is_high_byte(unit);
        self.four |= is_high_byte(unit) && matches!(unit & VALUE, 0xF0..=0xF7);
    }
}

/// Decode `input` onto the end of `out`.
pub fn unescape<T: Copy + Into<Unit>>(input: &[T], manner: Manner, out: &mut Vec<Unit>) -> Found {
    let mut found = Found::default();
    let mut rest = input;
    while let Some((&first, tail)) = rest.split_first() {
        let unit: Unit = first.into();
        rest = tail;
        if unit & VALUE != PERCENT {
            if manner.plus && unit == b'+' as Unit {
                found.plus = true;
                out.push(b' ' as Unit);
                continue;
            }
            found.byte(unit);
            found.wide |= unit & UNICODE != 0;
            out.push(unit);
            continue;
        }
        if let Some(byte) = hex_pair(tail) {
            rest = &tail[2..];
            found.percent = true;
            found.byte(byte);
            out.push(byte);
        } else if let Some(char) = percent_u(tail).filter(|_| manner.percent_u) {
            rest = &tail[5..];
            found.percent_u = true;
            found.wide |= char >= 0x80;
            out.push(char | PERCENT_U | if char < 0x80 { 0 } else { UNICODE });
        } else {
            found.stray = true;
            match (manner.stray, computed(tail)) {
                (Stray::Drop, _) => {}
                (Stray::Compute, Some(byte)) => {
                    rest = &tail[2..];
                    found.computed = true;
                    found.byte(byte);
                    out.push(byte);
                }
                _ => {
                    out.push(if manner.mark { unit | STRAY } else { unit });
                }
            }
        }
    }
    found
}

/// Whether what follows a `%` makes a well-formed escape of it.
pub fn is_escape(after: &[Unit]) -> bool {
    hex_pair(after).is_some() || percent_u(after).is_some()
}

fn hex_pair<T: Copy + Into<Unit>>(after: &[T]) -> Option<Unit> {
    match after {
        [high, low, ..] => Some(hex(*high)? << 4 | hex(*low)?),
        _ => None,
    }
}

fn percent_u<T: Copy + Into<Unit>>(after: &[T]) -> Option<Unit> {
    let (&mark, digits) = after.split_first()?;
    if mark.into() & VALUE & !0x20 != b'U' as Unit {
        return None;
    }
    Some(hex_pair(digits)? << 8 | hex_pair(digits.get(2..)?)?)
}

fn hex<T: Into<Unit>>(unit: T) -> Option<Unit> {
    char::from_u32(unit.into() & VALUE)?.to_digit(16)
}

/// P5: 16 h(c1) + h(c2), where h of a letter goes on after F. `%3p` is `I`, `%1u` is `.`.
fn computed<T: Copy + Into<Unit>>(after: &[T]) -> Option<Unit> {
    let digit = |unit: T| char::from_u32(unit.into() & VALUE)?.to_digit(36);
    match after {
        [high, low, ..] => Some((16 * digit(*high)? + digit(*low)?) & 0xFF),
        _ => None,
    }
}
