//! Whether a text fits: equals, prefix, suffix, contains, regex, each with several values.
//!
//! Regexes run on bytes in linear time; their compiled size is bounded, so that no rule can hold
//! the worker up at load or at run time.

use memchr::memchr2_iter;
use regex::bytes::{Regex, RegexBuilder};

use crate::rules::expr::How;

/// Largest compiled form of one regex, and of its lazy tables, in bytes.
const REGEX_SIZE: usize = 1 << 20;
/// How deep groups may nest in a regex.
const REGEX_DEPTH: u32 = 50;

/// A compiled test of text.
#[derive(Clone, Debug)]
pub struct Text {
    how: How,
    folds: bool,
    needles: Vec<Vec<u8>>,
    regexes: Vec<Regex>,
}

impl Text {
    /// Compile; `folds` ignores ASCII case. The error names the regex that is wrong.
    pub fn compile(how: How, values: &[String], folds: bool) -> Result<Text, String> {
        if how == How::Regex {
            let regexes: Result<Vec<Regex>, String> = values.iter().map(|v| regex(v, folds)).collect();
            return Ok(Text { how, folds, needles: Vec::new(), regexes: regexes? });
        }
        let mut needles: Vec<Vec<u8>> = values.iter().map(|value| unescape(value)).collect();
        if folds {
            needles.iter_mut().for_each(|needle| needle.make_ascii_lowercase());
        }
        Ok(Text { how, folds, needles, regexes: Vec::new() })
    }

    pub fn folds(&self) -> bool {
        self.folds
    }

    pub fn how(&self) -> How {
        self.how
    }

    /// The values, unescaped (and in lower case if case is ignored); empty for regexes.
    pub fn needles(&self) -> &[Vec<u8>] {
        &self.needles
    }

    pub fn regexes(&self) -> &[Regex] {
        &self.regexes
    }

    /// Where the first value that fits lies in `text`: (start, end).
    pub fn find(&self, text: &[u8]) -> Option<(usize, usize)> {
        let hit = |needle: &Vec<u8>| {
            let n = needle.len();
            let at = match self.how {
                How::Equals => self.same(text, needle).then_some(0),
                How::Prefix => text.get(..n).is_some_and(|head| self.same(head, needle)).then_some(0),
                How::Suffix => {
                    let start = text.len().checked_sub(n)?;
                    self.same(&text[start..], needle).then_some(start)
                }
                How::Contains => self.within(text, needle),
                How::Regex => None,
            };
            at.map(|at| (at, at + n))
        };
        if self.how == How::Regex {
            return self.regexes.iter().find_map(|regex| regex.find(text)).map(|m| (m.start(), m.end()));
        }
        self.needles.iter().find_map(hit)
    }

    fn same(&self, text: &[u8], needle: &[u8]) -> bool {
        if self.folds { text.eq_ignore_ascii_case(needle) } else { text == needle }
    }

    fn within(&self, text: &[u8], needle: &[u8]) -> Option<usize> {
        let (first, room) = (*needle.first()?, text.len().checked_sub(needle.len())?);
        let other = if self.folds { first.to_ascii_uppercase() } else { first };
        memchr2_iter(first, other, &text[..=room]).find(|&at| self.same(&text[at..at + needle.len()], needle))
    }
}

fn regex(pattern: &str, folds: bool) -> Result<Regex, String> {
    RegexBuilder::new(pattern)
        .unicode(false)
        .case_insensitive(folds)
        .size_limit(REGEX_SIZE)
        .dfa_size_limit(REGEX_SIZE)
        .nest_limit(REGEX_DEPTH)
        .build()
        .map_err(|error| format!("regex {pattern:?}: {}", one_line(&error)))
}

/// The last line of regex's drawing says what is wrong.
fn one_line(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => format!("it compiles to more than {REGEX_SIZE} bytes"),
        other => {
            let text = other.to_string();
            let last = text.lines().last().unwrap_or("");
            last.trim().trim_start_matches("error: ").to_string()
        }
    }
}

/// `\xHH` stands for a byte; any other backslash for itself.
pub fn unescape(value: &str) -> Vec<u8> {
    let mut rest = value.as_bytes();
    let mut bytes = Vec::with_capacity(rest.len());
    while let Some((&first, tail)) = rest.split_first() {
        match hex_escape(rest) {
            Some(byte) => {
                bytes.push(byte);
                rest = &rest[4..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    bytes
}

fn hex_escape(text: &[u8]) -> Option<u8> {
    let digits = text.get(..4)?.strip_prefix(b"\\x")?;
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(digits[0])? * 16 + digit(digits[1])?).ok()
}

#[cfg(test)]
mod tests {
    use super::{Text, unescape};
    use crate::rules::expr::How;

    fn find(how: How, value: &str, text: &[u8]) -> Option<(usize, usize)> {
        Text::compile(how, &["nowhere".to_string(), value.to_string()], true).unwrap().find(text)
    }

    #[test]
    fn each_test_finds_its_place() {
        assert_eq!(find(How::Equals, "IDA", b"ida"), Some((0, 3)));
        assert_eq!(find(How::Equals, "ida", b"idaq"), None);
        assert_eq!(find(How::Prefix, "/scr", b"/SCRIPTS"), Some((0, 4)));
        assert_eq!(find(How::Prefix, "/scripts", b"/scr"), None);
        assert_eq!(find(How::Suffix, ".DLL", b"/x.dll"), Some((2, 6)));
        assert_eq!(find(How::Suffix, "/x.dll", b".dll"), None);
        assert_eq!(find(How::Contains, "ShutDown", b"x;shutdown--"), Some((2, 10)));
        assert_eq!(find(How::Contains, "aab", b"aaab"), Some((1, 4)));
        assert_eq!(find(How::Contains, "aab", b"aa"), None);
        assert_eq!(find(How::Regex, r"[0-9]{3,}", b"ab1234"), Some((2, 6)));
        assert_eq!(find(How::Regex, r"^\xff$", b"\xff"), Some((0, 1)));
    }

    #[test]
    fn only_hexadecimal_escapes_are_bytes() {
        assert_eq!(unescape(r"a\xFFb\x0\xzz\\x41"), b"a\xffb\\x0\\xzz\\A");
    }

    #[test]
    fn bad_regexes_say_why() {
        let error = |value: &str| Text::compile(How::Regex, &[value.to_string()], true).unwrap_err();
        assert!(error("(a").contains("regex \"(a\": unclosed group"), "{}", error("(a"));
        assert!(error("(a{1,900}){1,900}").contains("compiles to more than"));
        assert!(error(r"(a)\1").contains("backreferences"));
    }
}
