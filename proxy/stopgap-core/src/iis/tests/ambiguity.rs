//! Does every row of catalogue 1.2 to 1.4 that a path can show give its anomaly?

use super::{DEFAULT_PAGES, JAPANESE, WESTERN, paths, read, reasons};
use crate::iis::table::CodePage;

fn assert_reason(path: &str, server: &str, pages: &[CodePage], reason: &str) {
    let readings = read(path.as_bytes(), server, pages);
    assert!(
        reasons(&readings).contains(&reason),
        "{path} on {server}: {:?}, not {reason}",
        reasons(&readings)
    );
}

#[test]
fn every_kind_on_every_server() {
    let rows = [
        ("/a%", "bad-escape"),
        ("/a%2", "bad-escape"),
        ("/a%zz.asp", "bad-escape"),
        ("/a%u12.asp", "bad-escape"),
        ("/%%35%63", "bad-escape"),
        ("/x.%u0069da", "percent-u"),
        ("/x%U002easp", "percent-u"),
        ("/x.%2569da", "double-escape"),
        ("/x.%25%36%39da", "double-escape"),
        ("/x.%25u0069da", "double-escape"),
        ("/a\\b", "backslash"),
        ("/a%5cb", "backslash"),
        ("/a/../b", "traversal"),
        ("/a/%2e%2e/b", "traversal"),
        ("/..", "traversal"),
        ("/a/.../b", "dots-segment"),
        ("/....", "dots-segment"),
        ("/x.asp.", "trailing-dot"),
        ("/x.asp%2e", "trailing-dot"),
        ("/x.asp%20", "trailing-dot"),
        ("/x.asp%20%2e/y", "trailing-dot"),
        ("/x.asp%20;", "trailing-dot"),
        ("/a/....;x.gif/b", "dots-segment"),
        ("/%20/%20", "trailing-dot"),
        ("/x.asp::$DATA", "stream"),
        ("/secret:$i30:$INDEX_ALLOCATION/x.asp", "stream"),
        ("/x%3a", "stream"),
        ("/x.asp;.jpg", "semicolon-extension"),
        ("/x.asp;y.jpg/z", "semicolon-extension"),
        ("/x.asp%3b.jpg", "semicolon-extension"),
        ("/a;x.asp;b.jpg", "semicolon-extension"),
        ("/longna~1.asp", "short-name"),
        ("/a~1/", "short-name"),
        ("/sensep~1.exe;", "short-name"),
        ("/sensep~1.exe;x", "short-name"),
        ("/aux", "device-name"),
        ("/x/CON.asp", "device-name"),
        ("/x/lpt9.tar.gz/y", "device-name"),
        ("/com1%20.txt", "device-name"),
        ("/x.asp%00.jpg", "nul-in-path"),
        ("/x%0d%0ay", "control-in-path"),
        ("/x%7fy", "control-in-path"),
        ("/x%c2%85y", "control-in-path"),
        ("/x%c2%80%c2%9f", "control-in-path"),
        ("/x*", "bad-path-character"),
        ("/x%3f+.htr", "bad-path-character"),
        ("/x.bat%22%26dir", "bad-path-character"),
        ("/x%3cy%3e", "bad-path-character"),
        ("/x%7cy", "bad-path-character"),
    ];
    for server in ["iis4", "iis5", "iis5.1", "iis6", "iis7", "iis8", "iis10", "any"] {
        for pages in [DEFAULT_PAGES, JAPANESE, WESTERN] {
            for (path, reason) in rows {
                assert_reason(path, server, pages, reason);
            }
        }
    }
}

/// Nothing is overlong to a server that does not read it so: it may be a name (`%DF%E3%C0%8B` in 1251).
#[test]
fn overlong_where_it_is_read() {
    let paths = [
        "/..%c0%afwinnt",
        "/..%c1%9cwinnt",
        "/%c0%aex",
        "/x%e0%80%afy",
        "/x%f0%80%80%afy",
        "/x%c0%ba%c0%ba$data",
    ];
    for path in paths {
        for pages in [DEFAULT_PAGES, JAPANESE, WESTERN] {
            for server in ["iis4", "iis5", "iis5.1", "iis6", "any"] {
                assert_reason(path, server, pages, "overlong-utf8");
            }
            for server in ["iis7", "iis8", "iis10"] {
                assert!(!reasons(&read(path.as_bytes(), server, pages)).contains(&"overlong-utf8"), "{path}");
            }
        }
    }
    assert_eq!(reasons(&read(b"/%DF%E3%C0%8B", "iis10", &[CodePage(1251)])), [""; 0]);
}

#[test]
fn best_fit_needs_the_page() {
    let rows = [
        ("/a%c2%a5b", JAPANESE),
        ("/a%ef%bc%8fb", WESTERN),
        ("/a%ef%bc%8fb", DEFAULT_PAGES),
        ("/x%ef%bc%8easp", WESTERN),
        ("/a%e2%88%95b", WESTERN),
        ("/x.%d9%aa69da", WESTERN),
        ("/a%e2%82%a9b", &[CodePage(949)]),
    ];
    for (path, pages) in rows {
        for server in ["iis4", "iis5", "iis5.1", "iis6", "iis7", "iis8", "iis10", "any"] {
            assert_reason(path, server, pages, "best-fit");
        }
    }
    assert_eq!(reasons(&read(b"/a%c2%a5b", "iis5", WESTERN)), [""; 0]);
    assert_eq!(reasons(&read(b"/a%e2%82%a9b", "iis5", JAPANESE)), [""; 0]);
}

#[test]
fn a_lead_byte_that_swallows() {
    for path in ["/x.asp%81", "/x%81/y.asp", "/x%81.asp", "/%e9.asp"] {
        assert_reason(path, "iis5", JAPANESE, "bad-dbcs");
        assert!(!reasons(&read(path.as_bytes(), "iis5", WESTERN)).contains(&"bad-dbcs"));
    }
    // Valid UTF-8 is not read as lead bytes: E3 81 82 and a dot.
    assert_eq!(reasons(&read(b"/%e3%81%82.asp", "iis5", JAPANESE)), [""; 0]);
}

/// What is a control character in UTF-8 only by chance is none: half-width katakana before a kanji, or a capital
/// of France before another.
#[test]
fn controls_above_ascii_are_meant() {
    assert_reason("/x%c2%85y%ff", "iis5", WESTERN, "control-in-path");
    for (path, pages) in [
        ("/%ca%df%b0%c2%95%5c.asp", JAPANESE),
        ("/%ca%df%b0%c2%8f%57.asp", JAPANESE),
        ("/%c2GE.asp", WESTERN),
        ("/%85%96.asp", WESTERN),
        ("/%c2%a0.asp", WESTERN),
    ] {
        for server in ["iis4", "iis5", "iis5.1", "iis6", "any"] {
            let readings = read(path.as_bytes(), server, pages);
            assert!(!reasons(&readings).contains(&"control-in-path"), "{path} on {server}");
        }
    }
}

/// The relaxation holds for trail bytes and for nothing else.
#[test]
fn a_backslash_beside_japanese_characters_counts() {
    for path in ["/%95%5c%5c..%5cx", "/%95%5c/%5cx", "/%e8%a1%a8%5cx", "/%e4%bd%95%5cx"] {
        assert_reason(path, "iis5", JAPANESE, "backslash");
    }
    assert_reason("/a/%95%5c../%83%5c/..%5cx", "iis5", JAPANESE, "traversal");
}

#[test]
fn the_gravest_comes_first() {
    let readings = read(b"/scripts/..%255c..%c0%af../x.asp::$DATA", "iis5", DEFAULT_PAGES);
    let found = reasons(&readings);
    let at = |reason| found.iter().position(|&other| other == reason).unwrap();
    assert_eq!(found[0], "overlong-utf8");
    assert!(at("double-escape") < at("traversal") && at("traversal") < at("stream"));
}

#[test]
fn an_anomaly_points_into_its_reading() {
    let readings = read(b"/a/b%5cc", "iis5", WESTERN);
    let anomaly = readings.anomalies()[0];
    assert_eq!(anomaly.reason.name(), "backslash");
    assert_eq!(paths(&readings)[usize::from(anomaly.reading)].as_bytes()[anomaly.offset as usize], b'/');
    assert_eq!(anomaly.offset, 4);
}

/// X5 to X7: what Windows or a script map would take for the path, with every name cut short.
#[test]
fn opened_paths() {
    let rows = [
        ("/scripts/Admin.dll;x.gif", "/scripts/admin.dll"),
        ("/c/inetpub;a/x;b/", "/c/inetpub/x/"),
        ("/a/../x.ida::$DATA", "/x.ida"),
        ("/scripts/admin.dll%20%20.;", "/scripts/admin.dll"),
        ("/a/x.asp", "/a/x.asp"),
        ("/a/..;/b", "/b"),
        ("/x.id%c1%f1%fc", "/x.idq"),
    ];
    for (path, opened) in rows {
        let readings = read(path.as_bytes(), "iis5", JAPANESE);
        let mut views = (0..readings.len()).map(|index| readings.view(index).opened);
        assert!(views.any(|view| view == opened.as_bytes()), "{path}: {:?}", readings.view(0).opened);
    }
}

/// A `~` that is also the second byte of a double-byte character, whose first byte an overlong letter takes.
#[test]
fn short_name_behind_an_overlong_letter() {
    assert_reason("/docs/PROGR%c1%81~1/x.htm", "iis5", JAPANESE, "short-name");
    // ﾃﾞｰﾀ表1, ミ1 and ﾁ表 are names like others.
    for honest in ["/%C3%DE%B0%C0%95%5C1.xls", "/%83~1.jpg", "/%C1%95%5C.xls"] {
        assert_eq!(reasons(&read(honest.as_bytes(), "iis5", JAPANESE)), [""; 0], "{honest}");
    }
}
