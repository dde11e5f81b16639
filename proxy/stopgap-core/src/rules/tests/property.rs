//! The prefilter has no false negatives: what it lets through is what plain evaluation finds first.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::rules::Scratch;
use crate::rules::tests::{Wire, compile_spec, specification};

const WORDS: [&str; 24] = [
    "ida",
    "idq",
    "asp",
    "winnt",
    "cmd.exe",
    "x.ida",
    "..",
    "/",
    "/winnt/",
    "/x/",
    "exec",
    "a",
    "b=",
    "<script",
    "x y",
    "nn",
    "translate",
    "GET",
    "HEAD",
    "e1",
    "scripts/",
    "\u{30bd}",
    " ;",
    ",,",
];
const REGEXES: [&str; 8] =
    ["^/winnt", "(ida|idq)$", "n{2,}", "[0-9]", "(?i)CMD\\.exe", "e(xe)?c", "(?u)k", "x+[ a]"];
const TEXT_FIELDS: [&str; 15] = [
    "method",
    "version",
    "host",
    "path",
    "path.raw",
    "target",
    "extension",
    "segment",
    "basename",
    "query",
    "query.raw",
    "param",
    "headers",
    "form",
    "body",
];
const NAMES: [&str; 5] = ["translate", "cookie", "x-a", "b", "exec"];
/// Pieces of requests: plain, escaped, twice escaped, overlong, lead bytes, halfwidth, strays.
const PIECES: [&str; 32] = [
    "/",
    "/",
    ".",
    "..",
    "ida",
    "idq",
    "asp",
    "winnt",
    "cmd.exe",
    "x",
    "a",
    "b",
    "nn",
    "exec",
    "scripts",
    ";",
    ":",
    "%2e",
    "%2f",
    "%5c",
    "%252e",
    "%2569",
    "%c0%af",
    "%u0069",
    "%81",
    "%E0",
    "%b1",
    "%3Cscript",
    "%20",
    "e%xec",
    "1",
    "%83%5c",
];
const QUERY_PIECES: [&str; 8] = ["&", "=", "+", "&b=", "&exec=1", "&x=%E0", "%26", "\u{ff71}"];

fn words() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(prop::sample::select(&WORDS[..]).prop_map(str::to_string), 1..3)
}

fn text() -> impl Strategy<Value = (Value, Value)> {
    let plain = (prop::sample::select(vec!["equals", "prefix", "suffix", "contains"]), words())
        .prop_map(|(test, value)| (json!(test), json!(value)));
    let regex = prop::sample::select(&REGEXES[..]).prop_map(|regex| (json!("regex"), json!([regex])));
    prop_oneof![8 => plain, 2 => regex, 1 => Just((json!("equals"), json!([""])))]
}

fn bound() -> impl Strategy<Value = (&'static str, u64)> {
    (prop::sample::select(vec!["over", "over", "under"]), 0u64..24)
}

fn leaf() -> impl Strategy<Value = Value> {
    let name = || prop::sample::select(&NAMES[..]);
    let texts = (prop::sample::select(&TEXT_FIELDS[..]), text())
        .prop_map(|(field, (test, value))| json!({"field": field, "test": test, "value": value}));
    let named = (prop::sample::select(vec!["header", "cookie", "param", "form"]), name(), text()).prop_map(
        |(field, name, (test, value))| json!({"field": field, "name": name, "test": test, "value": value}),
    );
    let measure = prop::sample::select(vec!["length", "count", "run"]);
    let number = (prop::sample::select(&TEXT_FIELDS[..]), measure, bound())
        .prop_map(|(field, test, (side, number))| json!({"field": field, "test": test, side: number}));
    let counted = (prop::sample::select(vec!["depth", "param"]), any::<bool>(), bound()).prop_map(
        |(field, repeat, (side, number))| {
            let test = if repeat && field != "depth" { "repeat" } else { "count" };
            json!({"field": field, "test": test, side: number % 5})
        },
    );
    let measured =
        (prop::sample::select(vec!["header", "cookie", "param", "form"]), name(), bound(), any::<bool>())
            .prop_map(|(field, name, (side, number), length)| {
                let test = if length { "length" } else { "count" };
                json!({"field": field, "name": name, "test": test, side: number % 6})
            });
    let paired = prop::sample::select(vec!["param", "form"]);
    let same = (paired, text(), text(), bound()).prop_map(
        |(field, (test, value), (other, text), (side, number))| {
            json!({"field": field, "same": [
                {"on": "name", "test": test, "value": value}, {"on": "value", "test": other, "value": text},
                {"on": "value", "test": "length", side: number % 4},
            ]})
        },
    );
    prop_oneof![6 => texts, 3 => named, 2 => number, 1 => counted, 2 => measured, 1 => same]
}

fn expression() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(3, 8, 3, |inner| {
        let list = || prop::collection::vec(inner.clone(), 1..3);
        prop_oneof![
            list().prop_map(|list| json!({"all": list})),
            list().prop_map(|list| json!({"any": list})),
            inner.prop_map(|inner| json!({"not": inner})),
        ]
    })
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    let piece = || prop::sample::select(&PIECES[..]);
    let any_piece = prop_oneof![3 => piece(), 2 => prop::sample::select(&QUERY_PIECES[..])];
    let method = prop::sample::select(vec!["GET", "HEAD", "POST", "get"]);
    let path = prop::collection::vec(piece(), 0..8);
    let query = prop::option::of(prop::collection::vec(any_piece.clone(), 0..8));
    let headers = prop::collection::vec(
        (
            prop::sample::select(vec!["Translate", "Cookie", "Cookie", "X-A", "Content-Type"]),
            prop::sample::select(vec![
                "ida",
                "b=exec; x-a=nn",
                "x-a=/winnt/; b=; exec=a/ ; translate=..",
                "/x/, ,, ;",
                "EXEC",
                "text/xml",
                "x-www-form-urlencoded",
                "",
            ]),
        ),
        0..4,
    );
    let body = prop::collection::vec(any_piece, 0..6);
    (method, path, query, headers, body).prop_map(|(method, path, query, headers, body)| {
        let query = query.map_or(String::new(), |query| format!("?{}", query.concat()));
        let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let (path, body) = (path.concat().replace('?', ""), body.concat());
        format!("{method} /{path}{query} HTTP/1.1\r\nHost: ida\r\n{lines}\r\n{body}").into_bytes()
    })
}

fn exceptions() -> impl Strategy<Value = Value> {
    let globs = prop::sample::select(vec![json!("/**"), json!("/winnt/*"), json!("/*"), Value::Null]);
    let one = (0u32..4, globs, prop::option::of(leaf()))
        .prop_map(|(rule, path, when)| json!({"rule": format!("r{rule}"), "path": path, "when": when}));
    prop::collection::vec(one, 0..3).prop_map(|list| json!(list))
}

proptest! {
    #[test]
    fn rules_are_asked_as_plain_evaluation_finds_them(
        matches in prop::collection::vec(expression(), 4..12),
        requests in prop::collection::vec((request(), any::<bool>()), 1..8),
        exceptions in exceptions(),
    ) {
        let rules = compile_spec(&specification(&matches, &exceptions)).unwrap();
        // One scratch for all: nothing of one request may show in the next.
        let mut scratch = Scratch::default();
        for (request, whole) in requests {
            let wire = Wire::new(&request);
            let wire = if whole { wire } else { wire.without_body() };
            let mut asked = Vec::new();
            let none = rules.first(&wire.subject(), &mut scratch, |found| {
                asked.push(*found);
                false
            });
            prop_assert!(none.is_none());
            let first = rules.first(&wire.subject(), &mut scratch, |_| true);
            prop_assert_eq!(first.as_ref(), asked.first());
            // Those that plain signs wake, then those that the query or the body wakes, each from the lowest up.
            let descents = asked.windows(2).filter(|pair| pair[0].rule > pair[1].rule).count();
            prop_assert!(descents <= 1, "{asked:?}");
            asked.sort_by_key(|found| found.rule);
            let mut plain: Vec<_> = wire.all(&rules);
            plain.retain(|finding| finding.excepted.is_none());
            plain.dedup_by_key(|finding| finding.matched.rule);
            let plain: Vec<_> = plain.into_iter().map(|finding| finding.matched).collect();
            prop_assert_eq!(asked, plain, "{}", request.escape_ascii());
        }
    }

    #[test]
    fn no_body_that_decides_is_not_awaited(
        matches in prop::collection::vec(expression(), 1..6),
        requests in prop::collection::vec((request(), any::<bool>()), 1..8),
    ) {
        let rules = compile_spec(&specification(&matches, &json!([]))).unwrap();
        let mut scratch = Scratch::default();
        for (request, chunked) in requests {
            let matched = |wire: &Wire| -> Vec<u32> {
                wire.all(&rules).iter().map(|finding| finding.matched.rule).collect()
            };
            let coming = Wire::new(&request);
            let coming = if chunked { coming.without_length() } else { coming.without_body() };
            let (before, after) = (matched(&coming), matched(&Wire::new(&request)));
            if after.iter().any(|rule| !before.contains(rule)) {
                prop_assert!(rules.awaits_body(&coming.subject(), &mut scratch), "{}", request.escape_ascii());
            }
        }
    }
}
