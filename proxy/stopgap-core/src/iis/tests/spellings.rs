//! Is what IIS would open among the readings, however it is spelled?

use super::{DEFAULT_PAGES, JAPANESE, WESTERN, extensions, names, paths, read, reasons, resolved};

/// Catalogue 2.3: the wire forms of Nimda's probes, and what they reach.
#[test]
fn the_sixteen_probes_of_nimda() {
    let direct =
        ["/scripts/root.exe", "/MSADC/root.exe", "/c/winnt/system32/cmd.exe", "/d/winnt/system32/cmd.exe"];
    for path in direct {
        let readings = read(path.as_bytes(), "iis5", DEFAULT_PAGES);
        assert_eq!(paths(&readings), [path.to_ascii_lowercase()]);
        assert!(extensions(&readings).contains(&"exe".into()));
    }
    let climbing = [
        "/scripts/..%255c../winnt/system32/cmd.exe",
        "/_vti_bin/..%255c../..%255c../..%255c../winnt/system32/cmd.exe",
        "/_mem_bin/..%255c../..%255c../..%255c../winnt/system32/cmd.exe",
        "/msadc/..%255c../..%255c../..%255c/..%c1%1c../..%c1%1c../..%c1%1c../winnt/system32/cmd.exe",
        "/scripts/..%c1%1c../winnt/system32/cmd.exe",
        "/scripts/..%c0%2f../winnt/system32/cmd.exe",
        "/scripts/..%c0%af../winnt/system32/cmd.exe",
        "/scripts/..%c1%9c../winnt/system32/cmd.exe",
        "/scripts/..%%35%63../winnt/system32/cmd.exe",
        "/scripts/..%%35c../winnt/system32/cmd.exe",
        "/scripts/..%25%35%63../winnt/system32/cmd.exe",
        "/scripts/..%252f../winnt/system32/cmd.exe",
    ];
    for server in ["iis4", "iis5", "any"] {
        for pages in [DEFAULT_PAGES, JAPANESE, WESTERN] {
            for path in climbing {
                let readings = read(path.as_bytes(), server, pages);
                assert!(
                    resolved(&readings).contains(&"/winnt/system32/cmd.exe".into()),
                    "{path} on {server}"
                );
                assert!(reasons(&readings).contains(&"traversal"), "{path} on {server}");
            }
        }
    }
    // Where nothing decodes it, what is overlong climbs nowhere.
    for path in climbing.iter().filter(|path| !path.contains("/..%c")) {
        assert!(!reasons(&read(path.as_bytes(), "iis10", DEFAULT_PAGES)).is_empty(), "{path} on iis10");
    }
}

/// Every spelling of an .ida request that the catalogue knows.
#[test]
fn spellings_of_ida() {
    let rows = [
        ("/x.IDA", "iis7"),
        ("/.ida", "iis7"),
        ("/x.%69da", "iis7"),
        ("/x%2Eid%61", "iis7"),
        ("/x.ida/foo.gif", "iis7"),
        ("/x.ida;.gif", "iis7"),
        ("/x.ida::$DATA", "iis7"),
        ("/x.ida%00.gif", "iis7"),
        ("/x.ida%20", "iis7"),
        ("/x.ida.", "iis7"),
        ("/x.ida%20.;y", "iis7"),
        ("/x.ida.%00y:z", "iis7"),
        ("/a;x.ida;b", "iis7"),
        ("/x.%u0069da", "iis7"),
        ("/x.%2569da", "iis5"),
        ("/x.%252569da", "iis5"),
        ("/x.%25252569da", "iis5"),
        ("/x.%%36%39da", "iis5"),
        ("/x.%%369da", "iis5"),
        ("/x.%25u0069da", "iis5"),
        ("/x.%5pda", "iis4"),
        ("/x.%5pda", "any"),
        ("/x%1uida", "iis4"),
        ("/x.%c1%a9da", "iis5.1"),
        ("/x%c0%aeida", "iis6"),
        ("/x.%e0%81%a9da", "iis5"),
        ("/x.%f0%80%81%a9da", "iis6"),
        ("/x.%f0%80%81%a9da", "any"),
        ("/x.%c1)da", "iis5"),
        ("/x.%c4%b1da", "iis5"),
        ("/x.%ef%bd%89da", "iis5"),
        ("/x.%uff49da", "iis5"),
        ("/x%uff0eida", "iis5"),
        ("/x.%u0131da", "iis5"),
        ("/x.%ef%bc%8569da", "iis5"),
        ("/x.i%c4%91a", "iis6"),
        ("/x.%c3%aeda", "iis5"),
        ("/x.%c4%b1da", "iis7"),
        ("/default%ef%bc%8eida", "iis10"),
    ];
    for (path, server) in rows {
        let readings = read(path.as_bytes(), server, DEFAULT_PAGES);
        assert!(extensions(&readings).contains(&"ida".into()), "{path} on {server}: {:?}", paths(&readings));
    }
    // Folded on 932 too: U+00EE.
    assert!(extensions(&read(b"/x.%c3%aeda", "iis5", JAPANESE)).contains(&"ida".into()));
}

/// A reading that a server cannot have is not there.
#[test]
fn later_servers_decode_once() {
    for path in ["/x.%2569da", "/x.%5pda"] {
        let readings = read(path.as_bytes(), "iis7", DEFAULT_PAGES);
        assert!(!extensions(&readings).contains(&"ida".into()), "{path}: {:?}", paths(&readings));
    }
    assert!(!extensions(&read(b"/x.%5pda", "iis5", DEFAULT_PAGES)).contains(&"ida".into()));
}

#[test]
fn arithmetic_of_ms99_061() {
    // KB Q246401: %3p is I; SID 1010: %1u is a dot.
    assert!(paths(&read(b"/%3p%1u", "iis4", WESTERN)).contains(&"/i.".into()));
}

#[test]
fn a_trail_byte_is_read_both_ways() {
    let readings = read(b"/%95%5cx.asp", "iis5", JAPANESE);
    assert_eq!(paths(&readings)[0], "/表x.asp");
    assert!(paths(&readings).contains(&"/\u{95}/x.asp".into()));
}

#[test]
fn a_lead_byte_swallows_and_does_not() {
    let readings = read(b"/x%81.asp", "iis5", JAPANESE);
    assert!(paths(&readings).contains(&"/x\u{FFFD}asp".into()));
    assert!(paths(&readings).contains(&"/x\u{81}.asp".into()));
}

#[test]
fn names_are_cut_where_windows_cuts_them() {
    let readings = read(b"/x.asp%20;a.b:c.%00d", "iis7", WESTERN);
    let expected = ["x.asp ;a.b:c.\0d", "x.asp ", "x.asp", "x.asp ;a.b", "x.asp ;a.b:c.", "x.asp ;a.b:c"];
    assert_eq!(names(&readings), expected);
    let view = readings.view(0);
    assert!(view.names[0].whole && view.names[1..].iter().all(|name| !name.whole));
    assert!(view.names.iter().all(|name| name.last && name.segment == 0));
}

#[test]
fn dot_segments_are_resolved() {
    let rows = [
        ("/a/../b", "/b"),
        ("/a/b/../../../c/", "/c/"),
        ("/a/.", "/a/"),
        ("/a/b/..", "/a/"),
        ("/..", "/"),
        ("/./a/./b", "/a/b"),
        ("/a/%2e%2E/", "/"),
    ];
    for (path, expected) in rows {
        assert_eq!(resolved(&read(path.as_bytes(), "iis7", WESTERN)), [expected], "{path}");
    }
}

#[test]
fn separators_collapse() {
    for path in ["/a//b", "/a/%2fb", "/a%2f%2Fb", "//a/b", "/a/%5c/b", "/a\\b"] {
        assert_eq!(paths(&read(path.as_bytes(), "iis7", WESTERN))[0], "/a/b", "{path}");
    }
    assert_eq!(paths(&read(b"", "iis7", WESTERN)), ["/"]);
    assert_eq!(paths(&read(b"*", "iis7", WESTERN)), ["/*"]);
}

#[test]
fn steps_tell_how() {
    let readings = read(b"/x%ef%bc%8569da", "iis5", WESTERN);
    let at = |path: &str| readings.steps(paths(&readings).iter().position(|other| other == path).unwrap());
    assert_eq!(at("/x％69da"), ["percent", "utf8"]);
    assert_eq!(at("/x%69da"), ["percent", "utf8", "best-fit-1252"]);
    assert_eq!(at("/xida"), ["percent", "utf8", "best-fit-1252", "percent-2"]);
    let readings = read(b"/%95%5c%c0%aea", "iis5", DEFAULT_PAGES);
    let all: Vec<_> = (0..readings.len()).map(|index| readings.steps(index).join(" ")).collect();
    let lax = ["percent utf8-lax cp1252", "percent utf8-lax cp932"];
    assert_eq!(all, ["percent cp932", "percent cp1252", lax[0], lax[1]]);
    assert_eq!(read(b"/a/%u0062", "iis5", WESTERN).steps(0), ["percent-u"]);
}
