"""Is the narrowest change proposed that lets a request pass, and none where none can?"""

import datetime
from pathlib import Path

import msgspec
import pytest

from stopgap import _core, config
from stopgap.events.find import rebuilt
from stopgap.events.schema import Event, shown
from stopgap.ruleset.explain import Reading
from stopgap.ruleset.propose import Hopeless, Proposal, Told, glob, needed, propose
from tests.unit.events.test_find import EVENT

TOLD = Told(reason="needed", owner="sato", until=datetime.date(2027, 2, 22))
RULES = """
[[rule]]
id = "own-param"
title = "T"
match = { param = { name = "q", value = { contains = "zzz" } } }
block = 'GET /?q=zzz HTTP/1.0'
pass = 'GET /?p=zzz HTTP/1.0'
[[rule]]
id = "own-header"
title = "T"
match = { header = { x-own = "1" } }
block = \"\"\"GET / HTTP/1.1
Host: h
X-Own: 1
\"\"\"
pass = 'GET / HTTP/1.0'
[[rule]]
id = "own-form"
title = "T"
match = { form = { name = ["User", "mail"], value = { contains = "zzz" } } }
block = \"\"\"POST / HTTP/1.1
Host: h
Content-Type: application/x-www-form-urlencoded
Content-Length: 8

user=zzz\"\"\"
pass = 'GET / HTTP/1.0'
"""
SITE = """
[[site]]
name = "s"
origins = "http://192.0.2.1"
server = "iis5"
codepage = 932
packs = ["code-red", "limits"]
"""


def refused(target: bytes, reason: str, rule: str = "", method: str = "GET") -> Event:
    tier = {name: tier for name, tier, *_ in _core.reasons()}[reason]
    return msgspec.structs.replace(
        EVENT,
        method=method,
        target=shown(target, 1600),
        target_length=len(target),
        reason=reason,
        rule_id=rule,
        tier=tier,
    )


def proposed(folder: Path, event: Event, site: str = SITE) -> Proposal:
    file = folder / "stopgap.toml"
    file.write_text(site + RULES, "utf-8")
    request = rebuilt(event)
    assert request
    return propose(config.load(str(file)), site + RULES, 0, event, request, TOLD)


def keys(proposal: Proposal) -> list[dict[str, object]]:
    fixed = {"reason": "needed", "owner": "sato", "until": TOLD.until}
    tables = [{key: value for key, value in one.keys.items() if key not in fixed} for one in proposal.changes]
    for one in proposal.changes:
        assert one.table == "limits" or fixed.items() <= one.keys.items()
    return tables


@pytest.mark.parametrize(
    ("target", "reason", "rule", "expected"),
    [
        (
            b"/search/q.idq?CiRestriction=x",
            "extension-denied",
            "ida-idq",
            [{"rule": "ida-idq", "path": "/search/q.idq", "compat": "tight"}],
        ),
        (
            b"/search/q.idq?a=" + b"xy" * 150,
            "extension-denied",
            "ida-idq",
            [{"rule": "ida-idq", "path": "/search/q.idq", "compat": "relaxed"}],
        ),
        (
            b"/q.ida",
            "extension-denied",
            "ida-idq",
            [{"rule": "ida-idq", "path": "/q.ida", "compat": "none"}],
        ),
        (
            b"/find.asp?p=1&q=zzz",
            "query-denied",
            "own-param",
            [{"rule": "own-param", "path": "/find.asp", "fields": ["param.q"]}],
        ),
        (b"/a:b.htm", "stream", "", [{"rule": "stream", "path": "/a:b.htm"}]),
        (b"/a*.htm", "bad-path-character", "", [{"rule": "bad-path-character", "path": "/a[*].htm"}]),
        (b"/a/../b.htm", "traversal", "", [{"rule": "traversal", "path": "/**/b.htm"}]),
    ],
)
def test_exceptions(
    tmp_path: Path, target: bytes, reason: str, rule: str, expected: list[dict[str, object]]
) -> None:
    proposal = proposed(tmp_path, refused(target, reason, rule))
    assert keys(proposal) == expected
    assert proposal.sure


def test_a_japanese_path_in_the_code_page(tmp_path: Path) -> None:
    target = "/検索/q.idq".encode("cp932")
    escaped = b"".join(b"%%%02X" % byte if byte > 127 else bytes([byte]) for byte in target)
    proposal = proposed(tmp_path, refused(escaped, "extension-denied", "ida-idq"))
    assert proposal.sure
    assert keys(proposal)[0]["path"] == "/検索/q.idq"


def test_two_reasons_need_two_exceptions(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, refused(b"/a:b/q.idq", "extension-denied", "ida-idq"))
    assert [one["rule"] for one in keys(proposal)] == ["ida-idq", "stream"]
    assert proposal.sure


def test_limits_get_the_number_they_need(tmp_path: Path) -> None:
    long = b"/" + b"abcdefghi/" * 220
    proposal = proposed(tmp_path, refused(long, "path-too-long", "long-path"))
    assert {"path": len(long)}.items() <= {k: v for one in keys(proposal) for k, v in one.items()}.items()
    assert proposal.sure
    assert all(one.table == "limits" for one in proposal.changes)


def test_what_lies_in_a_header_cannot_be_tried(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, refused(b"/a.asp", "header-denied", "own-header"))
    assert keys(proposal) == [{"rule": "own-header", "path": "/a.asp", "fields": ["header.x-own"]}]
    assert not proposal.sure
    form = proposed(tmp_path, refused(b"/a.asp", "body-denied", "own-form", "POST"))
    assert keys(form) == [{"rule": "own-form", "path": "/a.asp", "fields": ["form.user", "form.mail"]}]
    assert not form.sure
    limit = proposed(tmp_path, refused(b"/a.asp", "head-too-long", "long-head"))
    assert keys(limit) == [{"head": _core.limits("iis5")["head"] * 2}]


def test_a_client_that_asks_too_often(tmp_path: Path) -> None:
    pack = (
        '[[rule]]\nid = "own-rate"\ntitle = "T"\nmatch = { extension = "own" }\n'
        'rate = { over = 9, per = 60 }\nblock = "GET /a.own HTTP/1.0"\npass = "GET / HTTP/1.0"\n'
    )
    event = refused(b"/a.own", "rate-exceeded", "own-rate")
    proposal = proposed(tmp_path, msgspec.structs.replace(event, client="192.0.2.7"), SITE + pack)
    assert keys(proposal) == [{"rule": "own-rate", "path": "/a.own", "clients": ["192.0.2.7"]}]
    masked = msgspec.structs.replace(event, client="192.0.2.0")
    proposal = proposed(tmp_path, masked, "mask_clients = true\n" + SITE + pack)
    assert keys(proposal) == [{"rule": "own-rate", "path": "/a.own", "clients": ["192.0.2.0/24"]}]


@pytest.mark.parametrize("reason", ["bad-chunk", "unknown-host", "origin-refused", "encoded-body"])
def test_where_no_exception_can_help(tmp_path: Path, reason: str) -> None:
    with pytest.raises(Hopeless) as told:
        proposed(tmp_path, refused(b"/a.asp", reason))
    assert told.value.reason == reason


@pytest.mark.parametrize(
    ("path", "resolved", "expected"),
    [
        ("/a/b.htm", "/a/b.htm", "/a/b.htm"),
        ("/a/../b.htm", "/b.htm", "/**/b.htm"),
        ("/x/a/./b/c.htm", "/x/a/b/c.htm", "/x/a/**/b/c.htm"),
        ("/a/..", "/", "/**"),
        ("/a/.", "/a/", "/a/**"),
    ],
)
def test_globs(path: str, resolved: str, expected: str) -> None:
    assert glob(Reading(path=path, resolved=resolved, steps=())) == expected


def test_a_target_that_was_cut_still_has_its_length() -> None:
    event = msgspec.structs.replace(refused(b"/a?" + b"q" * 5000, "query-too-long"))
    assert needed(event)[0] == 5000
    assert needed(msgspec.structs.replace(event, reason="target-too-long"))[0] == 5003
    assert needed(msgspec.structs.replace(event, reason="head-too-long")) == []
