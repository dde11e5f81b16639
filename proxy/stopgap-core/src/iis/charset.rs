//! Which characters are the bytes above 0x7F (catalogue 1.3)? One function a charset, from units to units.
//!
//! A single-byte page needs none: a byte that is left alone becomes its character when a reading is written.

use crate::iis::codepage::Page;
use crate::iis::unit::{
    BAD_LEAD, CHANCE, CHAR, CONTROL, FITTED, OVERLONG, REPLACEMENT, SETTLED, UNICODE, Unit, VALUE,
    is_high_byte, is_structural,
};

/// The form that a lead byte of UTF-8 announces: (length, bits of the lead that count).
fn lead_form(byte: Unit) -> Option<(usize, Unit)> {
    match byte {
        0xC0..=0xDF => Some((2, 0x1F)),
        0xE0..=0xEF => Some((3, 0x0F)),
        0xF0..=0xF7 => Some((4, 0x07)),
        _ => None,
    }
}

/// One sequence, its continuation bytes unchecked.
struct Sequence {
    length: usize,
    value: Unit,
    /// Every continuation byte is 80 to BF.
    proper: bool,
}

impl Sequence {
    /// RFC 3629: well formed, not overlong, and a character.
    fn is_valid(&self) -> bool {
        const SHORTEST: [Unit; 5] = [0, 0, 0x80, 0x800, 0x1_0000];
        self.proper && self.value >= SHORTEST[self.length] && char::from_u32(self.value).is_some()
    }

    /// The character of a sequence that is valid.
    fn character(&self) -> Unit {
        self.value | UNICODE | if matches!(self.value, 0x80..=0x9F) { CONTROL } else { 0 }
    }
}

/// The sequence that a byte above 0x7F starts.
fn sequence(lead: Unit, tail: &[Unit]) -> Option<Sequence> {
    let (length, mask) = lead_form(lead & VALUE)?;
    let mut value = lead & mask;
    let mut proper = true;
    for &unit in tail.get(..length - 1)? {
        if unit & CHAR != 0 {
            return None;
        }
        proper &= unit & 0xC0 == 0x80;
        value = value << 6 | unit & 0x3F;
    }
    Some(Sequence { length, value, proper })
}

/// RFC 3629: all high bytes of `units` are valid UTF-8. On false nothing is appended.
pub fn utf8(units: &[Unit], out: &mut Vec<Unit>) -> bool {
    let start = out.len();
    let mut rest = units;
    while let Some((&unit, tail)) = rest.split_first() {
        if !is_high_byte(unit) {
            out.push(unit);
            rest = tail;
            continue;
        }
        match sequence(unit, tail) {
            Some(found) if found.is_valid() => {
                out.push(found.character());
                rest = &rest[found.length..];
            }
            _ => {
                out.truncate(start);
                return false;
            }
        }
    }
    true
}

/// How UTF-8 is read where other bytes may stand beside it.
#[derive(Clone, Copy, Debug)]
pub struct Mixed {
    /// Bytes of the longest sequence (U2).
    pub longest: usize,
    /// U1: overlong forms and unchecked continuation bytes too.
    pub lax: bool,
    /// The same bytes are valid on a double-byte page of the site. Then what they would be as bad UTF-8 is
    /// mostly chance (`%8e%c0.` is a kanji and a dot): an overlong form counts only when it is well formed
    /// and structural, and what best fit makes of unchecked continuation bytes is noted as chance.
    pub double: bool,
}

/// Each sequence as UTF-8, every other byte as `page` reads it, or left alone. Returns whether there was one.
pub fn mixed(units: &[Unit], how: Mixed, page: Option<&Page>, out: &mut Vec<Unit>) -> bool {
    let mut any = false;
    let mut rest = units;
    // A letter took what would be the lead byte of a `~`: then that is no chance (`PROGR%c1%81~1`). It stays chance
    // for the other characters: half-width katakana before a kanji with a backslash in it is everyday Japanese.
    let mut robbed = false;
    while let Some((&unit, tail)) = rest.split_first() {
        rest = tail;
        if !is_high_byte(unit) {
            out.push(if robbed && unit & VALUE == Unit::from(b'~') { unit & !CHANCE } else { unit });
            robbed = false;
            continue;
        }
        robbed = false;
        let found = sequence(unit, tail).filter(|found| found.length <= how.longest);
        match (found.filter(|found| how.lax || found.is_valid()), page) {
            (Some(found), _) => {
                any = true;
                rest = &tail[found.length - 1..];
                robbed = u8::try_from(found.value).is_ok_and(|byte| byte.is_ascii_alphanumeric());
                out.push(match found.value {
                    0x80.. if how.double && !found.proper => found.value.min(VALUE) | UNICODE | CHANCE,
                    0x80.. if !how.double && found.is_valid() => found.character(),
                    0x80.. => found.value.min(VALUE) | UNICODE,
                    ascii if how.is_overlong(&found) => ascii | OVERLONG,
                    ascii => ascii,
                });
            }
            (None, Some(page)) => rest = step(unit, tail, page, out),
            (None, None) => out.push(unit),
        }
    }
    any
}

impl Mixed {
    fn is_overlong(self, found: &Sequence) -> bool {
        match (found.proper, self.double) {
            (true, false) => true,
            (false, true) => false,
            _ => is_structural(found.value),
        }
    }
}

/// U7: decode with a page; on a double-byte one a lead byte swallows whatever byte follows.
pub fn paged(units: &[Unit], page: &Page, out: &mut Vec<Unit>) {
    let mut rest = units;
    while let Some((&unit, tail)) = rest.split_first() {
        rest = tail;
        if is_high_byte(unit) {
            rest = step(unit, tail, page, out);
        } else {
            out.push(unit);
        }
    }
}

/// Decode one byte above 0x7F and the trail byte that it takes; returns what is left of `tail`.
fn step<'a>(unit: Unit, tail: &'a [Unit], page: &Page, out: &mut Vec<Unit>) -> &'a [Unit] {
    let lead = unit as u8;
    let trail = tail.split_first().filter(|&(&next, _)| page.is_lead(lead) && next & CHAR == 0);
    let (char, rest) = match trail {
        Some((&trail, rest)) if page.is_trail(trail as u8) => (page.pair(lead, trail as u8).into(), rest),
        Some((_, rest)) => (REPLACEMENT, rest),
        None => (page.single(lead).into(), tail),
    };
    out.push(char | SETTLED | unit & BAD_LEAD);
    rest
}

/// The value of a unit: a byte above 0x7F is a character of `page`, or of Latin-1.
pub fn single(unit: Unit, page: Option<&Page>) -> Unit {
    match page {
        Some(page) if is_high_byte(unit) => page.single(unit as u8).into(),
        _ => unit & VALUE,
    }
}

/// Mark in place the trail bytes below 0x80 and the lead bytes without a trail byte. True when all is valid.
pub fn mark_pairs(units: &mut [Unit], page: &Page) -> bool {
    let mut valid = true;
    let mut at = 0;
    while let Some(&unit) = units.get(at) {
        at += 1;
        if !is_high_byte(unit) || !page.is_lead(unit as u8) {
            continue;
        }
        match units.get_mut(at) {
            Some(next) if *next & CHAR == 0 && page.is_trail(*next as u8) => {
                *next |= if *next & VALUE < 0x80 { CHANCE } else { 0 };
                at += 1;
            }
            _ => {
                valid = false;
                units[at - 1] |= BAD_LEAD;
            }
        }
    }
    valid
}

/// U5: what best fit makes of the characters. False, and nothing appended, when it changes none.
pub fn best_fit(units: &[Unit], fold: impl Fn(Unit) -> Option<u8>, out: &mut Vec<Unit>) -> bool {
    let folded = |unit: Unit| if unit & UNICODE == 0 { None } else { fold(unit & VALUE) };
    let Some(first) = units.iter().position(|&unit| folded(unit).is_some()) else { return false };
    out.extend_from_slice(&units[..first]);
    out.extend(units[first..].iter().map(|&unit| match folded(unit) {
        Some(ascii) => {
            let fitted = is_structural(ascii.into()) && unit & CHANCE == 0;
            Unit::from(ascii) | unit & !(VALUE | CHAR) | if fitted { FITTED } else { 0 }
        }
        None => unit,
    }));
    true
}

/// U6: the full-width forms of ASCII.
pub fn full_width(char: Unit) -> Option<u8> {
    matches!(char, 0xFF01..=0xFF5E).then(|| (char - 0xFEE0) as u8)
}
