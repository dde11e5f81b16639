"""Is the specification complete, its version one of content, and its counters stable over reloads?"""

from pathlib import Path

import msgspec
import pytest

from stopgap import _core
from stopgap.errors import InputError
from stopgap.ruleset import load, spec
from tests.unit.ruleset.builders import config_of, rules_of

SITE = '[[site]]\nname = "{0}"\nhosts = "{0}"\norigins = "http://h"\nserver = "iis5"\n'
RULE = "[[rule]]\nid = '{}'\ntitle = 'T'\nmatch = {{ {} }}\n"


def test_everything_is_there(tmp_path: Path) -> None:
    read = config_of(tmp_path, SITE.format("a") + SITE.format("b"))
    ruleset = load.load(read)
    built = spec.build(read, ruleset, spec.Registry())
    data = msgspec.json.decode(built.json)
    assert built.rules == tuple(rule.id for rule in ruleset.rules)
    assert built.sites == ("a", "b")
    assert [rule["counter"] for rule in data["rules"]] == list(range(len(ruleset.rules)))
    assert [site["counter"] for site in data["sites"]] == [0, 1]
    assert data["sites"][0]["limits"] == _core.limits("iis5")
    assert data["sites"][0]["deadlines"] == _core.deadlines()
    policy = spec.compiled(built)
    assert tuple(policy.rules) == built.rules
    assert tuple(policy.sites) == built.sites


def test_counters_stay_and_the_version_follows_the_content(tmp_path: Path) -> None:
    registry = spec.Registry()
    one, two, three = (rules_of(tmp_path, RULE.format(name, "method = 'X'"))[0] for name in ("a", "b", "c"))
    first = spec.join([one, two], [], registry)
    second = spec.join([three, two], [], registry)
    again = spec.join([one, two], [], spec.Registry())
    counters = [rule["counter"] for rule in msgspec.json.decode(second.json)["rules"]]
    assert counters == [2, 1]
    assert first.version == again.version
    assert spec.join([two, one], [], registry).version != first.version
    assert spec.join([one, two], [], registry).version == first.version


def test_counters_run_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(spec.MOST_COUNTERS, "site", 1)
    registry = spec.Registry()
    assert [registry.site("a"), registry.site("a")] == [0, 0]
    with pytest.raises(
        InputError, match=r'^site "b": all 1 site counters are taken since the start; restart$'
    ):
        registry.site("b")


def test_what_only_the_core_finds_is_told_with_its_place(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, RULE.format("r", "path = { regex = '(a' }"))
    with pytest.raises(InputError) as caught:
        spec.compiled(spec.join(rules, [], spec.Registry()))
    assert str(caught.value).startswith(f'{tmp_path}/ours.toml:4: rule "r": match: ')


def test_a_limit_beyond_what_the_gate_bears_is_told_with_its_place(tmp_path: Path) -> None:
    read = config_of(tmp_path, SITE.format("a") + "limits = { target = 10_000_000 }\n")
    built = spec.build(read, load.load(read), spec.Registry())
    with pytest.raises(InputError) as caught:
        spec.compiled(built)
    assert str(caught.value).startswith(
        f'{tmp_path}/stopgap.toml:1: site "a": limits.target: 10000000 is not '
    )


def test_keys_are_left_out_where_they_say_nothing(tmp_path: Path) -> None:
    keys = 'packs = ["code-red"]\nmode = "canary"\nmethods = "GET"\nmodes = { ida-idq = "block" }\n'
    for text, expected in (
        ('packs = ["code-red"]\n', {}),
        (keys, {"canary": 10, "methods": ["GET"], "modes": {"ida-idq": "block"}}),
    ):
        read = config_of(tmp_path, SITE.format("a") + text)
        (site,) = msgspec.json.decode(spec.build(read, load.load(read), spec.Registry()).json)["sites"]
        assert {key: site[key] for key in ("canary", "methods", "modes") if key in site} == expected


def test_exceptions_keep_their_counters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (
        f'[[site.exception]]\nrule = "stream"\nreason = "why"\npath = "/{name}"\n' for name in ("a", "表")
    )
    registry = spec.Registry()

    def counters(text: str) -> list[int]:
        read = config_of(tmp_path, SITE.format("a") + "packs = []\ncodepage = 932\n" + text)
        (site,) = msgspec.json.decode(spec.build(read, load.load(read), registry).json)["sites"]
        return [exception["counter"] for exception in site["exceptions"]]

    assert counters(one) == [0]
    assert set(counters(two)) == {1}
    assert set(counters(two + one)) == {0, 1}
    monkeypatch.setitem(spec.MOST_COUNTERS, "exception", 2)
    with pytest.raises(InputError, match=r"all 2 exception counters are taken since the start; restart$"):
        counters(one.replace("/a", "/b"))
