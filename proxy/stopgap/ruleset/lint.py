"""Which rules are well-formed and still wrong?

A rule without vectors proves nothing; a literal that its field can never hold makes a rule that never
fires; a regex that fits the empty text makes one that always does. Each is told as `file:line: rule
"id": key: what`.
"""

import re
from collections.abc import Iterator, Sequence

from stopgap.ruleset.match import TEXT, leaves
from stopgap.ruleset.model import Expr, Rule

_RAW_BYTE = re.compile(r"\\x[0-9A-Fa-f]{2}")
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}|%u[0-9A-Fa-f]{4}", re.IGNORECASE)

Never = tuple[re.Pattern[str], str]

_IN_PATH: tuple[Never, ...] = (
    (_PERCENT, "a path is tested decoded; write the character itself, or test path.raw"),
    (re.compile(r"\\"), 'a backslash is read as "/"; write "/"'),
    (re.compile(r"//"), 'runs of "/" are read as one; write "/"'),
    (re.compile(r"\?"), 'what follows "?" is the query; test query'),
)
_IN_NAME: tuple[Never, ...] = (
    (_PERCENT, "names are tested decoded; write the character itself, or test path.raw"),
    (re.compile(r"[/\\]"), "a name ends at a slash; test path"),
    (re.compile(r"\?"), 'what follows "?" is the query; test query'),
)
_IN_EXTENSION: tuple[Never, ...] = (
    (re.compile(r"\."), 'an extension is what follows the last dot; write it without "."'),
    *_IN_NAME,
)

NEVER: dict[str, tuple[Never, ...]] = {
    "path": _IN_PATH,
    "segment": _IN_NAME,
    "basename": _IN_NAME,
    "extension": _IN_EXTENSION,
    "method": (
        (re.compile(r"[^A-Z]"), "a method of anything but upper-case letters is refused before the rules"),
    ),
    "host": ((re.compile(r"[/\\ ]"), "no host holds it"),),
    "path.raw": ((re.compile(r"\?| "), 'what follows "?" is the query, and no target holds a space'),),
    "query.raw": ((re.compile(r" "), 'no target holds a raw space; test query, where "+" is one'),),
    "target": ((re.compile(r" "), "no target holds a raw space"),),
    "headers": ((re.compile(r"[^A-Za-z0-9!#$%&'*+.^_`|~-]"), "no header name holds it"),),
}
"""By field: what its readings never hold, and what to write instead. Regexes are not looked into."""


def lint(rules: Sequence[Rule]) -> list[str]:
    """Every problem of every rule, one line each."""
    return [problem for rule in rules for problem in _problems(rule)]


def _problems(rule: Rule) -> Iterator[str]:
    for key, vectors in (("block", rule.block), ("pass", rule.passes)):
        if not vectors:
            what = "that it must catch" if key == "block" else "that it must let through"
            yield f"{rule.where()}: {key}: is missing; give at least one request {what}"
    for text, count in _counts([vector.text for vector in (*rule.block, *rule.passes)]):
        if count > 1:
            yield f"{rule.where()}: block, pass: the vector {text!r} stands there {count} times"
    for key, expr in (
        ("match", rule.match),
        *((f"compat.{name}", expr) for name, expr in rule.compat.items()),
    ):
        for leaf in leaves(expr):
            for what in _leaf(leaf):
                yield f"{rule.where(rule.match_line)}: {key}: {what}"


def _leaf(leaf: Expr) -> Iterator[str]:
    """What is wrong with one test."""
    field, test = leaf["field"], leaf.get("test", "")
    if test not in TEXT:
        return
    for value in leaf["value"]:
        if test == "regex":
            if _fits_empty(value):
                yield f"{field}: the regex {value!r} fits the empty text, and so every request"
            continue
        if value == "" and test != "equals":
            yield f'{field}: {test} = "" fits every request'
        bare = _RAW_BYTE.sub("", value)
        for pattern, why in NEVER.get(field, ()):
            if pattern.search(bare):
                yield f"{field}: {value!r} can never occur there: {why}"
                break
        else:
            if field == "path" and test in ("equals", "prefix") and not bare.startswith("/"):
                yield f'{field}: {value!r} can never occur there: a path starts with "/"'


def _fits_empty(regex: str) -> bool:
    """Whether a regex fits the empty text; one that only the core understands is left to the core."""
    try:
        return re.search(regex, "") is not None
    except (re.error, RecursionError, OverflowError):
        return False


def _counts(texts: Sequence[str]) -> list[tuple[str, int]]:
    return [(text, texts.count(text)) for text in dict.fromkeys(texts)]
