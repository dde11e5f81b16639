"""Is everything told that lies between two rulesets, and nothing where nothing does?"""

from pathlib import Path

import pytest

from stopgap.ruleset import diff

RULE = """
[[rule]]
id = "{id}"
title = "T"
match = {{ extension = "{ext}" }}
block = 'GET /a.{ext} HTTP/1.0'
pass = 'GET /{id} HTTP/1.0'
"""
SITE = """
[[site]]
name = "a"
origins = "http://192.0.2.1"
packs = []
rules = "own.toml"
"""


class Sides:
    """Two folders with a configuration and a pack each."""

    def __init__(self, folder: Path) -> None:
        self.folders = [folder / "old", folder / "new"]
        for one in self.folders:
            one.mkdir()

    def lines(self, site: tuple[str, str], pack: tuple[str, str]) -> list[str]:
        for folder, text, rules in zip(self.folders, site, pack, strict=True):
            (folder / "stopgap.toml").write_text(text, "utf-8")
            (folder / "own.toml").write_text(rules, "utf-8")
        old, new = (diff.of_config(folder.name, str(folder / "stopgap.toml")) for folder in self.folders)
        return [line for line in diff.differences(old, new) if 'site "a" rules: ' not in line]


@pytest.fixture
def sides(tmp_path: Path) -> Sides:
    return Sides(tmp_path)


ONE, TWO = RULE.format(id="one", ext="xa"), RULE.format(id="two", ext="xb")


def test_the_same(sides: Sides) -> None:
    assert sides.lines((SITE, SITE), (ONE + TWO, "\n\n" + ONE + TWO)) == []


def test_rules_that_came_and_went(sides: Sides) -> None:
    assert sides.lines((SITE, SITE), (ONE, TWO)) == [
        '- rule "one" (own): T',
        '+ rule "two" (own): T',
        "~ vector 'GET /a.xa HTTP/1.0' on site \"a\": refused, extension-denied (one) -> passes",
        "~ vector 'GET /a.xb HTTP/1.0' on site \"a\": passes -> refused, extension-denied (two)",
    ]


def test_keys_and_order_that_changed(sides: Sides) -> None:
    changed = ONE.replace('title = "T"', 'title = "U"\nseverity = "high"').replace("GET /one", "GET /1")
    assert sides.lines((SITE, SITE), (ONE + TWO, TWO + changed)) == [
        '~ rule "one": title, severity, pass',
        "~ rules: they are asked in another order",
    ]


def test_sites_limits_modes_and_exceptions(sides: Sides) -> None:
    other = SITE.replace('name = "a"', 'name = "b"\nhosts = "b.example"')
    more = '\n[site.limits]\npath = 99\n[site.modes]\none = "detect"\n[[site.exception]]\nrule = "one"\n'
    more += 'path = "/x"\nreason = "r"\n'
    lines = sides.lines(
        (SITE, 'trusted = "192.0.2.0/24"\n' + SITE + 'mode = "detect"\n' + more + other), (ONE, ONE)
    )
    assert lines == [
        "~ trusted: none -> 192.0.2.0/24",
        '+ site "b"',
        '~ site "a" mode: block -> detect',
        '~ site "a" limits.path: 1024 -> 99',
        '~ site "a" modes.one: none -> detect',
        '+ site "a" exception to "one": path /x',
    ]
    assert '- site "a" exception to "one": path /x' in sides.lines((SITE + more, SITE), (ONE, ONE))


def test_packs_alone(tmp_path: Path) -> None:
    for name, text in (("old", ONE), ("new", ONE.replace("xa", "xc"))):
        (tmp_path / f"{name}.toml").write_text(text, "utf-8")
    old, new = (diff.of_packs(name, [str(tmp_path / f"{name}.toml")]) for name in ("old", "new"))
    lines = diff.differences(old, new)
    assert lines[0] == '~ rule "one": match, block'
    assert (
        "~ vector 'GET /a.xa HTTP/1.0' on site \"any-932\": refused, extension-denied (one) -> passes"
        in lines
    )
    assert len(lines) == 5
