"""Is an event found by its id, and its request rebuilt byte for byte as far as it is told?"""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stopgap.events import combined, ocsf, schema
from stopgap.events.find import Thin, found, is_id, rebuilt, unescaped
from stopgap.events.schema import Event

EVENT = Event(
    timestamp="2026-11-24T00:00:00.000Z",
    ecs_version="8.17.0",
    event_id="00000000000000ab",
    event_kind="alert",
    event_category=("web",),
    event_type=("access", "denied"),
    event_action="refused",
    event_outcome="failure",
    event_reason="",
    count=0,
    reason="extension-denied",
    tier="denied",
    site="s",
    mode="block",
    target_length=8,
    offset=0,
    method="GET",
    target="/a\\x5c.ida?",
    host="h.example",
)
LINE = msgspec.json.encode(EVENT)
LATER = msgspec.json.encode(msgspec.structs.replace(EVENT, count=7))
OTHER = msgspec.json.encode(msgspec.structs.replace(EVENT, event_id="00000000000000ac"))


def test_the_first_request_goes_before_the_summary() -> None:
    junk = [b"", b'{"event.id":"00000000000000ab"', b"\xff 00000000000000ab", OTHER]
    assert found([*junk, LATER, LINE, OTHER], "00000000000000ab") == EVENT
    assert found([*junk, LATER], "00000000000000ab") == msgspec.structs.replace(EVENT, count=7)
    assert found(junk, "00000000000000ab") is None


def test_lines_of_collectors_and_of_ocsf() -> None:
    number = "00000000000000ab"
    for line in (LINE, ocsf.line(EVENT)):
        assert found([b"2026-11-24T00:00:00Z gate stopgap[7]: " + line + b"\n"], number) == EVENT
    assert found([ocsf.line(msgspec.structs.replace(EVENT, event_id="00000000000000ac"))], number) is None


def test_a_combined_line_is_too_thin() -> None:
    thin = combined.line(EVENT)
    with pytest.raises(Thin):
        found([OTHER, thin], "00000000000000ab")
    assert found([thin, LINE], "00000000000000ab") == EVENT
    assert found([thin], "00000000000000ac") is None


@pytest.mark.parametrize(
    ("text", "right"), [("00000000000000ab", True), ("00000000000000AB", False), ("ab", False), ("", False)]
)
def test_ids(text: str, right: bool) -> None:
    assert is_id(text) == right


def test_a_request_is_rebuilt() -> None:
    made = rebuilt(EVENT)
    assert made is not None
    assert made.request == b"GET /a\\.ida? HTTP/1.1\r\nHost: h.example\r\n\r\n"
    assert made.missing == ("the headers but Host", "the body")


def test_what_is_missing_is_told() -> None:
    made = rebuilt(msgspec.structs.replace(EVENT, host="", method="POST", target_length=100))
    assert made is not None
    assert made.request == b"POST /a\\.ida? HTTP/1.0\r\nContent-Length: 0\r\n\r\n"
    assert made.missing == ("the headers", "the body", "the last 92 bytes of the target")
    assert rebuilt(msgspec.structs.replace(EVENT, method="")) is None
    assert rebuilt(msgspec.structs.replace(EVENT, target="")) is None


@given(st.binary(max_size=300))
def test_what_an_event_shows_can_be_read_back(raw: bytes) -> None:
    assert unescaped(schema.shown(raw, 4 * 300 * 2)) == raw
