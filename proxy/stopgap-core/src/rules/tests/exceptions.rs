//! When a match does not count.

use serde_json::{Value, json};

use crate::rules::tests::{Wire, compile_spec, specification};
use crate::rules::{Scratch, SiteRules};
use crate::verdict::Reason;

fn rules(exceptions: Value) -> SiteRules {
    let idq = json!({"field": "extension", "test": "equals", "value": ["idq"]});
    let debug = json!({"field": "method", "test": "equals", "value": ["DEBUG"]});
    compile_spec(&specification(&[idq, debug], &exceptions)).unwrap()
}

#[test]
fn every_reading_that_matches_must_be_covered() {
    let rules = rules(json!([{"rule": "r0", "path": "/search/*.idq"}]));
    assert!(Wire::get("/search/a.idq").first(&rules).is_none());
    assert!(Wire::get("/other/a.idq").first(&rules).is_some());
    // The path is covered as it stands, but not what it resolves to; then the other way round.
    assert!(Wire::get("/search/../a.idq").first(&rules).is_some());
    assert!(Wire::get("/x/../search/a.idq").first(&rules).is_some());
    // Covered in the first reading only.
    assert!(Wire::get("/search/b%252fa.idq").first(&rules).is_some());
    let all = Wire::get("/search/a.idq").all(&rules);
    assert_eq!((all.len(), all[0].excepted), (1, Some(0)));
}

#[test]
fn clients_and_conditions_narrow_an_exception() {
    let short = json!({"field": "query", "test": "length", "under": 10});
    let rules = rules(json!([{"rule": "r0", "clients": ["192.0.2.0/24"], "when": short}]));
    let wire = || Wire::get("/a.idq?q=1");
    assert!(wire().from("192.0.2.7").first(&rules).is_none());
    assert!(wire().from("198.51.100.7").first(&rules).is_some());
    assert!(wire().first(&rules).is_some());
    assert!(Wire::get("/a.idq?q=12345678").from("192.0.2.7").first(&rules).is_some());
}

#[test]
fn a_rule_on_the_method_is_excepted_only_where_every_reading_is_covered() {
    let rules = rules(json!([{"rule": "r1", "path": "/dev/**"}]));
    let debug = |path: &str| Wire::new(format!("DEBUG {path} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
    assert!(debug("/dev/x").first(&rules).is_none());
    assert!(debug("/x").first(&rules).is_some());
    assert!(debug("/dev%255cx").first(&rules).is_some());
}

#[test]
fn structural_reasons_have_exceptions_too() {
    let rules = rules(json!([{"rule": "r0"}, {"rule": "short-name", "path": "/old/**"}]));
    let (inside, outside) = (Wire::get("/old/longna~1.txt"), Wire::get("/longna~1.txt"));
    let excepted = |wire: &Wire, reason| rules.excepted(reason, 0, &wire.subject(), &mut Scratch::default());
    assert_eq!(excepted(&inside, Reason::ShortName), Some(1));
    assert_eq!(excepted(&inside, Reason::Backslash), None);
    assert_eq!(excepted(&outside, Reason::ShortName), None);
}

/// `r0` looks for `evil` in several fields, and is excepted for these.
fn hiding(expr: Value, fields: Value) -> SiteRules {
    compile_spec(&specification(&[expr], &json!([{"rule": "r0", "fields": fields}]))).unwrap()
}

/// A request line with what else the head and the body have.
fn asked(text: &str) -> Wire {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    Wire::new(format!("{head}\r\nHost: vector.test\r\n\r\n{body}").as_bytes())
}

#[test]
fn a_rule_is_judged_as_if_hidden_fields_were_not_there() {
    let text = |field: &str| json!({"field": field, "test": "contains", "value": ["evil"]});
    let header = json!({"field": "header", "name": "x-note", "test": "contains", "value": ["evil"]});
    let many = json!({"field": "param", "test": "count", "over": 1});
    let unsent = json!({"not": {"field": "header", "name": "x-note", "test": "count", "over": 0}});
    let length = json!({"field": "body", "test": "length", "over": 5});
    let form = || json!([{"field": "form", "name": "x"}]);
    let param = || json!([{"field": "param", "name": "Q"}]);
    let cookie = || json!([{"field": "cookie", "name": "c"}]);
    let note = || json!([{"field": "header", "name": "X-Note"}]);
    let table = [
        (text("query"), param(), "GET /?q=evil HTTP/1.1", true),
        (text("query"), param(), "GET /?a=1&q=evil&b=2 HTTP/1.1", true),
        (text("query"), param(), "GET /?%51=%65vil HTTP/1.1", true),
        (text("query"), param(), "GET /?q=1&a=evil HTTP/1.1", false),
        (text("query"), param(), "GET /?q=evil&a=evil HTTP/1.1", false),
        (text("query"), param(), "GET /?a=evil HTTP/1.1", false),
        (text("query"), param(), "GET /?qq=evil HTTP/1.1", false),
        (text("query"), param(), "GET /?q%2500=evil HTTP/1.1", false),
        (
            text("query"),
            json!([{"field": "param", "name": "検索"}]),
            "GET /?%8C%9F%8D%F5=evil HTTP/1.1",
            true,
        ),
        // Once decoded it is another plain name.
        (text("query"), json!([{"field": "param", "name": "%61"}]), "GET /?%61=evil HTTP/1.1", false),
        (text("target"), param(), "GET /?q=evil HTTP/1.1", true),
        (text("target"), param(), "GET /evil?q=evil HTTP/1.1", false),
        (text("target"), param(), "GET http://vector.test/?q=evil HTTP/1.1", true),
        (text("query.raw"), param(), "GET /?q=evil HTTP/1.1", true),
        (many, param(), "GET /?a=1&q=2 HTTP/1.1", true),
        (header.clone(), note(), "GET / HTTP/1.1\r\nx-note: evil", true),
        (header.clone(), note(), "GET / HTTP/1.1\r\nX-Note: evil\r\nA: b\r\nX-NOTE: evil", true),
        (header, param(), "GET /?q=1 HTTP/1.1\r\nX-Note: evil", false),
        (text("cookie"), cookie(), "GET / HTTP/1.1\r\nCookie: c=evil", true),
        (text("cookie"), cookie(), "GET / HTTP/1.1\r\nCookie: a=1; C=evil; b=2", true),
        (text("cookie"), cookie(), "GET / HTTP/1.1\r\nCookie: a=evil; c=evil", false),
        (text("form"), form(), "POST / HTTP/1.1\r\n\r\na=1&X=evil", true),
        (text("form"), form(), "POST / HTTP/1.1\r\n\r\nx=1&a=evil", false),
        (text("body"), form(), "POST / HTTP/1.1\r\n\r\nx=evil", true),
        (text("body"), form(), "POST / HTTP/1.1\r\nContent-Type: text/plain\r\n\r\nx=evil", false),
        (text("body"), param(), "POST /?q=1 HTTP/1.1\r\n\r\nq=evil", false),
        (length, form(), "POST / HTTP/1.1\r\n\r\na=1&x=evil", true),
        // Without the header the rule holds all the more.
        (unsent, note(), "GET / HTTP/1.1\r\nA: b", false),
    ];
    for (expr, fields, head, excepted) in table {
        let rules = hiding(expr.clone(), fields);
        assert_eq!(asked(head).first(&rules).is_none(), excepted, "{head} for {expr}");
    }
}

#[test]
fn fields_and_the_other_conditions_must_all_hold() {
    let query = json!({"field": "query", "test": "contains", "value": ["evil"]});
    let rules = compile_spec(&specification(
        &[query],
        &json!([{"rule": "r0", "path": "/search/**", "fields": [{"field": "param", "name": "q"}],
                 "when": {"field": "method", "test": "equals", "value": ["GET"]}}]),
    ))
    .unwrap();
    assert!(asked("GET /search/?q=evil HTTP/1.1").first(&rules).is_none());
    assert!(asked("GET /?q=evil HTTP/1.1").first(&rules).is_some());
    assert!(asked("HEAD /search/?q=evil HTTP/1.1").first(&rules).is_some());
}

#[test]
fn an_exception_is_used_when_it_lets_every_reading_pass() {
    let rules = rules(json!([{"rule": "r1"}, {"rule": "r0", "path": "/search/*.idq"}]));
    let used = |target: &str| {
        let mut scratch = Scratch::default();
        rules.first(&Wire::get(target).subject(), &mut scratch, |_| true);
        scratch.used
    };
    assert_eq!(used("/search/a.idq"), [1]);
    assert!(used("/search/b%252fa.idq").is_empty(), "another reading was refused");
    assert!(used("/search/a.asp").is_empty());
}

#[test]
fn fields_are_checked() {
    let error = |exception: Value| {
        let query = json!({"field": "query", "test": "contains", "value": ["evil"]});
        compile_spec(&specification(&[query], &json!([exception]))).unwrap_err()
    };
    let table = [
        (
            json!({"rule": "r0", "fields": [{"field": "path", "name": "q"}]}),
            "\"path\" cannot be hidden; a param, header,",
        ),
        (
            json!({"rule": "r0", "fields": [{"field": "header", "name": "Host"}]}),
            "header.Host cannot be hidden",
        ),
        (json!({"rule": "r0", "fields": [{"field": "param", "name": ""}]}), "param. cannot be hidden"),
        (
            json!({"rule": "short-name", "fields": [{"field": "param", "name": "q"}]}),
            "only a rule can be judged without fields",
        ),
    ];
    for (exception, expected) in table {
        let found = error(exception);
        assert!(found.contains(&format!(": fields: {expected}")), "{found}");
    }
    let found = error(json!({"rule": "r0", "counter": 4096}));
    assert!(found.ends_with("exceptions[0].counter: 4096 is not below 4096"), "{found}");
}
