"""Which rules go to a program beside Stopgap, and what of them is lost on it?

HAProxy, nginx and ModSecurity may refuse the plain spelling of an attack before or behind the gate. None of
them reads a request in the ways of IIS: what each one misses is told rule by rule, from the table that its
module gives.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from stopgap.config import Site
from stopgap.errors import printable
from stopgap.ruleset.formats.clauses import Test, clauses
from stopgap.ruleset.formats.model import Note
from stopgap.ruleset.formats.window import WINDOWS, Spot, Windows
from stopgap.ruleset.model import Rule

PLAIN = {
    **dict.fromkeys(("method", "host", "target", "path.raw", "query.raw"), ""),
    "length": "of Content-Length alone; a chunked body has none",
}
"""What all of them look at as Stopgap does, or nearly."""
STATUS = 404
NUMBERS = 900_000
"""Programs that know rules by number get one of so many, by the hash of the id."""


class Said(Struct, frozen=True):
    """A rule that can be said at least in part: its cases, and a number of its own that stays with its id."""

    rule: Rule
    number: int
    cases: tuple[tuple[Test, ...], ...]

    @property
    def status(self) -> int:
        return self.rule.status or STATUS

    @property
    def looks(self) -> list[tuple[Spot, ...]]:
        """What its tests look for, each once."""
        return list(dict.fromkeys(test.spots for case in self.cases for test in case))

    @property
    def comment(self) -> str:
        """`# id: title`, which no title can break out of."""
        return f"# {self.rule.id}: {printable(self.rule.title)}".replace("\\", "/")


def said(
    site: Site,
    rules: Sequence[Rule],
    reads: Mapping[str, str],
    acts: Mapping[str, str],
    windows: Windows = WINDOWS,
) -> tuple[list[Said], list[Note]]:
    """The rules that can be said, and the report.

    `reads` maps each source that the program can look at to what of Stopgap's reading is lost there; `acts`
    each action to what the program does instead, "" where it does the same. What is in neither is left out.
    """
    kept: list[Said] = []
    notes: list[Note] = []
    numbers: set[int] = set()
    for rule in rules:
        if rule.servers and site.server not in ("any", *rule.servers):
            continue
        number = zlib.crc32(rule.id.encode()) % NUMBERS
        while number in numbers:
            number += 1
        found = clauses(rule, site.limits, list(reads), windows) if not (why := _unfit(rule, acts)) else None
        if found and found.cases:
            numbers.add(number)
            kept.append(Said(rule, number, found.cases))
        unsaid = (why,) if why else found.unsaid if found else ()
        notes += _notes(rule, unsaid, bool(found and found.cases))
        if found and found.cases:
            notes += _lost(rule, found.sources, reads, acts)
    return kept, notes


def _unfit(rule: Rule, acts: Mapping[str, str]) -> str:
    if rule.rate is not None:
        return "it counts the requests of a client"
    return "" if rule.action in acts else f"its action is {rule.action}"


def _notes(rule: Rule, unsaid: Sequence[str], partly: bool) -> Iterator[Note]:
    for why in unsaid:
        yield Note(
            f'rule "{rule.id}"', "a case of its match" if partly else "the rule", f"is left out: {why}"
        )


def _lost(
    rule: Rule, sources: Sequence[str], reads: Mapping[str, str], acts: Mapping[str, str]
) -> Iterator[Note]:
    for source in sources:
        if reads[source]:
            yield Note(f'rule "{rule.id}"', source, reads[source])
    if acts[rule.action]:
        yield Note(f'rule "{rule.id}"', f"action {rule.action}", acts[rule.action])
    if rule.compat:
        yield Note(f'rule "{rule.id}"', "compat", "exceptions and their conditions stay with Stopgap")
