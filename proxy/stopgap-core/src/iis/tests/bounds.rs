//! Do the readings stay whole and bounded whatever the bytes are?

use proptest::prelude::*;

use super::{DEFAULT_PAGES, paths, read, reasons, server};
use crate::iis::readings::QueryReadings;
use crate::iis::room::Room;
use crate::iis::table::{CodePage, SERVERS};

const PAGES: &[CodePage] =
    &[CodePage(1252), CodePage(932), CodePage(936), CodePage(949), CodePage(950), CodePage(850)];

/// Bytes that mean something to a decoder come often.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        any::<u8>().prop_map(|byte| vec![byte]),
        any::<u8>().prop_map(|byte| format!("%{byte:02x}").into_bytes()),
        any::<u8>().prop_map(|byte| format!("%25{byte:02x}").into_bytes()),
        any::<u16>().prop_map(|char| format!("%u{char:04x}").into_bytes()),
        prop::sample::select(vec![
            "%", "..", "/", "\\", "%c0", "%e0", ";", ":", "~1", ".", " ", "%%35", "%81", "%3p"
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    prop::collection::vec(token, 0..40).prop_map(|tokens| tokens.concat())
}

proptest! {
    #[test]
    fn any_bytes_give_whole_readings(path in hostile(), row in 0..SERVERS.len(), pages in 0..=PAGES.len()) {
        let readings = read(&path, SERVERS[row].name, &PAGES[..pages]);
        prop_assert!((1..=64).contains(&readings.len()));
        for index in 0..readings.len() {
            let view = readings.view(index);
            prop_assert!(std::str::from_utf8(view.path).is_ok() && std::str::from_utf8(view.resolved).is_ok());
            prop_assert!(view.path.starts_with(b"/") && view.resolved.starts_with(b"/"));
            prop_assert!(!view.path.iter().any(|byte| matches!(byte, b'\\' | b'A'..=b'Z')));
            prop_assert!(!view.path.windows(2).any(|two| two == b"//"));
            prop_assert!(!view.resolved.split(|&byte| byte == b'/').any(|segment| matches!(segment, b"." | b"..")));
            let segments: Vec<_> = view.path.split(|&byte| byte == b'/').filter(|segment| !segment.is_empty()).collect();
            prop_assert_eq!(usize::from(view.depth), segments.len());
            let whole: Vec<_> = view.names.iter().filter(|name| name.whole)
                .map(|name| &view.path[name.start as usize..name.end as usize]).collect();
            prop_assert_eq!(whole, segments);
            for name in view.names {
                let text = &view.path[name.start as usize..name.end as usize];
                let dot = text.iter().rposition(|&byte| byte == b'.').map_or(name.end, |dot| name.start + dot as u32);
                prop_assert_eq!(name.dot, dot);
                prop_assert_eq!(name.last, name.segment + 1 == view.depth);
            }
        }
        for anomaly in readings.anomalies() {
            prop_assert!(usize::from(anomaly.reading) < readings.len());
            prop_assert!(anomaly.offset as usize <= readings.view(anomaly.reading.into()).path.len());
        }
    }

    /// A used buffer gives what a fresh one gives.
    #[test]
    fn buffers_are_reused(first in hostile(), second in hostile()) {
        let mut used = read(&first, "any", PAGES);
        used.read(&second, server("any"), DEFAULT_PAGES);
        let fresh = read(&second, "any", DEFAULT_PAGES);
        prop_assert_eq!(paths(&used), paths(&fresh));
        prop_assert_eq!(used.anomalies(), fresh.anomalies());
    }

    /// Whatever a later server reads, an older one may read too.
    #[test]
    fn any_reads_what_each_server_reads(path in hostile(), row in 0..SERVERS.len()) {
        let union = read(&path, "any", DEFAULT_PAGES);
        if !reasons(&union).contains(&"too-many-readings") {
            let all = paths(&union);
            for path in paths(&read(&path, SERVERS[row].name, DEFAULT_PAGES)) {
                prop_assert!(all.contains(&path), "{}", path);
            }
        }
    }

    #[test]
    fn every_escaping_of_a_plain_path_reads_as_that_path(
        path in "/[a-z0-9]{1,8}(/[a-z0-9]{1,8}){0,3}(\\.[a-z]{1,4})?",
        escaped in prop::collection::vec(0..4u8, 48),
        row in 0..SERVERS.len(),
    ) {
        let spelled: String = path.bytes().zip(escaped).enumerate().map(|(at, (byte, how))| match how {
            1 if at > 0 => format!("%{byte:02x}"),
            2 if at > 0 => format!("%{byte:02X}"),
            3 => (byte as char).to_ascii_uppercase().to_string(),
            _ => (byte as char).to_string(),
        }).collect();
        prop_assert!(paths(&read(spelled.as_bytes(), SERVERS[row].name, DEFAULT_PAGES)).contains(&path));
        let twice = spelled.replace('%', "%25");
        prop_assert!(paths(&read(twice.as_bytes(), "iis5", DEFAULT_PAGES)).contains(&path));
    }

    #[test]
    fn any_query_gives_bounded_readings(query in hostile(), row in 0..SERVERS.len()) {
        let mut readings = QueryReadings::default();
        readings.read(&query, &SERVERS[row], PAGES, &mut Room::default());
        prop_assert!((1..=32).contains(&readings.len()));
        prop_assert_eq!(readings.get(0), query.to_ascii_lowercase());
    }
}

#[test]
fn too_many_readings_are_noted() {
    let path = "/%5z%ff%c2%a5%e2%88%96%ef%bc%8531%25%5z%25c2%25a5%2525e2%252588%252596%2525c0";
    assert_eq!(reasons(&read(path.as_bytes(), "any", PAGES))[0], "too-many-readings");
    let path = "/a;".repeat(20_000);
    assert_eq!(reasons(&read(path.as_bytes(), "any", PAGES))[0], "too-many-readings");
}

#[test]
fn a_query_says_when_readings_were_left_out() {
    let mut readings = QueryReadings::default();
    readings.read(
        b"a=%zz%ff%c2%a5%e2%88%96%ef%bc%85%2525%25zz%25ff",
        server("any"),
        PAGES,
        &mut Room::default(),
    );
    assert!(readings.is_incomplete());
    readings.read(b"a=%e8%a1%a8+1%25", server("any"), PAGES, &mut Room::default());
    assert!(!readings.is_incomplete());
}
