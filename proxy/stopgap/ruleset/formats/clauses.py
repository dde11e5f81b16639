"""What does a rule ask, as a list of cases of which one must hold, each a list of tests that all must?

HAProxy, nginx, ModSecurity and Suricata know no nested conditions. `cases` brings an expression into that
flat form; `tests` takes one leaf apart into regexes on what those programs can look at.
"""

import math
from collections.abc import Sequence
from itertools import chain, product

from msgspec import Struct

from stopgap.ruleset.formats.window import WINDOWS, Spot, Unsayable, Windows, spots
from stopgap.ruleset.model import Expr, Rule

MOST_CASES = 64

Flat = list[list[tuple[Expr, bool]]]


class Test(Struct, frozen=True):
    """One of `spots` fits; with `holds` False, none does."""

    spots: tuple[Spot, ...]
    holds: bool

    @property
    def sources(self) -> list[str]:
        return [spot.source for spot in self.spots]


class Clauses(Struct, frozen=True):
    """A rule as cases of tests, and why there are cases that cannot be said."""

    cases: tuple[tuple[Test, ...], ...]
    unsaid: tuple[str, ...]

    @property
    def sources(self) -> tuple[str, ...]:
        """What is looked at, each once: without the names of headers and cookies."""
        kinds = (source.split(":")[0] for case in self.cases for test in case for source in test.sources)
        return tuple(dict.fromkeys(kinds))


def clauses(rule: Rule, limits: dict[str, int], known: Sequence[str], windows: Windows = WINDOWS) -> Clauses:
    """The cases of a rule for a program that can look at the sources in `known`.

    A case with a test that cannot be said is left out: without that test it would refuse more than the rule.
    """
    said: list[tuple[Test, ...]] = []
    unsaid: dict[str, None] = {}
    try:
        flat = cases(_plain(rule.match, limits))
    except Unsayable as error:
        return Clauses((), (str(error),))
    for case in flat:
        try:
            tests = tuple(Test(spots(leaf, windows), holds) for leaf, holds in case)
            for source in (source.split(":")[0] for test in tests for source in test.sources):
                if source not in known:
                    raise Unsayable(f"{source} cannot be looked at")
        except Unsayable as error:
            unsaid[str(error)] = None
        else:
            if not any(Test(test.spots, not test.holds) in tests for test in tests):
                said.append(tests)
    if not said and not unsaid:
        unsaid["it can never match"] = None
    return Clauses(tuple(said), tuple(unsaid))


def cases(expr: Expr, holds: bool = True) -> Flat:
    """The expression as alternatives of conjunctions. Raises `Unsayable` where they are too many."""
    if "not" in expr:
        return cases(expr["not"], not holds)
    for key, together in (("all", holds), ("any", not holds)):
        if key not in expr:
            continue
        parts = [cases(part, holds) for part in expr[key]]
        sizes = [len(part) for part in parts]
        if (math.prod(sizes) if together else sum(sizes)) > MOST_CASES:
            raise Unsayable(f"the match has more than {MOST_CASES} cases")
        if together:
            return [[*chain.from_iterable(choice)] for choice in product(*parts)]
        return [*chain.from_iterable(parts)]
    return [[(expr, holds)]]


def _leaf(field: str, test: str, **more: object) -> Expr:
    return {"field": field, "test": test, **more}


def _plain(expr: Expr, limits: dict[str, int]) -> Expr:
    """A rule that labels a refusal of the core's as a rule that looks for what is refused."""
    if expr.get("field") != "reason":
        return expr
    table: dict[str, Expr] = {
        "target-too-long": _leaf("target", "length", over=limits["target"]),
        "path-too-long": _leaf("path.raw", "length", over=limits["path"]),
        "segment-too-long": _leaf("segment", "length", over=limits["segment"]),
        "too-many-segments": _leaf("depth", "count", over=limits["segments"]),
        "query-too-long": _leaf("query.raw", "length", over=limits["query"]),
        "too-many-escapes": _leaf("target", "regex", value=[f"(?:[^%]*%){{{limits['escapes'] + 1}}}"]),
        "body-too-long": _leaf("body", "length", over=limits["body"]),
        "get-with-body": {
            "all": [
                _leaf("method", "equals", value=["GET", "HEAD"]),
                {
                    "any": [
                        _leaf("body", "length", over=0),
                        _leaf("headers", "equals", value=["transfer-encoding"]),
                    ]
                },
            ]
        },
        "encoded-body": _leaf("headers", "equals", value=["content-encoding"]),
        "backslash": _leaf("path.raw", "contains", value=["\\"]),
        "double-escape": _leaf("path.raw", "regex", value=["%25[0-9a-f]{2}"]),
        "percent-u": _leaf("path.raw", "regex", value=["%u[0-9a-f]{4}"]),
        "high-bit": _leaf("target", "regex", value=[r"[\x80-\xff]"]),
        "nul-in-path": _leaf("path.raw", "contains", value=["%00"]),
        "fragment": _leaf("target", "contains", value=["#"]),
        "traversal": _leaf("segment", "equals", value=[".."]),
    }
    for reason in expr["value"]:
        if reason not in table:
            raise Unsayable(f"{reason} is judged by Stopgap's own grammar")
    return {"any": [table[reason] for reason in expr["value"]]}
