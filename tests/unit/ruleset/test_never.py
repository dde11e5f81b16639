"""Is what is said never to occur in a field refused or read otherwise, byte by byte, by the core itself?"""

import random
import re

import msgspec
import pytest

from stopgap import _core
from stopgap.ruleset import never
from stopgap.ruleset.explain import read
from stopgap.ruleset.vectors import bench_site

PLACES = {
    "host": b"GET / HTTP/1.1\r\nHost: a%sb\r\n\r\n",
    "path.raw": b"GET /a%sb HTTP/1.1\r\nHost: a\r\n\r\n",
    "query.raw": b"GET /?a%sb HTTP/1.1\r\nHost: a\r\n\r\n",
    "target": b"GET /a%sb HTTP/1.1\r\nHost: a\r\n\r\n",
    "headers": b"GET / HTTP/1.1\r\nHost: a\r\na%sb: c\r\n\r\n",
    "header": b"GET / HTTP/1.1\r\nHost: a\r\nX: a%sb\r\n\r\n",
    "cookie": b"GET / HTTP/1.1\r\nHost: a\r\nCookie: x=a%sb\r\n\r\n",
    "method": b"G%sET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "version": b"GET / HTTP/1.%s\r\nHost: a\r\n\r\n",
}
NAMED = {"header", "cookie"}


def seen(field: str, test: str, value: str, request: bytes) -> bool:
    """Whether a rule with this one test catches the request."""
    leaf = {"field": field, "test": test, "value": [value]} | ({"name": "x"} if field in NAMED else {})
    rule: dict[str, object] = {
        "id": "r",
        "servers": [],
        "status": None,
        "compat": {},
        "counter": 0,
        "match": leaf,
    }
    site = {**bench_site("any", 1252, [0]), "raw_bytes": "allow", "counter": 0}
    policy = _core.Policy(msgspec.json.encode({"rules": [{**rule, "match": leaf}], "sites": [site]}))
    return any(found.rule for found in read(policy.explain(request, 0)).findings)


@pytest.mark.parametrize("field", PLACES)
def test_what_the_wire_never_holds_is_never_found(field: str) -> None:
    texts = [f"\\x{byte:02x}" for byte in range(256)]
    found = {
        text for text in texts if seen(field, "contains", text, PLACES[field] % bytes([int(text[2:], 16)]))
    }
    never_there = {text for text in texts if never.text(field, "contains", text)}
    assert found & never_there == set()
    assert found


def test_what_a_path_never_holds_is_in_none_of_its_readings() -> None:
    chance = random.Random(7)
    for _ in range(4000):
        pieces = [
            chance.choice([b"%%%02x" % chance.randrange(256), b"%%u%04x" % chance.randrange(65536), b"%255c"])
            for _ in range(chance.randrange(1, 6))
        ]
        for page in (1252, 932):
            for path, resolved, *_ in _core.readings(b"/" + b"".join(pieces), "any", [page]):
                for text in (path, resolved):
                    escaped = "".join(f"\\x{byte:02x}" for byte in re.sub(rb"[?%]", b"_", text))
                    assert never.text("path", "contains", escaped) == "", (pieces, text)


@pytest.mark.parametrize(
    ("test", "value", "can"),
    [
        ("equals", "HTTP/1.1", True),
        ("equals", "HTTP/2.0", False),
        ("prefix", "http/1", True),
        ("suffix", ".0", True),
        ("suffix", ".9", False),
        ("contains", "/1.", True),
    ],
)
def test_versions(test: str, value: str, can: bool) -> None:
    assert (never.text("version", test, value) == "") == can


@pytest.mark.parametrize(
    ("test", "value", "can"),
    [
        ("equals", " a", False),
        ("equals", "a ", False),
        ("prefix", " a", False),
        ("prefix", "a ", True),
        ("suffix", "a ", False),
        ("suffix", " a", True),
        ("contains", " a ", True),
    ],
)
def test_white_space_around_a_header(test: str, value: str, can: bool) -> None:
    request = b"GET / HTTP/1.1\r\nHost: a\r\nX:  " + (b"b" if test == "suffix" else b"") + value.encode()
    request += (b"b" if test == "prefix" else b"") + b" \r\n\r\n"
    assert (never.text("header", test, value) == "") == can
    assert seen("header", test, value, request) == (can and test != "contains")


def test_part_of_a_character_can_occur() -> None:
    for raw in (r"\xbd", r"\xe3\x82", r"\x82\xbd", r"a\xe3", "ソ", r"\xbd/\xe3\x82\xbd"):
        assert never.text("path", "contains", raw) == ""
    for raw in (r"\xc0\xaf", r"\xe5\x41", r"\xff", r"\x80\x80\x80\x80"):
        assert "UTF-8" in never.text("path", "contains", raw)
