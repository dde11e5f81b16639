"""What does one client cost at most, and what does it cost the others when a worker gets no more memory?"""

import os
import resource
import signal
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.client import Client, ask, get, post
from tests.e2e.gate import Gate, guarding, resident
from tests.e2e.load import Load
from tests.e2e.origins import Origin, Request, answer, answering, echo, until
from tests.e2e.scarcity import limited

CLIENTS = 150
LARGE = bytes(4 << 20)


def mapped(pid: int) -> int:
    """Bytes of its address space."""
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[0])
    return pages * os.sysconf("SC_PAGE_SIZE")


def pids(gate: Gate) -> list[int]:
    return [worker["pid"] for worker in gate.status["workers"]]


def form(size: int, sent: int) -> bytes:
    """The beginning of an url-encoded body, which rules wait for up to `window`."""
    head = get(
        "/f.aspx", f"Content-Length: {size}", "Content-Type: application/x-www-form-urlencoded", method="POST"
    )
    return head + b"a=" + b"x" * (sent - 2)


FIELDS = [f"X-{number}: {'v' * 7500}" for number in range(4)]
COSTS: dict[str, tuple[str, bytes, int]] = {
    "an unfinished head": ("iis10", get("/", *FIELDS)[:-2], 96),
    "a body that rules wait for": ("iis10", form(65_536, 65_000), 224),
    "a body that is held": ("iis5", get("/", "Content-Length: 300000", method="POST") + bytes(250_000), 320),
    "an answer that is not read": ("iis10", get("/large"), 480),
}
"""By what a client does: the server table, what it sends, and the KiB of a worker that it may cost."""


def reply(request: Request) -> bytes:
    return answer(LARGE) if request.target == b"/large" else echo(request)


@pytest.mark.parametrize("name", COSTS)
def test_what_a_client_costs(name: str, tmp_path: Path, origin: Origin) -> None:
    server, data, most = COSTS[name]
    origin.script = answering(reply)
    with guarding(tmp_path, {"origins": origin.url, "server": server, "packs": ["aspnet"]}) as gate:
        (worker,) = pids(gate)
        for _ in range(20):
            assert ask(gate.port, get("/warm")).status == 200
        before = resident(worker)
        with ExitStack() as stack:
            for _ in range(CLIENTS):
                client = stack.enter_context(Client(gate.port, receive=4096))
                client.send(data)
            until(lambda: gate.counts()["stopgap_connections", "open"] >= CLIENTS)
            settled(worker)
            cost = (resident(worker) - before) / CLIENTS
            print(f"{name}: {cost:.0f} KiB a client")
            assert cost < most
            assert ask(gate.port, get("/meanwhile")).status == 200
        until(lambda: gate.counts()["stopgap_connections", "open"] == 0)


def settled(pid: int) -> None:
    """Wait until its memory has stopped growing."""
    seen = [0]

    def still() -> bool:
        seen.append(resident(pid))
        return len(seen) > 20 and max(seen[-20:]) - min(seen[-20:]) < 64

    until(still, 60)


def test_a_worker_without_memory_costs_what_it_had_in_flight(tmp_path: Path, origin: Origin) -> None:
    """One of two workers gets no page more while bodies come in: it may fail or die, not the other."""
    site = {"origins": origin.url, "server": "iis5"}
    with guarding(tmp_path, site, workers=2, faultless=False) as gate:
        first, second = pids(gate)
        with Load(gate.port, 8) as load:
            until(lambda: load.answered > 100)
            with limited(first, resource.RLIMIT_AS, mapped(first)), ExitStack() as stack:
                for _ in range(60):
                    client = stack.enter_context(Client(gate.port))
                    client.send(post("/up", bytes(300_000))[:200_000])
                until(lambda: gate.counts()["stopgap_connections", "open"] >= 20)
                if pids(gate)[0] == first:  # it got along; the kernel's killer would not have waited
                    os.kill(first, signal.SIGKILL)
                until(lambda: pids(gate)[0] not in (first, None))
            until(lambda: [worker["state"] for worker in gate.status["workers"]] == ["serving", "serving"])
            at = load.answered
            until(lambda: load.answered > at + 200)
        assert load.wrong == []
        assert len(load.broken) <= 8
        assert pids(gate)[1] == second
        assert gate.status["workers"][1]["restarts"] == 0
    faults = [line for line in gate.said.splitlines() if "internal error" in line]
    assert [line for line in faults if f"worker {first}: " not in line] == []


def test_the_kernel_takes_a_worker_before_the_supervisor(tmp_path: Path, origin: Origin) -> None:
    def score(pid: int) -> int:
        return int(Path(f"/proc/{pid}/oom_score_adj").read_text("ascii"))

    with guarding(tmp_path, {"origins": origin.url}, workers=2) as gate:
        assert all(score(pid) > score(gate.process.pid) for pid in pids(gate))
