"""Are common and combined logs read as the servers that write them mean it?"""

import time

import pytest

from stopgap.forensics.ncsa import Ncsa, is_line
from stopgap.forensics.request import Broken, Told

AT = b"192.0.2.7 - sato [19/Jul/2001:04:11:09 +0900] "


def test_common() -> None:
    reader = Ncsa(b"h")
    told = reader(AT + b'"GET /a.asp?q=1 HTTP/1.0" 200 512')
    who = (b"192.0.2.7", b"19/Jul/2001")
    assert told == Told(b"GET /a.asp?q=1 HTTP/1.0\r\nHost: h\r\n\r\n", False, 200, *who)
    assert reader.shows == frozenset({"query", "version"})


def test_combined() -> None:
    reader = Ncsa(b"h")
    told = reader(AT + rb'"POST / HTTP/1.1" 404 - "http://x/" "Mozilla \"4\" \x41"')
    assert told.request == (
        b'POST / HTTP/1.1\r\nHost: h\r\nUser-Agent: Mozilla "4" A\r\nReferer: http://x/\r\n'
        b"Content-Length: 0\r\n\r\n"
    )
    assert reader.shows == frozenset({"query", "version", "user-agent", "referer"})
    assert (
        reader(AT + b'"GET / HTTP/1.1" 200 1 "-" "-" extra').request == b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
    )
    reader(AT + b'"GET / HTTP/1.1" 200 1')
    assert reader.shows == frozenset({"query", "version"})


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("/会計.asp?q=日".encode("cp932"), b"/%89%EF%8Cv.asp?q=\x93\xfa"),  # IIS: decoded path, raw query
        ("/会計.asp".encode(), b"/%E4%BC%9A%E8%A8%88.asp"),
        (rb"/\x93\xfa.htm", b"/\x93\xfa.htm"),  # Apache and nginx: the byte as it came
        (rb"/a\"b\\c\d", rb"/a\"b\c\d".replace(rb"\"", b'"')),
        (b"/a b", b"/a b"),
    ],
)
def test_bytes_of_a_target(said: bytes, wanted: bytes) -> None:
    told = Ncsa(b"h")(AT + b'"GET ' + said + b' HTTP/1.0" 200 1')
    assert told.request.partition(b"\r\n")[0] == b"GET " + wanted + b" HTTP/1.0"


def test_a_request_without_a_version() -> None:
    assert Ncsa(b"h")(AT + b'"GET /a?b c" 200 1').request == b"GET /a?b c\r\n\r\n"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\0\0\0",
        b"GET / HTTP/1.0",
        AT + b'"GET / HTTP/1.0 200 1',
        AT + b'"GET / HTTP/1.0" two 1',
        AT + b'"-" 408 0',
        AT + rb'"\x16\x03\x01" 400 0',
        b" [" * 100_000,
        b'a [] "' + b"\\" * 200_000,
        AT + b'"' + b"\\a" * 100_000 + b'" 200',
    ],
)
def test_broken_lines_end_soon(line: bytes) -> None:
    began = time.process_time()
    with pytest.raises(Broken):
        Ncsa(b"h")(line)
    assert time.process_time() - began < 5  # linear: some milliseconds


def test_which_lines_look_like_it() -> None:
    assert is_line(AT + b'"GET / HTTP/1.0" 200 1')
    assert not is_line(b"192.0.2.7, -, 7/19/01, 4:11:09, W3SVC1")
