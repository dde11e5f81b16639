"""Soak: `python -m tests.soak [--minutes N] [--write]`; `make soak`.

Exit code 1 when a request failed or something grew: the 95 % interval of a slope is above 0,
and not below its bound. `--write` draws docs/soak.svg.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import Progress

from tests.e2e.certificates import self_signed
from tests.soak.run import Soak, run

PLOT = Path(__file__).parents[2] / "docs" / "soak.svg"


def plot(soak: Soak) -> None:
    """Memory and descriptors of every process over time."""
    mpl.rcParams["svg.hashsalt"] = "stopgap"
    figure = Figure(figsize=(9, 6), layout="constrained")
    for axes, unit in zip(figure.subplots(2, 1, sharex=True), ("KiB", "descriptors"), strict=True):
        for (process, kind), values in soak.samples.items():
            if kind == unit:
                axes.plot([each / 60 for each in soak.times], values, label=process, linewidth=0.8)
        axes.set_ylabel(unit)
        axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("minutes")
    axes.legend(frameon=False, fontsize=7)
    figure.savefig(PLOT, metadata={"Date": None})


def main() -> int:
    parser = argparse.ArgumentParser(description="Mixed traffic with churn; is memory flat?")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--write", action="store_true", help="draw docs/soak.svg")
    asked = parser.parse_args()
    seconds = asked.minutes * 60
    console = Console()
    with tempfile.TemporaryDirectory() as folder, Progress(console=console) as progress:
        task = progress.add_task("soak", total=seconds)
        soak = run(
            Path(folder),
            self_signed(Path(folder)),
            seconds,
            lambda done: progress.update(task, completed=done),
        )
    console.print(", ".join(f"{kind} {count}" for kind, count in soak.turns.items()))
    console.print(f"reloads {soak.reloads}, failed {len(soak.failed)}")
    for (process, unit), found in soak.slopes().items():
        console.print(f"{process}: {found} {unit} a minute")
    for fault in soak.faults():
        console.print(fault, style="red", markup=False)
    if asked.write:
        plot(soak)
    return 1 if soak.faults() else 0


if __name__ == "__main__":
    sys.exit(main())
