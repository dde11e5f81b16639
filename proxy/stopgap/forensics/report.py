"""How is it told what another ruleset would judge otherwise?

For people: what was compared and read, what the files cannot show, then each kind of difference by rule and
path, the most frequent first, with an example of each. For programs: the same as JSON. What came from a log
is shown as printable ASCII only.
"""

from collections.abc import Iterator, Sequence

import msgspec
from rich.text import Text

from stopgap.forensics.replay import (
    DETECTED,
    DETECTED_OTHERWISE,
    NEWLY_DETECTED,
    NEWLY_PASSED,
    NEWLY_REFUSED,
    NO_LONGER_DETECTED,
    PASSES,
    REFUSED,
    REFUSED_OTHERWISE,
    Differences,
    Place,
)
from stopgap.forensics.sources import EVERYTHING, Account

COLOURS = {NEWLY_REFUSED: "bold red", NEWLY_PASSED: "bold yellow"}
SECTIONS = (
    *(NEWLY_REFUSED, NEWLY_PASSED, NEWLY_DETECTED, NO_LONGER_DETECTED),
    *(REFUSED_OTHERWISE, DETECTED_OTHERWISE),
)
NAMES = {
    "query": "the query",
    "version": "the version",
    "host": "the Host",
    "user-agent": "User-Agent",
    "referer": "the Referer",
    "cookie": "cookies",
    "headers": "all other headers",
    "body": "bodies",
}
"""How the parts of a request are called that a file may not show, in this order."""


class ByRule(msgspec.Struct, frozen=True):
    """What differs because of one rule, or of one reason: how many requests, and of which paths the most."""

    by: str
    requests: int
    paths: int
    most: list[Place]


class Report(msgspec.Struct, frozen=True):
    """Everything that is told. `unchanged` and `differences` go by fate and by kind."""

    candidate: str
    active: str
    files: int
    requests: int
    left_out: int
    broken: int
    first_broken: list[str]
    not_shown: list[str]
    speechless: list[str]
    notes: list[str]
    unchanged: dict[str, int]
    differences: dict[str, list[ByRule]]

    def of(self, kind: str) -> int:
        """How many requests differ so."""
        return sum(one.requests for one in self.differences[kind])


def report(
    names: tuple[str, str],
    account: Account,
    found: Differences,
    speechless: list[str],
    notes: Sequence[str],
    top: int,
) -> Report:
    """Sum up. `names` are candidate and active, `top` is how many paths of a rule are told."""
    differences = {kind: _by_rule(found, kind, top) for kind in SECTIONS}
    same = {what: found.fates.get((what, what), 0) for what in (PASSES, DETECTED, REFUSED)}
    same[REFUSED] -= found.of(REFUSED_OTHERWISE)
    same[DETECTED] -= found.of(DETECTED_OTHERWISE)
    return Report(
        candidate=names[0],
        active=names[1],
        files=account.files,
        requests=account.requests - account.left_out,
        left_out=account.left_out,
        broken=account.broken,
        first_broken=account.first_broken,
        not_shown=[NAMES[part] for part in NAMES if part in EVERYTHING - account.shows],
        speechless=speechless,
        notes=list(notes),
        unchanged=same,
        differences=differences,
    )


def _by_rule(found: Differences, kind: str, top: int) -> list[ByRule]:
    of_rule: dict[str, list[Place]] = {}
    for (one, by, _), place in found.places.items():
        if one == kind:
            of_rule.setdefault(by, []).append(place)
    rows = []
    for by, places in of_rule.items():
        places.sort(key=lambda place: (-place.requests, place.path))
        rows.append(ByRule(by, sum(place.requests for place in places), len(places), places[:top]))
    return sorted(rows, key=lambda row: (-row.requests, row.by))


def render(told: Report) -> Iterator[Text]:
    """The report for people, line by line."""
    yield _fact("candidate", told.candidate)
    yield _fact("active", told.active)
    left_out = f", {told.left_out:,} left out by --answered" if told.left_out else ""
    plural = "file" if told.files == 1 else "files"
    yield _fact("read", f"{told.requests:,} requests of {told.files} {plural}{left_out}")
    if told.broken:
        lines = "line" if told.broken == 1 else "lines"
        yield _fact("broken", f"{told.broken:,} {lines} could not be read:", "yellow")
        yield from (_fact("", line) for line in told.first_broken)
        if told.broken > len(told.first_broken):
            yield _fact("", f"and {told.broken - len(told.first_broken):,} more")
    if told.not_shown:
        yield _fact("not shown", f"{', '.join(told.not_shown)}: the files do not hold them")
    if told.speechless:
        some = ", ".join(told.speechless[:5]) + (" ..." if len(told.speechless) > 5 else "")
        yield _fact("", f"{len(told.speechless)} rules ask for them and could not speak fully: {some}")
    yield from (_fact("note", note) for note in told.notes)
    for kind, rules in told.differences.items():
        if rules:
            yield Text.assemble("\n", (f"{kind}: {told.of(kind):,}", COLOURS.get(kind, "bold")))
        for rule in rules:
            yield from _rule(rule)
    yield Text("")
    same = ", ".join(f"{what} {count:,}" for what, count in told.unchanged.items() if count)
    yield _fact("as before", same or "none")
    verdict = ", ".join(f"{told.of(kind):,} {kind}" for kind in (NEWLY_REFUSED, NEWLY_PASSED))
    changed = told.of(NEWLY_REFUSED) + told.of(NEWLY_PASSED)
    yield _fact("differs", verdict, "bold red" if changed else "bold green")


def _rule(rule: ByRule) -> Iterator[Text]:
    yield Text(f"  {rule.by}: {rule.requests:,}")
    for place in rule.most:
        yield Text.assemble(f"  {place.requests:>9,}  {place.path}")
        yield Text(f"             {place.example}: {place.request}", "dim")
    if rule.paths > len(rule.most):
        yield Text(f"             and {rule.paths - len(rule.most):,} more paths; --top shows them", "dim")


def _fact(label: str, text: str, style: str = "") -> Text:
    return Text.assemble((f"{label:<10}", "dim"), (text, style))
