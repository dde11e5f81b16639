//! Which texts must occur for a regex to match: its necessary literals.
//!
//! The walk goes over the regex's syntax tree. In a sequence the best part is enough; of
//! alternatives every one must give a literal; a repetition counts if it must occur at least once.

use std::cmp::Reverse;
use std::mem;

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

/// More alternatives than this wake a rule no more selectively than none.
const MOST: usize = 192;
/// Literals are not made longer than this: their head is selective enough.
const LONGEST: usize = 24;
/// A class of more bytes than this is not spelled out.
const WIDEST_CLASS: usize = 12;
/// Single bytes are sought only where there are no more of them.
const FEW_BYTES: usize = 4;

type Texts = Vec<Vec<u8>>;

/// Texts of which every match of `pattern` holds at least one; lower case, and to be sought
/// without regard to ASCII case. `folds` as the regex itself was built.
pub fn necessary(pattern: &str, folds: bool) -> Option<Texts> {
    let mut parser = ParserBuilder::new().unicode(false).utf8(false).case_insensitive(folds).build();
    walk(&parser.parse(pattern).ok()?)
}

fn walk(hir: &Hir) -> Option<Texts> {
    if let Some(texts) = exact(hir) {
        return useful(texts);
    }
    match hir.kind() {
        HirKind::Capture(capture) => walk(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min >= 1 => walk(&repetition.sub),
        HirKind::Concat(list) => concat(list),
        HirKind::Alternation(list) => {
            let sets: Option<Vec<Texts>> = list.iter().map(walk).collect();
            useful(sets?.concat())
        }
        _ => None,
    }
}

/// The best of: what neighbours spell out together, and what each other part needs.
fn concat(list: &[Hir]) -> Option<Texts> {
    let mut found: Vec<Option<Texts>> = Vec::new();
    let mut spelled: Texts = vec![Vec::new()];
    for part in list {
        let longer = exact(part).and_then(|texts| product(&spelled, &texts));
        match longer {
            Some(longer) => spelled = longer,
            None => {
                let alone = exact(part).unwrap_or_else(|| vec![Vec::new()]);
                found.push(useful(mem::replace(&mut spelled, alone)));
                found.push(walk(part));
            }
        }
    }
    found.push(useful(spelled));
    found.into_iter().flatten().max_by_key(worth)
}

/// Long and few is good: the shortest text counts, then the number.
fn worth(texts: &Texts) -> (usize, Reverse<usize>) {
    (texts.iter().map(Vec::len).min().unwrap_or(0).min(8), Reverse(texts.len()))
}

/// Texts that are worth seeking: none is empty, and not one of many single bytes.
fn useful(mut texts: Texts) -> Option<Texts> {
    texts.sort_unstable();
    texts.dedup();
    let shortest = texts.iter().map(Vec::len).min().unwrap_or(0);
    let few = if shortest == 1 { FEW_BYTES } else { MOST };
    (shortest > 0 && texts.len() <= few).then_some(texts)
}

/// Every text that the expression matches (in lower case), if they are few and short.
fn exact(hir: &Hir) -> Option<Texts> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(vec![Vec::new()]),
        HirKind::Literal(literal) => Some(vec![literal.0.to_ascii_lowercase()]),
        HirKind::Class(class) => letters(class),
        HirKind::Capture(capture) => exact(&capture.sub),
        HirKind::Concat(list) => {
            let start = vec![Vec::new()];
            list.iter().try_fold(start, |texts, part| product(&texts, &exact(part)?))
        }
        HirKind::Alternation(list) => {
            let sets: Option<Vec<Texts>> = list.iter().map(exact).collect();
            sets.map(|sets| sets.concat()).filter(|texts| texts.len() <= MOST)
        }
        HirKind::Repetition(_) => None,
    }
}

/// Each text followed by each end, if that stays few and short.
fn product(texts: &Texts, ends: &Texts) -> Option<Texts> {
    let longest = |texts: &Texts| texts.iter().map(Vec::len).max().unwrap_or(0);
    if texts.len() * ends.len() > MOST || longest(texts) > LONGEST {
        return None;
    }
    Some(texts.iter().flat_map(|text| ends.iter().map(move |end| [text.as_slice(), end].concat())).collect())
}

/// The bytes of a small class, where two cases of a letter are one.
fn letters(class: &Class) -> Option<Texts> {
    let bytes: Vec<u8> = match class {
        Class::Bytes(class) => class.ranges().iter().flat_map(|range| range.start()..=range.end()).collect(),
        Class::Unicode(class) => {
            let signs = class.ranges().iter().flat_map(|range| range.start()..=range.end());
            signs.map(|sign| u8::try_from(sign).ok().filter(u8::is_ascii)).collect::<Option<Vec<u8>>>()?
        }
    };
    let mut bytes = bytes.to_ascii_lowercase();
    bytes.sort_unstable();
    bytes.dedup();
    (bytes.len() <= WIDEST_CLASS).then(|| bytes.into_iter().map(|byte| vec![byte]).collect())
}

#[cfg(test)]
mod tests {
    use super::necessary;

    fn texts(pattern: &str) -> Option<Vec<String>> {
        let texts = necessary(pattern, true)?;
        Some(texts.into_iter().map(|text| String::from_utf8_lossy(&text).into_owned()).collect())
    }

    #[test]
    fn the_best_part_of_a_sequence_counts() {
        let some = |list: &[&str]| Some(list.iter().map(|text| text.to_string()).collect::<Vec<_>>());
        assert_eq!(texts("abc[0-9]+defgh"), some(&["defgh"]));
        assert_eq!(texts("(?i)CMD\\.exe"), some(&["cmd.exe"]));
        assert_eq!(texts("^/(winnt|windows)/x?"), some(&["/windows/", "/winnt/"]));
        assert_eq!(texts("(abc)+"), some(&["abc"]));
        assert_eq!(texts("(abc)*"), None);
        assert_eq!(texts("[1-3]x[0-9]+y"), some(&["1x", "2x", "3x"]));
        assert_eq!(texts("(abc)?|def"), None);
        assert_eq!(texts("[0-9]{3,}"), None);
        assert_eq!(texts("a\\bb(c)d"), some(&["abcd"]));
        assert_eq!(texts("\\x41b"), some(&["ab"]));
        // In Unicode mode the Kelvin sign is a `k`.
        assert_eq!(texts("(?u)k"), None);
    }
}
