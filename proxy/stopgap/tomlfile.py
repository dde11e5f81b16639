"""Which line of a TOML file does a key stand on, and why can a file not be read?

The standard parser forgets positions, so the text is scanned once more: table headers and the keys at
the start of a line are marked with their path, and an error at any deeper path is told at the mark
that stands nearest above it. `convert` puts parsed values into structs and words every mismatch as one line.
"""

import datetime
import re
import tomllib
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from stopgap import texts
from stopgap.errors import InputError, Unreadable, nearest

KeyPath = tuple[str | int, ...]
T = TypeVar("T")

LARGEST = 16 * 1024 * 1024
"""Bytes of the largest file that is read; nobody writes a longer one by hand."""

_KEY = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_KEY}(?:\s*\.\s*{_KEY})*)\s*\]")
_ENTRY = re.compile(rf"\s*({_KEY}(?:\s*\.\s*{_KEY})*)\s*=")
_PART = re.compile(_KEY)
_TRIPLE = re.compile(r'"""|' + r"'''")
_AT = re.compile(r" - at `(?:key in )?\$(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.(?P<key>[^.\[\]]+)|\[(?P<index>\d+)\]")

_WORDS = {
    "str": "text in quotes",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "date": "a date, without quotes, such as 2027-03-31",
    "null": "nothing",
    "datetime": "a date and time",
    "time": "a time",
}


class Document(msgspec.Struct, frozen=True):
    """A TOML file as parsed, with the marks that lead back to its lines.

    `marks` are the lines of headers and keys in their order, `places` says where among them each path is.
    """

    file: str
    data: dict[str, Any]
    marks: tuple[int, ...]
    places: dict[KeyPath, int]
    lines: tuple[str, ...]

    def span(self, path: KeyPath) -> tuple[int, int]:
        """First and last line of the mark at `path` or of the nearest one around it; else of the file."""
        for length in range(len(path), 0, -1):
            if (place := self.places.get(path[:length])) is not None:
                after = self.marks[place + 1] - 1 if place + 1 < len(self.marks) else len(self.lines)
                return self.marks[place], after
        return 1, len(self.lines)

    def line(self, path: KeyPath) -> int:
        """The line (from 1) of the key at `path`, or of the nearest thing around it; 1 when nothing is."""
        names = [step for step in path if isinstance(step, str)]
        first, last = self.span(path)
        if path in self.places or not names:
            return first
        if not any(path[:length] in self.places for length in range(1, len(path))):
            return 1
        wanted = re.compile(rf"""(?<![\w-])["']?{re.escape(names[-1])}["']?\s*[.=]""")
        return next((at for at in range(first, last + 1) if wanted.search(self.lines[at - 1])), first)

    def where(self, path: KeyPath) -> str:
        """`file:line` of the key at `path`."""
        return f"{self.file}:{self.line(path)}"


def read(file: str) -> Document:
    """Read and parse a file. Raises `InputError` with one line for whatever is wrong with it."""
    try:
        raw = texts.read(file, LARGEST)
    except (OSError, ValueError) as error:
        raise Unreadable(f"{file}: cannot be read: {_system(error)}") from None
    if isinstance(raw, int):
        raise InputError(f"{file}: is {raw} bytes long; a file of more than {LARGEST} bytes is not read")
    return parse(file, raw)


def parse(file: str, raw: bytes) -> Document:
    """Parse the bytes of `file`. Raises `InputError`."""
    try:
        text = raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(f"{file}:{line}: is not UTF-8 text; save the file as UTF-8") from None
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(_grammar(file, text, str(error))) from None
    except RecursionError:
        raise InputError(f"{file}: is nested too deeply") from None
    lines = tuple(text.split("\n"))
    marks = _marks(lines)
    places: dict[KeyPath, int] = {}
    for place, (path, _) in enumerate(marks):
        places.setdefault(path, place)
    return Document(file=file, data=data, marks=tuple(line for _, line in marks), places=places, lines=lines)


def convert(
    data: Any, shape: type[T], document: Document, prefix: KeyPath, shapes: Mapping[str, type], name: str = ""
) -> T:
    """Put parsed values into `shape`, unknown keys refused.

    `shapes` maps the names along a path (`"site.exception"`, lists left out) to the struct there, to suggest
    keys from. `name` goes before the key in an error, for example `rule "ida-idq": `. Raises `InputError`.
    """
    builtin = (datetime.datetime, datetime.date, datetime.time)
    try:
        return msgspec.convert(data, shape, builtin_types=builtin)
    except msgspec.ValidationError as error:
        path, text = _explain(str(error), shape, shapes)
    key = ".".join(str(step) for step in path if isinstance(step, str))
    raise InputError(f"{document.where(prefix + path)}: {name}{key}: {text}".replace(": : ", ": "))


def _explain(message: str, shape: type, shapes: Mapping[str, type]) -> tuple[KeyPath, str]:
    """One message of msgspec -> the path it means and our words for it."""
    at = _AT.search(message)
    path: KeyPath = ()
    if at:
        message = message[: at.start()]
        steps = _STEP.finditer(at["path"])
        path = tuple(step["key"] if step["key"] is not None else int(step["index"]) for step in steps)
    words = re.findall(r"`([^`]*)`", message)
    if message.startswith("Object contains unknown field"):
        named = ".".join(step for step in path if isinstance(step, str))
        known = [field.encode_name for field in msgspec.structs.fields(shapes.get(named, shape))]
        return (*path, words[0]), f"unknown key{nearest(words[0], known)}"
    if message.startswith("Object missing required field"):
        return (*path, words[0]), "is missing"
    if message.startswith("Expected") and len(words) == 2:
        wanted = " or ".join(_WORDS.get(word, word) for word in words[0].split(" | ") if word != "null")
        return path, f"must be {wanted}, not {_WORDS.get(words[1], words[1]).partition(',')[0]}"
    return path, message[:1].lower() + message[1:]


def _marks(lines: tuple[str, ...]) -> list[tuple[KeyPath, int]]:
    """The paths of table headers and of keys at the start of a line, in the order of the text."""
    marks: list[tuple[KeyPath, int]] = []
    counts: dict[KeyPath, int] = {}
    table: KeyPath = ()
    inside = ""
    for number, line in enumerate(lines, 1):
        opened = not inside
        for quote in _TRIPLE.findall(line):
            inside = quote if not inside else ("" if quote == inside else inside)
        if not opened:
            continue
        if header := _HEADER.match(line):
            table = _resolve(_names(header[2]), counts, header[1] == "[[")
            marks.append((table, number))
        elif entry := _ENTRY.match(line):
            marks.append((table + _names(entry[1]), number))
    return marks


def _resolve(names: tuple[str, ...], counts: dict[KeyPath, int], append: bool) -> KeyPath:
    """The full path of a table header: list positions are filled in from what came before."""
    path: KeyPath = ()
    for position, name in enumerate(names, 1):
        path = (*path, name)
        if append and position == len(names):
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path


def _names(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))


def _grammar(file: str, text: str, message: str) -> str:
    """The parser's own words, with the line in front."""
    at = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", message)
    if at is None:
        return f"{file}: is not TOML: {message}"
    line = int(at[1]) if at[1] else text.count("\n") + 1
    column = f", column {at[2]}" if at[2] else ""
    return f"{file}:{line}{column}: is not TOML: {message[: at.start()]}"


def _system(error: OSError | ValueError) -> str:
    """`No such file or directory` and the like, without number and path."""
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)
