"""Is an event a line that readers of combined logs understand, whatever a client sent?"""

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stopgap.events import combined, schema
from tests.unit.events.test_find import EVENT

FULL = msgspec.structs.replace(
    EVENT, rule_id="ida-idq", client="192.0.2.1", status=404, agent='Mozilla "x"', site='本 "店\\'
)
APACHE = re.compile(
    r"(\S+) \S+ \S+ \[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "
    r'"([^"]*)" (\d{3}|-) (\d+|-) "([^"]*)" "([^"]*)"'
)


def test_the_fields() -> None:
    assert combined.line(FULL).decode() == (
        '192.0.2.1 - - [24/Nov/2026:00:00:00 +0000] "GET /a\\x5c.ida?" 404 - "-" "Mozilla \\x22x\\x22" '
        "event=00000000000000ab action=refused reason=extension-denied rule=ida-idq mode=block "
        'site="本 \\x22店\\x5c" count=0'
    )


def test_what_is_not_known_is_a_dash() -> None:
    bare = msgspec.structs.replace(EVENT, method="", target="")
    line = combined.line(bare).decode()
    assert line.startswith('- - - [24/Nov/2026:00:00:00 +0000] "-" - - "-" "-" event=00000000000000ab ')
    assert " rule=- " in line


def test_missing_events() -> None:
    line = combined.lost(7, 1_800_000_000.0).decode()
    assert line == '- - - [15/Jan/2027:08:00:00 +0000] "-" - - "-" "-" event=- action=lost count=7'
    assert APACHE.match(line)


def test_a_client_that_is_a_network_is_read_again() -> None:
    told = combined.read(combined.line(msgspec.structs.replace(FULL, client="192.0.2.0/24")))
    assert told and told.client == "192.0.2.0/24"


def test_a_line_is_read_again() -> None:
    line = b"Nov 24 00:00:00 gate stopgap[7]: " + combined.line(FULL)
    told = combined.read(line)
    assert told
    same = (
        "event_id",
        "event_action",
        "reason",
        "tier",
        "rule_id",
        "client",
        "site",
        "mode",
        "target",
        "status",
    )
    assert [getattr(told, key) for key in same] == [getattr(FULL, key) for key in same]
    assert (told.method, told.target_length, told.event_kind) == (
        "GET",
        len("/a\\.ida?") - 0,
        FULL.event_kind,
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"24/Nov/2026", b"32/Nov/2026"),
        (b"reason=extension-denied", b"reason=nothing"),
        (b"action=refused", b"action=praised"),
        (b"count=0", b"count=-"),
        (b"- - [", b"- - [" + b"x" * 9000),
    ],
)
def test_what_is_no_line_of_an_event(old: bytes, new: bytes) -> None:
    assert combined.read(combined.line(FULL).replace(old, new)) is None
    assert combined.read(combined.lost(7, 1_800_000_000.0)) is None


@given(st.binary(max_size=3000), st.binary(max_size=600))
def test_no_client_breaks_out_of_its_quotes(target: bytes, agent: bytes) -> None:
    shown = schema.shown
    told = msgspec.structs.replace(
        FULL, target=shown(target, schema.TARGET), agent=shown(agent, schema.AGENT), site="s"
    )
    line = combined.line(told)
    fields = APACHE.match(line.decode("ascii"))
    assert fields and fields[4] == "404"
    assert len(line) <= schema.LONGEST
    assert not re.search(r"\\(?!x[0-9a-f]{2})", fields[3] + fields[7])


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (combined.line(FULL), True),
        (b"Nov 24 00:00:00 gate stopgap[7]: " + combined.line(FULL), True),
        (msgspec.json.encode(FULL), False),
        (b"GET /00000000000000ab", False),
    ],
)
def test_lines_that_tell_of_an_event(line: bytes, told: bool) -> None:
    assert combined.tells(line, "00000000000000ab") == told
    assert not combined.tells(line, "00000000000000ac")
