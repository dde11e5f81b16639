//! What a body holds as a form, and which requests must wait for their body at all.

use serde_json::{Value, json};

use crate::rules::Scratch;
use crate::rules::tests::{Wire, compile};

const URLENCODED: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

fn post(path: &str, kind: &str, body: &str) -> Wire {
    Wire::new(format!("POST {path} HTTP/1.1\r\nHost: vector.test\r\n{kind}\r\n{body}").as_bytes())
}

fn value(name: &str, test: &str, value: &str) -> Value {
    json!({"field": "form", "name": name, "test": test, "value": [value]})
}

fn same(name: &str, value: &str) -> Value {
    json!({"field": "form", "same": [
        {"on": "name", "test": "equals", "value": [name]}, {"on": "value", "test": "contains", "value": [value]},
    ]})
}

/// The prefilter and plain evaluation must agree; the answer is whether the expression matches.
fn matches(wire: &Wire, expr: &Value) -> bool {
    let rules = compile(std::slice::from_ref(expr));
    let first = wire.first(&rules).is_some();
    assert_eq!(first, !wire.all(&rules).is_empty(), "{expr}");
    first
}

fn awaits(wire: Wire, expr: &Value) -> bool {
    let (rules, wire) = (compile(std::slice::from_ref(expr)), wire.without_body());
    rules.awaits_body(&wire.subject(), &mut Scratch::default())
}

#[test]
fn parameters_of_a_form_are_read_like_those_of_a_query() {
    let body = "Name=%65xec+x&z=1&z=%u0065vil&d=%253Cscript&p=e%xec&%4eew=&q";
    let table = [
        (value("name", "equals", "exec x"), true),
        (value("NAME", "prefix", "EXEC"), true),
        (value("name", "equals", "%65xec+x"), true),
        (value("z", "equals", "evil"), true),
        (value("d", "contains", "<script"), true),
        (value("p", "equals", "exec"), true),
        (value("new", "equals", ""), true),
        (value("q", "equals", ""), true),
        (value("other", "regex", "."), false),
        (json!({"field": "form", "test": "contains", "value": ["evil"]}), true),
        (same("z", "evil"), true),
        (same("name", "evil"), false),
        (json!({"field": "form", "test": "count", "over": 6}), true),
        (json!({"field": "form", "test": "count", "over": 7}), false),
        (json!({"field": "form", "name": "z", "test": "count", "over": 1}), true),
        (json!({"field": "form", "test": "repeat", "over": 1}), true),
        (json!({"field": "form", "test": "repeat", "over": 2}), false),
        (json!({"field": "form", "name": "d", "test": "length", "over": 10}), true),
        (json!({"field": "form", "name": "d", "test": "length", "over": 11}), false),
        (json!({"field": "param", "test": "count", "over": 0}), false),
    ];
    for (expr, expected) in &table {
        assert_eq!(matches(&post("/", URLENCODED, body), expr), *expected, "{expr}");
    }
}

#[test]
fn only_a_body_that_may_be_a_form_has_parameters() {
    let holds = |kind: &str| matches(&post("/", kind, "a=%65vil"), &value("a", "equals", "evil"));
    for kind in ["", URLENCODED, "Content-Type: APPLICATION/X-WWW-FORM-URLENCODED; charset=utf-8\r\n"] {
        assert!(holds(kind), "{kind}");
    }
    for kind in ["Content-Type: multipart/form-data; boundary=x\r\n", "Content-Type: text/xml\r\n"] {
        assert!(!holds(kind), "{kind}");
        // Known to hold no form before it has come.
        let absent = json!({"not": value("a", "equals", "evil")});
        assert!(post("/", kind, "").without_body().first(&compile(&[absent])).is_some());
    }
    assert!(!matches(&Wire::get("/?a=evil"), &value("a", "equals", "evil")));
}

#[test]
fn a_lead_byte_hides_no_parameter_behind_it() {
    for lead in ["%e0", "%81", "%f0%80", "%c0"] {
        let body = format!("a={lead}&%65xec=%65vil");
        assert!(matches(&post("/", URLENCODED, &body), &value("exec", "equals", "evil")), "{lead}");
        assert!(matches(&post("/", URLENCODED, &body), &same("exec", "evil")), "{lead}");
    }
}

#[test]
fn a_form_cut_in_the_middle_is_judged_as_it_stands() {
    let cut = post("/", URLENCODED, "a=1&name=ex%65");
    assert!(matches(&cut, &value("name", "equals", "exe")));
    assert!(matches(&post("/", URLENCODED, "a=1&na"), &value("na", "equals", "")));
    assert!(matches(&post("/", URLENCODED, "a=ex%6"), &value("a", "equals", "ex6")));
}

#[test]
fn a_value_with_more_readings_than_are_made_is_told() {
    let shy = "%zz%ff%c2%a5%e2%88%96%ef%bc%85%2525%25zz%25ff%25%e2%252588%5z%25c0";
    let rules = compile(&[value("a", "equals", "evil")]);
    let mut scratch = Scratch::default();
    for (body, expected) in [("a=x", false), (&*format!("a={shy}"), true), ("a=x", false)] {
        rules.first(&post("/", URLENCODED, body).subject(), &mut scratch, |_| true);
        assert_eq!(scratch.left_form_out(), expected, "{body}");
        assert!(!scratch.left_readings_out());
    }
}

#[test]
fn a_body_is_awaited_only_where_it_could_decide() {
    let tool_shell = json!({"all": [
        {"field": "basename", "test": "equals", "value": ["toolpane.aspx"]}, same("msottpf", "x"),
    ]});
    let upload = "Content-Type: multipart/form-data; boundary=x\r\n";
    assert!(awaits(post("/_layouts/15/toolpane.aspx", URLENCODED, ""), &tool_shell));
    assert!(awaits(post("/_layouts/15/tool%2570ane.aspx", "", ""), &tool_shell));
    assert!(!awaits(post("/_layouts/upload.aspx", URLENCODED, ""), &tool_shell));
    assert!(!awaits(post("/_layouts/15/toolpane.aspx", upload, ""), &tool_shell));
    let body = json!({"field": "body", "test": "contains", "value": ["#exec"]});
    assert!(awaits(post("/x", upload, ""), &body));
    let elsewhere = json!({"any": [tool_shell, {"all": [body, {"field": "extension", "test": "equals", "value": ["shtml"]}]}]});
    assert!(awaits(post("/x.shtml", upload, ""), &elsewhere));
    assert!(!awaits(post("/x.asp", upload, ""), &elsewhere));
    // What is forbidden without the body, or does not ask for it, was judged with the head.
    assert!(!awaits(
        post("/x.shtml", "", ""),
        &json!({"field": "extension", "test": "equals", "value": ["shtml"]})
    ));
    assert!(awaits(post("/x.asp", "", ""), &json!({"not": value("a", "equals", "b")})));
}

#[test]
fn a_length_is_awaited_only_where_it_is_not_declared() {
    let long = json!({"field": "body", "test": "length", "over": 3});
    assert!(!awaits(post("/", "", ""), &long));
    let rules = compile(&[long]);
    let coming = post("/", "", "").without_length();
    assert!(rules.awaits_body(&coming.subject(), &mut Scratch::default()));
}
