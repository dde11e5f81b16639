"""How does a soak run? Two gates (one of them TLS), a thread a kind of traffic, reloads, samples."""

import os
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e import nginx, origins
from tests.e2e.client import Client, get
from tests.e2e.gate import Gate, guarding, resident
from tests.soak.slope import BLOCKS, Slope, slope
from tests.soak.traffic import FILES, KINDS, RULES, TUNNEL, Place, origin

KEPT = 1_000
"""Events that a gate remembers here; it does so from the start, so that they are no growth."""
RELOAD = 1.0
"""Seconds between two reloads of each gate. The memory of a supervisor settles within some 300 of them: fewer
would take that for growth, or would not see growth behind it."""
WARM = 0.25
"""This part of a soak is warm-up and not in the slope."""
BOUNDS = {"KiB": 64.0, "descriptors": 0.5}
"""What may be added a minute, where the interval does not reach 0."""
PAUSE = 0.02


@dataclass
class Soak:
    """What was seen. Rows of samples by process and unit."""

    turns: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    reloads: int = 0
    times: list[float] = field(default_factory=list)
    samples: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def slopes(self) -> dict[tuple[str, str], Slope]:
        """A minute, after the warm-up."""
        first = int(len(self.times) * WARM)
        if len(self.times) - first < BLOCKS:
            return {}
        return {key: slope(self.times[first:], values[first:]) for key, values in self.samples.items()}

    def faults(self) -> list[str]:
        grown = [
            f"{process}: {found} {unit} a minute"
            for (process, unit), found in self.slopes().items()
            if not found.flat(BOUNDS[unit])
        ]
        return [*self.failed[:10], *grown]


def processes(gates: dict[str, Gate]) -> dict[str, int]:
    """Process ids by name."""
    found = {}
    for name, gate in gates.items():
        found[f"{name} supervisor"] = gate.process.pid
        workers = gate.status["workers"]
        found |= {f"{name} worker {number}": worker["pid"] for number, worker in enumerate(workers)}
    return found


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def run(
    folder: Path,
    certificate: tuple[str, str],
    seconds: float,
    tell: Callable[[float], None] = lambda done: None,
) -> Soak:
    """Soak for some seconds; `tell` hears how many are over."""
    soak, over = Soak(), threading.Event()
    rules = folder / "soak.toml"
    rules.write_text(RULES, "utf-8")
    with origins.running(origin) as echoing, nginx.running(folder / "nginx") as files:
        sites = (
            {
                "hosts": ["*"],
                "origins": echoing.url,
                "server": "iis5",
                "packs": ["code-red"],
                "rules": [str(rules)],
                "deadlines": {"tarpit": 1},
            },
            {"hosts": [FILES], "origins": files.url, "server": "iis10"},
            {"hosts": [TUNNEL], "origins": echoing.url, "server": "iis8", "upgrade": ["websocket"]},
        )
        cert, key = certificate
        with (
            guarding(folder / "plain", *sites, workers=2, remember_events=KEPT) as plain,
            guarding(
                folder / "tls", *sites, workers=1, remember_events=KEPT, tls={"cert": cert, "key": key}
            ) as tls,
        ):
            gates = {"plain": plain, "tls": tls}
            place = Place(plain.port, tls.port, ssl.create_default_context(cafile=cert))
            for gate, context in ((plain, None), (tls, place.trust)):
                fill(gate, context)
            threads = [threading.Thread(target=traffic, args=(soak, over, kind, place)) for kind in KINDS]
            threads.append(threading.Thread(target=reloading, args=(soak, over, list(gates.values()))))
            for thread in threads:
                thread.start()
            try:
                sample(soak, processes(gates), seconds, tell, echoing.tidy)
            finally:
                over.set()
                for thread in threads:
                    thread.join()
    return soak


def fill(gate: Gate, context: ssl.SSLContext | None) -> None:
    """Fill the ring of the last events that a supervisor keeps: its size is bounded, and no growth."""
    for number in range(KEPT):
        with Client(gate.port, context, source=f"127.8.{number // 250}.{number % 250 + 1}") as client:
            client.ask(get("/x.ida"))


def traffic(soak: Soak, over: threading.Event, kind: str, place: Place) -> None:
    while not over.wait(PAUSE):
        try:
            KINDS[kind](place)
            soak.turns[kind] += 1
        except Exception as error:  # whatever it is, a client was not served
            soak.failed.append(f"{kind}: {error!r}"[:200])


def reloading(soak: Soak, over: threading.Event, gates: list[Gate]) -> None:
    while not over.wait(RELOAD):
        for gate in gates:
            status, text = gate.admins("/reload", "POST")
            if status != 200:
                soak.failed.append(f"reload: {status} {text}"[:200])
            soak.reloads += 1


def sample(
    soak: Soak,
    pids: dict[str, int],
    seconds: float,
    tell: Callable[[float], None],
    tidy: Callable[[], None],
) -> None:
    begun = time.monotonic()
    while (now := time.monotonic() - begun) < seconds:
        soak.times.append(now)
        for name, pid in pids.items():
            soak.samples.setdefault((name, "KiB"), []).append(resident(pid))
            soak.samples.setdefault((name, "descriptors"), []).append(descriptors(pid))
        tell(now)
        tidy()
        time.sleep(min(1.0, seconds / 100))
