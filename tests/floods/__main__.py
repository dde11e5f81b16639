"""Measure every flood: `python -m tests.floods [--scenario NAME ...] [--seconds N] [--write]`; `make floods`.

Exit code 1 when a promise is broken: an honest request that failed, a p99 beyond twice that of quiet, a wrong
count, or memory without bound. `--write` puts the table and the plot into docs/reliability.md.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from tests.floods import report
from tests.floods.attack import SCENARIOS
from tests.floods.measure import FACTOR, Result, measure, place


def main() -> int:
    parser = argparse.ArgumentParser(description="Floods, and what honest clients notice of them")
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, help="default: all")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--write", action="store_true", help="into docs/reliability.md")
    asked = parser.parse_args()
    results: list[Result] = []
    console = Console()
    with tempfile.TemporaryDirectory() as folder, Progress(console=console) as progress:
        names = asked.scenario or list(SCENARIOS)
        task = progress.add_task("floods", total=len(names))
        for name in names:
            progress.update(task, description=name)
            scenario = SCENARIOS[name]
            with place(Path(folder) / name, scenario.workers) as gate:
                results.append(measure(gate, name, scenario.size, asked.seconds))
            progress.advance(task)
    report.show(console, results)
    broken = [f"{result.name}: {fault}" for result in results for fault in result.faults()]
    broken += [
        f"{result.name}: p99 is {result.ratio:.1f} times that of quiet"
        for result in results
        if result.ratio > FACTOR
    ]
    for line in broken:
        console.print(line, style="red")
    if asked.write:
        report.write(results, asked.seconds)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
