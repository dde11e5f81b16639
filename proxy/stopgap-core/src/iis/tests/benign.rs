//! Does what honest clients send pass without an anomaly?

use super::{DEFAULT_PAGES, JAPANESE, WESTERN, names, paths, read, reasons, resolved};
use crate::iis::codepage::page;
use crate::iis::table::CodePage;

const SERVERS: [&str; 8] = ["iis4", "iis5", "iis5.1", "iis6", "iis7", "iis8", "iis10", "any"];

#[test]
fn plain_paths_have_one_reading() {
    let rows: [(&str, &str, &[&str]); 6] = [
        ("/kaikei/shiwake/list.asp", "/kaikei/shiwake/list.asp", &["kaikei", "shiwake", "list.asp"]),
        ("/", "/", &[]),
        ("/Scripts/", "/scripts/", &["scripts"]),
        ("/foo+bar.htm", "/foo+bar.htm", &["foo+bar.htm"]),
        ("/a.b.c/d", "/a.b.c/d", &["a.b.c", "d"]),
        (
            "/Exchange/user@x.example/Inbox",
            "/exchange/user@x.example/inbox",
            &["exchange", "user@x.example", "inbox"],
        ),
    ];
    for name in SERVERS {
        for (path, reading, segments) in rows {
            let readings = read(path.as_bytes(), name, DEFAULT_PAGES);
            assert_eq!(paths(&readings), [reading]);
            assert_eq!(resolved(&readings), [reading]);
            assert_eq!(names(&readings), segments);
            assert!(readings.anomalies().is_empty() && readings.steps(0).is_empty());
            assert_eq!(usize::from(readings.view(0).depth), segments.len());
        }
    }
}

#[test]
fn the_last_name_and_its_dot() {
    let readings = read(b"/a.b/C.tar.gz", "any", DEFAULT_PAGES);
    let view = readings.view(0);
    let shown: Vec<_> =
        view.names.iter().map(|n| (n.start, n.end, n.dot, n.segment, n.whole, n.last)).collect();
    assert_eq!(shown, [(1, 4, 2, 0, true, false), (5, 13, 10, 1, true, true)]);
}

#[test]
fn odd_but_honest_paths() {
    let rows = [
        ("/a//b/./c.asp", "/a/b/./c.asp", "/a/b/c.asp"),
        ("/100%25.htm", "/100%.htm", "/100%.htm"),
        ("/x;jsessionid=A1B2", "/x;jsessionid=a1b2", "/x;jsessionid=a1b2"),
        ("/x.jsp;jsessionid=A1B2", "/x.jsp;jsessionid=a1b2", "/x.jsp;jsessionid=a1b2"),
        ("/~user/index.html", "/~user/index.html", "/~user/index.html"),
        ("/a%20b.htm", "/a b.htm", "/a b.htm"),
        ("/.well-known/x", "/.well-known/x", "/.well-known/x"),
        ("/console/com10/auxiliary.htm", "/console/com10/auxiliary.htm", "/console/com10/auxiliary.htm"),
        ("/%E7%B5%8C%E7%90%86/%E8%A1%A8.asp", "/経理/表.asp", "/経理/表.asp"),
        ("/%E3%83%87%E3%83%BC%E3%82%BF%EF%BC%A1.xls", "/データＡ.xls", "/データＡ.xls"),
    ];
    for name in SERVERS {
        for (path, first, resolved_first) in rows {
            let readings = read(path.as_bytes(), name, DEFAULT_PAGES);
            assert_eq!(reasons(&readings), [""; 0], "{path} on {name}");
            assert_eq!(paths(&readings)[0], first);
            assert_eq!(resolved(&readings)[0], resolved_first);
        }
    }
}

/// The Japanese-specific trap of catalogue 1.3: trail bytes that look like `\`, `|` and `~`.
#[test]
fn shift_jis_names() {
    let rows = [
        ("/%95%5C.asp", "/表.asp"),
        ("/%83%5C%83t%83g/%94%5C%97%5C.htm", "/ソフト/能予.htm"),
        ("/%83|%83%7C.gif", "/ポポ.gif"),
        ("/%83~1.jpg", "/ミ1.jpg"),
        ("/%C0%DE%B2%B1/%C3%DE%B0%C0/x.asp", "/ﾀﾞｲｱ/ﾃﾞｰﾀ/x.asp"),
        ("/%88%C0%91S/%8E%C0.html", "/安全/実.html"),
        ("/%8E%96%8E%C0/%93%C1%95%CA", "/事実/特別"),
        ("/%8A%C2e.htm", "/環e.htm"),
        ("/%C0%BC%BC%DE", "/ﾀｼｼﾞ"),
    ];
    for pages in [JAPANESE, DEFAULT_PAGES] {
        for name in SERVERS {
            for (path, first) in rows {
                let readings = read(path.as_bytes(), name, pages);
                assert_eq!(reasons(&readings), [""; 0], "{path} on {name}: {:?}", paths(&readings));
                assert_eq!(paths(&readings)[0], first);
            }
        }
    }
}

#[test]
fn full_width_forms_stay_on_a_japanese_site() {
    let path = "/%EF%BC%8F%EF%BC%8E%EF%BC%9A%EF%BD%9E.asp";
    let readings = read(path.as_bytes(), "any", JAPANESE);
    assert_eq!(reasons(&readings), [""; 0]);
    assert_eq!(paths(&readings)[0], "/／．：～.asp");
}

#[test]
fn latin_1_names_on_a_western_site() {
    for (path, reading) in [("/caf%E9/men%FC.htm", "/café/menü.htm"), ("/%C0la.htm", "/Àla.htm")] {
        let readings = read(path.as_bytes(), "any", WESTERN);
        assert_eq!(reasons(&readings), [""; 0], "{path}");
        assert_eq!(paths(&readings)[0], reading);
    }
}

#[test]
fn utf_8_is_not_taken_for_folded_bytes() {
    // U+5C65 is E5 B1 A5: its last byte alone would be U+00A5, a backslash on 932.
    let readings = read(b"/%E5%B1%A5.htm", "any", JAPANESE);
    assert_eq!(reasons(&readings), [""; 0]);
    assert!(paths(&readings).iter().all(|path| path.matches('/').count() == 1));
}

/// A name whose last byte is a lead byte of 932, at the end of the path.
#[test]
fn utf_8_names_at_the_end() {
    for name in SERVERS {
        for path in ["/%E4%BC%9A%E8%A8%88", "/%E6%99%81/%E3%83%81", "/a.%E3%82%81"] {
            let readings = read(path.as_bytes(), name, JAPANESE);
            assert_eq!(reasons(&readings), [""; 0], "{path} on {name}: {:?}", paths(&readings));
        }
    }
}

/// Every character of cp932, alone and doubled, between separators and before an extension. Doubled, three
/// rare ones are an overlong backslash (C1 9C, which Nimda sends), space and colon: those stay refused.
#[test]
fn every_character_of_shift_jis() {
    let page = page(CodePage(932)).unwrap();
    let leads = (0x81..=0xFC_u8).filter(|&lead| page.is_lead(lead));
    let pairs = leads.flat_map(|lead| (0x40..=0xFC).map(move |trail| (lead, trail)));
    let mut refused = Vec::new();
    for (lead, trail) in pairs.filter(|&(_, trail)| page.is_trail(trail)) {
        let char = format!("%{lead:02X}%{trail:02X}");
        let path = format!("/{char}/{char}{char}/x{char}.asp");
        for (name, pages) in [("iis5", JAPANESE), ("iis7", JAPANESE), ("iis7", DEFAULT_PAGES)] {
            let readings = read(path.as_bytes(), name, pages);
            if !readings.anomalies().is_empty() {
                refused.push((name, char.clone()));
            }
        }
    }
    refused.dedup();
    let expected = [("iis5", "%9C%C1"), ("iis5", "%E0%C0"), ("iis5", "%FA%C0")];
    assert_eq!(refused, expected.map(|(name, char)| (name, char.to_owned())));
}
