//! Is the work of one judgement bounded, and does every honest form fit in?

use serde_json::json;

use crate::rules::tests::{Wire, compile};
use crate::rules::{Scratch, SiteRules};

const LONGEST: usize = 65_536;

/// Rules that read query and body in every way.
fn readers() -> SiteRules {
    compile(
        &["form", "param", "query", "body"]
            .map(|field| json!({"field": field, "test": "contains", "value": ["evil"]})),
    )
}

fn form(text: &str) -> Wire {
    Wire::new(format!("POST / HTTP/1.1\r\nHost: x\r\n\r\n{text}").as_bytes())
}

fn query(text: &str) -> Wire {
    Wire::new(format!("GET /?{text} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())
}

fn is_refused(wire: &Wire) -> bool {
    let mut scratch = Scratch::default();
    readers().first(&wire.subject(), &mut scratch, |_| true);
    scratch.left_form_out() || scratch.left_readings_out()
}

fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02X}")).collect()
}

/// So many fields, all of them together as long as a window.
fn fields(count: usize, piece: &str) -> String {
    let times = (LONGEST / count - 20) / piece.len();
    (0..count).map(|number| format!("ctl00%24field{number}={}&", piece.repeat(times))).collect()
}

#[test]
fn honest_forms_pass() {
    let shift_jis = escaped(b"\x93\xFA\x96\x7B\x8C\xEA\x82\xCC\x95\x5C");
    let utf8 = escaped("日本語の表".as_bytes());
    let script = "%u65E5%u672C%u8A9E%20%u306E";
    let view_state = format!("__VIEWSTATE={}&", "dDwtMTIzNDU2Nzg5%2B%2Fabc%3D".repeat(30_720 / 28));
    for piece in [&shift_jis, &utf8, script, "a+b%2C+c%0D%0A", "plain"] {
        for count in [1, 50, 400] {
            assert!(!is_refused(&form(&fields(count, piece))), "{piece} in {count} fields");
        }
        // A longer one, of which the window ends anywhere.
        let long = format!("{view_state}{}", fields(300, piece));
        for end in LONGEST - 6..=LONGEST {
            let mut cut = form(&long[..end]);
            cut.length = Some(1_000_000);
            assert!(!is_refused(&cut), "{piece} behind a view state, cut at {end}");
        }
        assert!(!is_refused(&query(&fields(16, piece)[..16_384])), "{piece} in a query");
    }
    assert!(!is_refused(&form(&"ctl00%24grid%24row=&".repeat(LONGEST / 20))));
}

#[test]
fn hostile_texts_are_refused_and_not_read_to_the_end() {
    for piece in ["%e0=%e0&", "%zz=%zz&", "%25&", "%2541&", "%zz%ff%c2%a5%e2%88%96%ef%bc%85%2525%25zz%25ff"] {
        let text = piece.repeat(LONGEST / piece.len());
        assert!(is_refused(&form(&text)), "{piece} in a form");
        assert!(is_refused(&query(&text)), "{piece} in a query");
    }
}

#[test]
fn nothing_is_refused_that_no_rule_reads() {
    let text = "%zz=%e0&".repeat(LONGEST / 8);
    let rules = compile(&[json!({"field": "path", "test": "contains", "value": ["evil"]})]);
    let mut scratch = Scratch::default();
    for wire in [form(&text), query(&text)] {
        rules.first(&wire.subject(), &mut scratch, |_| true);
        assert!(!scratch.left_form_out() && !scratch.left_readings_out());
    }
}
