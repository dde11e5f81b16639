"""Does a replay find what another ruleset would judge otherwise, as the gate would carry it out?"""

from pathlib import Path

import pytest

from stopgap.errors import ConfigError
from stopgap.forensics import replay
from stopgap.forensics.replay import (
    DETECTED,
    DETECTED_OTHERWISE,
    NEWLY_DETECTED,
    NEWLY_PASSED,
    NEWLY_REFUSED,
    NO_LONGER_DETECTED,
    OTHER_PATHS,
    PASSED,
    REFUSED,
    REFUSED_OTHERWISE,
    Differences,
    Fate,
    Judge,
    compare,
    speechless,
)
from stopgap.forensics.request import Told
from stopgap.forensics.sources import EVERYTHING, Seen
from stopgap.ruleset import vectors
from stopgap.ruleset.actions import STOP
from stopgap.ruleset.explain import read
from tests.policies import extension
from tests.unit.forensics.sides import REPORTS, SITE, WESTERN, side

IDA = b"GET /default.ida?NNN HTTP/1.1\r\nHost: kaikei.example.jp\r\n\r\n"
REPORT = b"GET /report/%93%FA.asp?y=2001 HTTP/1.1\r\nHost: kaikei.example.jp\r\n\r\n"
PLAIN = b"GET /a.asp HTTP/1.1\r\nHost: kaikei.example.jp\r\n\r\n"


def seen(*requests: bytes, named: bool = True) -> list[Seen]:
    return [(number, Told(request, named, 200)) for number, request in enumerate(requests, 1)]


def differences(old: Judge, new: Judge, *requests: bytes) -> Differences:
    found = Differences()
    compare(old, new, "a.log", seen(*requests), found)
    return found


@pytest.mark.parametrize(
    ("more", "fates"),
    [
        ("", (REFUSED, REFUSED, "")),
        ('mode = "detect"', (DETECTED, DETECTED, "")),
        ('mode = "canary"', (REFUSED, REFUSED, "")),
        ('[site.modes]\nida-idq = "detect"', (DETECTED, REFUSED, "")),
        ('mode = "detect"\n[site.modes]\nreports = "block"', (DETECTED, REFUSED, "")),
    ],
)
def test_fates(tmp_path: Path, more: str, fates: tuple[str, str, str]) -> None:
    judge = Judge(side(tmp_path, f"{SITE}{more}\n{REPORTS}"), None)
    assert judge.fate(IDA, True) == Fate(fates[0], "ida-idq")
    assert judge.fate(REPORT, True) == Fate(fates[1], "reports")
    assert judge.fate(PLAIN, True) == PASSED
    assert judge.fate(b"GET", True) == Fate(REFUSED, "head-timeout")


def test_what_is_only_detected_does_not_hide_what_is_refused(tmp_path: Path) -> None:
    both = b"GET /report/default.ida HTTP/1.1\r\nHost: kaikei.example.jp\r\n\r\n"
    judge = Judge(side(tmp_path, f'{SITE}[site.modes]\nida-idq = "detect"\n{REPORTS}'), None)
    assert judge.fate(both, True) == Fate(REFUSED, "reports")


@pytest.mark.parametrize("action", ["detect", 'strip"\nstrip = "cookie'])
def test_an_action_that_lets_pass(tmp_path: Path, action: str) -> None:
    rules = REPORTS.replace("match", f'action = "{action}"\nmatch')
    assert Judge(side(tmp_path, SITE + rules), None).fate(REPORT, True) == Fate(DETECTED, "reports")


def test_every_vector_has_the_fate_that_is_explained(tmp_path: Path) -> None:
    """`fate` takes a short way; `explain` does not."""
    text = SITE.replace(
        'packs = ["code-red"]', '[site.modes]\nwebdav = "detect"\nextension-denied = "detect"'
    )
    one = side(tmp_path, text)
    judge = Judge(one, 0)
    fates = set()
    for rule in one.ruleset.rules:
        for vector in rule.vectors:
            request = vectors.request(vector.text)
            verdict = read(one.policy.explain(request, 0)).verdict
            fate = judge.fate(request, True)
            fates.add(fate.what)
            if verdict is None:
                assert fate == PASSED
            else:
                stops = verdict.mode != "detect" and verdict.action in STOP
                assert fate.what == (REFUSED if stops else DETECTED), vector.text
    assert len(fates) == 3


def test_every_kind_of_difference(tmp_path: Path) -> None:
    detecting = REPORTS.replace("match", 'action = "detect"\nmatch')
    plain, refusing, watching = (
        Judge(side(tmp_path, SITE + rules, f"{number}.toml"), None)
        for number, rules in enumerate(("", REPORTS, detecting))
    )
    renamed = Judge(side(tmp_path, SITE + REPORTS.replace('"reports"', '"pages"'), "r.toml"), None)
    seeing = Judge(side(tmp_path, SITE + detecting.replace('"reports"', '"pages"'), "s.toml"), None)
    for old, new, kind, by in (
        (plain, refusing, NEWLY_REFUSED, "reports"),
        (watching, refusing, NEWLY_REFUSED, "reports"),
        (refusing, plain, NEWLY_PASSED, "reports"),
        (refusing, watching, NEWLY_PASSED, "reports"),
        (plain, watching, NEWLY_DETECTED, "reports"),
        (watching, plain, NO_LONGER_DETECTED, "reports"),
        (refusing, renamed, REFUSED_OTHERWISE, "reports -> pages"),
        (watching, seeing, DETECTED_OTHERWISE, "reports -> pages"),
    ):
        found = differences(old, new, PLAIN, REPORT, IDA, REPORT)
        (key,) = found.places
        assert key == (kind, by, "/report/%93%FA.asp")
        assert found.of(kind) == 2
        place = found.places[key]
        assert (place.example, place.request) == ("a.log:2", "GET /report/%93%FA.asp?y=2001 HTTP/1.1")
        assert sum(found.fates.values()) == 4
    assert not differences(refusing, refusing, PLAIN, REPORT, IDA).places


def test_paths_are_bounded_and_counts_stay_exact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "MOST_PATHS", 5)
    judges = Judge(side(tmp_path, SITE, "a.toml"), None), Judge(side(tmp_path, SITE + REPORTS), None)
    many = [REPORT.replace(b"%93%FA", b"%d" % number) for number in range(100)]
    found = differences(*judges, *many)
    assert len(found.places) == 6
    assert found.places[NEWLY_REFUSED, "reports", OTHER_PATHS].requests == 95
    assert found.of(NEWLY_REFUSED) == 100


def test_nothing_of_a_request_moves_a_cursor(tmp_path: Path) -> None:
    judges = Judge(side(tmp_path, SITE, "a.toml"), None), Judge(side(tmp_path, SITE + REPORTS), None)
    raw = (
        b"GET /report/"
        + "日".encode("cp932")
        + b"?"
        + b"x" * 1000
        + b" HTTP/1.1\r\nHost: kaikei.example.jp\r\n\r\n"
    )
    (place,) = differences(*judges, raw).places.values()
    assert place.path == "/report/\\x93\\xfa"
    assert place.request.endswith("xxx...")
    assert len(place.request) < 400


def test_sites(tmp_path: Path) -> None:
    two = side(tmp_path, SITE + WESTERN)
    by_host = Judge(two, None)
    assert by_host.fate(IDA, True) == Fate(REFUSED, "ida-idq")
    assert by_host.fate(IDA.replace(b"kaikei", b"elsewhere"), True) == Fate(REFUSED, "unknown-host")
    with pytest.raises(ConfigError, match=r"a\.log:1: the file names no host, and stopgap\.toml has 2 sites"):
        compare(by_host, by_host, "a.log", seen(PLAIN, named=False), Differences())
    chosen = Judge(two, 1)
    chosen.need_site("a.log", 1)
    assert chosen.fate(IDA.replace(b"kaikei", b"elsewhere"), True) == Fate(REFUSED, "ida-idq")
    assert Judge(side(tmp_path, SITE), None).fate(PLAIN.replace(b"kaikei", b"h"), False) == PASSED


def test_rules_that_cannot_speak(tmp_path: Path) -> None:
    fields = {
        "q": ('query = "a"', "query"),
        "h": ('header = { x-a = "a" }', "headers"),
        "u": ('header = { User-Agent = "a" }', "user-agent"),
        "c": ('cookie = { a = "a" }', "cookie"),
        "b": ('body = { contains = "a" }', "body"),
        "f": ('form = { name = "a" }', "body"),
        "p": ('param = { name = "a" }', "query"),
        "e": (f'extension = "{extension("ida")["value"][0]}"', ""),
    }
    text = "".join(
        REPORTS.replace('"reports"', f'"{name}"').replace('path = { prefix = "/report/" }', match)
        for name, (match, _) in fields.items()
    )
    rules = side(tmp_path, SITE.replace('"code-red"', "") + text).ruleset.rules
    assert speechless(rules, EVERYTHING) == []
    assert speechless(rules, frozenset()) == list("qhucbfp")
    for name, (_, part) in fields.items():
        assert (name in speechless(rules, EVERYTHING - {part})) == (name != "e")
