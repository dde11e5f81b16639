//! The pieces of HTTP/1 by themselves; whole conversations stand in `tests/wire`.

use proptest::prelude::*;

use super::answer::{Asked, Ending, read};
use super::chunked::{ChunkError, Decoder};
use super::framing::decimal;
use super::head::{Bounds, Head, parse};
use crate::verdict::Reason;

const BOUNDS: Bounds = Bounds { line: 100, head: 400, fields: 4 };

fn verdict(bytes: &[u8]) -> Result<bool, Reason> {
    parse(bytes, &mut Head::default(), &BOUNDS).map_err(|fault| fault.reason)
}

#[test]
fn a_head_has_one_grammar() {
    let cases: &[(&[u8], Result<bool, Reason>)] = &[
        (b"GET / HTTP/1.0\r\n\r\n", Ok(true)),
        (b"\r\nGET / HTTP/1.0\r\n\r\n", Ok(true)),
        (b"GET / HTTP/1.0\r\n", Ok(false)),
        (b" GET / HTTP/1.0\r\n\r\n", Err(Reason::LeadingWhitespace)),
        (b"get / HTTP/1.0\r\n\r\n", Err(Reason::BadMethod)),
        (b"GET\t/ HTTP/1.0\r\n\r\n", Err(Reason::TabInRequestLine)),
        (b"GET  / HTTP/1.0\r\n\r\n", Err(Reason::BadRequestLine)),
        (b"GET / x HTTP/1.0\r\n\r\n", Err(Reason::BadRequestLine)),
        (b"GET x HTTP/1.0\r\n\r\n", Err(Reason::BadTarget)),
        (b"GET /x.ida\r\n", Err(Reason::NoVersion)),
        (b"GET /x.ida\n", Err(Reason::BareLf)),
        (b"GET / HTTP/9.9\r\n\r\n", Err(Reason::BadVersion)),
        (b"GET / http/1.0\r\n\r\n", Err(Reason::BadVersion)),
        (b"GET / HTTP/1.0\r\nA: b\rc\r\n\r\n", Err(Reason::BareCr)),
        (b"GET / HTTP/1.0\r\nA: b\r\n c\r\n\r\n", Err(Reason::ObsFold)),
        (b"GET / HTTP/1.0\r\nA: b\r\n \t\r\nX: y\r\n\r\n", Err(Reason::WhitespaceLine)),
        (b"GET / HTTP/1.0\r\nA : b\r\n\r\n", Err(Reason::SpaceBeforeColon)),
        (b"GET / HTTP/1.0\r\n: b\r\n\r\n", Err(Reason::BadHeaderName)),
        (b"GET / HTTP/1.0\r\nA: \x00\r\n\r\n", Err(Reason::NulByte)),
        (b"GET / HTTP/1.0\r\nA: \x0b\r\n\r\n", Err(Reason::ControlByte)),
        (b"GET / HTTP/1.1\r\n\r\n", Err(Reason::MissingHost)),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", Err(Reason::DuplicateHost)),
        (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", Err(Reason::BadHost)),
        (b"GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", Err(Reason::HostMismatch)),
        (b"GET / HTTP/1.0\r\nA: 1\r\nA: 1\r\nA: 1\r\nA: 1\r\nA: 1\r\n\r\n", Err(Reason::TooManyHeaders)),
    ];
    for (bytes, expected) in cases {
        assert_eq!(verdict(bytes), *expected, "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_length_is_one_plain_number() {
    for (value, expected) in
        [(&b"0"[..], Some(0)), (b"12", Some(12)), (b"", None), (b"+1", None), (b"0x1", None)]
    {
        assert_eq!(decimal(value), expected);
    }
    assert_eq!(decimal(b"1234567890123456789"), None);
}

fn dechunk(mut decoder: Decoder, bytes: &[u8]) -> Result<(Vec<u8>, bool), ChunkError> {
    let mut data = Vec::new();
    let mut done = false;
    for byte in bytes.chunks(1) {
        done = decoder.feed(byte, 100, |run| data.extend_from_slice(run))?.done;
    }
    Ok((data, done))
}

#[test]
fn chunks_are_read_exactly() {
    let whole = Ok((b"hello".to_vec(), true));
    assert_eq!(dechunk(Decoder::default(), b"5\r\nhello\r\n0\r\n\r\n"), whole);
    assert_eq!(dechunk(Decoder::default(), b"5\r\nhello\r\n0\r\nA: b\r\n\r\n"), whole);
    let odd: [&[u8]; 8] = [
        b"05\r\nhello",
        b"+5\r\nhello",
        b"5 \r\nhello",
        b"5;a\r\nhello",
        b"5\nhello",
        b"5\r\nhelloX",
        b"123456789",
        b"\r\n",
    ];
    for bytes in odd {
        assert_eq!(dechunk(Decoder::default(), bytes), Err(ChunkError::Grammar), "{}", bytes.escape_ascii());
    }
    let lines: [&[u8]; 6] = [b"GET / HTTP/1.1", b"A", b"A : b", b"A b: c", b"\"A\": b", b"A\x80: b"];
    for line in lines {
        let bytes = [&b"5\r\nhello\r\n0\r\n"[..], line, b"\r\n\r\n"].concat();
        assert_eq!(dechunk(Decoder::default(), &bytes), Err(ChunkError::Grammar), "{}", bytes.escape_ascii());
        assert_eq!(dechunk(Decoder::lenient(), &bytes), whole);
    }
    assert_eq!(dechunk(Decoder::default(), b"65\r\n"), Err(ChunkError::TooLong));
    // Answers may be padded and extended; the client gets chunks of ours.
    for bytes in [&b"005 \r\nhello\r\n000\r\n\r\n"[..], b"5;a=\"b\"\r\nhello\r\n0\r\n\r\n"] {
        assert_eq!(dechunk(Decoder::lenient(), bytes), whole);
    }
}

#[test]
fn an_answer_has_one_end() {
    let asked = Asked { head: false, minor: 1, keep_alive: true, upgrade: false };
    let ending = |bytes: &[u8], asked: Asked| {
        read(bytes, &asked, None, &mut Vec::new()).map(|answer| answer.map(|answer| answer.ending))
    };
    let cases: &[(&[u8], Option<Option<Ending>>)] = &[
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", Some(Some(Ending::Exact(3)))),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", Some(Some(Ending::Exact(3)))),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Some(Some(Ending::Chunked))),
        (b"HTTP/1.1 200 OK\r\n\r\n", Some(Some(Ending::Close))),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", Some(Some(Ending::None))),
        (b"HTTP/1.1 200 OK\r\n", Some(None)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", None),
        (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", None),
        (b"HTTP/1.1 101 Switching\r\n\r\n", None),
    ];
    for (bytes, expected) in cases {
        assert_eq!(ending(bytes, asked).ok(), *expected, "{}", bytes.escape_ascii());
    }
    let head = Asked { head: true, ..asked };
    assert_eq!(ending(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", head), Ok(Some(Ending::None)));
}

#[test]
fn the_fields_of_an_answer_are_kept_but_for_the_hop() {
    let asked = Asked { head: false, minor: 1, keep_alive: true, upgrade: false };
    let answer = b"HTTP/1.1 200 OK\r\nServer: Microsoft-IIS/5.0\r\nX-Empty:\r\nX-Tight:a\r\nX-Wide:   b  \r\nConnection: X-Hop\r\n\
        X-Hop: 1\r\nDate: today\r\nContent-Length: 0\r\nSet-Cookie: c\r\n\r\n";
    let mut out = Vec::new();
    assert!(read(answer, &asked, None, &mut out).is_ok());
    let expected = b"HTTP/1.1 200 OK\r\nServer: Microsoft-IIS/5.0\r\nX-Empty: \r\nX-Tight: a\r\nX-Wide: b\r\nDate: today\r\n\
        Set-Cookie: c\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(out.escape_ascii().to_string(), expected.escape_ascii().to_string());
}

/// Bytes near the grammar: pieces of it in any order, with bytes by chance between them.
fn near(pieces: &'static [&'static [u8]]) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => proptest::sample::select(pieces).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>(), 0..3),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

const CHUNKS: &[&[u8]] = &[
    b"0\r\n",
    b"1\r\n",
    b"a\r\n",
    b"65\r\n",
    b"fffffffffffffff\r\n",
    b"x",
    b"0123456789",
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b";a=b",
    b"A: b\r\n",
    b"5\r\nhello\r\n",
    b"0\r\n\r\n",
];
const HEADS: &[&[u8]] = &[
    b"GET / HTTP/1.1\r\n",
    b"GET /a?b HTTP/1.0\r\n",
    b"GET http://a/ HTTP/1.1\r\n",
    b"* HTTP/1.1\r\n",
    b"OPTIONS ",
    b"Host: a\r\n",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"A: b\r\n",
    b"A:",
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"\t",
    b"\r\n\r\n",
];

/// What a decoder makes of the pieces together: data, how much of the input is the body's, and whether it ended.
fn decoded(mut decoder: Decoder, pieces: &[&[u8]]) -> Result<(Vec<u8>, usize, bool), ChunkError> {
    let (mut data, mut consumed, mut done) = (Vec::new(), 0, false);
    for piece in pieces {
        let progress = decoder.feed(piece, 100, |run| data.extend_from_slice(run))?;
        consumed += progress.consumed;
        done = progress.done;
    }
    Ok((data, consumed, done))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn chunks_are_the_same_in_any_pieces(bytes in near(CHUNKS), cut in any::<prop::sample::Index>()) {
        let (first, second) = bytes.split_at(cut.index(bytes.len() + 1));
        for decoder in [Decoder::default(), Decoder::lenient()] {
            let whole = decoded(decoder, &[&bytes]);
            prop_assert_eq!(&whole, &decoded(decoder, &[first, second]));
            prop_assert_eq!(&whole, &decoded(decoder, &bytes.chunks(1).collect::<Vec<_>>()));
            if let Ok((data, consumed, done)) = whole {
                prop_assert!(data.len() <= 100 && consumed <= bytes.len());
                prop_assert!(done || consumed == bytes.len());
            }
        }
    }

    /// More bytes change no verdict: what was refused stays refused, and a head ends where it ended.
    #[test]
    fn a_head_is_decided_once(bytes in near(HEADS), cut in any::<prop::sample::Index>()) {
        let mut head = Head::default();
        let early = parse(&bytes[..cut.index(bytes.len() + 1)], &mut head, &BOUNDS);
        let length = head.length;
        let whole = parse(&bytes, &mut head, &BOUNDS);
        match early {
            Ok(true) => prop_assert_eq!((whole, length), (Ok(true), head.length)),
            Err(_) => prop_assert!(whole.is_err()),
            Ok(false) => {}
        }
    }
}
