//! Which paths an exception covers: `*` within a segment, `**` across segments, `[*]` a star itself.

use regex::bytes::{Regex, RegexBuilder};

/// A compiled glob over a whole path; ASCII case does not matter.
#[derive(Clone, Debug)]
pub struct Glob(Regex);

impl Glob {
    /// Compile; `**/` also stands for no segment at all.
    pub fn compile(glob: &str) -> Result<Glob, String> {
        if !glob.starts_with('/') && !glob.starts_with("**") {
            return Err(format!("glob {glob:?} must start with \"/\" or \"**\""));
        }
        let mut pattern = String::from("^");
        let mut rest = glob;
        while let Some(first) = rest.chars().next() {
            let (token, text) = match rest {
                _ if rest.starts_with("**/") => (3, "(?:.*/)?".to_string()),
                _ if rest.starts_with("**") => (2, ".*".to_string()),
                _ if rest.starts_with("[*]") => (3, r"\*".to_string()),
                _ if first == '*' => (1, "[^/]*".to_string()),
                _ => (first.len_utf8(), regex::escape(&rest[..first.len_utf8()])),
            };
            pattern.push_str(&text);
            rest = &rest[token..];
        }
        pattern.push('$');
        RegexBuilder::new(&pattern)
            .unicode(false)
            .case_insensitive(true)
            .dot_matches_new_line(true)
            .size_limit(1 << 20)
            .build()
            .map(Glob)
            .map_err(|_| format!("glob {glob:?} is too long"))
    }

    pub fn matches(&self, path: &[u8]) -> bool {
        self.0.is_match(path)
    }
}

#[cfg(test)]
mod tests {
    use super::Glob;

    #[test]
    fn stars_stay_in_a_segment_and_double_stars_cross() {
        let table: [(&str, &[u8], bool); 15] = [
            ("/search/*.idq", b"/search/a.idq", true),
            ("/search/*.idq", b"/Search/A.IDQ", true),
            ("/search/*.idq", b"/search/sub/a.idq", false),
            ("/search/*.idq", b"/search/a.idq.txt", false),
            ("/a/**", b"/a/b/c", true),
            ("/a/**", b"/ab", false),
            ("/a/**/c", b"/a/c", true),
            ("/a/**/c", b"/a/x/y/c", true),
            ("**/x.asp", b"/x.asp", true),
            ("/a.c", b"/abc", false),
            ("/a[*].htm", b"/a*.htm", true),
            ("/a[*].htm", b"/ab.htm", false),
            ("/a[*].htm", b"/a[*].htm", false),
            ("/a[[*]].htm", b"/a[*].htm", true),
            ("/a[1][*]*[", b"/a[1]*x[", true),
        ];
        for (glob, path, expected) in table {
            assert_eq!(Glob::compile(glob).unwrap().matches(path), expected, "{glob} {path:?}");
        }
        assert!(Glob::compile("x").is_err());
    }
}
