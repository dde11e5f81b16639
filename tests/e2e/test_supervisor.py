"""What happens to the clients when a worker dies, when the gate is told to end, and when it is killed?"""

import contextlib
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.e2e.client import Client, Cut, ask, get
from tests.e2e.gate import Gate, guarding, written
from tests.e2e.load import Load
from tests.e2e.origins import Origin, Peer, answer, until

SIZE = 40 << 20


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_killed_worker_costs_its_own_requests_only(tmp_path: Path, origin: Origin) -> None:
    """Each connection of the dead worker costs the one request that was on it, and nothing else fails."""
    with guarding(tmp_path, {"origins": origin.url}, workers=2) as gate:
        with Load(gate.port, 8) as load:
            until(lambda: load.answered > 200 and clients(gate) == 8)
            theirs = gate.status["workers"][0]["clients"]
            first, second = (worker["pid"] for worker in gate.status["workers"])
            os.kill(first, signal.SIGKILL)
            at = load.answered
            until(lambda: gate.status["workers"][0]["restarts"] == 1 and load.answered > at + 200)
            until(lambda: [worker["state"] for worker in gate.status["workers"]] == ["serving", "serving"])
            later = load.answered
            until(lambda: load.answered > later + 200)
        assert load.wrong == []
        assert len(load.broken) <= theirs
        assert gate.status["workers"][1]["pid"] == second
        assert "worker 0 ended (killed by signal 9)" in gate.said
        counts = gate.counts()
        assert counts["stopgap_requests_total", "site0", "passed"] >= load.answered
        assert counts["stopgap_worker_restarts_total", "0"] == 1
        print(f"{len(load.broken)} of {theirs} requests on the dead worker failed, {load.answered} answered")


def clients(gate: Gate) -> int:
    """Client connections, as the workers told last."""
    return sum(worker["clients"] for worker in gate.status["workers"])


def test_connections_wait_for_the_next_worker(tmp_path: Path, origin: Origin) -> None:
    """The supervisor keeps the listening sockets: who is in the queue of a worker that dies is served by the
    next one, and who connects in between is not refused."""
    with guarding(tmp_path, {"origins": origin.url}) as gate, contextlib.ExitStack() as opened:
        worker = gate.status["workers"][0]["pid"]
        os.kill(worker, signal.SIGSTOP)
        queued = [opened.enter_context(Client(gate.port)) for _ in range(50)]
        for number, client in enumerate(queued):
            client.send(get(f"/queued-{number}"))
        os.kill(worker, signal.SIGKILL)
        for number in range(20):
            assert ask(gate.port, get(f"/{number}")).body == b"GET /%d 0" % number
        answers = [client.answer().body for client in queued]
        assert answers == [b"GET /queued-%d 0" % number for number in range(50)]
        assert gate.status["workers"][0]["restarts"] == 1


ANYWHERE = {"listen": "127.0.0.1:0", "admin": "127.0.0.1:0"}
IMPATIENT = """
import sys
from stopgap.cli import main
from stopgap.gate import keeper
keeper.SILENCE = 2.0
sys.exit(main())
"""


def test_a_hung_worker_is_replaced(tmp_path: Path, origin: Origin) -> None:
    """The watchdog, set to 2 s here (30 in the program): what was on the hung worker fails, nothing else."""
    file = written(tmp_path, {"origins": origin.url, "packs": []}, workers=2, **ANYWHERE)
    gate = Gate(tmp_path, "--config", file, program=(sys.executable, "-c", IMPATIENT))
    try:
        gate.wait()
        with Load(gate.port, 8) as keeping, Load(gate.port, 2, close_every=1) as coming:
            until(lambda: keeping.answered > 200 and clients(gate) >= 8)
            theirs = gate.status["workers"][0]["clients"]
            os.kill(gate.status["workers"][0]["pid"], signal.SIGSTOP)
            until(lambda: gate.status["workers"][0]["restarts"] == 1, 30)
            until(lambda: [worker["state"] for worker in gate.status["workers"]] == ["serving"] * 2, 30)
            later = keeping.answered
            until(lambda: keeping.answered > later + 200)
        assert keeping.wrong + coming.wrong == []
        assert len(keeping.broken) + len(coming.broken) <= theirs + 2
        assert "killed after 2 s without an answer" in gate.said
        print(f"{len(keeping.broken)} of {theirs} requests on the hung worker failed")
    finally:
        gate.signal(signal.SIGINT)
        assert gate.ended() == 0


def test_a_killed_supervisor_costs_no_request(tmp_path: Path, origin: Origin) -> None:
    """The workers finish what runs and end; the port is free for another gate at once."""
    download = Download(origin)
    site = {"origins": origin.url, "packs": []}
    gate = Gate(tmp_path, "--config", written(tmp_path, site, **ANYWHERE))
    gate.wait()
    workers = [worker["pid"] for worker in gate.status["workers"]]
    with Client(gate.port) as client, Client(gate.port) as idle, contextlib.ExitStack() as opened:
        download.begin(client)
        assert idle.ask(get("/")).status == 200
        queued = [opened.enter_context(Client(gate.port)) for _ in range(20)]
        gate.process.kill()
        for one in queued:
            one.send(get("/"))
        assert [one.answer().body for one in queued] == [b"small"] * 20
        gate.ended()
        until(lambda: refuses(gate.port))
        there = {"listen": f"127.0.0.1:{gate.port}", "admin": f"127.0.0.1:{gate.admin}"}
        successor = Gate(tmp_path / "next", "--config", written(tmp_path / "next", site, **there))
        successor.wait()
        assert ask(gate.port, get("/")).body == b"small"
        assert idle.closed()
        download.go_on.set()
        assert len(client.answer().body) == SIZE
        assert client.closed()
        until(lambda: not any(map(alive, workers)))
        successor.signal(signal.SIGINT)
        assert successor.ended() == 0


def refuses(port: int) -> bool:
    """Whether no connection can be made any more."""
    try:
        with Client(port):
            return False
    except ConnectionRefusedError:
        return True


class Download:
    """A download in progress: the origin has sent half of it and waits."""

    def __init__(self, origin: Origin) -> None:
        self.half = threading.Event()
        self.go_on = threading.Event()
        origin.script = self._script

    def _script(self, peer: Peer) -> None:
        while (request := peer.request()) is not None:
            if request.target != b"/large":
                peer.send(answer(b"small"))
                continue
            whole = answer(bytes(SIZE))
            peer.send(whole[: SIZE // 2])
            self.half.set()
            self.go_on.wait(20)
            peer.send(whole[SIZE // 2 :])

    def begin(self, client: Client) -> None:
        client.send(get("/large"))
        until(lambda: client._more() and len(client.buffer) > SIZE // 4)


def test_term_lets_a_download_finish(tmp_path: Path, origin: Origin) -> None:
    download = Download(origin)
    with guarding(tmp_path, {"origins": origin.url}, workers=2) as gate, Client(gate.port) as idle:
        assert idle.ask(get("/")).status == 200
        with Client(gate.port) as client:
            download.begin(client)
            gate.signal(signal.SIGTERM)
            assert idle.closed()
            until(lambda: refuses(gate.port))
            assert gate.admins("/readyz") == (503, "draining\n")
            assert gate.admins("/livez")[0] == 200
            assert gate.process.poll() is None
            download.go_on.set()
            assert len(client.answer().body) == SIZE
            assert client.closed()
        assert gate.ended() == 0


@pytest.mark.parametrize(
    ("first", "second"),
    [(signal.SIGTERM, signal.SIGTERM), (signal.SIGTERM, signal.SIGINT), (signal.SIGINT, None)],
    ids=["TERM TERM", "TERM INT", "INT"],
)
def test_ending_at_once(first: int, second: int | None, tmp_path: Path, origin: Origin) -> None:
    download = Download(origin)
    with guarding(tmp_path, {"origins": origin.url}) as gate, Client(gate.port) as client:
        download.begin(client)
        workers = [worker["pid"] for worker in gate.status["workers"]]
        began = time.monotonic()
        gate.signal(first)
        if second is not None:
            until(lambda: "draining" in gate.said)
            gate.signal(second)
        assert gate.ended() == 0
        assert time.monotonic() - began < 3
        assert not any(map(alive, workers))
        with pytest.raises((Cut, ConnectionResetError)):
            client.answer()
        download.go_on.set()


def test_a_drain_ends_when_its_time_is_over(tmp_path: Path, origin: Origin) -> None:
    download = Download(origin)
    with (
        guarding(tmp_path, {"origins": origin.url, "deadlines": {"drain": 1}}) as gate,
        Client(gate.port) as client,
    ):
        download.begin(client)
        began = time.monotonic()
        gate.signal(signal.SIGTERM)
        assert gate.ended() == 0
        assert 0.9 < time.monotonic() - began < 5
        with pytest.raises((Cut, ConnectionResetError)):
            client.answer()
        download.go_on.set()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["drained", "killed"])
def test_no_request_is_lost_by_the_end(number: int, tmp_path: Path, origin: Origin) -> None:
    """Clients with a second gate to go to, as behind a load balancer. A request that was sent and got no
    whole answer has failed, whatever the client could have done about it. The one exception: who connects
    between the last look into a queue and the end of its socket (microseconds) may be reset."""
    with (
        guarding(tmp_path / "second", {"origins": origin.url}) as second,
        guarding(tmp_path / "first", {"origins": origin.url}, workers=2) as first,
    ):
        with (
            Load(first.port, 4, other=second.port) as keeping,
            Load(first.port, 2, close_every=1, other=second.port) as coming,
            Load(first.port, 4, pause=0.2, other=second.port) as pausing,
        ):
            loads = (keeping, coming, pausing)
            until(lambda: keeping.answered > 200 and coming.answered > 50)
            first.signal(number)
            assert first.ended() == (0 if number == signal.SIGTERM else -number)
            first.process.returncode = 0
            until(lambda: all(load.moved for load in loads))
            later = keeping.answered
            until(lambda: keeping.answered > later + 100)
        unbegun = [each for load in loads for each in load.unbegun]
        assert [each for load in loads for each in load.failed] == unbegun
        assert len(unbegun) <= 1, unbegun
        assert keeping.told + pausing.told > 0
        print(f"{sum(load.answered for load in loads)} answers around the end, {len(unbegun)} failed")
