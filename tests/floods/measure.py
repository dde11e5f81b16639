"""What does one flood do to honest clients, to the memory of the worker, and to the counts?

One gate before nginx; the attackers and the honest clients are processes of their own. The
gate has the first CPU; all others, who would be other machines, have the last, the attackers at the lowest
priority, so that an honest client waits for the gate and not for a CPU of his own.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from tests.e2e import nginx
from tests.e2e.gate import Gate, guarding
from tests.floods.attack import SCENARIOS

ROOT = Path(__file__).parents[2]
RATE = 200
FACTOR = 2.0
"""An honest p99 during a flood may be so many times that of quiet."""
GROWTH = 256 << 10
"""KiB that the workers may grow by in a flood."""
CPUS = sorted(os.sched_getaffinity(0))
GATES = ("taskset", "--cpu-list", str(CPUS[0]))
OTHERS = ("taskset", "--cpu-list", str(CPUS[-1]))
PACKS = ["code-red", "iis-isapi", "iis-traversal", "limits"]


@dataclass(frozen=True)
class Result:
    """One flood. Milliseconds (the quiet p99 is the higher one of before and after), KiB, counts."""

    name: str
    size: int
    quiet: tuple[float, float]
    during: tuple[float, float]
    failed: list[str]
    answered: int
    growth: int
    seen: dict[str, int]
    refused: int
    lines: int

    @property
    def ratio(self) -> float:
        return self.during[1] / self.quiet[1]

    def faults(self) -> list[str]:
        """What breaks a promise, but for the latency, which a busy machine breaks too."""
        found = [f"honest: {each}" for each in self.failed[:3]]
        if self.growth > GROWTH:
            found.append(f"workers grew by {self.growth} KiB")
        if SCENARIOS[self.name].exact and self.refused != self.seen.get("refused", 0):
            found.append(f"{self.refused} refusals counted, {self.seen.get('refused', 0)} seen")
        if self.lines > max(1000, self.refused):
            found.append(f"{self.lines} lines of events for {self.refused} refusals")
        return found


@contextmanager
def place(folder: Path, workers: int = 1) -> Iterator[Gate]:
    """A gate before nginx."""
    with nginx.running(folder / "nginx") as origin:
        site = {"origins": origin.url, "server": "iis5", "packs": PACKS}
        os.sched_setaffinity(int((folder / "nginx" / "nginx.pid").read_text("ascii")), CPUS[-1:])
        with guarding(folder / "gate", site, workers=workers, before=GATES) as gate:
            yield gate


def refusals(gate: Gate) -> int:
    return int(sum(value for key, value in gate.counts().items() if key[0] == "stopgap_rejects_total"))


def honest(port: int, seconds: float) -> dict[str, object]:
    command = [*OTHERS, sys.executable, "-m", "tests.floods.honest", str(port), str(RATE), str(seconds)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    told: dict[str, object] = json.loads(done.stdout)
    return told


def measure(gate: Gate, name: str, size: int, seconds: float) -> Result:
    """Quiet, the flood with the same honest clients in it, and quiet once more."""
    quiet = [honest(gate.port, seconds)]
    memory, refused, lines = gate.memory()["workers"], refusals(gate), len(gate.events)
    building = 0.0 if SCENARIOS[name].rate else size / 1000
    most, over = [memory], threading.Event()

    def watch() -> None:
        while not over.wait(0.5):
            most.append(gate.memory()["workers"])

    command = ["nice", "-n", "19", *OTHERS, sys.executable, "-m", "tests.floods.attack"]
    command += [name, str(gate.port), str(size)]
    watcher = threading.Thread(target=watch)
    with subprocess.Popen(
        [*command, str(seconds + building + 2)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as attack:
        watcher.start()
        try:
            threading.Event().wait(building + 1)
            during = honest(gate.port, seconds)
            seen, _ = attack.communicate(timeout=seconds + 60)
        finally:
            over.set()
            watcher.join()
            attack.kill()
    refused, lines = refusals(gate) - refused, len(gate.events) - lines
    quiet.append(honest(gate.port, seconds))
    return Result(
        name,
        size,
        max(map(latencies, quiet), key=itemgetter(1)),
        latencies(during),
        [str(each) for told in (*quiet, during) for each in listed(told)],
        int(str(during["answered"])),
        max(most) - memory,
        json.loads(seen),
        refused,
        lines,
    )


def latencies(told: dict[str, object]) -> tuple[float, float]:
    return float(str(told["p50"])), float(str(told["p99"]))


def listed(told: dict[str, object]) -> list[object]:
    failed = told["failed"]
    assert isinstance(failed, list)
    return failed
