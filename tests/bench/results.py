"""Which figures does a run of the bench give, what are they called, and what must they reach?

A run is kept as JSON beside the page that shows it (docs/performance.json). A partial run replaces
only what it measured, case by case, so that ratios are always of one run.
"""

import os
import platform
import re
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from tests.bench.core import CoreResult
from tests.bench.memory import MemoryResult
from tests.bench.peers import ROOT

KEPT = ROOT / "docs" / "performance.json"


@dataclass(frozen=True)
class PeerResult:
    """One case through one proxy: medians of its rounds."""

    cpu: float
    """CPU microseconds a request; `least` and `most` are of its rounds."""
    least: float
    most: float
    rate: float
    """Requests a second."""
    p50: float
    """Milliseconds."""
    p99: float
    resident: int
    """KiB, all processes of the proxy."""
    ratio: float | None
    """CPU of Stopgap to CPU of this proxy: the median of the rounds' ratios."""


@dataclass(frozen=True)
class CaseResult:
    rounds: int
    seconds: int
    peers: dict[str, PeerResult]


@dataclass
class Results:
    machine: str
    when: str
    revision: str
    cases: dict[str, CaseResult] = field(default_factory=dict)
    memory: MemoryResult | None = None
    core: CoreResult | None = None


# (case, peer): the highest ratio of CPU a request, Stopgap to peer, that is acceptable.
GOALS = {
    ("keepalive", "nginx"): 1.0,
    ("keepalive", "haproxy"): 1.0,
    ("keepalive", "two-packs"): 1.03,
    ("keepalive", "modsecurity"): 1 / 70,
    ("keepalive", "mitmproxy"): 1 / 90,
    ("refusal", "nginx"): 1.5,
    ("tls", "nginx"): 1.15,
    ("close", "nginx"): 1.4,
    ("download", "nginx"): 1.0,
}
JAPANESE_GOAL = 1.2  # CPU of a Japanese target to CPU of a plain one
CORE_GOAL = 1_000_000  # judgements a second, plain target
CORE_GROWTH_GOAL = 2.0  # time with 10 000 rules to time with 10
IDLE_GOAL = 4.0  # KiB an idle client
WORKER_GOAL = 60 * 1024  # KiB a worker


def fresh() -> Results:
    """An empty run of this machine, moment and revision."""
    git = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(git, capture_output=True, text=True, check=False)
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return Results(machine(), now, done.stdout.strip() or "no checkout")


def machine() -> str:
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    cpu = model[1] if model else platform.machine()
    system = f"Linux {platform.release().split('-')[0]}, Python {platform.python_version()}"
    return f"{cpu}, {len(os.sched_getaffinity(0))} CPUs, {system}"


def merge(new: Results) -> Results:
    """The kept run with all that the new one measured in its place."""
    if not KEPT.exists():
        return new
    kept = msgspec.json.decode(KEPT.read_bytes(), type=Results)
    return Results(
        machine=new.machine,
        when=new.when,
        revision=new.revision,
        cases={**kept.cases, **new.cases},
        memory=new.memory or kept.memory,
        core=new.core or kept.core,
    )


def keep(results: Results) -> None:
    KEPT.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
