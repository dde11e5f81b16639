"""Is what looks like an attack told from what honest users send?"""

from pathlib import Path

import pytest

from stopgap.forensics.caught import Group
from stopgap.forensics.suspects import bad_names, of_group
from stopgap.ruleset import load
from stopgap.ruleset.exceptions import LIMITS
from stopgap.ruleset.propose import Change
from tests.unit.forensics import tunable

BAD = bad_names(rule for pack in load.packaged() for rule in pack.rules)
TIGHT = Change("exception", {"rule": "printer", "compat": "tight"})
OPEN = Change("exception", {"rule": "ida-idq", "compat": "none"})


def test_bad_names() -> None:
    assert {"code-red-1", "nimda-probe", "overlong-utf8"} <= BAD
    assert not BAD & LIMITS.keys()
    assert "ida-idq" not in BAD and "dav-search" not in BAD


@pytest.mark.parametrize(
    ("name", "clients", "changes", "sign"),
    [
        ("code-red-1", {"a"}, (), "guards a known hole"),
        ("words", {"a"}, (), ""),
        ("words", {"worm"}, (), "its client also sent what only attackers send"),
        ("words", {"worm", "worm2"}, (), "each of its 2 clients also sent"),
        ("words", {"worm", "a"}, (), ""),
        ("words", set(), (), ""),
        ("ida-idq", {"a"}, (OPEN,), "fits none of the compat modes"),
    ],
)
def test_signs(name: str, clients: set[str], changes: tuple[Change, ...], sign: str) -> None:
    group = Group(0, name, "/a", clients=clients)
    told = of_group(group, BAD, {"worm", "worm2"}, changes)
    assert bool(told) == bool(sign)
    assert sign in " ".join(told)


def test_a_compat_mode_speaks_for_a_bad_rule() -> None:
    group = Group(0, TIGHT.keys["rule"], "/a", clients={"a"})
    assert of_group(group, frozenset({group.name}), set())
    assert not of_group(group, frozenset({group.name}), set(), (TIGHT,))


EXCEPTION = '[[site.exception]]\nrule = "{}"\nreason = "r"\npath = "{}"\n[site.limits]'


def test_vectors_of_the_packs(tmp_path: Path) -> None:
    bench, _, _ = tunable.caught(tmp_path, [])

    def through(rule: str, path: str, *changes: Change) -> list[str]:
        text = bench.text.replace("[site.limits]", EXCEPTION.format(rule, path))
        return bench.attacks.through(bench.side("", text).policy, 0, changes)

    sign = "attacks of the packs would pass with it: those of"
    assert through("words", "/a.asp") == [f"{sign} words"]
    assert through("words", "/b.asp") == []
    assert through("ida-idq", "/search/*") == [f"{sign} ida-idq"]
    assert through("ida-idq", "/search/*", Change("exception", {"rule": "ida-idq", "compat": "tight"})) == []
