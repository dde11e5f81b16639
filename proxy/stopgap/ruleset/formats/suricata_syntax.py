"""What does a file of Suricata or Snort rules say, rule by rule and option by option?

`action protocol address port -> address port (option; name:value; ...)`, one a line; a line that ends in a
backslash goes on. The parsers on PyPI pass over lines that they do not understand; here every fault is told
with its line and the file is refused.
"""

import re
from collections.abc import Iterator

from msgspec import Struct

from stopgap.ruleset.formats.source import Source

ACTIONS = ("alert", "drop", "reject", "rejectsrc", "rejectdst", "rejectboth", "sdrop", "block", "log", "pass")

_HEAD = re.compile(r"(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(->|<>|=>|<-)\s+(\S+)\s+(\S+)\s*\(")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_BYTES = re.compile(r"\s*(?:[0-9A-Fa-f]{2}\s*)*")


class Option(Struct, frozen=True):
    """`name;` or `name:value;`. `text` is the value without quotes and escapes where it is quoted."""

    name: str
    value: str | None = None
    negated: bool = False
    quoted: bool = False

    def __str__(self) -> str:
        sign = "!" if self.negated else ""
        value = f'{sign}"{self.value}"' if self.quoted else f"{sign}{self.value}"
        return self.name if self.value is None else f"{self.name}:{value}"


class Signature(Struct, frozen=True):
    """One rule as it stands. `header` is protocol, addresses and ports, direction in the middle."""

    line: int
    action: str
    header: tuple[str, ...]
    options: tuple[Option, ...]

    def first(self, name: str) -> str | None:
        """The value of the first option of a name."""
        return next((option.value for option in self.options if option.name == name), None)


def signatures(source: Source) -> list[Signature]:
    """Every rule of a file. Raises `FormatError` with the line of the first fault."""
    found: dict[str, Signature] = {}
    for line, text in _lines(source):
        one = _signature(source, line, text)
        sid = one.first("sid")
        if sid is None or not sid.isdigit():
            raise source.wrong(
                line, 'sid: is missing; a rule has one number of its own, such as "sid:1000001;"'
            )
        if sid in found:
            raise source.wrong(line, f"sid: {sid} is already the rule of line {found[sid].line}")
        found[sid] = one
    if not found:
        raise source.wrong(1, "holds no rule; a rule is `alert http any any -> any any (...; sid:1;)`")
    return list(found.values())


def _lines(source: Source) -> Iterator[tuple[int, str]]:
    """Whole rules with the line that they begin on, comments left out."""
    start, text = 0, ""
    for number, line in enumerate(source.lines, 1):
        start = start or number
        text += line.rstrip().removesuffix("\\")
        if line.rstrip().endswith("\\") and number < len(source.lines):
            continue
        if text.strip() and not text.lstrip().startswith("#"):
            yield start, text.strip()
        start, text = 0, ""


def _signature(source: Source, line: int, text: str) -> Signature:
    head = _HEAD.match(text)
    if head is None:
        raise source.wrong(
            line, "is no rule; write `action protocol address port -> address port (options)` on one line"
        )
    if head[1] not in ACTIONS:
        raise source.wrong(line, f'action: "{head[1]}" is unknown; it is one of {", ".join(ACTIONS)}')
    if not text.endswith(")"):
        raise source.wrong(line, 'the options are not closed; a rule ends in ";)"')
    options = tuple(_options(source, line, text[head.end() : -1].strip()))
    return Signature(line, head[1], tuple(head.groups()[1:]), options)


def _options(source: Source, line: int, text: str) -> Iterator[Option]:
    at = 0
    while at < len(text):
        name = _NAME.match(text, at)
        if name is None:
            raise source.wrong(line, f'an option is expected at "{text[at : at + 20]}"; write `name:value;`')
        end = _end(text, name.end())
        if end is None:
            raise source.wrong(
                line, f'{name[0]}: is not closed; an option ends in ";", a quoted text in \'"\''
            )
        rest = text[name.end() : end].strip()
        if rest and not rest.startswith(":"):
            raise source.wrong(
                line, f'{name[0]}: "{rest[:20]}" does not belong there; write `{name[0]}:value;`'
            )
        yield _option(name[0], rest[1:].strip() if rest else None)
        at = end + 1 + len(text[end + 1 :]) - len(text[end + 1 :].lstrip())


def _end(text: str, at: int) -> int | None:
    """Where the `;` of an option stands that is neither quoted nor escaped."""
    quoted = False
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == '"':
            quoted = not quoted
        elif text[at] == ";" and not quoted:
            return at
        at += 1
    return None


def _option(name: str, value: str | None) -> Option:
    if value is None:
        return Option(name)
    negated = value.startswith("!") and '"' in value
    bare = value[1:].strip() if negated else value
    if len(bare) >= 2 and bare[0] == bare[-1] == '"':
        return Option(name, bare[1:-1], negated, quoted=True)
    return Option(name, value)


def content(text: str) -> bytes:
    """The bytes of a content: `|3a 20|` are bytes, `\\;` is a `;`. Raises `ValueError`."""
    parts = re.split(r"(?<!\\)\|", text)
    if len(parts) % 2 == 0:
        raise ValueError('a "|" that is not closed')
    for part in parts[1::2]:
        if not _BYTES.fullmatch(part):
            raise ValueError('between two "|" stand bytes of two hexadecimal digits, such as |0d 0a|')
    return b"".join(
        bytes.fromhex(part) if place % 2 else re.sub(r"\\(.)", r"\1", part).encode()
        for place, part in enumerate(parts)
    )
