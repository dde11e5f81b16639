"""How is it told what tuning has found: for people, for programs, and as a piece of TOML?

Deterministic: the same files give the same words. What came from a log is shown as printable ASCII only.
"""

from collections.abc import Iterator

from msgspec import Struct
from rich.text import Text

from stopgap.config import edit
from stopgap.forensics.limiting import Limit
from stopgap.forensics.report import Report
from stopgap.forensics.tuning import Evidence, Left, Plan, Proposed

LONGEST = 120
"""Characters of an example that people are shown."""
MOST_FOLDERS = 5
"""Folders that are shown of one limit, those that ask for most."""


class Learned(Struct, frozen=True):
    """What it stands on: requests, of so many clients' groups, and what was left out."""

    files: int
    requests: int
    passed: int
    caught: int
    beyond: int
    """Of those caught, the ones on more paths than are looked at."""
    events: int
    untold: int
    """Requests of no site, and those of events that nothing catches now, as far as an event holds them."""
    no_request: int
    other_clients: int
    broken: int
    first_broken: list[str]


class Tuned(Struct, frozen=True):
    """Everything that is told. `effect`: the corpus judged with all that is proposed, and without."""

    learned: Learned
    limits: tuple[Limit, ...]
    exceptions: tuple[Proposed, ...]
    looks_like_attack: tuple[Left, ...]
    left: tuple[Left, ...]
    rarer: int
    effect: Report | None


def of_plan(learned: Learned, plan: Plan, effect: Report | None) -> Tuned:
    return Tuned(learned, plan.limits, plan.exceptions, plan.suspects, plan.left, plan.more, effect)


def render(told: Tuned) -> Iterator[Text]:
    """For people, line by line."""
    yield from _learned(told.learned)
    for limit in told.limits:
        yield from _limit(limit)
    for one in told.exceptions:
        yield Text("")
        yield from (Text(line) for line in _table(one).splitlines())
        yield from _evidence(one.evidence, f"lets {one.passing} of {one.kept} different ones pass")
    for title, rows, colour in (
        ("looks like an attack; nothing is proposed", told.looks_like_attack, "bold red"),
        ("left as it is", told.left, "bold"),
    ):
        if rows:
            yield Text.assemble("\n", (f"{title}:", colour))
        for row in rows:
            yield Text.assemble(f"  {row.name} on {row.path}, site {row.site}: {'; '.join(row.why)}")
            yield from _evidence(row.evidence, "")
    if told.rarer:
        yield Text(f"\nand {told.rarer:,} rarer groups that were not looked at")
    yield from _effect(told)


def _learned(learned: Learned) -> Iterator[Text]:
    yield _fact(
        "read",
        f"{learned.requests:,} requests of {learned.files} {'file' if learned.files == 1 else 'files'}",
    )
    caught = f"{learned.caught:,} of them would be refused in block mode, {learned.passed:,} pass"
    yield _fact("caught", caught)
    for number, what in (
        (learned.other_clients, "requests of other clients, or of unknown ones, were left out"),
        (learned.beyond, "of them are on more paths than are looked at"),
        (
            learned.untold,
            "requests are of no site here, or of events that are caught no more as far as they are told",
        ),
        (learned.no_request, "events hold no request line"),
        (learned.broken, "lines could not be read:"),
    ):
        if number:
            yield _fact("note", f"{number:,} {what}", "yellow")
    yield from (_fact("", line) for line in learned.first_broken)


def _limit(one: Limit) -> Iterator[Text]:
    refused = f"; {one.refused:,} requests are refused by it today" if one.refused else ""
    yield Text.assemble(
        "\n", (f"site {one.site}: {one.key} = {one.proposed}", "bold"), f"   (today {one.today}{refused})"
    )
    most = sorted(one.folders, key=lambda each: (-each.proposed, each.prefix))[:MOST_FOLDERS]
    for each in most:
        yield Text(
            f"  {each.prefix}: {each.requests:,} requests, 99.9 % within {each.percentile:,}, "
            f"largest {each.largest:,}; with margin {each.proposed:,}",
            "dim",
        )
    if len(one.folders) > len(most):
        yield Text(f"  and {len(one.folders) - len(most)} more folders", "dim")


def _evidence(one: Evidence, effect: str) -> Iterator[Text]:
    days = f" on {one.days} {'day' if one.days == 1 else 'days'}" if one.days else ""
    clients = f" of {one.clients} {'client' if one.clients == 1 else 'clients'}" if one.clients else ""
    plural = "request" if one.requests == 1 else "requests"
    yield Text(f"    {one.requests:,} {plural}{clients}{days}{'; ' if effect else ''}{effect}", "dim")
    for where, line in one.examples:
        yield Text(f"    {where}: {line if len(line) <= LONGEST else line[: LONGEST - 3] + '...'}", "dim")


def _effect(told: Tuned) -> Iterator[Text]:
    yield Text("")
    if told.effect is None:
        yield _fact("proposed", "nothing", "bold green")
        return
    counts = [f"{told.effect.of(kind):,} {kind}" for kind in ("newly passed", "newly refused")]
    still = told.effect.unchanged["refused"] + told.effect.of("refused for another reason")
    yield _fact("effect", f"{', '.join(counts)}, {still:,} still refused", "bold")
    number = len(told.exceptions)
    what = f"limits: {len(told.limits)}, exceptions: {number}"
    yield _fact("proposed", f"{what}; nothing is applied: --write FILE writes them down", "bold")


def _table(one: Proposed) -> str:
    return edit.shown("exception", one.keys).strip()


def fragment(told: Tuned) -> str:
    """What is proposed as TOML, with what it stands on, to be put into a configuration by hand."""
    lines = [
        "# Proposed by `stopgap tune`. Look at each, say who needs it, and put it under its site in",
        "# stopgap.toml; then `stopgap check` and `stopgap replay`.",
    ]
    sites = dict.fromkeys([*(one.site for one in told.limits), *(one.site for one in told.exceptions)])
    for site in sites:
        lines += ["", "[[site]]", edit.value("name", site)]
        numbers = [one for one in told.limits if one.site == site]
        if numbers:
            lines += ["", "[site.limits]"]
        for limit in numbers:
            lines.append(f"{limit.key} = {limit.proposed}  # today {limit.today}")
        for one in told.exceptions:
            if one.site == site:
                lines.append("")
                lines += [f"#{text.plain[3:]}" for text in _evidence(one.evidence, "")]
                lines += _table(one).splitlines()
    return "\n".join(lines) + "\n"


def _fact(label: str, text: str, style: str = "") -> Text:
    return Text.assemble((f"{label:<10}", "dim"), (text, style))
