//! What of the core is fuzzed by coverage, and what must hold for any bytes?
//!
//! The first two bytes of an input choose server and code page, as in `tests/fuzz/targets.py`, so that both
//! share a corpus; the rest is what a client or an origin sent. A target panics when a promise is broken.
//! Policies are compiled once for each setting, from the specifications (two a server) in the folder that
//! `STOPGAP_FUZZ_SPECS` names: all packs for what a client sends, and none, but scrubbed answers, for what an
//! origin does.

mod gate;

use std::collections::HashMap;
use std::env;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use _core::http1::framing::{Framing, Length, framing};
use _core::http1::head::{self, Bounds, Head};
use _core::http1::rewrite::{self, Hop};
use _core::iis::codepage;
use _core::iis::readings::Readings;
use _core::iis::table::{CodePage, SERVERS};
use _core::policy::{Policy, Work};
use serde_json::Value;

use crate::gate::{Gate, Said, converse};

pub type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 6] = [
    ("head", parse_head),
    ("receive", receive),
    ("respond", respond),
    ("out-of-turn", out_of_turn),
    ("readings", readings),
    ("judge", judge),
];

const GUARDED: &str = "guarded";
const PLAIN: &str = "plain";
const BOUNDS: Bounds = Bounds { line: 8192, head: 32_768, fields: 100 };
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: vector.test\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
/// Settings whose policies are kept; all there are, today.
const KEPT: usize = 256;

/// The target that the environment names.
#[must_use]
pub fn chosen() -> Target {
    let name = env::var("STOPGAP_FUZZ_TARGET").unwrap_or_default();
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    found
        .unwrap_or_else(|| panic!("STOPGAP_FUZZ_TARGET={name:?} is none of {:?}", TARGETS.map(|row| row.0)))
        .1
}

/// Server and code page of an input, and the rest of it.
fn setting(data: &[u8]) -> (usize, u16, &[u8]) {
    let pages: Vec<u16> = codepage::numbers().collect();
    let byte = |at: usize| usize::from(data.get(at).copied().unwrap_or(0));
    (byte(0) % SERVERS.len(), pages[byte(1) % pages.len()], data.get(2..).unwrap_or(b""))
}

fn compile(server: usize, page: u16, kind: &str) -> Arc<Policy> {
    let folder = env::var("STOPGAP_FUZZ_SPECS").expect("STOPGAP_FUZZ_SPECS names a folder");
    let path = Path::new(&folder).join(format!("{}-{kind}.json", SERVERS[server].name));
    let text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut spec: Value = serde_json::from_slice(&text).expect("a specification is JSON");
    spec["sites"][0]["codepages"] = Value::from(vec![page]);
    Arc::new(Policy::compile(spec.to_string().as_bytes()).expect("the specification compiles"))
}

/// Run with the gate of an input's setting, and of the kind of specification that the target is for.
fn with_gate(data: &[u8], kind: &str, run: impl FnOnce(&mut Gate, &[u8])) {
    thread_local! {
        static GATES: std::cell::RefCell<HashMap<(usize, u16), Gate>> = std::cell::RefCell::default();
    }
    let (server, page, rest) = setting(data);
    GATES.with_borrow_mut(|gates| {
        if gates.len() >= KEPT && !gates.contains_key(&(server, page)) {
            gates.clear();
        }
        run(gates.entry((server, page)).or_insert_with(|| Gate::new(compile(server, page, kind))), rest);
    });
}

/// Some cuts of the data, told by its own bytes.
fn pieces(data: &[u8]) -> Vec<&[u8]> {
    let mut state = data.iter().fold(0x9e37_79b9_u32, |sum, byte| sum.rotate_left(5) ^ u32::from(*byte));
    let mut ends: Vec<usize> = (0..5)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state as usize % (data.len() + 1)
        })
        .collect();
    ends.push(data.len());
    ends.sort_unstable();
    let mut start = 0;
    let cut = ends.into_iter().map(|end| {
        let piece = &data[start..end];
        start = end;
        piece
    });
    cut.filter(|piece| !piece.is_empty()).collect()
}

/// A head that is taken is taken nowhere earlier, and what is written from it is read as the same request.
fn parse_head(data: &[u8]) {
    let (_, _, rest) = setting(data);
    let mut head = Head::default();
    if head::parse(rest, &mut head, &BOUNDS) != Ok(true) {
        return;
    }
    let length = head.length;
    assert!(length <= rest.len());
    let mut shorter = Head::default();
    for end in [length - 1, length / 2] {
        assert_eq!(
            head::parse(&rest[..end], &mut shorter, &BOUNDS),
            Ok(false),
            "a head ended before its end"
        );
    }
    let Ok(plan) = framing(rest, &head) else { return };
    let hop = Hop {
        client: "192.0.2.7",
        tls: false,
        trusted: false,
        default_host: "vector.test",
        strip: &[],
        close: false,
        upgrade: false,
        sticky: None,
    };
    let mut out = Vec::new();
    rewrite::head(rest, &head, &plan, &hop, &mut out);
    rewrite::finish(&mut out, if let Length::Exact(length) = plan.length { Some(length) } else { None });
    let (again, framed) = reread(&out);
    assert_eq!(again.method.of(&out), head.method.of(rest));
    assert_eq!(again.query.map(|span| span.of(&out)), head.query.map(|span| span.of(rest)));
    assert_eq!(framed.length, if plan.length == Length::Chunked { Length::None } else { plan.length });
}

/// What the core wrote for an origin, read again; it must be readable, and all of it one head.
fn reread(out: &[u8]) -> (Head, Framing) {
    let mut head = Head::default();
    let bounds = Bounds { line: 1 << 20, head: 1 << 20, fields: 200 };
    assert_eq!(head::parse(out, &mut head, &bounds), Ok(true), "what was sent cannot be read");
    let plan = framing(out, &head).expect("what was sent can be framed");
    (head, plan)
}

/// Client bytes, whole and in pieces: the same requests, the same end. Each request is exactly one.
fn receive(data: &[u8]) {
    with_gate(data, GUARDED, |gate, rest| {
        let mut ended = rest.to_vec();
        ended.extend_from_slice(b"\r\n\r\n");
        let whole = converse(gate, &[&ended], &[ANSWER]);
        for request in &whole.requests {
            let (head, plan) = reread(request);
            let body = (request.len() - head.length) as u64;
            match plan.length {
                Length::Exact(length) => assert_eq!(length, body, "a declared length is not the sent one"),
                Length::None => assert_eq!(body, 0, "bytes behind a request"),
                Length::Chunked => panic!("chunked to an origin"),
            }
        }
        let cut = converse(gate, &pieces(&ended), &[ANSWER]);
        assert_eq!(whole.requests, cut.requests);
        assert_eq!((whole.closed, whole.reasons), (cut.closed, cut.reasons));
    });
}

/// Origin bytes, whole and in pieces: the client gets the same head and the same end.
fn respond(data: &[u8]) {
    with_gate(data, PLAIN, |gate, rest| {
        if rest.is_empty() {
            return; // no pieces: an origin that is silent
        }
        let whole = converse(gate, &[REQUEST], &[rest]);
        let cut = converse(gate, &[REQUEST], &pieces(rest));
        assert_eq!(whole.closed, cut.closed);
        assert_eq!(first_head(&whole), first_head(&cut));
    });
}

fn first_head(said: &Said) -> &[u8] {
    let end = said.client.windows(4).position(|window| window == b"\r\n\r\n");
    end.map_or(&said.client[..], |end| &said.client[..end])
}

/// Both sides talk in any order, and the gate's own calls come in between.
fn out_of_turn(data: &[u8]) {
    with_gate(data, PLAIN, |gate, rest| {
        let mut line = gate.connect(&[]);
        for piece in rest.chunks(9) {
            let (turn, said) = (piece[0], &piece[1..]);
            match turn % 8 {
                0..=2 => line.receive(gate, said),
                3..=5 => line.respond(gate, said),
                6 if turn & 64 == 0 => line.receive(gate, REQUEST),
                6 => line.expire(gate, u64::from(turn) * 1_000_000_000),
                _ if turn & 64 == 0 => line.respond(gate, ANSWER),
                _ => line.lost(gate),
            }
        }
        line.finish(gate);
    });
}

/// A target has readings, and none of them holds a backslash or dot segments that were not resolved.
fn readings(data: &[u8]) {
    thread_local! {
        static READINGS: std::cell::RefCell<Readings> = std::cell::RefCell::default();
    }
    let (server, page, rest) = setting(data);
    let path = rest.split(|byte| *byte == b'?').next().unwrap_or(rest);
    READINGS.with_borrow_mut(|readings| {
        readings.read(if path.is_empty() { b"/" } else { path }, &SERVERS[server], &[CodePage(page)]);
        assert!(!readings.is_empty());
        for index in 0..readings.len() {
            let view = readings.view(index);
            assert!(std::str::from_utf8(view.path).is_ok() && std::str::from_utf8(view.resolved).is_ok());
            assert!(!view.path.contains(&b'\\') && !view.resolved.contains(&b'\\'));
            assert!(!view.resolved.windows(4).any(|window| window == b"/../"));
        }
    });
}

/// A whole request is judged as it is explained.
fn judge(data: &[u8]) {
    with_gate(data, GUARDED, |gate, rest| {
        let policy = gate.policy.clone();
        let mut work = Work::default();
        let verdict = policy.judge_whole(rest, Some(0), true, &mut work).verdict;
        if let Some(rule) = verdict.as_ref().and_then(|verdict| verdict.rule) {
            assert!((rule as usize) < policy.rules.len());
        }
        if data.len() % 16 == 0 {
            let told = policy.explain(rest, Some(0), &mut work);
            let reason = told["verdict"]["reason"].as_str();
            assert_eq!(reason, verdict.map(|verdict| verdict.reason.name()));
        }
    });
}
