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
