"""Is an event the same in every format, and no line too long?"""

import msgspec
import pytest

from stopgap.events import formats, schema
from tests.unit.events.test_find import EVENT
from tests.unit.events.test_schema import LONG, NOW, longest


@pytest.mark.parametrize("name", formats.FORMATS)
def test_every_format_tells_id_reason_rule_and_mode(name: str) -> None:
    told = msgspec.structs.replace(EVENT, rule_id="ida-idq", mode="canary")
    record = formats.record(told, name)
    text = record.line.decode()
    assert all(word in text for word in ("00000000000000ab", "extension-denied", "ida-idq", "canary"))
    assert (record.time, record.action, record.alert) == (told.timestamp, "refused", True)
    assert not formats.record(msgspec.structs.replace(told, event_kind="event"), name).alert


@pytest.mark.parametrize("name", formats.FORMATS)
def test_every_format_tells_how_many_are_missing(name: str) -> None:
    record = formats.lost(4711, NOW, name)
    assert b"4711" in record.line and b"lost" in record.line
    assert record.time == "2001-09-09T01:46:40.000Z"


@pytest.mark.parametrize("name", formats.FORMATS)
@pytest.mark.parametrize("byte", [b"\x00", b"\\", b'"', b"\xff", b"a", b"?"])
def test_a_line_is_never_too_long(name: str, byte: bytes) -> None:
    line = formats.record(schema.event(longest(byte, target=b"/" + byte * 2048), NOW, LONG), name).line
    assert len(line) < schema.LONGEST
    assert b"\n" not in line
