"""The command behind `make bench`: in which order is what measured, and what is done with the figures?

All peers of a case run at the same time, and the load goes round them in turn, each time beginning with the
next, so that a busy moment of the machine falls on all alike; ratios are taken within a round, and their
median counts.
"""

import argparse
import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.bench import core, memory, report, results
from tests.bench.load import CASES, Case, Round, check, load, processes, resident
from tests.bench.peers import PEERS, BenchError, Place, cpus, free_port

ALONE = {"core": "the core without a network", "memory": "memory of clients, worker and reloads"}


def names(known: dict[str, object]) -> Callable[[str], list[str]]:
    """A parser of comma-separated names of a table."""

    def parse(text: str) -> list[str]:
        wanted = [name for name in text.split(",") if name]
        if unknown := [name for name in wanted if name not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(known)}")
        return wanted

    return parse


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench BENCH=...", description=__doc__)
    cases = {**CASES, **ALONE}
    parser.add_argument(
        "--cases", type=names(dict(cases)), default=list(cases), help=f"of {','.join(cases)} (all)"
    )
    parser.add_argument(
        "--peers", type=names(dict(PEERS)), default=list(PEERS), help=f"of {','.join(PEERS)} (all)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each case (5)")
    parser.add_argument("--seconds", type=int, default=3, help="seconds of load a round and peer (3)")
    parser.add_argument(
        "--write", action="store_true", help="put the figures into docs/performance.md, also of a partial run"
    )
    return parser.parse_args(words)


@contextmanager
def progress(console: Console, total: int) -> Iterator[Callable[[str], None]]:
    """Yields the function that names the next step; a bar on a terminal, nothing elsewhere."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("starting", total=total)
        started = False

        def step(text: str) -> None:
            nonlocal started
            bar.update(task, description=f"{text:24}", advance=1 if started else 0)
            started = True

        yield step


def run_case(
    place: Place, case: Case, peers: list[str], rounds: int, seconds: int, step: Callable[[str], None]
) -> results.CaseResult:
    """Measure one case through every peer, in alternating rounds of which each begins with another one."""
    ports = {peer: free_port() for peer in peers}
    pids = {
        peer: place.start(peer, PEERS[peer](place, ports[peer], case.tls), ports[peer], cpus()[0])
        for peer in peers
    }
    measured: dict[str, list[Round]] = {peer: [] for peer in peers}
    try:
        for peer in peers:
            check(case, ports[peer], peer)
        for number in range(rounds):
            first = number % len(peers)
            for peer in (*peers[first:], *peers[:first]):
                step(f"{case.name}: {peer}")
                measured[peer].append(load(place, case, peer, ports[peer], pids[peer], seconds))
        sizes = {peer: resident(processes(pids[peer])) for peer in peers}
    finally:
        for pid in pids.values():
            place.stop(pid)
    return results.CaseResult(
        rounds=rounds,
        seconds=seconds,
        peers={peer: summary(measured[peer], measured.get("stopgap", []), sizes[peer]) for peer in peers},
    )


def summary(own: list[Round], stopgap: list[Round], size: int) -> results.PeerResult:
    """The medians of a peer's rounds, and of the ratios Stopgap to peer."""
    ratios = [ours.cpu / theirs.cpu for ours, theirs in zip(stopgap, own, strict=False)]
    return results.PeerResult(
        cpu=statistics.median(each.cpu for each in own),
        least=min(each.cpu for each in own),
        most=max(each.cpu for each in own),
        rate=statistics.median(each.rate for each in own),
        p50=statistics.median(each.p50 for each in own),
        p99=statistics.median(each.p99 for each in own),
        resident=size,
        ratio=statistics.median(ratios) if ratios else None,
    )


def measure(options: argparse.Namespace, console: Console) -> results.Results:
    cases = [CASES[name] for name in options.cases if name in CASES]
    found = results.fresh()
    steps = len(cases) * options.rounds * len(options.peers)
    steps += memory.STEPS * ("memory" in options.cases) + (len(core.COUNTS) + 1) * ("core" in options.cases)
    with Place() as place, progress(console, steps) as step:
        for case in cases:
            result = run_case(place, case, options.peers, options.rounds, options.seconds, step)
            found.cases[case.name] = result
            report.show_case(console, case.name, result)
        if "memory" in options.cases:
            found.memory = memory.measure(place, options.peers, step)
        if "core" in options.cases:
            found.core = core.measure(step)
        report.show_alone(console, found)
    return found


def main(words: list[str]) -> int:
    options = arguments(words)
    console = Console(width=None if sys.stdout.isatty() else 140)
    try:
        found = measure(options, console)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if options.write or (options.cases == [*CASES, *ALONE] and options.peers == list(PEERS)):
        for path in report.write(found):
            console.print(f"written: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
