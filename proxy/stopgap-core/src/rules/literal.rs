//! Which texts must occur for a regex to match: its necessary literals.
//!
//! The walk goes over the regex's syntax tree. In a sequence the best part is enough; of
//! alternatives every one must give a literal; a repetition counts if it must occur at least once.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

/// More alternatives than this wake a rule no more selectively than none.
const MOST: usize = 64;
/// A literal longer than this is cut: its head is selective enough.
const LONGEST: usize = 32;

/// Texts of which every match of `pattern` holds at least one; lower case, and to be sought
/// without regard to ASCII case. `folds` as the regex itself was built.
pub fn necessary(pattern: &str, folds: bool) -> Option<Vec<Vec<u8>>> {
    let mut parser = ParserBuilder::new().unicode(false).utf8(false).case_insensitive(folds).build();
    walk(&parser.parse(pattern).ok()?)
}

fn walk(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    match hir.kind() {
        HirKind::Literal(_) | HirKind::Class(_) => run(std::slice::from_ref(hir)),
        HirKind::Capture(capture) => walk(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min >= 1 => walk(&repetition.sub),
        HirKind::Concat(list) => concat(list),
        HirKind::Alternation(list) => {
            let mut all = Vec::new();
            for inner in list {
                all.extend(walk(inner)?);
            }
            all.sort_unstable();
            all.dedup();
            (all.len() <= MOST).then_some(all)
        }
        HirKind::Repetition(_) | HirKind::Look(_) | HirKind::Empty => None,
    }
}

/// The best of: every run of fixed bytes, and what each other part needs.
fn concat(list: &[Hir]) -> Option<Vec<Vec<u8>>> {
    let mut best: Option<Vec<Vec<u8>>> = None;
    let mut keep = |found: Option<Vec<Vec<u8>>>| {
        if let Some(found) = found {
            if best.as_ref().is_none_or(|held| worth(&found) > worth(held)) {
                best = Some(found);
            }
        }
    };
    for part in list.chunk_by(|a, b| is_fixed(a) && is_fixed(b)) {
        keep(if is_fixed(&part[0]) { run(part) } else { walk(&part[0]) });
    }
    best
}

/// Long and few is good: the shortest text counts, then the number.
fn worth(texts: &[Vec<u8>]) -> (usize, std::cmp::Reverse<usize>) {
    (texts.iter().map(Vec::len).min().unwrap_or(0).min(8), std::cmp::Reverse(texts.len()))
}

fn is_fixed(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Literal(_) | HirKind::Look(_) | HirKind::Empty => true,
        HirKind::Class(class) => letter(class).is_some(),
        HirKind::Capture(capture) => is_fixed(&capture.sub),
        _ => false,
    }
}

/// The bytes of neighbours that are all fixed.
fn run(list: &[Hir]) -> Option<Vec<Vec<u8>>> {
    let mut text = Vec::new();
    for hir in list {
        fixed(hir, &mut text)?;
    }
    text.truncate(LONGEST);
    (!text.is_empty()).then(|| vec![text])
}

fn fixed(hir: &Hir, text: &mut Vec<u8>) -> Option<()> {
    match hir.kind() {
        HirKind::Literal(literal) => text.extend(literal.0.iter().map(u8::to_ascii_lowercase)),
        HirKind::Class(class) => text.push(letter(class)?),
        HirKind::Capture(capture) => fixed(&capture.sub, text)?,
        HirKind::Look(_) | HirKind::Empty => {}
        _ => return None,
    }
    Some(())
}

/// The one byte of a class, where two cases of a letter are one.
fn letter(class: &Class) -> Option<u8> {
    let mut bytes: Vec<u8> = match class {
        Class::Bytes(class) => {
            class.ranges().iter().map(|r| (r.start() == r.end()).then_some(r.start())).collect()
        }
        Class::Unicode(class) => class
            .ranges()
            .iter()
            .map(|r| (r.start() == r.end() && r.start().is_ascii()).then(|| r.start() as u8))
            .collect::<Option<Vec<u8>>>(),
    }?;
    bytes.make_ascii_lowercase();
    bytes.dedup();
    if let [byte] = bytes[..] { Some(byte) } else { None }
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
        assert_eq!(
            texts("^/(winnt|windows)/x?"),
            some(&["winnt", "windows"]).map(|mut l| {
                l.sort();
                l
            })
        );
        assert_eq!(texts("(abc)+"), some(&["abc"]));
        assert_eq!(texts("(abc)*"), None);
        assert_eq!(texts("(abc)?|def"), None);
        assert_eq!(texts("[0-9]{3,}"), None);
        assert_eq!(texts("a\\bb(c)d"), some(&["abcd"]));
        assert_eq!(texts("\\x41b"), some(&["ab"]));
        // In Unicode mode the Kelvin sign is a `k`.
        assert_eq!(texts("(?u)k"), None);
    }
}
