//! What does Windows make of one path segment (catalogue 1.4)? Pure tests on its text, in lower case.

use crate::verdict::Reason;

/// X13: the part before the first dot, colon or semicolon, without trailing spaces, is a DOS device.
pub fn is_device(segment: &[u8]) -> bool {
    let ends = |at: usize| {
        segment.get(at).is_none_or(|byte| byte.is_ascii_whitespace() || matches!(byte, b'.' | b':' | b';'))
    };
    let starts = matches!(segment, [b'a' | b'c' | b'l' | b'n' | b'p', _, _, ..]);
    if !starts || !(ends(3) || ends(4)) {
        return false;
    }
    let stem = segment.iter().position(|byte| matches!(byte, b'.' | b':' | b';')).unwrap_or(segment.len());
    matches!(
        segment[..stem].trim_ascii_end(),
        b"aux" | b"con" | b"nul" | b"prn" | [b'c', b'o', b'm', b'1'..=b'9'] | [b'l', b'p', b't', b'1'..=b'9']
    )
}

/// X12: the segment is an 8.3 name, or is one up to where it may be cut.
pub fn has_short_name(segment: &[u8]) -> bool {
    is_short_name(segment) || cuts(segment).any(|end| is_short_name(&segment[..end]))
}

/// `^[^~]{1,6}~[0-9]{1,3}(\.[^.]{0,3})?$`.
fn is_short_name(segment: &[u8]) -> bool {
    let Some(tilde) = memchr::memchr(b'~', segment) else { return false };
    let tail = &segment[tilde + 1..];
    let digits = tail.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let extension = match &tail[digits..] {
        [] => true,
        [b'.', extension @ ..] => extension.len() <= 3 && !extension.contains(&b'.'),
        _ => false,
    };
    (1..=6).contains(&tilde) && (1..=3).contains(&digits) && extension
}

/// X3, X4 and X5: what its dots and trailing spaces make of a segment. `.` alone does no harm.
pub fn dots(segment: &[u8]) -> Option<Reason> {
    match segment {
        b"." => None,
        b".." => Some(Reason::Traversal),
        [_, ..] if segment.iter().all(|&byte| byte == b'.') => Some(Reason::DotsSegment),
        [.., b'.' | b' '] => Some(Reason::TrailingDot),
        _ => None,
    }
}

/// The same of a segment, or else of the name before its first cut: `...;x`, `x.asp%20;`.
pub fn dots_or_cut_dots(segment: &[u8]) -> Option<Reason> {
    dots(segment).or_else(|| memchr::memchr3(b';', b':', 0, segment).and_then(|cut| dots(&segment[..cut])))
}

/// X5: the length without trailing dots and spaces.
pub fn stripped(text: &[u8]) -> usize {
    text.iter().rposition(|&byte| byte != b'.' && byte != b' ').map_or(0, |last| last + 1)
}

/// U7: the length without lead bytes at the end that found no trail; IIS 4 and 5 drop them.
pub fn severed(text: &[u8]) -> usize {
    let lost = text.rchunks_exact(LOST.len()).take_while(|&character| character == LOST).count();
    text.len() - lost * LOST.len()
}

/// What a byte without a character is read as, U+FFFD.
const LOST: &[u8] = "\u{fffd}".as_bytes();

/// U7, X6, X7 and X14: where a name may end before its segment does, each also without trailing dots and spaces.
pub fn cuts(segment: &[u8]) -> impl Iterator<Item = usize> {
    let ends = memchr::memchr3_iter(b';', b':', 0, segment).chain([severed(segment), segment.len()]);
    ends.flat_map(move |end| {
        let short = stripped(&segment[..end]);
        [Some(end), Some(short).filter(|&short| short < end)]
    })
    .flatten()
    .filter(move |&end| end > 0 && end < segment.len())
}

/// X7: the first semicolon with different extensions before and after it, as in `x.asp;.jpg`.
pub fn differing_semicolon(segment: &[u8]) -> Option<usize> {
    let after = extension(segment);
    let (first, last) = (memchr::memchr(b'.', segment)?, stripped(segment).checked_sub(after.len() + 1)?);
    if after.is_empty() || first >= last {
        return None;
    }
    let mut between = memchr::memchr_iter(b';', &segment[first..last]).map(|at| first + at);
    between.find(|&at| {
        let before = extension(&segment[..at]);
        !before.is_empty() && before != after
    })
}

fn extension(name: &[u8]) -> &[u8] {
    let name = &name[..stripped(name)];
    memchr::memrchr(b'.', name).map_or(&[], |dot| &name[dot + 1..])
}
