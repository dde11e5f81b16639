"""What happens to the clients when a worker dies, when the gate is told to end, and when it is killed?"""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.e2e.client import Client, Cut, ask, get
from tests.e2e.gate import Gate, guarding
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
    with guarding(tmp_path, {"origins": origin.url}, workers=2) as gate:
        with Load(gate.port, 8) as load:
            until(lambda: load.answered > 200)
            first, second = (worker["pid"] for worker in gate.status["workers"])
            os.kill(first, signal.SIGKILL)
            at = load.answered
            until(lambda: gate.status["workers"][0]["restarts"] == 1 and load.answered > at + 200)
            until(lambda: [worker["state"] for worker in gate.status["workers"]] == ["serving", "serving"])
            later = load.answered
            until(lambda: load.answered > later + 200)
        assert load.wrong == []
        assert len(load.broken) <= 8
        assert gate.status["workers"][1]["pid"] == second
        assert "worker 0 ended (killed by signal 9)" in gate.said
        counts = gate.counts()
        assert counts["stopgap_requests_total", "site0", "passed"] >= load.answered
        assert counts["stopgap_worker_restarts_total", "0"] == 1


def test_connections_wait_for_the_next_worker(tmp_path: Path, origin: Origin) -> None:
    """The supervisor keeps the listening sockets: who connects in between is not refused."""
    with guarding(tmp_path, {"origins": origin.url}) as gate:
        os.kill(gate.status["workers"][0]["pid"], signal.SIGKILL)
        for number in range(20):
            assert ask(gate.port, get(f"/{number}")).body == b"GET /%d 0" % number
        assert gate.status["workers"][0]["restarts"] == 1


def test_killed_supervisor_leaves_no_workers(tmp_path: Path, origin: Origin) -> None:
    gate = Gate(tmp_path, "--origin", origin.url, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
    gate.wait()
    workers = [worker["pid"] for worker in gate.status["workers"]]
    with Client(gate.port) as client:
        assert client.ask(get("/")).status == 200
        gate.process.kill()
        gate.ended()
        until(lambda: not any(map(alive, workers)))


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


def test_term_while_clients_come_and_go(tmp_path: Path, origin: Origin) -> None:
    """Nobody gets a wrong answer; a connection may only end where another request would begin."""
    with guarding(tmp_path, {"origins": origin.url}, workers=2) as gate:
        with Load(gate.port, 8) as load:
            until(lambda: load.answered > 200)
            gate.signal(signal.SIGTERM)
            assert gate.ended() == 0
        assert load.wrong == []
        half = [line for line in load.broken if "Cut(b'H" in line]
        assert half == []
