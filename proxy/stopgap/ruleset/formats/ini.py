"""Which sections and lines does an .ini file have, each with its number, comments taken off?

A semicolon begins a comment anywhere, as URLScan has it. Names of sections and keys have no case; one that
stands twice is refused, because programs differ in which of the two they take.
"""

import re
from collections.abc import Iterator

from msgspec import Struct

from stopgap.ruleset.formats.filter import Entry
from stopgap.ruleset.formats.source import Source

_SECTION = re.compile(r"\[([^\[\]]+)\]")


class Setting(Struct, frozen=True):
    """One `key=value`, and its line."""

    key: str
    value: str
    line: int


class Section(Struct, frozen=True):
    """A section as it was written: its name, its line, and what stands in it."""

    name: str
    line: int
    entries: tuple[Entry, ...]

    def settings(self, source: Source) -> Iterator[Setting]:
        """Its lines as `key=value`; the same key twice is refused."""
        seen: dict[str, int] = {}
        for entry in self.entries:
            key, equals, value = entry.text.partition("=")
            key = key.strip()
            if not equals or not key:
                raise source.wrong(entry.line, f'[{self.name}]: "{entry.text}" is not written as name=value')
            if key.lower() in seen:
                raise source.wrong(
                    entry.line, f"[{self.name}] {key}: stands already in line {seen[key.lower()]}"
                )
            seen[key.lower()] = entry.line
            yield Setting(key, value.strip(), entry.line)


def sections(source: Source) -> dict[str, Section]:
    """Every section by its name in small letters. Raises `FormatError`."""
    found: dict[str, tuple[str, int, list[Entry]]] = {}
    current: list[Entry] | None = None
    for number, raw in enumerate(source.lines, 1):
        line = raw.partition(";")[0].strip()
        if not line:
            continue
        if line.startswith("["):
            named = _SECTION.fullmatch(line)
            if not named:
                raise source.wrong(number, f'"{line}" is not written as [section]')
            name = named[1].strip()
            if name.lower() in found:
                at = found[name.lower()][1]
                raise source.wrong(number, f"[{name}]: stands already in line {at}; join the two")
            current = []
            found[name.lower()] = (name, number, current)
        elif current is None:
            raise source.wrong(number, f'"{line}" stands before the first [section]')
        else:
            current.append(Entry(line, number))
    return {key: Section(name, line, tuple(entries)) for key, (name, line, entries) in found.items()}
