"""Fuzz: `python -m tests.fuzz [--minutes N | --seconds N] [--target NAME ...]`; `make fuzz`.

Two engines. The core is driven by coverage (libFuzzer, see `coverage.py`) when there are minutes for it, and
for as long again by chance from what that has found: it needs a nightly Rust and `cargo install cargo-fuzz`.
Whatever is called from Python (the core through its boundary, configuration, packs, importers, frames) is
driven by mutation of the corpus. An input that breaks a promise is kept in `--save` and printed; the exit
code is then 1.

  make fuzz FUZZ="--minutes 60"                          everything, each target its share
  make fuzz FUZZ="--minutes 20 --target core:receive"    one target by coverage
  python -m tests.fuzz --seconds 20 --target pack        one target by mutation
"""

import argparse
import random
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.fuzz import coverage, files
from tests.fuzz.corpus import CORPUS, seeds
from tests.fuzz.targets import TARGETS as CORE

LONGEST = 8192
MOST_FINDS = 10
TARGETS = {**CORE, **files.TARGETS}
COVERED = tuple(f"core:{name}" for name in coverage.TARGETS)
"""Targets that are driven by coverage."""


def mutate(data: bytes, corpus: Sequence[bytes], chance: random.Random) -> bytes:
    """One input from others: bytes changed, doubled, dropped, or a piece of another input put in."""
    out = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randint(0, len(out))
        length = chance.randint(0, 8)
        kind = chance.randrange(4)
        if kind == 0:
            out[at : at + 1] = bytes([chance.randrange(256)])
        elif kind == 1:
            del out[at : at + length]
        elif kind == 2:
            out[at:at] = out[at : at + length]
        else:
            other = chance.choice(corpus)
            start = chance.randint(0, len(other))
            out[at : at + length] = other[start : start + chance.randint(0, 40)]
    return bytes(out[:LONGEST])


def report(name: str, data: bytes, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{time.time_ns()}.bin"
    path.write_bytes(data)
    traceback.print_exc()
    print(f"{name} raised on {data!r}; kept as {path}", file=sys.stderr)


def by_mutation(name: str, seconds: float, seed: int, folder: Path) -> tuple[int, int]:
    """The corpus as it is, then mutated until the time is over; inputs tried, and those that raised."""
    chance = random.Random(seed)
    corpus = seeds(name)
    until = time.monotonic() + seconds
    tried = failed = 0
    while failed < MOST_FINDS and (tried < len(corpus) or time.monotonic() < until):
        data = corpus[tried] if tried < len(corpus) else mutate(chance.choice(corpus), corpus, chance)
        tried += 1
        try:
            TARGETS[name](data)
        except Exception:
            failed += 1
            report(name, data, folder)
    return tried, failed


def show(console: Console, rows: list[tuple[str, int, str, int]]) -> None:
    table = Table("target", *("inputs", "edges", "finds"))
    for name, tried, edges, finds in rows:
        table.add_row(name, f"{tried:,}", edges, str(finds))
    table.add_row("all", f"{sum(row[1] for row in rows):,}", "", str(sum(row[3] for row in rows)))
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, help="of all, core by coverage too")
    parser.add_argument("--seconds", type=float, default=20.0, help="of all by mutation, where no --minutes")
    parser.add_argument("--target", action="append", choices=sorted([*TARGETS, *COVERED]))
    parser.add_argument("--sanitizer", choices=("address", "none"), default="address", help="of the core")
    parser.add_argument("--keep", action="store_true", help="put what covers most into tests/fuzz/corpus")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    parser.add_argument("--save", type=Path, default=coverage.WORK / "finds", help="inputs that raised")
    options = parser.parse_args()
    console = Console()
    names = options.target or [*TARGETS, *(COVERED if options.minutes else ())]
    share = (options.minutes * 60 if options.minutes else options.seconds) / len(names)
    program = blind = None
    if set(names) & set(COVERED):
        program, blind = coverage.build(options.sanitizer), coverage.build_blind()
    rows: list[tuple[str, int, str, int]] = []
    with Progress(console=console) as progress:
        task = progress.add_task("fuzz", total=len(names))
        for name in names:
            progress.update(task, description=name)
            if program is not None and blind is not None and name in COVERED:
                run = coverage.run(program, name.removeprefix("core:"), share / 2)
                more, broken = coverage.run_blind(blind, run.target, share / 2, options.seed)
                finds = [*run.finds, *broken]
                rows.append((name, run.executions + more, str(run.edges), len(finds)))
                if options.keep:
                    coverage.minimised(program, run.target, CORPUS / run.target)
                for find in finds:
                    console.print(f"{name}: {find}\n{run.said[-3000:]}", markup=False)
            else:
                tried, failed = by_mutation(name, share, options.seed, options.save)
                rows.append((name, tried, "", failed))
            progress.advance(task)
    show(console, rows)
    console.print(f"seed {options.seed}")
    sys.exit(1 if any(row[3] for row in rows) else 0)


if __name__ == "__main__":
    main()
