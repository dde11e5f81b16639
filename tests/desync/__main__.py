"""Send ambiguous requests: `python -m tests.desync [--count N] [--seconds N] [--seed N]`.

Exit code 1 when one was read in two ways. `--seconds` goes on with the seeds that follow, `--count` cases
each.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.desync.drive import Outcome, run
from tests.desync.requests import cases

COLUMNS = ("refused", "by a server", "arrived", "unfinished")


def table(outcome: Outcome, seconds: float) -> Table:
    """A row a family: what became of its cases at all three servers."""
    total: Counter[str] = Counter()
    for counts in outcome.counts.values():
        total += counts
    shown = Table(title=f"{total.total()} cases, {seconds:.0f} s, {len(outcome.faults)} faults")
    shown.add_column("family")
    for column in COLUMNS:
        shown.add_column(column, justify="right")
    for family, counts in [*outcome.counts.items(), ("all", total)]:
        shown.add_row(family, *(str(counts[column]) for column in COLUMNS))
    return shown


def main() -> int:
    parser = argparse.ArgumentParser(description="Requests that could be cut in two ways")
    parser.add_argument("--count", type=int, default=5000, help="cases of one seed")
    parser.add_argument("--seconds", type=float, default=0, help="go on for so long")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    console, begin, outcome, seed = Console(), time.monotonic(), Outcome(), asked.seed
    while True:
        with tempfile.TemporaryDirectory() as folder:
            outcome.add(run(Path(folder), list(cases(seed, asked.count))))
        seed += 1
        if time.monotonic() - begin >= asked.seconds:
            break
    console.print(table(outcome, time.monotonic() - begin))
    for fault in outcome.faults[:40]:
        console.print(fault, style="red", markup=False, soft_wrap=True)
    return 1 if outcome.faults else 0


if __name__ == "__main__":
    sys.exit(main())
