"""Is an event told as ECS, safely, and in a line that is never too long?"""

import json

import msgspec
import pytest

from stopgap.events import schema
from stopgap.gate.messages import EventLine

NOW = 1_000_000_000.0
KNOWN = schema.Known(titles={"ida-idq": "索引"})
LINE: EventLine = (
    *(0xD1CE, 0, 1500, 1500, "kaikei", "refused", "denied", "extension-denied", 404, "ida-idq"),
    *("raw, decoded", 9, "GET", b'/default.ida?\x90\x00"\\', 17, "kaikei:80", b"curl\x1b[31m", "192.0.2.1"),
    *("canary", 0),
)


def told(line: EventLine) -> dict[str, object]:
    made: dict[str, object] = json.loads(msgspec.json.encode(schema.event(line, NOW, KNOWN)))
    return made


def changed(**changes: object) -> EventLine:
    names = (
        *("id", "count", "first", "last", "site", "action", "tier", "reason", "status", "rule"),
        *("reading", "offset", "method", "target", "length", "host", "agent", "client", "mode", "cause"),
    )
    assert changes.keys() <= set(names)
    made = tuple(changes.get(name, value) for name, value in zip(names, LINE, strict=True))
    line: EventLine = msgspec.convert(made, EventLine)
    return line


LONG = schema.Known(titles={"r" * 64: "会" * 500})


def longest(byte: bytes, **more: object) -> EventLine:
    """A line of which every part is as long as can be, full of one byte; its rule is that of `LONG`."""
    text = byte.decode("latin-1")
    worst: dict[str, object] = {
        **{"id": 2**64 - 1, "count": 2**63, "target": byte * 2048, "length": 2**62, "offset": 2**32},
        **{"agent": byte * 256, "host": text * 255, "method": text * 100, "reading": text * 500},
        **{"site": "会" * 64, "rule": "r" * 64, "client": "2001:0db8:0000:0000:0000:0000:0000:0001"},
    }
    return changed(**(worst | more))


def test_first_line() -> None:
    assert told(LINE) == {
        "@timestamp": "2001-09-09T01:46:38.500Z",
        "ecs.version": "8.17.0",
        "event.id": "000000000000d1ce",
        "event.kind": "alert",
        "event.category": ["web"],
        "event.type": ["access", "denied"],
        "event.action": "refused",
        "event.outcome": "failure",
        "event.reason": "A rule forbids this file extension.",
        "rule.id": "ida-idq",
        "rule.name": "索引",
        "http.request.method": "GET",
        "http.response.status_code": 404,
        "url.original": '/default.ida?\\x90\\x00"\\x5c',
        "url.domain": "kaikei",
        "source.ip": "192.0.2.1",
        "user_agent.original": "curl\\x1b[31m",
        "stopgap.site": "kaikei",
        "stopgap.mode": "canary",
        "stopgap.reason": "extension-denied",
        "stopgap.tier": "denied",
        "stopgap.reading": "raw, decoded",
        "stopgap.offset": 9,
        "stopgap.count": 0,
        "stopgap.target_length": 17,
    }


def test_summary_counts_and_says_since_when() -> None:
    made = told(changed(count=12, first=60_000, last=1000))
    assert made["stopgap.count"] == 12
    assert made["event.start"] == "2001-09-09T01:45:40.000Z"
    assert made["event.end"] == made["@timestamp"] == "2001-09-09T01:46:39.000Z"


@pytest.mark.parametrize(
    ("action", "outcome", "access", "answered"),
    [
        ("refused", "failure", "denied", True),
        ("tarpitted", "failure", "denied", True),
        ("dropped", "failure", "denied", False),
        ("detected", "success", "allowed", False),
        ("stripped", "success", "allowed", False),
        ("exploit-answered", "success", "allowed", True),
    ],
)
def test_action_says_what_became_of_it(action: str, outcome: str, access: str, answered: bool) -> None:
    made = told(changed(action=action))
    assert made["event.action"] == action
    assert (made["event.outcome"], made["event.type"]) == (outcome, ["access", access])
    assert ("http.response.status_code" in made) == answered


def test_an_answer_to_what_was_detected_is_an_alarm_that_names_the_detection() -> None:
    made = told(changed(action="exploit-answered", status=200, cause=0xAB, mode="detect"))
    assert made["stopgap.detection"] == "00000000000000ab"
    assert made["http.response.status_code"] == 200
    assert (made["event.kind"], made["event.outcome"]) == ("alert", "success")
    assert made["event.reason"] == schema._ALARM
    assert "stopgap.detection" not in told(LINE)


@pytest.mark.parametrize("byte", [b"\x00", b"\\", b'"', b"\xff", b"a", b"\x1b"])
def test_a_line_is_never_too_long(byte: bytes) -> None:
    line = msgspec.json.encode(
        schema.event(longest(byte, action="exploit-answered", cause=2**64 - 1), NOW, LONG)
    )
    assert len(line) < schema.LONGEST
    json.loads(line)


@pytest.mark.parametrize(
    ("data", "limit", "text"),
    [
        (b"abc", 3, "abc"),
        (b"abcd", 3, "abc"),
        (b"\xe3\x81", 10, "\\xe3\\x81"),
        (b"\xe3\x81", 9, "\\xe3"),
        (b"", 0, ""),
    ],
)
def test_shown(data: bytes, limit: int, text: str) -> None:
    assert schema.shown(data, limit) == text
    assert len(msgspec.json.encode(text)) - 2 <= limit
