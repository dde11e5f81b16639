"""How does a Windows code page read bytes, and which characters does it squeeze into ASCII?

A text on its way through IIS is a list of items: an int is a byte that nobody has interpreted yet, a
str is one character above ASCII. `UNKNOWN` stands for what the page cannot say: no file is reached
through it, so two readings that differ only there are the same; `SEVERED` is a lead byte without its second
byte, which Far-East editions drop from a name (U7). Best fit comes from `bestfit.txt`
(catalogue U5), bytes from Python's codecs; `test_pages.py` holds the two against each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

Item = int | str
UNKNOWN = "\ufffd"
SEVERED = "\ufffe"
TABLES = Path(__file__).with_name("bestfit.txt")


@dataclass(frozen=True)
class Page:
    """One ANSI (or OEM) code page."""

    number: int
    leads: frozenset[int]
    folds: dict[str, int]

    @property
    def codec(self) -> str:
        return f"cp{self.number}"

    def character(self, raw: bytes) -> str:
        """One or two bytes as a character; UNKNOWN where the page has none."""
        try:
            text = raw.decode(self.codec)
        except UnicodeDecodeError:
            return UNKNOWN
        return text if len(text) == 1 and ord(text) >= 0xA0 else UNKNOWN

    def squeeze(self, character: str) -> Item:
        """A character above ASCII as this page holds it: itself, the ASCII it looks like, or UNKNOWN."""
        if character == SEVERED:
            return SEVERED
        if character in self.folds:
            return self.folds[character]
        try:
            character.encode(self.codec)
        except UnicodeEncodeError:
            return UNKNOWN
        return character

    def read(self, items: Sequence[Item]) -> list[Item]:
        """Bytes above ASCII become characters; a lead byte takes whatever byte follows it (U7)."""
        out: list[Item] = []
        at = 0
        while at < len(items):
            width, item = self.step(items, at)
            out.append(item)
            at += width
        return out

    def step(self, items: Sequence[Item], at: int) -> tuple[int, Item]:
        """The character that starts at one place, and how many items it takes."""
        item = items[at]
        if isinstance(item, str) or item < 0x80:
            return 1, item
        if item not in self.leads:
            return 1, self.character(bytes([item]))
        trail = items[at + 1] if at + 1 < len(items) else None
        if not isinstance(trail, int):
            return 1, SEVERED
        return 2, self.character(bytes([item, trail]))


@cache
def pages() -> dict[int, Page]:
    """Every page of `bestfit.txt`, by number."""
    found: dict[int, Page] = {}
    page = Page(0, frozenset(), {})
    for line in TABLES.read_text("ascii").splitlines():
        if line.startswith("page "):
            _, number, *ranges = line.split()
            leads = [int(end, 16) for pair in ranges for end in pair.split("-")]
            spans = zip(leads[::2], leads[1::2], strict=True)
            page = Page(
                int(number), frozenset(b for first, last in spans for b in range(first, last + 1)), {}
            )
            found[page.number] = page
        elif " = " in line and not line.startswith("#"):
            code, characters = line.split(" = ")
            page.folds.update({chr(int(character, 16)): int(code, 16) for character in characters.split()})
    return found
