//! Which readings does a query have?

use super::{DEFAULT_PAGES, JAPANESE, WESTERN, server, text};
use crate::iis::readings::QueryReadings;
use crate::iis::room::Room;
use crate::iis::table::CodePage;

fn read(query: &str, name: &str, pages: &[CodePage]) -> Vec<String> {
    let mut readings = QueryReadings::default();
    readings.read(query.as_bytes(), server(name), pages, &mut Room::default());
    (0..readings.len()).map(|index| text(readings.get(index))).collect()
}

#[test]
fn a_plain_query_has_one_reading() {
    assert_eq!(read("Kamoku=Genkin&tsuki=8", "any", DEFAULT_PAGES), ["kamoku=genkin&tsuki=8"]);
    assert_eq!(read("", "any", DEFAULT_PAGES), [""]);
}

#[test]
fn decodings() {
    let rows = [
        ("a=B+c", "iis7", vec!["a=b+c", "a=b c"]),
        ("a=%41%2b", "iis7", vec!["a=%41%2b", "a=a+"]),
        ("cmd=e%xec", "iis7", vec!["cmd=e%xec", "cmd=exec"]),
        ("a=%2541", "iis7", vec!["a=%2541", "a=%41", "a=a"]),
        ("a=%u0041", "iis7", vec!["a=%u0041", "a=a"]),
        ("/c+dir", "iis5", vec!["/c+dir", "/c dir"]),
        ("a=100%", "iis5", vec!["a=100%", "a=100"]),
    ];
    for (query, name, expected) in rows {
        assert_eq!(read(query, name, WESTERN), expected, "{query}");
    }
}

#[test]
fn charsets() {
    assert!(read("q=%95%5c", "iis5", JAPANESE).contains(&"q=表".into()));
    assert!(read("q=%e8%a1%a8", "iis5", JAPANESE).contains(&"q=表".into()));
    assert!(read("q=%c0%ae%c0%ae/", "iis5", JAPANESE).contains(&"q=../".into()));
    assert!(read("q=%ef%bc%8e", "iis5", WESTERN).contains(&"q=.".into()));
    assert!(!read("q=%ef%bc%8e", "iis5", JAPANESE).contains(&"q=.".into()));
}

/// Many readings and a long query leave room for the one that is decoded twice.
#[test]
fn padding_hides_nothing() {
    let query = format!("q=%25c0%25ae%25c0%25ae/&a=%zz%ff%ef%bc%a1%c2%aa{}", "n".repeat(2000));
    let readings = read(&query, "any", DEFAULT_PAGES);
    assert!(readings.len() > 12 && readings.iter().any(|reading| reading.starts_with("q=../")));
}

#[test]
fn a_byte_alone_is_a_character_of_the_page() {
    assert_eq!(read("q=%e8", "any", &[CodePage(1250)]), ["q=%e8", "q=\u{10d}"]);
    assert_eq!(read("q=%e8", "any", &[CodePage(949)])[1..], ["q=\u{fffd}", "q=\u{e8}"]);
}
