"""How are the floods shown: on the terminal, as a table in docs/reliability.md (both languages), as a plot?

The pages are written by hand but for the part between the two markers, which is replaced.
"""

import os
import time
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from tests.floods.attack import SCENARIOS
from tests.floods.measure import RATE, Result

ROOT = Path(__file__).parents[2]
BEGIN = "<!-- make floods: begin -->"
END = "<!-- make floods: end -->"
PAGES = (ROOT / "docs" / "reliability.md", ROOT / "docs" / "ja" / "reliability.md")
PLOT = ROOT / "docs" / "floods.svg"
COLUMNS = (
    ("Flood", "p50, ms", "p99, ms", "quiet p99, ms", "ratio", "failed", "workers grew, MiB", "refused"),
    ("フラッド", "p50 (ms)", "p99 (ms)", "平時の p99 (ms)", "比", "失敗", "ワーカーの増加 (MiB)", "拒否"),
)
SAID = (
    "Measured {when} on {cpus} CPUs, of which the gate has one and all others another, the attackers at the "
    "lowest priority: {rate} honest requests a second, {seconds:g} s a flood.",
    "{when}、CPU {cpus} 個で計測。一つはゲート、もう一つはそれ以外（攻撃側は最低の優先度）。"
    "正直なリクエスト毎秒 {rate}、各 {seconds:g} 秒。",
)
PICTURES = ("![p99 in quiet and during each flood](floods.svg)", "![平時と各フラッド中の p99](../floods.svg)")


def cells(result: Result) -> list[str]:
    return [
        f"{result.during[0]:.2f}",
        f"{result.during[1]:.2f}",
        f"{result.quiet[1]:.2f}",
        f"{result.ratio:.1f}",
        str(len(result.failed)),
        f"{result.growth / 1024:.1f}",
        str(result.refused),
    ]


def show(console: Console, results: list[Result]) -> None:
    table = Table(box=SIMPLE)
    for index, name in enumerate(COLUMNS[0]):
        table.add_column(name, justify="right" if index else "left")
    for result in results:
        table.add_row(SCENARIOS[result.name].title, *cells(result))
    console.print(table)


def page(results: list[Result], seconds: float, language: int) -> str:
    lines = [COLUMNS[language], ("---", *["---:"] * (len(COLUMNS[0]) - 1))]
    for result in results:
        scenario = SCENARIOS[result.name]
        lines.append(((scenario.title, scenario.japanese)[language], *cells(result)))
    said = SAID[language].format(
        when=time.strftime("%Y-%m-%d", time.gmtime()), cpus=os.cpu_count(), rate=RATE, seconds=seconds
    )
    rows = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{said}\n\n{PICTURES[language]}\n\n{rows}\n"


def plot(results: list[Result]) -> None:
    """p99 in quiet and in the flood, on a logarithmic scale."""
    mpl.rcParams["svg.hashsalt"] = "stopgap"
    figure = Figure(figsize=(9, 1.2 + 0.5 * len(results)), layout="constrained")
    axes = figure.subplots()
    places = range(len(results))
    for offset, label, colour, values in (
        (-0.2, "quiet", "#95a5a6", [result.quiet[1] for result in results]),
        (0.2, "during the flood", "#c0392b", [result.during[1] for result in results]),
    ):
        bars = axes.barh([row + offset for row in places], values, 0.36, label=label, color=colour)
        axes.bar_label(bars, [f"{value:.2f}" for value in values], padding=3, fontsize=7)
    axes.set_yticks(places, [SCENARIOS[result.name].title for result in results])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("p99 of honest requests, milliseconds (logarithmic)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(PLOT, metadata={"Date": None})


def write(results: list[Result], seconds: float) -> None:
    """Put the table into both pages and draw the plot."""
    for language, path in enumerate(PAGES):
        before, _, rest = path.read_text("utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        path.write_text(f"{before}{BEGIN}\n{page(results, seconds, language)}\n{END}{after}", "utf-8")
    plot(results)
