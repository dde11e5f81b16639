"""Is every row of the catalogue held off by what rules/coverage.toml names, and what people send let through?

rows.toml holds, row by row, requests that no rule was written with: other spellings, other places, and what
the catalogue says is legitimate.
"""

import ast
import itertools
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from stopgap import _core
from stopgap.ruleset import load, vectors
from stopgap.ruleset.explain import Explanation, read
from stopgap.ruleset.model import Rule
from stopgap.ruleset.spec import Registry, compiled, join

ROOT = Path(__file__).parents[3]
COVERAGE = tomllib.loads((ROOT / "rules" / "coverage.toml").read_text("utf-8"))
BEYOND = COVERAGE.pop("beyond-the-catalogue")["rules"]
PACKS = load.packaged()
LOADED = {rule.id: rule for rule in load.assemble(PACKS, {}).rules}
RULES = set(LOADED)
POLICIES = {rule.id for pack in PACKS if pack.policy for rule in pack.rules}
ROW_REQUESTS = tomllib.loads(Path(__file__).with_name("rows.toml").read_text("utf-8"))
NO_RULE_SHOWS = {
    "V-XFER": "a huge chunk is undone by structure",
    "V-IPLEAK": "a request without Host is refused by it",
}
REASONS = {name for name, *_ in _core.reasons()}
ROWS = {"V-": 101, "P": 10, "U": 8, "X": 19, "R": 16, "B": 9}
"""Rows of the catalogue by the start of their ids."""


@cache
def functions(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", COVERAGE)
def test_a_row_is_held_off(row: str) -> None:
    by = COVERAGE[row]
    assert by.keys() & {"rules", "reason", "test", "unseen"} == by.keys() != set()
    assert set(by.get("rules", ())) <= RULES
    assert set(by.get("reason", ())) <= REASONS
    for test in by.get("test", ()):
        file, _, name = test.partition("::")
        assert name in functions(file), test
    assert "unseen" not in by or len(by) == 1
    assert by.get("unseen", "-") != ""


def test_no_row_is_missing() -> None:
    starts = {start: sum(row.startswith(start) for row in COVERAGE) for start in ROWS}
    assert starts == ROWS


def test_every_rule_is_for_some_row() -> None:
    named = {rule for by in COVERAGE.values() for rule in by.get("rules", ())}
    assert RULES - named == set(BEYOND)


@cache
def judges() -> tuple[list[tuple[str, int]], _core.Policy]:
    """All packs for every server, in a Western and a Japanese code page."""
    sites = list(itertools.product(_core.servers(), vectors.CODEPAGES))
    specs = [vectors.bench_site(server, page, range(len(LOADED))) for server, page in sites]
    return sites, compiled(join(list(LOADED.values()), specs, Registry()))


def judged(text: str, servers: list[str]) -> Iterator[Explanation]:
    sites, policy = judges()
    raw = vectors.request(text)
    return (read(policy.explain(raw, at)) for at, (server, _) in enumerate(sites) if server in servers)


def catches(rule: Rule, text: str, only: list[str]) -> bool:
    servers = only or list(rule.servers) or _core.servers()
    return all(any(found.rule == rule.id for found in seen.findings) for seen in judged(text, servers))


def test_every_row_that_has_rules_has_requests() -> None:
    named = {row for row, by in COVERAGE.items() if row.startswith("V-") and "rules" in by}
    assert named - NO_RULE_SHOWS.keys() == ROW_REQUESTS.keys()


@pytest.mark.parametrize("row", ROW_REQUESTS)
def test_the_rules_of_a_row_catch_more_than_their_vectors(row: str) -> None:
    """Each request is caught by one rule of the row on every server that the rule is for."""
    table = ROW_REQUESTS[row]
    rules = [LOADED[name] for name in COVERAGE[row]["rules"]]
    assert len(table["block"]) >= 2
    for text in table["block"]:
        assert any(catches(rule, text, table.get("servers", [])) for rule in rules), text


@pytest.mark.parametrize("row", [row for row in ROW_REQUESTS if "pass" in ROW_REQUESTS[row]])
def test_what_a_row_calls_legitimate_passes(row: str) -> None:
    """Policy packs are off here: what they refuse is used somewhere every day."""
    table = ROW_REQUESTS[row]
    for text in table["pass"]:
        for seen in judged(text, table.get("servers", _core.servers())):
            found = [one for one in seen.findings if one.rule not in POLICIES and not one.counted]
            assert not found, text
