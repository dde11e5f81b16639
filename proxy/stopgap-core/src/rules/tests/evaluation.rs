//! What each test says of each field.

use serde_json::{Value, json};

use crate::rules::tests::{Wire, compile};
use crate::verdict::Reason;

const POST: &str = "POST /App/Foo.ASP/bar;x.gif?A=1&b=%3Cscript%3E&b=x+y HTTP/1.0\r\nHost: Shop.Example\r\n\
    Translate: F\r\nX-Long: aaaaaaaa\r\nCookie: id=7; X-BEResource=a]b:444\r\nCookie: id=8\r\n\
    Content-Type: application/x-www-form-urlencoded\r\n\r\nname=%65xec&z=1";

fn text(field: &str, test: &str, value: &str) -> Value {
    json!({"field": field, "test": test, "value": [value]})
}

fn named(field: &str, name: &str, test: &str, value: &str) -> Value {
    json!({"field": field, "name": name, "test": test, "value": [value]})
}

fn over(field: &str, test: &str, number: u64) -> Value {
    json!({"field": field, "test": test, "over": number})
}

/// Both ways must agree; the answer is whether the expression matches.
fn matches(wire: &Wire, expr: &Value) -> bool {
    let rules = compile(std::slice::from_ref(expr));
    let first = wire.first(&rules).is_some();
    assert_eq!(first, !wire.all(&rules).is_empty(), "{expr}");
    first
}

fn check(wire: &Wire, table: &[(Value, bool)]) {
    for (expr, expected) in table {
        assert_eq!(matches(wire, expr), *expected, "{expr}");
    }
}

#[test]
fn the_head_as_it_came() {
    check(
        &Wire::new(POST.as_bytes()),
        &[
            (text("method", "equals", "POST"), true),
            (text("method", "equals", "post"), false),
            (text("method", "prefix", "PO"), true),
            (text("method", "regex", "^P"), true),
            (text("version", "equals", "http/1.0"), true),
            (text("version", "suffix", "1.1"), false),
            (text("host", "suffix", ".example"), true),
            (text("target", "contains", "%3cSCRIPT"), true),
            (text("path.raw", "equals", "/app/foo.asp/bar;x.gif"), true),
            (text("path.raw", "contains", "script"), false),
            (text("query.raw", "contains", "<"), false),
            (named("header", "translate", "equals", "f"), true),
            (named("header", "Translate", "equals", "t"), false),
            (named("header", "host", "contains", "shop"), true),
            (text("headers", "equals", "x-long"), true),
            (text("headers", "prefix", "x-l"), true),
            (named("cookie", "x-beresource", "contains", ":444"), true),
            (named("cookie", "id", "equals", "8"), true),
            (named("cookie", "id", "equals", "9"), false),
            (text("cookie", "regex", "[@\\]]"), true),
        ],
    );
}

#[test]
fn the_path_in_every_reading() {
    check(
        &Wire::new(POST.as_bytes()),
        &[
            (text("extension", "equals", "asp"), true),
            (text("extension", "equals", "gif"), true),
            (text("extension", "regex", "^as.$"), true),
            (text("segment", "equals", "foo.asp"), true),
            (text("segment", "equals", "bar"), true),
            (text("segment", "equals", "bar;x.gif"), true),
            (text("segment", "equals", "fo"), false),
            (text("basename", "equals", "foo.asp"), true),
            (text("basename", "equals", "bar"), true),
            (text("basename", "equals", "app"), false),
            (text("path", "prefix", "/app/"), true),
            (text("path", "prefix", "/ap/"), false),
            (text("path", "contains", "/foo.asp/"), true),
            (text("path", "suffix", "/bar;x.gif"), true),
        ],
    );
    check(
        &Wire::get("/a/..%252fwinnt/x.%2569da"),
        &[
            (text("extension", "equals", "ida"), true),
            (text("segment", "equals", "winnt"), true),
            (text("path", "prefix", "/winnt/"), true),
            (text("path", "equals", "/winnt/x.ida"), true),
            (text("path", "contains", "/../"), true),
        ],
    );
}

#[test]
fn the_query_in_every_reading() {
    check(
        &Wire::new(POST.as_bytes()),
        &[
            (text("query", "contains", "<Script>"), true),
            (text("query", "contains", "x y"), true),
            (text("query", "contains", "x+y"), true),
            (named("param", "a", "equals", "1"), true),
            (named("param", "B", "equals", "X Y"), true),
            (named("param", "b", "equals", "1"), false),
            (text("param", "regex", "^<"), true),
            (
                json!({"field": "param", "same": [
                {"on": "name", "test": "equals", "value": ["b"]},
                {"on": "value", "test": "contains", "value": ["x y"]}]}),
                true,
            ),
            (
                json!({"field": "param", "same": [
                {"on": "name", "test": "equals", "value": ["a"]},
                {"on": "value", "test": "contains", "value": ["x y"]}]}),
                false,
            ),
            (json!({"field": "param", "same": [{"on": "value", "test": "length", "over": 7}]}), true),
        ],
    );
    let stray = Wire::get("/q.asp?ci%54emplate=e%xec&&&x");
    check(
        &stray,
        &[
            (named("param", "citemplate", "equals", "exec"), true),
            (named("param", "x", "equals", ""), true),
            (over("param", "count", 1), true),
            (over("param", "count", 2), false),
        ],
    );
}

#[test]
fn a_lead_byte_that_swallows_an_ampersand_hides_no_parameter() {
    let wire = Wire::get("/q?a=%E0&%65xec=1");
    check(&wire, &[(named("param", "exec", "equals", "1"), true)]);
}

#[test]
fn numbers() {
    check(
        &Wire::new(POST.as_bytes()),
        &[
            (over("depth", "count", 2), true),
            (over("depth", "length", 3), false),
            (over("path", "length", 21), true),
            (over("path", "length", 22), false),
            (over("segment", "length", 8), true),
            (over("segment", "count", 3), false),
            (over("extension", "count", 1), true),
            (over("basename", "count", 1), true),
            (over("basename", "count", 2), false),
            (over("query", "length", 23), true),
            (over("query", "length", 24), false),
            (over("param", "count", 2), true),
            (over("param", "repeat", 1), true),
            (over("param", "repeat", 2), false),
            (over("headers", "count", 5), true),
            (over("headers", "length", 11), true),
            (json!({"field": "header", "name": "x-long", "test": "run", "over": 7}), true),
            (json!({"field": "header", "name": "x-long", "test": "run", "over": 8}), false),
            (json!({"field": "header", "name": "cookie", "test": "count", "over": 1}), true),
            (json!({"field": "header", "name": "range", "test": "count", "under": 1}), true),
            (json!({"field": "header", "name": "range", "test": "length", "over": 0}), false),
            (json!({"field": "cookie", "name": "id", "test": "count", "over": 1}), true),
            (json!({"field": "cookie", "test": "count", "over": 2}), true),
            (over("method", "length", 3), true),
            (over("host", "length", 12), false),
            (over("body", "length", 14), true),
            (over("body", "length", 15), false),
            (over("body", "run", 1), false),
            (over("target", "length", 46), true),
            (over("target", "length", 47), false),
        ],
    );
}

#[test]
fn bodies_are_read_as_they_came_and_decoded() {
    let wire = Wire::new(POST.as_bytes());
    let (raw, decoded) = (text("body", "contains", "%65XEC"), text("body", "contains", "exec&z"));
    check(&wire, &[(raw.clone(), true), (decoded.clone(), true)]);
    let xml = POST.replace("application/x-www-form-urlencoded", "text/xml");
    check(&Wire::new(xml.as_bytes()), &[(raw, true), (decoded, false)]);
}

#[test]
fn a_body_that_is_not_there_decides_nothing() {
    let leaf = text("body", "contains", "exec");
    let wire = Wire::new(POST.as_bytes()).without_body();
    check(&wire, &[(leaf.clone(), false), (json!({"not": leaf}), false)]);
    let bodiless = Wire::get("/");
    check(&bodiless, &[(json!({"not": leaf}), true)]);
    let length = over("body", "length", 1);
    // A chunked body has no length until its end, whichever way one asks.
    let coming = Wire::new(POST.as_bytes()).without_length();
    check(&coming, &[(length.clone(), false), (json!({"not": length}), false)]);
}

#[test]
fn formulas_hold_on_one_and_the_same_reading() {
    let a = text("extension", "equals", "asp");
    let both = json!({"all": [a, text("segment", "equals", "x")]});
    check(&Wire::get("/x/a.asp"), &[(both.clone(), true), (json!({"not": both}), false)]);
    let apart = json!({"all": [text("extension", "equals", "%61sp"), a]});
    check(&Wire::get("/x.%2561sp"), &[(apart, false), (a.clone(), true)]);
    let exempt = json!({"all": [text("path", "prefix", "/x"), {"not": a}]});
    check(&Wire::get("/x.%2561sp"), &[(exempt.clone(), true)]);
    check(&Wire::get("/x.asp"), &[(exempt, false)]);
    let nested = json!({"not": {"any": [a, {"not": text("method", "equals", "GET")}]}});
    check(&Wire::get("/x"), &[(nested, true)]);
}

#[test]
fn the_lowest_rule_decides_and_says_where() {
    let rules = compile(&[
        json!({"all": [over("headers", "count", 0), text("query", "contains", "evil")]}),
        text("extension", "equals", "ida"),
        json!({"field": "reason", "test": "equals", "value": ["percent-u"]}),
        over("segment", "run", 3),
    ]);
    let found = Wire::get("/d/default.IDA?NNNN").first(&rules).unwrap();
    assert_eq!((found.rule, found.reason, found.reading), (1, Reason::ExtensionDenied, 0));
    assert_eq!((found.field, found.offset), ("extension", 11));
    let wire = Wire::get("/x.ida?evil");
    assert_eq!(wire.first(&rules).unwrap().reason, Reason::ExtensionDenied, "the query is read later");
    assert_eq!(Wire::get("/x?evil").first(&rules).unwrap().reason, Reason::QueryDenied);
    let all = wire.all(&rules);
    assert_eq!(all.len(), 2);
    assert_eq!(
        (all[0].matched.rule, all[0].text.as_slice(), all[0].matched.field),
        (0, &b"evil"[..], "query")
    );
    assert_eq!(rules.label(Reason::PercentU), Some(2));
    assert_eq!(rules.label(Reason::BadEscape), None);
    assert_eq!(Wire::get("/aaaa").first(&rules).unwrap().reason, Reason::SegmentDenied);
    let woken: Vec<String> = rules.triggers().into_iter().map(|(_, text)| text).collect();
    assert_eq!(woken, ["query holds: evil", "extension: ida", "reason: percent-u", "segment over: 3"]);
}
