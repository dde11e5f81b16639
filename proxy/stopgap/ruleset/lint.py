"""Which rules are well-formed and still wrong?

A rule without vectors proves nothing; a literal that its field can never hold makes a rule that never
fires; a regex that fits the empty text makes one that always does. Each is told as `file:line: rule
"id": key: what`, and a ruleset with any of them is never used. What only deserves a look is told by
`stopgap.ruleset.overlap`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from stopgap import _core
from stopgap.ruleset import never, vectors
from stopgap.ruleset.explain import read
from stopgap.ruleset.match import TEXT, leaves
from stopgap.ruleset.model import Expr, Rule

_EMPTY = b"GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n"


def lint(rules: Sequence[Rule]) -> list[str]:
    """Every problem of every rule, one line each."""
    empty = fit_empty({value for rule in rules for _, leaf in _tests(rule) for value in _regexes(leaf)})
    return [problem for rule in rules for problem in _problems(rule, empty)]


def problems(rules: Sequence[Rule], advance: Callable[[], None] = lambda: None) -> list[str]:
    """Every problem and every vector that does not hold, one line each. Raises `RuleError`.

    `advance` is called after each vector.
    """
    return [*lint(rules), *map(str, vectors.run(rules, advance))]


def _problems(rule: Rule, empty: set[str]) -> Iterator[str]:
    for key, given in (("block", rule.block), ("pass", rule.passes)):
        if not given:
            what = "that it must catch" if key == "block" else "that it must let through"
            yield f"{rule.where()}: {key}: is missing; give at least one request {what}"
    for text, count in _counts([vector.text for vector in rule.vectors]):
        if count > 1:
            yield f"{rule.where()}: block, pass: the vector {text!r} stands there {count} times"
    for key, leaf in _tests(rule):
        for what in _leaf(leaf, empty):
            yield f"{rule.where(rule.match_line)}: {key}: {what}"


def _tests(rule: Rule) -> Iterator[tuple[str, Expr]]:
    """Every test of a rule, with the key that it stands under."""
    compat = ((f"compat.{name}", expr) for name, expr in rule.compat.items())
    for key, expr in (("match", rule.match), *compat):
        for leaf in leaves(expr):
            yield key, leaf


def _leaf(leaf: Expr, empty: set[str]) -> Iterator[str]:
    """What is wrong with one test."""
    field, test = leaf["field"], leaf.get("test", "")
    if "name" in leaf and (why := never.name(field, leaf["name"])):
        yield f"{field}: {leaf['name']!r} can never occur there: {why}"
    if leaf.get("under") == 0:
        yield f"{field}: {test} = {{ under = 0 }} can never hold: nothing is less than 0"
    for value in _regexes(leaf):
        if value in empty:
            yield (
                f"{field}: the regex {value!r} fits the empty text, and so nearly every request; "
                'let it want a byte ("+" for "*"), or write equals = "" if an empty value is meant'
            )
    if test not in TEXT or test == "regex":
        return
    for value in leaf["value"]:
        if value == "" and test != "equals":
            yield f'{field}: {test} = "" fits every request'
        elif why := never.text(field, test, value):
            yield f"{field}: {value!r} can never occur there: {why}"


def _regexes(leaf: Expr) -> list[str]:
    return list(leaf["value"]) if leaf.get("test") == "regex" else []


def fit_empty(regexes: set[str]) -> set[str]:
    """Those that fit the empty text, as the core reads them; a wrong one is told when it is compiled."""
    known = sorted(regexes)
    try:
        return _fit_empty(known) if known else set()
    except _core.PolicyError:
        half = len(known) // 2
        return fit_empty(set(known[:half])) | fit_empty(set(known[half:])) if half else set()


def _fit_empty(regexes: Sequence[str]) -> set[str]:
    rules: list[dict[str, Any]] = [
        {"id": str(number), "servers": [], "status": None, "compat": {}, "counter": 0}
        | {"match": {"field": "header", "name": "x", "test": "regex", "value": [regex]}}
        for number, regex in enumerate(regexes)
    ]
    site = {**vectors.bench_site("any", 1252, range(len(rules))), "counter": 0}
    policy = _core.Policy(msgspec.json.encode({"rules": rules, "sites": [site]}))
    return {regexes[int(one.rule)] for one in read(policy.explain(_EMPTY, 0)).findings if one.rule}


def _counts(texts: Sequence[str]) -> list[tuple[str, int]]:
    return [(text, texts.count(text)) for text in dict.fromkeys(texts)]
