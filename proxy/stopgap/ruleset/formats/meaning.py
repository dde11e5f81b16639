"""What does a text or regex in a buffer of a request mean as a match of ours, if it means the same?

A table: every buffer, under Suricata's names, in which CrowdSec's zones are told too, and the function that
makes a match table of a `Piece` in it. `http.uri` is path and query in one, so that a piece of it is looked
for in both, and across the `?` where it holds one. What would catch more or less in our words raises
`Inexact`.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from msgspec import Struct

from stopgap.ruleset.formats.pattern import shown
from stopgap.ruleset.formats.regex import (
    ALL,
    Chars,
    Edge,
    Group,
    Node,
    Repeat,
    folded,
    folds,
    holds,
    literal,
    nodes,
)

Table = dict[str, Any]
MARK = 0x3F
"""The byte of "?"."""


class Inexact(Exception):
    """It cannot be kept exactly; the text says why."""


class Piece(Struct, frozen=True):
    """What is looked for in a buffer: a text with its place, or a regex. `size` bounds the whole buffer."""

    text: bytes = b""
    nocase: bool = False
    starts: bool = False
    ends: bool = False
    regex: Group | None = None
    size: tuple[int, int | None] | None = None

    @property
    def test(self) -> str:
        """How our language calls the place of the text."""
        return {(True, True): "equals", (True, False): "prefix", (False, True): "suffix"}.get(
            (self.starts, self.ends), "contains"
        )


def anything(tables: list[Table]) -> Table:
    """One of several must hold."""
    return tables[0] if len(tables) == 1 else {"any": tables}


def every(tables: Sequence[Table]) -> Table:
    """All must hold: one table where no key stands twice."""
    merged: Table = {}
    for table in tables:
        if merged.keys() & table.keys():
            return {"all": list(tables)}
        merged |= table
    return merged


def value(text: bytes) -> str:
    """A text as a value of the rule language."""
    if b"\\x" in text:
        raise Inexact('a text with "\\x" cannot be written in a rule')
    try:
        plain = text.decode("ascii")
    except UnicodeDecodeError:
        plain = ""
    if plain and plain.isprintable():
        return plain
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}" for byte in text)


def _cased(piece: Piece) -> bool:
    """Whether the piece tells capital letters from small ones."""
    if piece.regex is not None:
        return not folds(piece.regex)
    return not piece.nocase and folded(frozenset(piece.text)) != frozenset(piece.text)


def _folding(piece: Piece, where: str) -> Piece:
    """The piece, for a field that has no case."""
    if _cased(piece):
        raise Inexact(f"{where} is tested without case; with nocase, /i or lowercase there it could be kept")
    return piece


def _tests(piece: Piece) -> Table:
    """The tests of a field that keeps its case: text, or a regex that tells it."""
    tests: Table = {}
    if piece.regex is not None:
        tests["regex"] = shown(piece.regex)
    elif piece.text and _cased(piece):
        inner: tuple[Node, ...] = literal(piece.text, fold=False)
        before: tuple[Node, ...] = (Edge("start"),) if piece.starts else ()
        after: tuple[Node, ...] = (Edge("end"),) if piece.ends else ()
        tests["regex"] = shown(Group(((*before, *inner, *after),)))
    elif piece.text:
        tests[piece.test] = value(piece.text)
    return tests


def _sized(field: Callable[[Table], Table], piece: Piece) -> Table:
    """A field with the tests of a piece, and its size."""
    tables = [field(tests)] if (tests := _tests(piece)) else []
    if piece.size:
        least, most = piece.size
        tables += [field({"length": {"over": least - 1}})] if least > 0 else []
        tables += [field({"length": {"under": most + 1}})] if most is not None else []
    if not tables:
        raise Inexact("it fits every request")
    return tables[0] if len(tables) == 1 else {"all": tables}


def _unsized(piece: Piece, buffer: str) -> Piece:
    if piece.size:
        raise Inexact(f"the size of {buffer} is not that of anything here")
    return piece


def plain(field: str, folding: bool = False) -> Callable[[Piece], Table]:
    """A buffer that is one of our fields."""
    return lambda piece: _sized(lambda tests: {field: tests}, _folding(piece, field) if folding else piece)


def header(name: str) -> Callable[[Piece], Table]:
    """A buffer that is the value of one header."""
    return lambda piece: _sized(lambda tests: {"header": {name: tests}}, piece)


def method(piece: Piece) -> Table:
    """A method is upper case, or the request is malformed."""
    if piece.regex is not None:
        return {"method": {"regex": shown(piece.regex, folding=False)}}
    text = piece.text.upper() if piece.nocase else piece.text
    return _sized(
        lambda tests: {"method": tests}, Piece(text, True, piece.starts, piece.ends, size=piece.size)
    )


def host(piece: Piece) -> Table:
    """`http.host` has no port, and small letters alone; ours has the port."""
    if piece.regex is not None or piece.size or b":" in piece.text:
        raise Inexact("http.host has no port, and the host here has one")
    if piece.text != piece.text.lower():
        raise Inexact("http.host has small letters alone, so that this never occurs")
    start: tuple[Node, ...] = (Edge("start"),)
    if not piece.starts:
        start = (Edge("start"), Repeat(Chars(ALL - frozenset(b":")), 0, None))
    port = Group(((Chars(frozenset(b":")), Repeat(Chars(frozenset(b"0123456789")), 0, None)), ()))
    end = (port, Edge("end")) if piece.ends else ()
    return {"host": {"regex": shown(Group(((*start, *literal(piece.text, fold=True), *end),)))}}


def header_names(piece: Piece) -> Table:
    """`|0d 0a|Name|0d 0a|`: a header is there."""
    name = piece.text.removeprefix(b"\r\n").removesuffix(b"\r\n")
    if piece.regex is not None or piece.size or len(piece.text) != len(name) + 4 or b"\r" in name or not name:
        raise Inexact("of http.header_names only one name between line ends can be kept")
    return {"headers": value(_folding(piece, "a header's name").text.strip())}


def header_line(piece: Piece) -> Table:
    """A buffer of one header, `Name: value`: the name must be fixed."""
    if piece.regex is not None:
        return _header_regex(piece.regex)
    name, colon, rest = piece.text.partition(b":")
    if not colon or not name or not piece.starts:
        raise Inexact("only a text that starts with a header's name and colon can be kept")
    return _named(name, Piece(rest.lstrip(b" "), piece.nocase, True, piece.ends, size=None))


def header_block(piece: Piece) -> Table:
    """A text in all headers: `Name: value`, with the line ends that it has."""
    text = piece.text.removeprefix(b"\r\n")
    name, colon, rest = text.partition(b":")
    ends = rest.endswith(b"\r\n")
    rest = rest.removesuffix(b"\r\n").lstrip(b" ")
    if piece.regex is not None or piece.size or not colon or not name or b"\r" in name + rest:
        raise Inexact("only one header, `Name: value`, can be kept; all headers together are no field here")
    if text == piece.text:
        raise Inexact("without |0d 0a| before it, it also ends a longer name; write |0d 0a| before the name")
    return _named(name, Piece(rest, piece.nocase, True, ends))


def _named(name: bytes, piece: Piece) -> Table:
    if not piece.text:
        return {"headers": value(name).lower()} if not piece.ends else {"header": {value(name).lower(): ""}}
    return header(value(name).lower())(piece)


def _header_regex(tree: Group) -> Table:
    """`^Name: ?...`, which our own export writes."""
    option = tree.options[0]
    name: list[int] = []
    for place, node in enumerate(option[1:], 1):
        if node == Chars(frozenset(b":")) and option[0] == Edge("start") and len(tree.options) == 1:
            rest = option[place + 1 :]
            blank = Repeat(Chars(frozenset(b" ")), 0, 1)
            tail = rest[1:] if rest[:1] == (blank,) else rest
            named = bytes(name).decode("latin-1").lower()
            if not tail:
                return {"headers": named}
            return {"header": {named: {"regex": shown(Group(((Edge("start"), *tail),)))}}}
        if not isinstance(node, Chars) or len(bytes(node.of).lower()) > 2:
            break
        name.append(max(node.of))
    raise Inexact("only a regex that starts with one header's name and colon can be kept")


def uri(piece: Piece) -> Table:
    """Path and query, decoded, in one."""
    piece = _folding(_unsized(piece, "http.uri"), "http.uri")
    if piece.regex is not None:
        return uri_regex(piece.regex)
    left, mark, right = piece.text.partition(b"?")
    if not mark:
        return _uri_text(piece)
    path = {"path": {"equals" if piece.starts else "suffix": value(left)}} if left else {}
    query = {"query": {"equals" if piece.ends else "prefix": value(right)}} if right or piece.ends else {}
    if not query:
        query = {"target": {"contains": "?"}}
    if piece.starts and not left:
        raise Inexact("no path is empty")
    across: Table = {**path, **query}
    if piece.starts:
        return across
    return {"any": [across, {"query": {piece.test: value(piece.text)}}]}


NO_QUERY: Table = {"not": {"target": {"contains": "?"}}}


def _uri_text(piece: Piece) -> Table:
    """A text without "?" lies in the path or in the query."""
    text = value(piece.text)
    if piece.starts:
        return {"path": {piece.test: text}, **(NO_QUERY if piece.ends else {})}
    in_path: Table = {"path": {piece.test: text}, **(NO_QUERY if piece.ends else {})}
    return {"any": [in_path, {"query": {piece.test: text}}]}


_OVER = 'it may reach over the "?"; anchor it to the path (^[^?]*) or the query (^[^?]*\\?)'
_NO_MARK = Repeat(Chars(ALL - frozenset(b"?")), 0, None)


def decoded(tree: Group) -> Group:
    """The regex, if it looks for no escape: none is left where it looks."""
    for group in (node for node in nodes(tree) if isinstance(node, Group)):
        for option in group.options:
            for percent, one in pairwise(option):
                if percent == Chars(frozenset(b"%")) and _digit(one):
                    raise Inexact("an escape never occurs where all is decoded; write the character itself")
    return tree


def _digit(node: Node) -> bool:
    inner = node.inner if isinstance(node, Repeat) else node
    return isinstance(inner, Chars) and inner.of <= frozenset(b"0123456789abcdefABCDEFuU")


def uri_regex(tree: Group) -> Table:
    """A regex on path and query: it must be clear which of the two it looks at."""
    decoded(tree)
    tables = [_uri_option(option) for option in tree.options]
    return anything(tables)


def _uri_option(option: tuple[Node, ...]) -> Table:
    first = tuple(_greedy(node) for node in option[:2])
    if first == (Edge("start"), _NO_MARK):
        rest = option[2:]
        if rest and rest[0] == Chars(frozenset(b"?")):
            return {"query": {"regex": shown(Group(((Edge("start"), *rest[1:]),)))}}
        return _path_regex(rest)
    if option and option[0] == Edge("start"):
        return _path_regex(option)
    body = option[:-1] if option and option[-1] == Edge("end") else option
    if holds(Group((body,)), MARK) or any(isinstance(node, Edge) for node in nodes(Group((body,)))):
        raise Inexact(_OVER)
    tests: Table = {"regex": shown(Group((option,)))}
    return {"any": [{"path": tests, **(NO_QUERY if body != option else {})}, {"query": tests}]}


def _greedy(node: Node) -> Node:
    return Repeat(node.inner, node.least, node.most) if isinstance(node, Repeat) else node


def _path_regex(option: tuple[Node, ...]) -> Table:
    """A regex that begins in the path and stays there: its last step alone may be the "?" or the end."""
    body, last = option[:-1], option[-1:]
    more: Table = {}
    ends = _ending(last[0]) if last else None
    if last == (Edge("end"),):
        ends, more = last, NO_QUERY
    if ends is None:
        body, ends = option, ()
    tree = Group(((*body, *ends),))
    if holds(tree, MARK) or any(node == Edge("end") for part in body for node in nodes(part)):
        raise Inexact(_OVER)
    return {"path": {"regex": shown(tree)}, **more}


def _ending(node: Node) -> tuple[Node, ...] | None:
    """A last step that takes the "?" or stands at the end, as one that stands at the end of the path."""
    steps = list(_steps(node))
    marks = [isinstance(step, Chars) and MARK in step.of for step in steps]
    if None in steps or Edge("end") not in steps or sum(marks) != 1:
        return None
    kept: list[Node] = []
    for step in steps:
        if isinstance(step, Chars) and (others := step.of - {MARK}):
            kept.append(Chars(others))
        elif isinstance(step, Edge) and step not in kept:
            kept.append(step)
        elif isinstance(step, Repeat):
            return None
    return (Group(tuple((step,) for step in kept)),) if len(kept) > 1 else (kept[0],)


def _steps(node: Node) -> Iterator[Node | None]:
    """The single steps of which a last one takes one; None for what is more than a step."""
    if not isinstance(node, Group):
        yield node
        return
    for option in node.options:
        if len(option) == 1:
            yield from _steps(option[0])
        else:
            yield None


BUFFERS: dict[str, Callable[[Piece], Table]] = {
    "http.uri": uri,
    "http.uri.raw": plain("target"),
    "http.method": method,
    "http.host": host,
    "http.cookie": header("cookie"),
    "http.request_body": plain("body", folding=True),
    "http.protocol": plain("version"),
    "http.header": header_block,
    "http.header.raw": header_block,
    "http.header_names": header_names,
    "http.request_header": header_line,
    "http.user_agent": header("user-agent"),
    "http.referer": header("referer"),
    "http.accept": header("accept"),
    "http.accept_lang": header("accept-language"),
    "http.accept_enc": header("accept-encoding"),
    "http.connection": header("connection"),
    "http.content_type": header("content-type"),
    "http.content_len": header("content-length"),
}
"""By sticky buffer."""

MODIFIERS = {
    "http_uri": "http.uri",
    "http_raw_uri": "http.uri.raw",
    "http_method": "http.method",
    "http_host": "http.host",
    "http_cookie": "http.cookie",
    "http_client_body": "http.request_body",
    "http_header": "http.header",
    "http_raw_header": "http.header.raw",
    "http_user_agent": "http.user_agent",
}
"""What follows a content in Snort 2 and older Suricata."""

OLD = {
    f"http_{name}": f"http.{name}"
    for name in ("request_line", "header_names", "protocol", "referer", "accept")
} | {
    f"http_{name}": f"http.{name}"
    for name in ("accept_lang", "accept_enc", "connection", "content_type", "content_len")
}
"""Sticky buffers by their older names."""

REGEX_FLAGS = {
    "U": "http.uri",
    "I": "http.uri.raw",
    "M": "http.method",
    "W": "http.host",
    "C": "http.cookie",
    "P": "http.request_body",
    "H": "http.header",
    "D": "http.header.raw",
    "V": "http.user_agent",
}
"""A letter behind a regex that names its buffer."""
