"""Which virtual patches of CrowdSec AppSec are rules of ours, exactly?

A patch is a YAML document with `rules`: each has zones, variables, transforms and one match, or nests others
under `and` and `or`. One that catches is enough. A patch that holds anything that our language cannot say is
left out whole, and the key that it is left out for is told.
"""

import re
from collections.abc import Callable, Iterable

from msgspec import Struct

from stopgap.errors import InputError, printable
from stopgap.ruleset.formats import meaning
from stopgap.ruleset.formats.meaning import Inexact, Piece, Table
from stopgap.ruleset.formats.model import Draft, Imported, Note
from stopgap.ruleset.formats.regex import RegexError, parse
from stopgap.ruleset.formats.samples import Unshown, with_vectors
from stopgap.ruleset.formats.settle import slug
from stopgap.ruleset.formats.source import Source
from stopgap.ruleset.formats.yamlfile import Reader, Value, documents

TITLE = "Imported from virtual patches of CrowdSec"

PATCH = ("name", "description", "rules", "labels", "references", "author", "version", "format", "debug")
NODE = ("and", "or", "zones", "variables", "transform", "match", "id", "name")
MATCH = ("type", "value", "not")
TEXTS = {
    "equals": (True, True),
    "startsWith": (True, False),
    "endsWith": (False, True),
    "contains": (False, False),
}
SIZES = ("gt", "gte", "lt", "lte")
TYPES = (*TEXTS, "regex", *SIZES, "libinjectionSQL", "libinjectionXSS")
TRANSFORMS = (
    *("lowercase", "uppercase", "length", "count", "urldecode", "normalizepath"),
    *("trim", "b64decode", "htmlentitydecode", "htmlEntitydecode"),
)
LONGEST_ID = 64


class Asked(Struct, frozen=True):
    """One match of a patch, read and checked. `at` is where its value stands."""

    zones: tuple[str, ...]
    variables: tuple[str, ...]
    transforms: frozenset[str]
    kind: str
    text: str
    negated: bool
    at: Value

    @property
    def piece(self) -> Piece:
        """What is looked for, in the words of buffers. Raises `Inexact`, `RegexError`."""
        folds = bool(self.transforms & {"lowercase", "uppercase"})
        if self.kind in SIZES or self.transforms & {"length"}:
            return Piece(size=self.size)
        if self.kind == "regex":
            return Piece(regex=parse(self.text, folds, dotall=True))
        if self.kind not in TEXTS:
            raise Inexact(f"{self.kind} is no test here")
        for transform, turned in (("lowercase", self.text.lower()), ("uppercase", self.text.upper())):
            if transform in self.transforms and self.text != turned:
                raise Inexact(f"after {transform} there is no {self.text!r}: it never catches")
        starts, ends = TEXTS[self.kind]
        return Piece(self.text.encode(), folds, starts, ends)

    @property
    def size(self) -> tuple[int, int | None]:
        if self.kind not in (*SIZES, "equals"):
            raise Inexact(f"{self.kind} is no test of a length")
        number = int(self.text)
        known: dict[str, tuple[int, int | None]] = {
            "gt": (number + 1, None),
            "gte": (number, None),
            "lt": (0, number - 1),
            "lte": (0, number),
        }
        return known.get(self.kind, (number, number))


def read(source: Source) -> Imported:
    """The patches of a file. Raises `FormatError` where it is no such file."""
    reader = Reader(source)
    rules: list[Draft] = []
    report: list[Note] = []
    names: dict[str, int] = {}
    found = [one for one in documents(source) if one.data is not None]
    if not found:
        raise source.wrong(1, "holds no patch; a patch has a name and rules")
    for one in found:
        patch = reader.mapping(one, "patch", PATCH)
        for key in ("name", "rules"):
            if key not in patch:
                raise reader.wrong(one, key, "is missing; a patch has a name and rules")
        name = reader.text(patch["name"], "name")
        if names.setdefault(_id(name), one.line) != one.line:
            raise reader.wrong(patch["name"], "name", f"is already that of line {names[_id(name)]}")
        asked = [_read(reader, node, "rules") for node in reader.items(patch["rules"], "rules")]
        try:
            table = meaning.anything([_table(node) for node in asked])
            rules.append(with_vectors(_draft(reader, name, patch, table)))
            if spare := sorted(_spare(patch)):
                why = "says nothing about what is caught, and has no place in a rule"
                report.append(Note(source.where(one.line), f"{name}: {', '.join(spare)}", why, lost=False))
        except _Left as left:
            why = f"{left}; the patch is left out"
            report.append(Note(source.where(left.at.line), f"{name}: {left.what}", why))
        except (Unshown, InputError) as error:
            report.append(Note(source.where(one.line), name, f"{error}; the patch is left out"))
    return Imported(tuple(rules), tuple(report), title=TITLE)


class _Left(Exception):
    """A patch is left out for what stands at a place."""

    def __init__(self, at: Value, what: str, why: str) -> None:
        super().__init__(why)
        self.at, self.what = at, what


Node = Asked | tuple[str, list["Node"]]


def _read(reader: Reader, value: Value, key: str) -> Node:
    """A rule of a patch: what it asks, or what it nests. Raises `FormatError`."""
    node = reader.mapping(value, key, NODE)
    for kind in ("and", "or"):
        if kind in node:
            if len(node) > 1:
                raise reader.wrong(value, f"{key}.{kind}", "stands alone; put the other tests into its list")
            return kind, [
                _read(reader, one, f"{key}.{kind}") for one in reader.items(node[kind], f"{key}.{kind}")
            ]
    for needed in ("zones", "match"):
        if needed not in node:
            raise reader.wrong(value, f"{key}.{needed}", "is missing; a rule has zones and a match")
    match = reader.mapping(node["match"], f"{key}.match", MATCH)
    for needed in ("type", "value"):
        if needed not in match:
            raise reader.wrong(
                node["match"], f"{key}.match.{needed}", "is missing; a match has a type and a value"
            )
    zones = _known(reader, node["zones"], f"{key}.zones", tuple(ZONES))
    transforms = (
        _known(reader, node["transform"], f"{key}.transform", TRANSFORMS) if "transform" in node else []
    )
    (kind,) = _known(reader, match["type"], f"{key}.match.type", TYPES)
    text = reader.text(match["value"], f"{key}.match.value")
    if (kind in SIZES or "length" in transforms or "count" in transforms) and not re.fullmatch(
        "[0-9]{1,9}", text
    ):
        raise reader.wrong(
            match["value"], f"{key}.match.value", "must be a whole number, because a size is tested"
        )
    negated = match["not"].data if "not" in match else False
    if not isinstance(negated, bool):
        raise reader.wrong(match["not"], f"{key}.match.not", "must be true or false")
    variables = reader.texts(node["variables"], f"{key}.variables") if "variables" in node else []
    return Asked(
        tuple(zones),
        tuple(name.lower() for name in variables),
        frozenset(transforms),
        kind,
        text,
        negated,
        value,
    )


def _known(reader: Reader, value: Value, key: str, known: tuple[str, ...]) -> list[str]:
    """Words that must be among those that are known."""
    words = reader.texts(value, key)
    for word in words:
        if word not in known:
            raise reader.wrong(value, key, f'"{word}" is unknown; it is one of {", ".join(known)}')
    return words


def _table(node: Node) -> Table:
    """What a rule of a patch means. Raises `_Left`."""
    if isinstance(node, tuple):
        kind, inner = node
        tables = [_table(one) for one in inner]
        return meaning.every(tables) if kind == "and" else meaning.anything(tables)
    tables = []
    for zone in node.zones:
        try:
            tables.append(ZONES[zone](node))
        except (Inexact, RegexError) as error:
            raise _Left(node.at, zone, str(error)) from None
    if node.negated:  # "not" is of each value that a zone has, and ours is of all of them
        if len(tables) > 1 or node.zones[0] not in SINGLE:
            raise _Left(node.at, node.zones[0], "`not` on what may be there many times is another test here")
        return {"not": tables[0]}
    return meaning.anything(tables)


def _plain(field: str, decoded: bool, folding: bool = False) -> Callable[[Asked], Table]:
    """A zone that is one of our fields."""

    def table(asked: Asked) -> Table:
        _transformed(asked, {"urldecode", "normalizepath"} if decoded else set())
        if asked.variables:
            raise Inexact("the zone has no variables")
        piece = asked.piece
        if decoded and piece.regex is not None:
            meaning.decoded(piece.regex)
        return meaning.plain(field, folding)(piece)

    return table


def _method(asked: Asked) -> Table:
    _transformed(asked, set())
    piece = asked.piece
    if piece.nocase and piece.regex is None:
        piece = Piece(piece.text.upper(), True, piece.starts, piece.ends)
    return meaning.method(piece)


def _named(field: str) -> Callable[[Asked], Table]:
    """A zone of which each variable is a header or cookie."""

    def table(asked: Asked) -> Table:
        _transformed(asked, {"count"})
        if not asked.variables:
            raise Inexact(f"all {field}s together are no field here; name them in variables")
        if "count" in asked.transforms:
            return meaning.anything([_counted(field, name, asked.size) for name in asked.variables])
        tables = []
        for name in asked.variables:
            found = meaning.header(name)(asked.piece)
            tables.append(_renamed(found, field))
        return meaning.anything(tables)

    return table


def _renamed(table: Table, field: str) -> Table:
    if "all" in table:
        return {"all": [_renamed(one, field) for one in table["all"]]}
    return {field: table["header"]}


def _counted(field: str, name: str, size: tuple[int, int | None]) -> Table:
    """How many there are."""
    least, most = size
    bounds = [{"over": least - 1}] if least > 0 else []
    bounds += [{"under": most + 1}] if most is not None else []
    if not bounds:
        raise Inexact("it fits every request")
    return meaning.every([{field: {name: {"count": bound}}} for bound in bounds])


def _params(field: str, side: str) -> Callable[[Asked], Table]:
    """Names or values of parameters, each by itself."""

    def table(asked: Asked) -> Table:
        _transformed(asked, {"urldecode"})
        piece = asked.piece
        if piece.size and piece.size[1] is not None:
            raise Inexact("a length below a number is not tested of each parameter alone here")
        tests = meaning.plain(side, folding=True)(piece)
        if not asked.variables or side == "name":
            return {field: tests}
        return {field: {"name": list(asked.variables), **tests}}

    return table


def _header_names(asked: Asked) -> Table:
    _transformed(asked, set())
    return meaning.plain("headers", folding=True)(asked.piece)


def _never(why: str) -> Callable[[Asked], Table]:
    def table(asked: Asked) -> Table:
        raise Inexact(why)

    return table


def _transformed(asked: Asked, extra: set[str]) -> None:
    """Whether the transforms are those that the field has anyway. Raises `Inexact`."""
    for transform in sorted(asked.transforms - {"lowercase", "uppercase", "length"} - extra):
        raise Inexact(f"the transform {transform} is not made on this zone here")


ZONES: dict[str, Callable[[Asked], Table]] = {
    "URI": _plain("path", decoded=True, folding=True),
    "URI_FULL": _plain("target", decoded=False),
    "METHOD": _method,
    "PROTOCOL": _plain("version", decoded=False),
    "HEADERS": _named("header"),
    "HEADERS_NAMES": _header_names,
    "COOKIES": _named("cookie"),
    "COOKIES_NAMES": _never("the names of cookies are no field here"),
    "ARGS": _params("param", "value"),
    "ARGS_NAMES": _params("param", "name"),
    "BODY_ARGS": _params("form", "value"),
    "BODY_ARGS_NAMES": _params("form", "name"),
    "RAW_BODY": _plain("body", decoded=False, folding=True),
    "FILENAMES": _never("the names of uploaded files are no field here"),
}
SINGLE = ("URI", "URI_FULL", "METHOD", "PROTOCOL", "RAW_BODY")
"""Zones with one value, of which `not` is the same here and there."""


def _spare(patch: dict[str, Value]) -> set[str]:
    """The keys that no part of a rule is made of."""
    labels = patch["labels"].data if "labels" in patch else {}
    names = {f"labels.{key}" for key in labels} if isinstance(labels, dict) else {"labels"}
    used = {"name", "description", "rules", "labels", "references", "labels.label", "labels.classification"}
    return ({*patch} | names) - used


def _draft(reader: Reader, name: str, patch: dict[str, Value], match: Table) -> Draft:
    labels = patch["labels"].data if "labels" in patch and isinstance(patch["labels"].data, dict) else {}
    title = labels.get("label") or patch.get("description") or patch["name"]
    draft: Draft = {"id": _id(name), "title": printable(reader.text(title, "description"))}
    more = reader.texts(patch["references"], "references") if "references" in patch else []
    if refs := [*_references(reader, labels), *map(printable, more)]:
        draft["refs"] = refs
    return {**draft, "severity": "high", "match": match}


def _id(name: str) -> str:
    return slug(name)[:LONGEST_ID].rstrip("-._")


def _references(reader: Reader, labels: dict[str, Value]) -> Iterable[str]:
    """`cve.CVE-2001-0500`, `attack.T1190` and `cwe.CWE-22` as references."""
    if "classification" not in labels:
        return
    for text in reader.texts(labels["classification"], "labels.classification"):
        system, _, number = text.partition(".")
        yield printable(number.upper() if system in ("cve", "cwe") else f"{system} {number}".strip())
