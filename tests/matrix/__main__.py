"""python -m tests.matrix: how many spellings of each rule's attacks are refused? Prints docs/evasion.md.

With `--write` the page is written. Exit status 1 when a spelling passed; it is then printed whole.
"""

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import repeat
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from stopgap.ruleset import load
from tests.matrix.cells import COLUMNS, PAGES, SERVERS, Cell, Matrix, pairs, total

DOCS = Path(__file__).parents[2] / "docs"
PER_PAIR = 1
"""Spellings of each vector by each pair of operators."""

Rows = dict[str, dict[str, Cell]]
Row = tuple[str, dict[str, Cell], dict[tuple[str, str], Cell]]

HERE = Path(__file__).parent
WRITTEN = {"en": DOCS / "evasion.md", "ja": DOCS / "ja" / "evasion.md"}
CORNERS = {"en": ("rule", "first"), "ja": ("ルール", "先")}


@cache
def matrix() -> Matrix:
    """All packs, compiled once in each process."""
    return Matrix(load.assemble(load.packaged(), {}).rules)


def row(number: int, per_pair: int) -> Row:
    """The cells of one rule: by column, and by pair of columns."""
    rule = matrix().rules[number]
    home = {operator: column for column, operators in COLUMNS.items() for operator in operators}
    single = {
        column: merged([matrix().cell(rule, [operator]) for operator in operators])
        for column, operators in COLUMNS.items()
    }
    double: dict[tuple[str, str], list[Cell]] = {}
    for first, second in pairs():
        double.setdefault((home[first], home[second]), []).append(
            matrix().cell(rule, [first, second], per_pair)
        )
    return rule.id, single, {both: merged(cells) for both, cells in double.items()}


def run(numbers: list[int], per_pair: int) -> Iterator[Row]:
    """The rows of all rules, on every core; a bar on a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("rules"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar,
        ProcessPoolExecutor() as pool,
    ):
        task = bar.add_task("", total=len(numbers))
        for found in pool.map(row, numbers, repeat(per_pair)):
            bar.advance(task)
            yield found


def merged(cells: list[Cell]) -> Cell:
    sums = total(cells)
    return Cell(sums["refused"], sums["elsewhere"], [one for cell in cells for one in cell.passed])


def table(corner: str, rows: Rows) -> str:
    """Rows and columns in Markdown; a cell that let something through is bold and says how many."""
    lines = [f"| {corner} | " + " | ".join(f"`{column.strip()}`" for column in COLUMNS) + " |"]
    lines.append("|---|" + "---:|" * len(COLUMNS))
    for name, cells in rows.items():
        shown = [
            f"**{len(cell.passed)} passed**" if cell.passed else f"{cell.refused:,}" if cell.refused else "–"
            for cell in cells.values()
        ]
        lines.append(f"| `{name.strip()}` | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__)
    parser.add_argument(
        "--pairs", type=int, default=PER_PAIR, help=f"spellings a vector and pair ({PER_PAIR})"
    )
    parser.add_argument("--rule", action="append", help="only this rule; may be repeated")
    parser.add_argument("--write", action="store_true", help="write docs/evasion.md")
    given = parser.parse_args()
    numbers = [n for n, rule in enumerate(matrix().rules) if not given.rule or rule.id in given.rule]
    rows = list(run(numbers, given.pairs))
    single: Rows = {name: cells for name, cells, _ in rows}
    double: Rows = {
        first: {
            second: merged([pair[first, second] for *_, pair in rows if (first, second) in pair])
            for second in COLUMNS
        }
        for first in COLUMNS
        if first != "form"
    }
    every = [cell for rows in (single, double) for cells in rows.values() for cell in cells.values()]
    sums = total(every)
    figures = {
        "servers": ", ".join(SERVERS),
        "pages": ", ".join(map(str, PAGES)),
        "elsewhere": f"{sums['elsewhere']:,}",
        "refused": f"{sums['refused']:,}",
        "judged": f"{sums['refused'] + sums['passed']:,}",
    }
    pages = {}
    for language, (rule, first) in CORNERS.items():
        template = (HERE / f"evasion.{language}.md").read_text("utf-8")
        pages[language] = template.format(**figures, single=table(rule, single), double=table(first, double))
    if given.write:
        for language, text in pages.items():
            WRITTEN[language].write_text(text, "utf-8")
    else:
        print(pages["en"])
    for cell in every:
        for place, request in cell.passed:
            print(f"passed on {place}: {request[:300]!r}", file=sys.stderr)
    return 1 if sums["passed"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
