"""Which requests show what an imported rule does: some that it must catch, some near ones that it must not?

A foreign rule has no vectors. They are made here out of what its match looks for, tried on the core, and only
those that hold are kept; a rule of which nothing can be shown is not imported.
"""

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from stopgap.ruleset import lint, load, vectors
from stopgap.ruleset.formats.clauses import cases
from stopgap.ruleset.formats.model import Draft, Imported
from stopgap.ruleset.formats.regex import Edge, RegexError, parse, sample
from stopgap.ruleset.formats.toml import written
from stopgap.ruleset.formats.window import Unsayable
from stopgap.ruleset.match import compile_match, unescaped
from stopgap.ruleset.model import Expr, Rule
from stopgap.tomlfile import parse as parse_toml

MOST = 3
"""Vectors of each kind that a rule gets."""
HARMLESS = ("GET / HTTP/1.0", "GET /index.htm HTTP/1.0", "POST /form/send.asp HTTP/1.0")
FORM = "application/x-www-form-urlencoded"

_IN_PATH = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!$&'()*,-./:;=@_~")
_IN_QUERY = _IN_PATH - frozenset(b"&=") | frozenset(b"?")


class Unshown(Exception):
    """No request shows what the rule does; the text says of which kind."""


def with_vectors(draft: Draft) -> Draft:
    """The draft with `block` and `pass` that hold. Raises `Unshown`, `InputError`."""
    expr = compile_match(draft["match"])
    wanted, near = _candidates(expr)
    rule = _loaded({**draft, "block": wanted, "pass": near})
    for problem in lint.lint([rule]):
        raise Unshown(problem.partition(": match: ")[2] or problem.partition('": ')[2])
    failed = {failure.vector.text for failure in vectors.run([rule])}
    block = [text for text in wanted if text not in failed][:MOST]
    passes = [text for text in near if text not in failed][:MOST]
    for kind, kept in (("catches", block), ("lets through", passes)):
        if not kept:
            raise Unshown(f"no request could be made that it {kind}")
    return {**draft, "block": block, "pass": passes}


def _loaded(draft: Draft) -> Rule:
    (rule,) = load.pack_of(parse_toml("imported", written(Imported(rules=(draft,))).encode())).rules
    return rule


def _candidates(expr: Expr) -> tuple[list[str], list[str]]:
    """Requests that should match, and requests that lack one part of what matches."""
    try:
        flat = cases(expr)
    except Unsayable as error:
        raise Unshown(str(error)) from None
    wanted = [_request([leaf for leaf, holds in case if holds]) for case in flat]
    near = []
    for case in flat:
        asked = [leaf for leaf, holds in case if holds]
        near += [_request(asked[:place] + asked[place + 1 :]) for place in range(len(asked))]
        near += [_request([*asked, leaf]) for leaf, holds in case if not holds]
    return _different(wanted), _different(text for text in (*near, *HARMLESS) if text not in wanted)


def _different(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))[: 8 * MOST]


class _Text:
    """One part of a request as it grows: what it begins with, holds and ends with."""

    def __init__(self) -> None:
        self.fixed: bytes | None = None
        self.start, self.end, self.length = b"", b"", 0
        self.inside: list[bytes] = []
        self.times = 1

    def take(self, leaf: Expr) -> None:
        if leaf["test"] == "count":
            self.times, self.inside = leaf.get("over", 0) + 1, [b"x"]
            return
        if "value" not in leaf:
            least = leaf["over"] + 1 if "over" in leaf else 0
            self.length = max(self.length, least if leaf["test"] in ("length", "run") else 0)
            return
        test, value = leaf["test"], leaf["value"][0]
        found = unescaped(value.encode())
        if test == "regex":
            test, found = _shape(value, leaf.get("field") != "method")
        if test == "equals":
            self.fixed = found
        elif test == "prefix":
            self.start = max(self.start, found, key=len)
        elif test == "suffix":
            self.end = max(self.end, found, key=len)
        else:
            self.inside.append(found)

    @property
    def whole(self) -> bytes:
        if self.fixed is not None:
            return self.fixed
        body = self.start
        for one in self.inside:
            body += b"" if one in body or one in self.end else one
        return body + b"a" * (self.length - len(body) - len(self.end)) + self.end


def _shape(pattern: str, fold: bool) -> tuple[str, bytes]:
    """A sample of a regex, and where its ends put it."""
    try:
        tree = parse(pattern, fold)
    except RegexError:
        return "contains", b""
    option = tree.options[0]
    starts = bool(option) and option[0] == Edge("start")
    ends = bool(option) and option[-1] == Edge("end")
    kind = {(True, True): "equals", (True, False): "prefix", (False, True): "suffix"}.get((starts, ends))
    return kind or "contains", sample(tree)


class _Parts(Struct):
    """The parts of a request by their field."""

    texts: dict[str, _Text]

    def of(self, field: str) -> _Text:
        return self.texts.setdefault(field, _Text())


def _request(asked: Sequence[Expr]) -> str:
    """A request in the notation of vectors, with all that is asked for."""
    parts = _Parts({})
    pairs: dict[str, list[bytes]] = {"param": [], "form": []}
    for leaf in asked:
        field = leaf["field"]
        if field in pairs:
            pairs[field].append(_pair(leaf))
        elif field == "headers":
            parts.of(f"header:{leaf['value'][0] if 'value' in leaf else 'x-any'}").take(_SOME)
        elif field in ("header", "cookie"):
            parts.of(f"{field}:{leaf['name']}").take(leaf)
        elif field in ("extension", "segment", "basename"):
            parts.of("path").take(
                {**leaf, "test": "suffix", "value": [f"/x.{leaf['value'][0]}"]} if "value" in leaf else leaf
            )
        else:
            parts.of(field).take(leaf)
    return _spelt(parts, pairs)


_SOME: Expr = {"test": "contains", "value": ["x"]}


def _pair(leaf: Expr) -> bytes:
    sides = {"name": _Text(), "value": _Text()}
    for part in leaf.get("same", ()):
        sides[part["on"]].take(part)
    return b"=".join(_escaped(sides[side].whole or b"x", _IN_QUERY) for side in ("name", "value"))


def _spelt(parts: _Parts, pairs: dict[str, list[bytes]]) -> str:
    body = parts.of("body").whole or b"&".join(pairs["form"])
    lines = [_line(parts, pairs["param"], bool(body))]
    fields = {name[7:]: parts.of(name).whole for name in parts.texts if name.startswith("header:")}
    pieces = []
    for name in parts.texts:
        if name.startswith("cookie:"):
            pieces += [name[7:].encode() + b"=" + parts.of(name).whole] * parts.of(name).times
    if pieces:
        fields["cookie"] = b"; ".join(pieces)
    if pairs["form"]:
        fields.setdefault("content-type", FORM.encode())
    if parts.of("host").whole:
        fields["host"] = parts.of("host").whole
    if not fields and not body:
        return lines[0]
    lines.append(f"host: {_wire(fields.pop('host', vectors.HOST.encode()))}")
    for name, text in fields.items():
        lines += [f"{name}: {_wire(text)}"] * parts.of(f"header:{name}").times
    if body:
        lines.append(f"content-length: {len(body)}")
    return "\n".join(lines) + "\n\n" + _wire(body, keep="\n")


def _line(parts: _Parts, params: Sequence[bytes], body: bool) -> str:
    """The request line."""
    method = parts.of("method").whole or (b"POST" if body else b"GET")
    path = _escaped(_slashed(parts.of("path").whole), _IN_PATH)
    raw = parts.of("target").whole or parts.of("path.raw").whole
    whole = (
        [_escaped(parts.of("query").whole, _IN_QUERY | frozenset(b"&="))] if parts.of("query").whole else []
    )
    query = b"&".join([*whole, *params]) + parts.of("query.raw").whole
    target = path + (b"?" + query if query else b"")
    if raw:
        alone = path == b"/" and not query
        target = _slashed(raw) if alone else target + (b"" if b"?" in target else b"?") + raw
    version = parts.of("version").whole.upper().decode("latin-1")
    known = version if version in ("HTTP/1.0", "HTTP/1.1") else "HTTP/1.1"
    return f"{_wire(method)} {_wire(target)} {known}"


def _slashed(path: bytes) -> bytes:
    return path if path.startswith(b"/") else b"/" + path


def _escaped(text: bytes, safe: frozenset[int]) -> bytes:
    return b"".join(bytes([byte]) if byte in safe else b"%%%02x" % byte for byte in text)


def _wire(raw: bytes, keep: str = "") -> str:
    """Bytes as they are, in the notation of vectors."""
    text = "".join(
        one if (" " <= one <= "~" and one not in "\\{}") or one in keep else f"\\x{ord(one):02x}"
        for one in raw.decode("latin-1")
    )
    return re.sub(r"(\w)\1{31,}", lambda run: f"{{{run[1]}*{len(run[0])}}}", text)
