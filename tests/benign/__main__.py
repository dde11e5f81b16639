"""python -m tests.benign: does any preset refuse what the application behind it really gets?

Prints a table, and for every rule or reason that refused something the first requests; exit status 1 then.
"""

import argparse
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.benign.applications import APPLICATIONS
from tests.benign.judge import Outcome, judge

DOCS = Path(__file__).parents[2] / "docs"
PAGES = (DOCS / "honest.md", DOCS / "ja" / "honest.md")
BEGIN = "<!-- make benign: all below is written by it -->"
COUNT = 20_000
"""Requests of each application."""


def table(outcomes: dict[str, Outcome]) -> str:
    """The figures in Markdown."""
    lines = ["| Application | Preset | Requests | of them different | Refused |", "|---|---|---:|---:|---:|"]
    for name, outcome in outcomes.items():
        numbers = (outcome.requests, outcome.distinct, outcome.refused.total())
        preset = APPLICATIONS[name].preset
        lines.append(f"| {name} | `{preset}` | " + " | ".join(f"{number:,}" for number in numbers) + " |")
    sums = (
        sum(outcome.requests for outcome in outcomes.values()),
        sum(outcome.distinct for outcome in outcomes.values()),
        sum(outcome.refused.total() for outcome in outcomes.values()),
    )
    lines.append("| all | | " + " | ".join(f"**{number:,}**" for number in sums) + " |")
    return "\n".join(lines)


def run(count: int, seed: int, names: list[str], console: Console) -> dict[str, Outcome]:
    """Judge all; a bar on a terminal."""
    columns = (TextColumn("{task.description:32}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        outcomes = {}
        for name in names:
            task = bar.add_task(name, total=count)
            outcomes[name] = judge(APPLICATIONS[name], count, seed, partial(bar.advance, task))
        return outcomes


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benign", description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT, help=f"requests of each application ({COUNT})")
    parser.add_argument("--seed", type=int, default=2001, help="another corpus for another number (2001)")
    parser.add_argument("--only", choices=list(APPLICATIONS), help="one application")
    parser.add_argument("--write", action="store_true", help="put the table into docs/honest.md")
    given = parser.parse_args()
    names = [given.only] if given.only else list(APPLICATIONS)
    outcomes = run(given.count, given.seed, names, Console(stderr=True))
    print(table(outcomes))
    if given.write:
        for page in PAGES:
            text = page.read_text("utf-8")
            page.write_text(f"{text[: text.index(BEGIN)]}{BEGIN}\n{table(outcomes)}\n", "utf-8")
    for name, outcome in outcomes.items():
        for by, times in outcome.refused.most_common():
            print(f"\n{name}: {by} refused {times}, such as")
            for example in outcome.examples[by]:
                print("   ", example[:400])
    return 1 if any(outcome.refused for outcome in outcomes.values()) else 0


if __name__ == "__main__":
    raise SystemExit(main())
