//! Which characters are the bytes above 0x7F (catalogue 1.3)? One function a charset, from units to units.
//!
//! Latin-1 needs none: a byte that is left alone is its own character.

use crate::iis::codepage::Page;
use crate::iis::unit::{
    BAD_LEAD, CHAR, FITTED, OVERLONG, REPLACEMENT, SETTLED, TRAIL, UNICODE, Unit, VALUE, is_high_byte,
    is_structural,
};

/// Longest form of UTF-8, by its lead byte: (length, bits of the lead that count).
fn lead_form(byte: Unit) -> Option<(usize, Unit)> {
    match byte {
        0xC0..=0xDF => Some((2, 0x1F)),
        0xE0..=0xEF => Some((3, 0x0F)),
        0xF0..=0xF7 => Some((4, 0x07)),
        _ => None,
    }
}

/// One sequence at the start of `units`, its continuation bytes unchecked.
struct Sequence {
    length: usize,
    value: Unit,
    /// Every continuation byte is 80 to BF.
    proper: bool,
}

fn sequence(units: &[Unit]) -> Option<Sequence> {
    let (&lead, rest) = units.split_first()?;
    let (length, mask) = lead_form(lead & (VALUE | CHAR))?;
    let mut value = lead & mask;
    let mut proper = true;
    for &unit in rest.get(..length - 1)? {
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
    const SHORTEST: [Unit; 5] = [0, 0, 0x80, 0x800, 0x1_0000];
    let start = out.len();
    let mut rest = units;
    while let Some((&unit, tail)) = rest.split_first() {
        if !is_high_byte(unit) {
            out.push(unit);
            rest = tail;
            continue;
        }
        match sequence(rest) {
            Some(found)
                if found.proper
                    && found.value >= SHORTEST[found.length]
                    && char::from_u32(found.value).is_some() =>
            {
                out.push(found.value | UNICODE);
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

/// U1: overlong forms and unchecked continuation bytes; what starts nothing stays a byte.
///
/// With `double` the same bytes are valid on a double-byte page of the site. Then what they would be as
/// bad UTF-8 is mostly chance (`%8e%c0.` is a kanji and a dot): an overlong form counts only when it is
/// well formed and structural, and no character with unchecked continuation bytes is folded further.
/// Returns whether anything was decoded, and whether anything was overlong.
pub fn utf8_lax(units: &[Unit], double: bool, out: &mut Vec<Unit>) -> (bool, bool) {
    let (mut decoded, mut overlong) = (false, false);
    let mut rest = units;
    while let Some((&unit, tail)) = rest.split_first() {
        let Some(found) = is_high_byte(unit).then(|| sequence(rest)).flatten() else {
            out.push(unit);
            rest = tail;
            continue;
        };
        decoded = true;
        rest = &rest[found.length..];
        out.push(if found.value >= 0x80 {
            found.value.min(VALUE) | if double && !found.proper { SETTLED } else { UNICODE }
        } else if is_overlong(&found, double) {
            overlong = true;
            found.value | OVERLONG
        } else {
            found.value
        });
    }
    (decoded, overlong)
}

fn is_overlong(found: &Sequence, double: bool) -> bool {
    match (found.proper, double) {
        (true, false) => true,
        (false, true) => false,
        _ => is_structural(found.value),
    }
}

/// U7: decode with a double-byte page, the lead byte swallowing whatever byte follows.
pub fn pairs(units: &[Unit], page: &Page, out: &mut Vec<Unit>) {
    let mut rest = units;
    while let Some((&unit, tail)) = rest.split_first() {
        rest = tail;
        if !is_high_byte(unit) {
            out.push(unit);
            continue;
        }
        let lead = unit as u8;
        let next = tail.first().filter(|&&next| page.is_lead(lead) && next & CHAR == 0);
        let char = match next {
            Some(&trail) => {
                rest = &tail[1..];
                if page.is_trail(trail as u8) { page.pair(lead, trail as u8).into() } else { REPLACEMENT }
            }
            None => page.single(lead).into(),
        };
        out.push(char | SETTLED | unit & BAD_LEAD);
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
                *next |= if *next & VALUE < 0x80 { TRAIL } else { 0 };
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
        Some(ascii) if is_structural(ascii.into()) => Unit::from(ascii) | unit & !(VALUE | CHAR) | FITTED,
        Some(ascii) => Unit::from(ascii) | unit & !(VALUE | CHAR),
        None => unit,
    }));
    true
}

/// U6: the full-width forms of ASCII.
pub fn full_width(char: Unit) -> Option<u8> {
    matches!(char, 0xFF01..=0xFF5E).then(|| (char - 0xFEE0) as u8)
}
