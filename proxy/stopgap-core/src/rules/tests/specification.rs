//! What is refused in a specification, and in which words.

use serde_json::{Value, json};

use crate::rules::tests::{compile_spec, specification};

fn rule_error(expr: Value) -> String {
    let error = compile_spec(&specification(&[expr], &json!([]))).unwrap_err();
    error.strip_prefix("rule \"r0\": ").unwrap_or_else(|| panic!("{error}")).to_string()
}

fn spec_error(pointer: &str, value: Value) -> String {
    let ida = json!({"field": "extension", "test": "equals", "value": ["ida"]});
    let mut spec = specification(&[ida.clone(), ida], &json!([]));
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match spec.pointer_mut(parent).unwrap() {
        Value::Object(map) => drop(map.insert(key.to_string(), value)),
        other => panic!("{other}"),
    }
    compile_spec(&spec).unwrap_err()
}

#[test]
fn expressions_are_checked_to_the_last_key() {
    let table = [
        (json!([]), "match: must be a table"),
        (json!({}), "match: needs \"all\", \"any\", \"not\" or \"field\""),
        (json!({"all": []}), "match: all: must be a list that is not empty"),
        (json!({"any": [{"field": "x"}]}), "match: any[0]: unknown field \"x\""),
        (json!({"not": {"not": {"field": "path"}}}), "match: not.not: needs \"test\""),
        (
            json!({"not": {"field": "path"}, "any": []}),
            "match: \"all\", \"any\" and \"not\" stand alone in their table",
        ),
        (json!({"field": "path", "test": "like", "value": ["x"]}), "match: unknown test \"like\""),
        (
            json!({"field": "path", "test": "repeat", "over": 1}),
            "match: path cannot be tested with \"repeat\"",
        ),
        (
            json!({"field": "depth", "test": "equals", "value": ["1"]}),
            "match: depth cannot be tested with \"equals\"",
        ),
        (
            json!({"field": "path", "test": "equals", "value": "x"}),
            "match: \"value\" must be a list of texts that is not empty",
        ),
        (
            json!({"field": "path", "test": "equals", "value": ["x"], "over": 1}),
            "match: unknown key \"over\"",
        ),
        (
            json!({"field": "path", "test": "prefix", "value": [""]}),
            "match: an empty text with \"prefix\" fits every request",
        ),
        (
            json!({"field": "path", "test": "length"}),
            "match: \"length\" needs one whole number, \"over\" or \"under\"",
        ),
        (
            json!({"field": "path", "test": "length", "over": -1}),
            "match: \"length\" needs one whole number, \"over\" or \"under\"",
        ),
        (json!({"field": "header", "test": "length", "over": 1}), "match: field \"header\" needs \"name\""),
        (
            json!({"field": "path", "name": "x", "test": "length", "over": 1}),
            "match: field \"path\" takes no \"name\"",
        ),
        (
            json!({"field": "query", "same": [{}]}),
            "match: \"same\" goes with the fields \"param\" and \"form\" only",
        ),
        (
            json!({"field": "param", "same": [{"on": "x"}]}),
            "match: same[0]: \"on\" must be \"name\" or \"value\"",
        ),
        (
            json!({"field": "param", "same": [{"on": "name", "test": "count", "over": 1}]}),
            "match: same[0]: one parameter cannot be tested with \"count\"",
        ),
        (json!({"field": "reason", "test": "equals", "value": ["x"]}), "match: unknown reason \"x\""),
        (
            json!({"not": {"field": "reason", "test": "equals", "value": ["backslash"]}}),
            "match: field \"reason\" must stand alone",
        ),
        (json!({"field": "path", "test": "regex", "value": ["(a"]}), "match: regex \"(a\": unclosed group"),
    ];
    for (expr, expected) in table {
        assert_eq!(rule_error(expr.clone()), expected, "{expr}");
    }
}

#[test]
fn rules_and_sites_are_checked() {
    let reason = json!({"field": "reason", "test": "equals", "value": ["backslash"]});
    let table = [
        ("/rules/1/id", json!("r0"), "rule \"r0\": id: used twice"),
        ("/rules/1/extra", json!(1), "rule \"r1\": unknown field `extra`"),
        ("/rules/1/counter", json!(16384), "rule \"r1\": counter: 16384 is not below 16384"),
        ("/rules/1/servers", json!(["iis9"]), "rule \"r1\": servers: unknown server \"iis9\""),
        ("/rules/1/status", json!(200), "rule \"r1\": status: must be between 400 and 599"),
        ("/rules/1/compat", json!({"tight": {}}), "rule \"r1\": compat.tight: needs"),
        ("/rules/1/compat", json!({"tight": reason}), "rule \"r1\": compat.tight: field \"reason\" belongs"),
        ("/rules/1/action", json!("allow"), "rule \"r1\": unknown variant `allow`"),
        (
            "/rules/1/action",
            json!("strip"),
            "rule \"r1\": strip: action \"strip\" needs the names of headers",
        ),
        ("/rules/1/strip", json!(["a"]), "rule \"r1\": strip: goes with action \"strip\" only"),
        ("/sites/0/canary", json!(101), "site \"kaikei\": canary: 101 is more than 100 percent"),
        ("/sites/0/modes", json!({"r7": "block"}), "site \"kaikei\": modes: \"r7\" is neither a rule nor"),
        (
            "/sites/0/modes",
            json!({"bad-host": "detect"}),
            "site \"kaikei\": modes: \"bad-host\" is refused in",
        ),
        ("/sites/0/modes", json!({"r0": "off"}), "site \"kaikei\": unknown variant `off`"),
        ("/sites/0/methods", json!(["GET /"]), "site \"kaikei\": methods: \"GET /\" is no method"),
        ("/sites/0/server", json!("iis9"), "site \"kaikei\": server: unknown server \"iis9\""),
        ("/sites/0/rules", json!([0, 2]), "site \"kaikei\": rules: no rule has the index 2"),
        ("/sites/0/mode", json!("off"), "site \"kaikei\": unknown variant `off`"),
        ("/sites/0/deadlines", json!({"head": -1.0}), "site \"kaikei\": deadlines.head: must be"),
        (
            "/sites/0/exceptions",
            json!([{"rule": "r7"}]),
            "site \"kaikei\": exceptions[0].rule: \"r7\" is neither",
        ),
        (
            "/sites/0/exceptions",
            json!([{"rule": "bare-lf"}]),
            "site \"kaikei\": exceptions[0] for \"bare-lf\": a malformed",
        ),
        (
            "/sites/0/exceptions",
            json!([{"rule": "r0", "clients": ["x"]}]),
            "site \"kaikei\": exceptions[0] for \"r0\": \"x\" is no",
        ),
        (
            "/sites/0/exceptions",
            json!([{"rule": "r0", "when": {}}]),
            "site \"kaikei\": exceptions[0].when: needs",
        ),
        (
            "/sites/0/exceptions",
            json!([{"rule": "r0", "path": "x"}]),
            "site \"kaikei\": exceptions[0] for \"r0\": glob",
        ),
    ];
    for (pointer, value, expected) in table {
        let error = spec_error(pointer, value);
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn rules_of_other_servers_are_left_out() {
    let ida = json!({"field": "extension", "test": "equals", "value": ["ida"]});
    let mut spec = specification(&[ida.clone(), ida], &json!([]));
    spec["rules"][0]["servers"] = json!(["iis4"]);
    // The union of all servers is subject to every rule.
    assert_eq!(compile_spec(&spec).unwrap().triggers().len(), 2);
    let spec = crate::rules::spec::Spec::parse(spec.to_string().as_bytes()).unwrap();
    assert!(spec.rules[0].applies("iis4") && !spec.rules[0].applies("iis5") && spec.rules[1].applies("iis5"));
}

#[test]
fn what_a_rule_strips_is_checked() {
    let header = json!({"field": "header", "name": "translate", "test": "equals", "value": ["f"]});
    let body = json!({"any": [header, {"field": "body", "test": "contains", "value": ["x"]}]});
    let table = [
        (&header, json!(["a b"]), "\"a b\" is no header name"),
        (&header, json!([""]), "\"\" is no header name"),
        (
            &header,
            json!(["Translate", "Host"]),
            "\"Host\" cannot be left out: framing and routing rest on it",
        ),
        (&header, json!(["content-length"]), "\"content-length\" cannot be left out"),
        (&body, json!(["Translate"]), "a rule that looks at the body comes too late"),
    ];
    for (expr, strip, expected) in table {
        let mut spec = specification(std::slice::from_ref(expr), &json!([]));
        spec["rules"][0]["action"] = json!("strip");
        spec["rules"][0]["strip"] = strip;
        let error = compile_spec(&spec).unwrap_err();
        assert!(error.starts_with(&format!("rule \"r0\": strip: {expected}")), "{error}");
    }
}
