"""Where in a request does a rule's field lie, for a program that only has regexes on whole strings?

Each field is a window: a source that those programs know, what stands before the field in it, which bytes it
may hold and what ends it. A test of the field becomes one PCRE pattern on the source. A path is written so
that a backslash is a slash and many slashes are one, as IIS reads it.
"""

import re
from collections.abc import Callable

from msgspec import Struct

from stopgap.ruleset.formats.pattern import coded
from stopgap.ruleset.formats.regex import (
    ALL,
    Chars,
    Edge,
    Group,
    Node,
    RegexError,
    Repeat,
    literal,
    nodes,
    parse,
    rebuilt,
)
from stopgap.ruleset.match import unescaped
from stopgap.ruleset.model import Expr

MOST_REPEATS = 60_000
"""PCRE takes repeats to 65535."""
MEASURE = 16
"""A regex that repeats something so often measures a length."""
PRESENT = "(?s:.)"
"""A header is there, and not empty: nginx takes one that is absent for an empty one."""

NEVER_EMPTY = ("method", "target", "path")
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
_SLASHES = frozenset(b"/\\")
_CUT = frozenset(b"/\\:;\0")
_CUTS = r"(?:\z|[\x00\x2f\x3a\x3b\x5c])"
_ENDS = rf"(?:(?<![\x2e\x20])(?=[\x2e\x20]*{_CUTS})|(?={_CUTS}))"
"""Windows strips dots and spaces from the end of a name, but `..` is a name of its own."""


class Unsayable(Exception):
    """A test that these programs cannot do; the text says what it is."""


class Spot(Struct, frozen=True):
    """A PCRE pattern on a source: path, query, target, header:NAME and so on.

    `sized`: it measures, so that an escape must count as the one byte that it stands for. `text` is in
    whatever fits, in either case.
    """

    source: str
    pattern: str
    sized: bool = False
    text: bytes = b""


class Window(Struct, frozen=True):
    """`before` and `after` look around the field and take no bytes; `of` are the bytes it may hold."""

    source: str
    before: str = r"\A"
    of: frozenset[int] = ALL
    after: str = r"\z"
    whole: bool = True
    folds: bool = True


class Windows(Struct, frozen=True):
    """Where each field lies for one kind of program; headers and cookies by their names."""

    fields: dict[str, Window]
    header: Callable[[str], Window]
    cookie: Callable[[str], Window]


def _cookie(name: str) -> Window:
    """A cookie in the header: not every program can ask for one by any name."""
    before = rf"(?:\A|\x3b)[\x09\x20]*{named(name)}[\x09\x20]*\x3d[\x09\x20]*"
    after = r"(?=[\x09\x20]*(?:\x3b|\z))"
    return Window("header:cookie", before, ALL - frozenset(b";"), after, whole=False)


def named(name: str) -> str:
    """The pattern of a header's or cookie's name."""
    return coded(Group((literal(name.encode(), fold=True),)))


WINDOWS = Windows(
    fields={
        "method": Window("method", folds=False),
        "version": Window("version"),
        "host": Window("host"),
        "target": Window("target"),
        "path.raw": Window("path.raw", r"\A", ALL - frozenset(b"?"), r"(?=\?|\z)", whole=False),
        "query.raw": Window("query.raw"),
        "path": Window("path"),
        "depth": Window("path"),
        "segment": Window("path", r"(?<![^\x2f\x5c])", ALL - _SLASHES, _ENDS, whole=False),
        "basename": Window(
            "path", r"(?<![^\x2f\x5c])(?=[^\x2f\x5c]*(?:\x2e|\z))", ALL - _SLASHES, _ENDS, whole=False
        ),
        "extension": Window("path", r"(?<=\x2e)", ALL - _CUT - frozenset(b"."), _ENDS, whole=False),
        "query": Window("query"),
        "param": Window("query", r"(?<![^&])", whole=False),
        "form": Window("form", r"(?<![^&])", whole=False),
        "body": Window("body"),
        "length": Window("length"),
    },
    header=lambda name: Window(f"header:{name}"),
    cookie=_cookie,
)
"""For programs that have the path and the query apart."""


def spots(leaf: Expr, windows: Windows = WINDOWS) -> tuple[Spot, ...]:
    """One leaf as patterns of which one must fit. Raises `Unsayable`."""
    field, test = leaf["field"], leaf.get("test", "")
    if field in ("param", "form"):
        return (_param(leaf, windows.fields[field]),)
    if field == "headers":
        if test != "equals":
            raise Unsayable(f"headers {test} is a test of all names at once")
        return tuple(_present(windows.header(_plain(name))) for name in leaf["value"])
    if field == "body" and test == "length":
        window = windows.fields["length"]
        digits = _over(leaf, number_over)
        return (Spot(window.source, f"{window.before}{digits}{window.after}"),)
    if field in ("header", "cookie"):
        window = windows.header(_plain(leaf["name"])) if field == "header" else windows.cookie(leaf["name"])
        if test == "count" and leaf.get("over") == 0:
            return (_present(window) if field == "header" else Spot(window.source, window.before),)
    else:
        window = windows.fields[field]
    if "value" in leaf:
        return tuple(_spot(window, test, value) for value in leaf["value"])
    gap = _gap(window)
    if field in NEVER_EMPTY and test == "length" and 1 < leaf.get("under", 0) <= MOST_REPEATS:
        return (
            Spot(window.source, f"{window.before}{gap}{{1,{leaf['under'] - 1}}}{window.after}", sized=True),
        )
    sizes = {
        "length": lambda n: f"{window.before}{gap}{{{n + 1}}}",
        "run": lambda n: f"{_reach(window)}({gap})\\1{{{n}}}",
    }
    if field == "depth":
        sizes["count"] = lambda n: rf"{window.before}(?:[\x2f\x5c]+[^\x2f\x3f\x5c]+){{{n + 1}}}"
    if test not in sizes:
        raise Unsayable(f"{field} {test} is no pattern")
    return (Spot(window.source, _over(leaf, sizes[test]), sized=True),)


def _present(window: Window) -> Spot:
    return Spot(
        window.source, window.before.replace(r"\A", "", 1) + PRESENT if window.whole else window.before
    )


def _plain(name: str) -> str:
    """A header's name that needs no quotes anywhere, in small letters."""
    if not _PLAIN.fullmatch(name):
        raise Unsayable(f"the header name {name!r} is not of letters, digits and hyphens")
    return name.lower()


def _over(leaf: Expr, pattern: Callable[[int], str]) -> str:
    """The pattern of `over = n`; `under = n` is what has not n or more."""
    most = leaf["over"] if "over" in leaf else leaf["under"] - 1
    if not 0 <= most <= MOST_REPEATS and pattern is not number_over:
        raise Unsayable(f"{leaf['field']} {leaf['test']} of {most} is beyond what a pattern can count")
    if "under" in leaf and pattern is number_over:
        raise Unsayable("a length of the body below a number is none where there is no body")
    return pattern(most) if "over" in leaf else rf"\A(?!(?s:.)*?{pattern(most)})"


def number_over(most: int) -> str:
    """Decimal numbers above `most`, without leading zeros or with."""
    digits = str(most)
    ways = [f"[1-9][0-9]{{{len(digits)},}}"]
    for place, digit in enumerate(digits):
        if digit < "9":
            ways.append(f"{digits[:place]}[{int(digit) + 1}-9][0-9]{{{len(digits) - place - 1}}}")
    return rf"0*(?:{'|'.join(ways)})"


def _gap(window: Window) -> str:
    return "(?s:.)" if window.of == ALL else coded(Chars(window.of))


def _reach(window: Window) -> str:
    """From where a field begins to anywhere in it."""
    return "" if window.whole else f"{window.before}{_gap(window)}*?"


def tree(window: Window, test: str, value: str) -> Group:
    """What a value looks for, as the window's source has it. Raises `Unsayable`."""
    if test == "regex":
        try:
            found = parse(value, window.folds)
        except RegexError as error:
            raise Unsayable(f"the regex {value!r}: {error}") from None
    else:
        found = Group((literal(unescaped(value.encode()), window.folds),))
    return rebuilt(found, _slashed) if window.source == "path" else found


def _slashed(node: Node) -> Node:
    """A path's bytes: a slash is any run of slashes and backslashes, and nothing else holds a backslash."""
    if not isinstance(node, Chars):
        return node
    if node.of == frozenset(b"/"):
        return Repeat(Chars(_SLASHES), 1, None)
    return Chars(node.of | _SLASHES if 0x2F in node.of else node.of - _SLASHES)


def _within(window: Window) -> Callable[[Node], Node]:
    """Bytes that stay in the window."""
    return lambda node: Chars(node.of & window.of) if isinstance(node, Chars) else node


def _spot(window: Window, test: str, value: str) -> Spot:
    source = window.source
    found = tree(window, test, value)
    if test == "regex":
        measures = any(isinstance(node, Repeat) and node.least >= MEASURE for node in nodes(found))
        return Spot(source, _regex(window, found, value), measures)
    before = window.before if test in ("equals", "prefix") else _reach(window)
    after = window.after if test in ("equals", "suffix") else ""
    return Spot(source, f"{before}{coded(found)}{after}", text=unescaped(value.encode()))


def _regex(window: Window, found: Group, value: str) -> str:
    """A regex in a window: its bytes stay inside, its ends are the window's."""
    if window.whole:
        return coded(found)
    starts = [bool(option) and option[0] == Edge("start") for option in found.options]
    if sum(node == Edge("start") for node in nodes(found)) != sum(starts):
        raise Unsayable(f"the regex {value!r} has a start inside of it")
    ways = []
    for option, start in zip(found.options, starts, strict=True):
        inner = rebuilt(Group((option[start:],)), _within(window))
        ways.append((window.before if start else _reach(window)) + coded(inner, window.after))
    return f"(?:{'|'.join(ways)})"


_NAME = Window("", "", ALL - frozenset(b"&="), "", whole=False)
_VALUE = Window("", "", ALL - frozenset(b"&"), r"(?:&|\z)", whole=False)


def _param(leaf: Expr, window: Window) -> Spot:
    source = window.source
    if "same" not in leaf:
        if leaf["test"] != "count" or "name" in leaf:
            raise Unsayable(f"{leaf['field']} {leaf['test']} is no pattern")
        return Spot(source, _over(leaf, lambda n: rf"\A&*(?:[^&]+(?:&+|\z)){{{n + 1}}}"))
    sides = {"name": r"[^&=]*", "value": ""}
    for part in leaf["same"]:
        side = _NAME if part["on"] == "name" else _VALUE
        if sides[part["on"]] not in (r"[^&=]*", ""):
            raise Unsayable("two tests of one parameter's name or value")
        sides[part["on"]] = _side(side, part)
    if not any(part["on"] == "value" for part in leaf["same"]):
        return Spot(source, window.before + sides["name"] + r"(?:[&=]|\z)")
    return Spot(source, f"{window.before}{sides['name']}={sides['value']}")


def _side(window: Window, part: Expr) -> str:
    gap = _gap(window) + "*?"
    after = window.after if window is _VALUE else ""
    if "value" not in part:
        if part["test"] != "length" or "over" not in part or part["over"] > MOST_REPEATS:
            raise Unsayable(f"a parameter's {part['on']} {part['test']} is no pattern")
        return f"{_gap(window)}{{{part['over'] + 1},}}"
    ways = []
    for value in part["value"]:
        found = rebuilt(tree(window, part["test"], value), _within(window))
        for option in found.options:
            starts = part["test"] in ("equals", "prefix") or option[:1] == (Edge("start"),)
            ends = part["test"] in ("equals", "suffix") or option[-1:] == (Edge("end"),)
            inner = Group((tuple(node for node in option if node not in (Edge("start"), Edge("end"))),))
            if sum(isinstance(node, Edge) for node in nodes(Group((option,)))) > (starts + ends):
                raise Unsayable(f"the regex {value!r} has ends inside of it")
            ways.append(f"{'' if starts else gap}{coded(inner)}{after if ends else gap}")
    return f"(?:{'|'.join(ways)})"
