"""Is a nested match the same when it is flat, and is what a program cannot see left out case by case?"""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stopgap.ruleset.formats.clauses import MOST_CASES, cases, clauses
from stopgap.ruleset.formats.window import Unsayable
from stopgap.ruleset.model import Expr
from tests.unit.ruleset.formats.making import rule, site

LEAVES = "abcd"
EXPRS = st.recursive(
    st.sampled_from(LEAVES).map(lambda name: {"field": name}),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=6,
)


def truth(expr: Expr, world: dict[str, bool]) -> bool:
    if "all" in expr:
        return all(truth(part, world) for part in expr["all"])
    if "any" in expr:
        return any(truth(part, world) for part in expr["any"])
    if "not" in expr:
        return not truth(expr["not"], world)
    return world[expr["field"]]


@given(EXPRS)
def test_flat_is_the_same(expr: Expr) -> None:
    flat = cases(expr)
    for values in product((True, False), repeat=len(LEAVES)):
        world = dict(zip(LEAVES, values, strict=True))
        said = any(all(world[leaf["field"]] is holds for leaf, holds in case) for case in flat)
        assert said == truth(expr, world)


def test_too_many_cases() -> None:
    pair = {"any": [{"field": "a"}, {"field": "b"}]}
    with pytest.raises(Unsayable, match=f"more than {MOST_CASES} cases"):
        cases({"all": [pair] * 40})


KNOWN = ["path", "method", "header", "target"]


def sayings(match: dict[str, Any]) -> tuple[int, tuple[str, ...]]:
    found = clauses(rule(match), site().limits, KNOWN)
    return len(found.cases), found.unsaid


def test_a_case_that_cannot_be_said_is_left_out_alone() -> None:
    match = {"any": [{"path": "/a"}, {"query": "b"}, {"path": "/c", "body": {"contains": "x"}}]}
    assert sayings(match) == (1, ("query cannot be looked at", "body cannot be looked at"))


def test_a_contradiction_is_no_case() -> None:
    assert sayings({"path": "/a", "not": {"any": [{"path": "/a"}, {"method": "PUT"}]}}) == (
        0,
        ("it can never match",),
    )


def test_labels_become_tests_of_the_limits() -> None:
    found = clauses(rule({"reason": "target-too-long"}), {**site().limits, "target": 99}, KNOWN)
    assert [[spot.pattern for spot in test.spots] for case in found.cases for test in case] == [
        [r"\A(?s:.){100}"]
    ]
    assert sayings({"reason": "bare-lf"}) == (0, ("bare-lf is judged by Stopgap's own grammar",))


def test_sources_are_told_once() -> None:
    found = clauses(rule({"header": {"a": "1", "b": "2"}, "path": "/x"}), site().limits, KNOWN)
    assert found.sources == ("header", "path")
