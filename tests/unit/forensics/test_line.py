"""Is one line of any log found and read, and is it said in words when it tells of nothing?"""

from pathlib import Path

import msgspec
import pytest

from stopgap.errors import ConfigError, InputError
from stopgap.events import formats
from stopgap.events.schema import Event
from stopgap.forensics.line import at, of_text
from stopgap.forensics.request import Told
from tests.unit.events.test_find import EVENT
from tests.unit.forensics.test_native import LINE as NATIVE

W3C = "#Fields: c-ip cs-method cs-uri-stem sc-status\n192.0.2.7 GET /日.asp 200\nnoise\n192.0.2.8 GET /b 404"
NCSA = b'192.0.2.7 - - [19/Jul/2001:04:11:09 +0900] "GET /b.asp HTTP/1.0" 200 1'
ASKED = b'{"method":"GET","url":"http://h.example/a","httpVersion":"HTTP/1.1","headers":[]}'
HAR = b'{"log":{"entries":[{"request":' + ASKED + b"}]}}"


@pytest.fixture
def log(tmp_path: Path) -> str:
    file = tmp_path / "ログ:1.log"
    file.write_bytes(W3C.encode("cp932"))
    return str(file)


def test_a_line_of_a_file(log: str) -> None:
    told = at(f"{log}:2", b"kaikei")
    assert isinstance(told, Told)
    assert told.request == b"GET /%93%FA.asp HTTP/1.1\r\nHost: kaikei\r\n\r\n"
    assert told.client == b"192.0.2.7"
    later = at(f"{log}:4", b"kaikei")
    assert isinstance(later, Told) and later.client == b"192.0.2.8"


@pytest.mark.parametrize(
    ("number", "why"),
    [(3, r":3: has 1 columns where #Fields names 4"), (1, "tells of no request"), (9, "tells of no request")],
)
def test_a_line_that_tells_of_nothing(log: str, number: int, why: str) -> None:
    with pytest.raises(InputError, match=why):
        at(f"{log}:{number}", b"h")


def test_an_entry_of_a_har_file(tmp_path: Path) -> None:
    file = tmp_path / "a.har"
    file.write_bytes(HAR)
    told = at(f"{file}:1", b"h")
    assert isinstance(told, Told) and told.request.startswith(b"GET /a HTTP/1.1\r\nHost: h.example\r\n")


@pytest.mark.parametrize("name", list(formats.FORMATS))
def test_events(tmp_path: Path, name: str) -> None:
    line = b"Nov 24 00:00:00 gate stopgap[7]: " + formats.record(EVENT, name).line
    found = of_text(line + b"\n", b"h")
    assert isinstance(found, Event) and found.event_id == EVENT.event_id
    file = tmp_path / "events.log"
    file.write_bytes(b"x\n" + line + b"\n")
    same = at(f"{file}:2", b"h")
    assert same == found


def test_what_is_no_place() -> None:
    assert at("no-such-file.log:3", b"h") is None
    assert at("GET / HTTP/1.0", b"h") is None
    assert at("x:0", b"h") is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (NCSA, b"GET /b.asp HTTP/1.0"),
        (NATIVE % (b"200", b"GET", b"/c.asp", b"-"), b"GET /c.asp HTTP/1.1"),
        (W3C.encode("cp932").split(b"\nnoise")[0], b"GET /%93%FA.asp HTTP/1.1"),
    ],
)
def test_lines_as_they_are(text: bytes, line: bytes) -> None:
    found = of_text(text + b"\r\n", b"h")
    assert isinstance(found, Told) and found.request.partition(b"\r\n")[0] == line


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "a line of a W3C log needs"),
        (b"noise", "a line of a W3C log needs"),
        (NCSA + b"\n" + NCSA, "tells of 2 requests; give one line"),
        (b"#Fields: cs-method cs-uri-stem\nGET /a b", "--line: has 3 columns"),
    ],
)
def test_what_tells_of_no_single_request(text: bytes, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        of_text(text, b"h")


def test_a_summary_is_an_event_too() -> None:
    summary = msgspec.structs.replace(EVENT, count=3)
    found = of_text(msgspec.json.encode(summary), b"h")
    assert isinstance(found, Event) and found.count == 3
