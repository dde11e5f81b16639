"""Are the exceptions the narrowest that help honest users, and none of them one for an attack?"""

from pathlib import Path

from stopgap.forensics.merging import MERGED, merged
from stopgap.forensics.sources import EVERYTHING
from stopgap.forensics.tuning import Plan, plan
from tests.unit.forensics import tunable


def planned(folder: Path, lines: list[str]) -> Plan:
    bench, found, _ = tunable.caught(folder, lines)
    steps: list[int] = []
    told = plan(bench, found, EVERYTHING, lambda: steps.append(1))
    assert len(steps) == min(len(list(merged(found.groups.values()))), 40)
    return told


def test_the_narrowest_exception(tmp_path: Path) -> None:
    lines = [f"10.0.0.{n} GET /search/b.idq CiRestriction=x{n} 200" for n in range(4)]
    lines += ["10.0.0.9 GET /a.asp q=select&r=1 200", tunable.WORM]
    told = planned(tmp_path, lines)
    until = tunable.TOLD.until
    assert [one.keys for one in told.exceptions] == [
        {"rule": "ida-idq", "path": "/search/b.idq", "compat": "tight", "reason": "r", "until": until},
    ]
    first = told.exceptions[0]
    assert (first.passing, first.kept) == (4, 4)
    assert (first.evidence.requests, first.evidence.clients, first.evidence.days) == (4, 4, 3)
    assert first.evidence.examples[0][1] == "GET /search/b.idq?CiRestriction=x0 HTTP/1.1"
    # the vector of the site's own rule is on just this path
    assert [(one.name, one.path) for one in told.suspects] == [
        ("code-red-1", "/default.ida"),
        ("words", "/a.asp"),
    ]
    assert told.text.count("[[site.exception]]") == 1


def test_a_field(tmp_path: Path) -> None:
    told = planned(tmp_path, ["10.0.0.9 GET /b.asp q=select&r=1 200"])
    (one,) = told.exceptions
    assert one.keys["fields"] == ["param.q"]


def test_clients_that_attack_teach_nothing(tmp_path: Path) -> None:
    told = planned(tmp_path, [tunable.WORM, "192.0.2.66 GET /b.asp q=select 200"])
    assert told.exceptions == ()
    assert "its client also sent what only attackers send" in told.suspects[1].why


def test_many_paths_are_one(tmp_path: Path) -> None:
    lines = [f"10.0.0.1 GET /報告/r{n}.asp q=select 200" for n in range(MERGED + 1)]
    (one,) = planned(tmp_path, lines).exceptions
    assert one.keys["path"] == "/報告/*.asp"
    assert (one.passing, one.kept) == (MERGED + 1, MERGED + 1)
    assert len(planned(tmp_path, lines[:2]).exceptions) == 2


def test_what_nothing_can_let_pass(tmp_path: Path) -> None:
    told = planned(tmp_path, ["10.0.0.1 G@T /a - 200", f"10.0.0.1 GET /a.asp q={'x' * 2500} 200"])
    assert {one.name: one.why for one in told.left} == {
        "bad-method": ("no exception can let it pass",),
        "target-too-long": ("of one client on one day, or of clients that attack",),
    }
    assert (told.limits, told.exceptions, told.suspects) == ((), (), ())


def test_a_limit_that_opens_the_way_for_an_attack(tmp_path: Path) -> None:
    """Some vectors are only long; what is as long as they are is not proposed."""
    lines = [f"10.0.0.{n} GET /a.asp q={'x' * 15000} 200" for n in range(3)]
    told = planned(tmp_path, lines)
    assert told.limits == ()
    assert any("is not proposed: attacks of the packs" in why for one in told.left for why in one.why)
