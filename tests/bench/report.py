"""How are the figures shown: on the terminal, as tables in docs/performance.md (both languages), as a plot?

The pages are written by hand but for the part between the two markers, which is replaced.
"""

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from tests.bench import results as figures
from tests.bench.core import CoreResult
from tests.bench.memory import MemoryResult
from tests.bench.peers import ROOT
from tests.bench.results import CaseResult, PeerResult, Results

BEGIN = "<!-- make bench: begin -->"
END = "<!-- make bench: end -->"
PAGES = {"en": ROOT / "docs" / "performance.md", "ja": ROOT / "docs" / "ja" / "performance.md"}
PLOT = ROOT / "docs" / "performance.svg"

NAMES = {
    "stopgap": "Stopgap",
    "two-packs": "Stopgap, two packs",
    "nginx": "nginx",
    "haproxy": "HAProxy",
    "modsecurity": "nginx + ModSecurity + CRS",
    "mitmproxy": "mitmproxy",
}
COLOURS = {
    "stopgap": "#c0392b",
    "two-packs": "#e6b0aa",
    "nginx": "#7f8c8d",
    "haproxy": "#95a5a6",
    "modsecurity": "#34495e",
    "mitmproxy": "#2c3e50",
}

# Every word of the generated part, English and Japanese.
WORDS = {
    "case": ("Case", "ケース"),
    "keepalive": ("keep-alive GET", "keep-alive の GET"),
    "japanese": ("Japanese target", "日本語のターゲット"),
    "close": ("new connection", "毎回新規接続"),
    "tls": ("TLS, keep-alive", "TLS（keep-alive）"),
    "handshake": ("TLS, new connection", "TLS（毎回新規接続）"),
    "refusal": ("refusal (Code Red)", "拒否（Code Red）"),
    "download": ("10 MiB download", "10 MiB ダウンロード"),
    "upload": ("1 MiB upload", "1 MiB アップロード"),
    "cpu": ("CPU microseconds a request", "リクエストあたりの CPU 時間（マイクロ秒）"),
    "ratio": ("CPU of Stopgap to CPU of the peer", "Stopgap と比較対象の CPU 時間の比"),
    "goal": ("goal", "目標"),
    "rate": ("keep-alive GET: requests/s", "keep-alive の GET: リクエスト/秒"),
    "resident": ("memory, MiB", "メモリ（MiB）"),
    "proxy": ("Proxy", "プロキシ"),
    "core": ("The core alone: judgements a second", "コア単体: 1 秒あたりの判定数"),
    "packs": (
        "The core with all packs: microseconds a judgement",
        "全パックのコア: 判定あたりの時間（マイクロ秒）",
    ),
    "target": ("Target", "ターゲット"),
    "rules": ("rules", "ルール"),
    "memory": ("Memory", "メモリ"),
    "what": ("What", "項目"),
    "idle": ("an idle client", "アイドルなクライアント 1 接続"),
    "worker": ("a worker after load", "負荷後のワーカー 1 個"),
    "supervisor": ("the supervisor", "スーパーバイザー"),
    "reloads": ("a worker after {} reloads", "再読み込み {} 回後のワーカー"),
    "than": ("Japanese target to plain one", "日本語ターゲットと通常ターゲットの比"),
    "growth": ("10 000 rules to 10 (time)", "ルール 10 000 件と 10 件の時間の比"),
    "measured": (
        "Measured {when} at revision {revision} on {machine}.",
        "{when}、リビジョン {revision}、{machine} で計測。",
    ),
    "alt": ("CPU a request, by case and proxy", "ケースとプロキシごとの、リクエストあたりの CPU 時間"),
}

Words = Callable[[str], str]


def words(language: str) -> Words:
    index = list(PAGES).index(language)
    return lambda key: WORDS[key][index]


def number(value: float) -> str:
    """Rounded as far as it means something, with a no-break space between thousands."""
    if value >= 100:
        return f"{value:,.0f}".replace(",", "\u00a0") if value >= 10_000 else f"{value:.0f}"
    return f"{value:.1f}"


def latency(milliseconds: float) -> str:
    """A dash for what wrk did not tell."""
    return f"{milliseconds:.2f}" if milliseconds else "–"


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def peers_of(results: Results) -> list[str]:
    return [peer for peer in NAMES if any(peer in case.peers for case in results.cases.values())]


def cost_rows(results: Results, word: Words) -> list[list[str]]:
    def cell(peer: PeerResult | None) -> str:
        return f"{number(peer.cpu)} ({number(peer.least)}–{number(peer.most)})" if peer else "–"

    return [
        [word(name), *(cell(case.peers.get(peer)) for peer in peers_of(results))]
        for name, case in results.cases.items()
    ]


def ratio_rows(results: Results, word: Words) -> list[list[str]]:
    def cell(name: str, case: CaseResult, peer: str) -> str:
        ratio = case.peers[peer].ratio if peer in case.peers else None
        if ratio is None:
            return "–"
        goal = figures.GOALS.get((name, peer))
        form = ".3f" if ratio < 0.1 else ".2f"
        return f"{ratio:{form}}" + (f" ({word('goal')} ≤ {goal:{form}})" if goal else "")

    others = peers_of(results)[1:]
    return [
        [word(name), *(cell(name, case, peer) for peer in others)] for name, case in results.cases.items()
    ]


def speed_rows(case: CaseResult) -> list[list[str]]:
    return [
        [NAMES[name], number(peer.rate), latency(peer.p50), latency(peer.p99), number(peer.resident / 1024)]
        for name, peer in case.peers.items()
    ]


def packs_rows(core: CoreResult) -> list[list[str]]:
    return [[name, f"{microseconds:.2f}"] for name, microseconds in core.packs.items()]


def core_rows(core: CoreResult) -> list[list[str]]:
    return [[name, *(number(rate) for rate in rates.values())] for name, rates in core.rates.items()]


def memory_rows(memory: MemoryResult, word: Words) -> list[list[str]]:
    idle = [[f"{NAMES[peer]}: {word('idle')}", f"{size:.1f}"] for peer, size in memory.idle.items()]
    own = [[word("worker"), number(memory.worker)], [word("supervisor"), number(memory.supervisor)]]
    return (
        idle + own + [[word("reloads").format(count), number(size)] for count, size in memory.reloads.items()]
    )


def goal_rows(results: Results, word: Words) -> list[list[str]]:
    """What is no ratio to a peer and still has a goal."""
    rows = []
    if {"japanese", "keepalive"} <= set(results.cases):
        ratio = (
            results.cases["japanese"].peers["stopgap"].cpu / results.cases["keepalive"].peers["stopgap"].cpu
        )
        rows.append([word("than"), f"{ratio:.2f}", f"≤ {figures.JAPANESE_GOAL:.2f}"])
    if results.core:
        plain = results.core.rates["plain"]
        rows.append([word("core"), number(min(plain.values())), f"≥ {number(figures.CORE_GOAL)}"])
        rows.append([word("growth"), f"{plain[10] / plain[10_000]:.2f}", f"≤ {figures.CORE_GROWTH_GOAL:.2f}"])
    if results.memory:
        rows.append(
            [f"{word('idle')} (KiB)", f"{results.memory.idle['stopgap']:.1f}", f"≤ {figures.IDLE_GOAL:.0f}"]
        )
        rows.append(
            [f"{word('worker')} (KiB)", number(results.memory.worker), f"≤ {number(figures.WORKER_GOAL)}"]
        )
    return rows


def page(results: Results, language: str) -> str:
    """The generated part of one page."""
    word = words(language)
    peers = peers_of(results)
    picture = "performance.svg" if language == "en" else "../performance.svg"
    parts = [
        word("measured").format(when=results.when, revision=results.revision, machine=results.machine) + "\n"
    ]
    if results.cases:
        parts.append(f"![{word('alt')}]({picture})\n")
        parts.append(f"### {word('cpu')}\n")
        parts.append(table([word("case"), *(NAMES[peer] for peer in peers)], cost_rows(results, word)))
        parts.append(f"### {word('ratio')}\n")
        parts.append(table([word("case"), *(NAMES[peer] for peer in peers[1:])], ratio_rows(results, word)))
    if goals := goal_rows(results, word):
        parts.append(table([word("what"), "", word("goal")], goals))
    if "keepalive" in results.cases:
        parts.append(f"### {word('rate')}, p50, p99\n")
        header = [word("proxy"), word("rate").split(": ")[1], "p50, ms", "p99, ms", word("resident")]
        parts.append(table(header, speed_rows(results.cases["keepalive"])))
    if results.core:
        parts.append(f"### {word('core')}\n")
        counts = next(iter(results.core.rates.values()))
        parts.append(
            table(
                [word("target"), *(f"{count} {word('rules')}" for count in counts)],
                core_rows(results.core),
            )
        )
        parts.append(f"### {word('packs')}\n")
        parts.append(table([word("target"), "µs"], packs_rows(results.core)))
    if results.memory:
        parts.append(f"### {word('memory')}\n")
        parts.append(table([word("what"), "KiB"], memory_rows(results.memory, word)))
    return "\n".join(parts)


def plot(results: Results) -> None:
    """CPU a request, by case and proxy, on a logarithmic scale."""
    mpl.rcParams["svg.hashsalt"] = "stopgap"
    peers, cases = peers_of(results), list(results.cases)
    figure = Figure(figsize=(9, 1.2 + 0.75 * len(cases)), layout="constrained")
    axes = figure.subplots()
    height = 0.8 / len(peers)
    for index, peer in enumerate(peers):
        shown = [
            (row, results.cases[name].peers[peer].cpu)
            for row, name in enumerate(cases)
            if peer in results.cases[name].peers
        ]
        places = [row + (index - (len(peers) - 1) / 2) * height for row, _ in shown]
        costs = [cost for _, cost in shown]
        bars = axes.barh(places, costs, height * 0.92, label=NAMES[peer], color=COLOURS[peer])
        axes.bar_label(bars, [number(cost) for cost in costs], padding=3, fontsize=7)
    axes.set_yticks(range(len(cases)), [WORDS[name][0] for name in cases])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel(WORDS["cpu"][0] + " (one worker, logarithmic)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    figure.savefig(PLOT, metadata={"Date": None})


def write(new: Results) -> list[Path]:
    """Put the figures into both pages and the plot; returns what was written."""
    results = figures.merge(new)
    figures.keep(results)
    for language, path in PAGES.items():
        before, _, rest = path.read_text("utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        path.write_text(f"{before}{BEGIN}\n{page(results, language)}\n{END}{after}", "utf-8")
    if results.cases:
        plot(results)
    return [figures.KEPT, *PAGES.values(), PLOT]


def show(console: Console, title: str, header: list[str], rows: list[list[str]]) -> None:
    shown = Table(title=title, title_justify="left", box=SIMPLE)
    for index, name in enumerate(header):
        shown.add_column(name, justify="left" if index == 0 else "right")
    for row in rows:
        shown.add_row(*row)
    console.print(shown)


def show_case(console: Console, name: str, case: CaseResult) -> None:
    rows = []
    for peer, row in case.peers.items():
        ratio = "" if peer == "stopgap" or row.ratio is None else f"{row.ratio:.3f}"
        goal = figures.GOALS.get((name, peer))
        costs = [
            number(row.cpu),
            f"{number(row.least)}–{number(row.most)}",
            ratio,
            f"≤ {goal:.3f}" if goal else "",
        ]
        rows.append(
            [
                NAMES[peer],
                *costs,
                number(row.rate),
                latency(row.p50),
                latency(row.p99),
                number(row.resident / 1024),
            ]
        )
    header = [
        "",
        "CPU µs/request",
        "rounds",
        "Stopgap / peer",
        "goal",
        "requests/s",
        "p50 ms",
        "p99 ms",
        "RSS MiB",
    ]
    show(console, WORDS[name][0], header, rows)


def show_alone(console: Console, results: Results) -> None:
    word = words("en")
    if results.core:
        counts = next(iter(results.core.rates.values()))
        header = [f"head of {results.core.length} bytes", *(f"{count} rules" for count in counts)]
        show(console, word("core"), header, core_rows(results.core))
        show(console, word("packs"), ["", "µs"], packs_rows(results.core))
    if results.memory:
        show(console, word("memory"), ["", "KiB"], memory_rows(results.memory, word))
