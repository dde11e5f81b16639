"""How does a `match` table, as an operator writes it, become an expression of the core?

The keys of a table AND together, a list ORs. `FIELDS` says which tests a field takes; `header`, `cookie`,
`param` and `form` are tables of their own; `reason` stands alone. What does not fit raises `MatchError` with
its path.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from stopgap import _core
from stopgap.errors import nearest
from stopgap.ruleset.model import Expr
from stopgap.tomlfile import KeyPath

TEXT = frozenset({"equals", "prefix", "suffix", "contains", "regex"})
SIZES = frozenset({"length", "count", "run", "repeat"})

FIELDS: dict[str, frozenset[str]] = {
    "method": TEXT | {"length"},
    "version": TEXT,
    "host": TEXT | {"length", "run"},
    "target": TEXT | {"length", "count", "run"},
    "path": TEXT | {"length", "run"},
    "path.raw": TEXT | {"length", "run"},
    "extension": TEXT | {"length", "count", "run"},
    "segment": TEXT | {"length", "count", "run"},
    "basename": TEXT | {"length", "count", "run"},
    "depth": frozenset({"count"}),
    "query": TEXT | {"length", "run"},
    "query.raw": TEXT | {"length", "run"},
    "headers": TEXT | {"length", "count"},
    "body": TEXT | {"length", "run"},
    "header": TEXT | {"length", "count", "run"},
    "cookie": TEXT | {"length", "count", "run"},
    "param": frozenset({"count", "repeat"}),
    "form": frozenset({"count", "repeat"}),
    "reason": frozenset({"equals"}),
}
"""Every field, and the tests it takes. `path.raw` may be written `path = { raw = ... }` or quoted."""

PARAM_SIDES = {"name": TEXT | {"length", "run"}, "value": TEXT | {"length", "run"}}
"""`param = { name = ..., value = ... }` tests the name and the value of one parameter; so does `form`."""

DEEPEST = 64
"""Steps from the top of a match table to its innermost one; the core reads no deeper JSON than twice that."""

_BYTE = re.compile(rb"\\x([0-9A-Fa-f]{2})")


class MatchError(Exception):
    """A match table is wrong at `path` (from the table itself)."""

    def __init__(self, path: KeyPath, text: str) -> None:
        super().__init__(text)
        self.path, self.text = path, text


def compile_match(table: Mapping[str, Any], path: KeyPath = ()) -> Expr:
    """One match table -> its expression. Raises `MatchError`."""
    if len(path) > DEEPEST:
        raise MatchError(path[:1], "is nested too deeply")
    if not table:
        raise MatchError(path, "is empty and would match every request")
    if "reason" in table and (len(table) > 1 or path):
        raise MatchError((*path, "reason"), "stands alone; a rule that labels a reason tests nothing else")
    parts: list[Expr] = []
    for key, value in table.items():
        parts += _entry(key, value, (*path, key))
    return _all(parts)


def unescaped(text: bytes) -> bytes:
    r"""A value or vector as it is meant: `\xHH` is one byte, any other backslash stands for itself."""
    return _BYTE.sub(lambda found: bytes([int(found[1], 16)]), text)


def leaves(expr: Expr) -> list[Expr]:
    """Every test in an expression, in the order of the text; those on a parameter carry its field."""
    for key in ("all", "any"):
        if key in expr:
            return [leaf for part in expr[key] for leaf in leaves(part)]
    if "not" in expr:
        return leaves(expr["not"])
    if "same" in expr:
        return [{**leaf, "field": expr["field"]} for leaf in expr["same"]]
    return [expr]


def _entry(key: str, value: Any, path: KeyPath) -> list[Expr]:
    """One key of a table -> the expressions that must all hold."""
    if special := _SPECIAL.get(key):
        return special(value, path)
    if key not in FIELDS:
        raise MatchError(path, f"unknown field{nearest(key, [*FIELDS, *_SPECIAL])}")
    if isinstance(value, dict) and "raw" in value and f"{key}.raw" in FIELDS:
        rest = {name: test for name, test in value.items() if name != "raw"}
        parts = _tests({"field": f"{key}.raw"}, value["raw"], (*path, "raw"), FIELDS[f"{key}.raw"])
        return parts + (_tests({"field": key}, rest, path, FIELDS[key]) if rest else [])
    if key == "depth" and isinstance(value, dict) and "count" not in value:
        return [_size({"field": "depth"}, "count", value, path)]
    return _tests({"field": key}, value, path, FIELDS[key])


def _group(kind: str) -> Callable[[Any, KeyPath], list[Expr]]:
    def compile_group(value: Any, path: KeyPath) -> list[Expr]:
        if not isinstance(value, list) or not value or not all(isinstance(one, dict) for one in value):
            raise MatchError(
                path, "must be a list of match tables, such as [{ extension = ... }, { path = ... }]"
            )
        return [{kind: [compile_match(one, (*path, index)) for index, one in enumerate(value)]}]

    return compile_group


def _negation(value: Any, path: KeyPath) -> list[Expr]:
    if not isinstance(value, dict):
        raise MatchError(path, "must be a match table, such as { extension = ... }")
    return [{"not": compile_match(value, path)}]


def _named(field: str) -> Callable[[Any, KeyPath], list[Expr]]:
    def compile_named(value: Any, path: KeyPath) -> list[Expr]:
        if not isinstance(value, dict) or not value:
            raise MatchError(
                path, f"must be a table of {field} names, such as {{ name = {{ contains = ... }} }}"
            )
        parts: list[Expr] = []
        for name, tests in value.items():
            parts += _tests({"field": field, "name": name}, tests, (*path, name), FIELDS[field])
        return parts

    return compile_named


def _paired(field: str) -> Callable[[Any, KeyPath], list[Expr]]:
    def compile_paired(value: Any, path: KeyPath) -> list[Expr]:
        if not isinstance(value, dict) or not value:
            raise MatchError(path, "must be a table of name, value, count or repeat")
        same: list[Expr] = []
        parts: list[Expr] = []
        for key, tests in value.items():
            if key in PARAM_SIDES:
                same += _tests({"on": key}, tests, (*path, key), PARAM_SIDES[key])
            elif key in FIELDS[field]:
                parts.append(_size({"field": field}, key, tests, (*path, key)))
            else:
                known = [*PARAM_SIDES, *FIELDS[field]]
                raise MatchError(
                    (*path, key), f'unknown key{nearest(key, known)}; write name = "{key}", value = ...'
                )
        return [*parts, {"field": field, "same": same}] if same else parts

    return compile_paired


def _reason(value: Any, path: KeyPath) -> list[Expr]:
    names = {name: tier for name, tier, *_ in _core.reasons()}
    parts = _tests({"field": "reason"}, value, path, FIELDS["reason"])
    for name in parts[0]["value"]:
        if name not in names:
            raise MatchError(path, f'no reason is called "{name}"{nearest(name, names)}')
    return parts


_SPECIAL: dict[str, Callable[[Any, KeyPath], list[Expr]]] = {
    "any": _group("any"),
    "all": _group("all"),
    "not": _negation,
    "header": _named("header"),
    "cookie": _named("cookie"),
    "param": _paired("param"),
    "form": _paired("form"),
    "reason": _reason,
}


def _tests(leaf: Expr, value: Any, path: KeyPath, allowed: frozenset[str]) -> list[Expr]:
    """What stands right of a field -> its tests: text or list (equals), or a table of tests."""
    if not isinstance(value, dict):
        if "equals" not in allowed:
            raise MatchError(path, "must be a table of tests, such as { over = 10 }")
        return [{**leaf, "test": "equals", "value": _values(value, path)}]
    if not value:
        raise MatchError(path, "is an empty table of tests")
    parts: list[Expr] = []
    for test, operand in value.items():
        here = (*path, test)
        if test not in allowed:
            raise MatchError(here, f"unknown test{nearest(test, allowed)}")
        if test in SIZES:
            parts.append(_size(leaf, test, operand, here))
        else:
            parts.append({**leaf, "test": test, "value": _values(operand, here)})
    return parts


def _size(leaf: Expr, test: str, value: Any, path: KeyPath) -> Expr:
    bounds = value if isinstance(value, dict) else {}
    numbers = all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 2**40 for n in bounds.values())
    if len(bounds) != 1 or not bounds.keys() <= {"over", "under"} or not numbers:
        raise MatchError(path, "must be { over = n } or { under = n } with a whole number")
    return {**leaf, "test": test, **bounds}


def _values(value: Any, path: KeyPath) -> list[str]:
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(one, str) for one in values):
        raise MatchError(path, "must be text in quotes or a list of such")
    return values


def _all(parts: list[Expr]) -> Expr:
    return parts[0] if len(parts) == 1 else {"all": parts}
