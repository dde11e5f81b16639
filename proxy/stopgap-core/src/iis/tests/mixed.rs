//! What is read of UTF-8 that stands beside other bytes, and of bytes that stand alone?

use super::{DEFAULT_PAGES, JAPANESE, WESTERN, extensions, paths, read, reasons};
use crate::iis::table::CodePage;

const OLD: [&str; 4] = ["iis4", "iis5", "iis5.1", "any"];

fn assert_reading(path: &[u8], server: &str, page: u16, reading: &str) {
    let found = paths(&read(path, server, &[CodePage(page)]));
    assert!(found.contains(&reading.into()), "{server} {page}: {found:?}, not {reading}");
}

/// U2: F0 to F7 start nothing up to 5.1, and take no byte of what follows.
#[test]
fn a_lead_of_four_bytes_swallows_nothing() {
    for server in OLD {
        assert_reading(b"/a%f1%c0%afcmd.exe", server, 1252, "/a\u{f1}/cmd.exe");
        for (path, pages) in
            [("/a%f1%c0%afcmd.exe", WESTERN), ("/a%f0;%c0%afx", WESTERN), ("/%f7%c0%aex", JAPANESE)]
        {
            let found = read(path.as_bytes(), server, pages);
            let whole = ["overlong-utf8", "bad-dbcs"];
            assert!(reasons(&found).iter().any(|reason| whole.contains(reason)), "{path} on {server}");
        }
    }
}

/// U1 and U5 together: U+00CC with an unchecked continuation byte becomes `I`.
#[test]
fn best_fit_of_unchecked_continuation_bytes() {
    for server in ["iis4", "iis5", "iis5.1", "iis6", "any"] {
        for (path, pages) in
            [("/x.%c3%4cda", JAPANESE), ("/x.%c3%4cda", DEFAULT_PAGES), ("/x.%c4%31da", WESTERN)]
        {
            let found = read(path.as_bytes(), server, pages);
            assert!(extensions(&found).contains(&"ida".into()), "{path} on {server}: {:?}", paths(&found));
        }
        assert_reading(b"/%c3%61", server, 950, "/a");
        assert_reading(b"/\xc2-", server, 932, "/-");
    }
    // A kanji that ends in C2 and the letter after it are no backslash by intent.
    let found = read(b"/%8A%C2e.htm", "iis5", JAPANESE);
    assert_eq!(reasons(&found), [""; 0]);
}

/// U4 leaves open whether the path or the sequence is invalid.
#[test]
fn each_valid_sequence_counts() {
    for server in OLD {
        assert_reading(b"/a%c1%c2%a5cmd.exe", server, 932, "/a\u{ff81}/cmd.exe");
        assert_reading(b"/%f0%2e%c2%a9", server, 1250, "/\u{111}.\u{a9}");
        assert_reading(b"/%dc%c7%9f", server, 1250, "/\u{dc}a");
        let found = read(b"/a%c1%c2%a5cmd.exe", server, JAPANESE);
        assert_eq!(reasons(&found)[0], "best-fit", "{server}");
        let steps = (0..found.len()).map(|index| found.steps(index).join(" "));
        assert!(steps.into_iter().any(|steps| steps == "percent utf8-each cp932 best-fit-932"), "{server}");
    }
}

/// Valid UTF-8 of four bytes is bytes to a decoder of three.
#[test]
fn four_valid_bytes_are_none_up_to_5_1() {
    assert_reading(b"/%f0%9f%98%80%e8%a1%a8", "iis5", 1252, "/\u{f0}\u{178}\u{2dc}\u{20ac}表");
    assert_eq!(paths(&read(b"/%f0%9f%98%80", "iis7", WESTERN))[0], "/\u{1f600}");
}

/// Bytes beside lax UTF-8 pair up: 8E 43, and E8 A3 21.
#[test]
fn what_lax_utf8_leaves_is_read_with_the_page() {
    for server in ["iis4", "iis5", "iis5.1", "iis6", "any"] {
        assert_reading(b"/\x8eC\xe8\xa3!", server, 949, "/\u{b7a2}\u{88e1}");
        assert_reading(b"/%95%5c%c0%aea", server, 932, "/表.a");
        assert_reading(b"/%95%5c%c0%aea", server, 932, "/\u{95}/.a");
    }
}

#[test]
fn a_byte_alone_is_a_character_of_the_page() {
    for server in ["iis5", "iis7", "any"] {
        assert_reading(b"/%80", server, 437, "/\u{c7}");
        assert_reading(b"/%e8", server, 1250, "/\u{10d}");
        assert_reading(b"/%e9", server, 1253, "/\u{3b9}");
        assert_reading(b"/%95", server, 1252, "/\u{2022}");
        assert_reading(b"/%95x", server, 932, "/\u{95}x");
    }
    let found = read(b"/%e8.htm", "iis7", &[CodePage(1250), CodePage(1252)]);
    assert_eq!(paths(&found), ["/\u{10d}.htm", "/\u{e8}.htm"]);
    assert_eq!([found.steps(0), found.steps(1)], [["percent", "cp1250"], ["percent", "cp1252"]]);
}
