"""Does the supervisor start, watch and end its workers as it says?

The workers are real processes that serve nothing (`fake_worker.py`).
"""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stopgap import config
from stopgap.errors import InputError
from stopgap.gate.sockets import StartError
from stopgap.gate.supervisor import Supervisor

MORNING = 1_800_000_000.0
"""15 January 2027, eight in the morning."""
FAKE = Path(__file__).with_name("fake_worker.py")
SITE = """
listen = "127.0.0.1:{port}"
admin = "{admin}"
workers = {workers}
log = "{log}"
state = "{state}"
[[site]]
name = "s"
origins = "http://127.0.0.1:1"
packs = []
mode = "{mode}"
{more}
[site.deadlines]
drain = {drain}
"""


class Gate:
    """A supervisor over fake workers, and what a test does to it while it runs."""

    def __init__(self, folder: Path, how: str, workers: int = 2, more: str = "", state: str = "") -> None:
        self.file = folder / "stopgap.toml"
        self.log = folder / "events.log"
        self.values = {
            "port": 0,
            "admin": "off",
            "workers": workers,
            "log": self.log,
            "mode": "block",
            "drain": 5.0,
            "more": more,
            "state": state,
        }
        self.write()
        self.now = MORNING
        command = [sys.executable, str(FAKE), how]
        self.supervisor = Supervisor(lambda: config.load(str(self.file)), command, lambda: self.now)

    def write(self, **changes: object) -> None:
        self.values.update(changes)
        self.file.write_text(SITE.format(**self.values), "utf-8")

    def run(self, script: Callable[["Gate"], None], drain: bool = True) -> int:
        """Serve; once all workers do, `script` runs in a thread; then the gate is drained."""
        wrong: list[BaseException] = []

        def scene() -> None:
            try:
                script(self)
            except BaseException as error:
                wrong.append(error)
            if drain or wrong:
                self.supervisor.ask("drain")

        thread = threading.Thread(target=scene)
        code = self.supervisor.run(thread.start)
        thread.join()
        if wrong:
            raise wrong[0]
        return code

    def ask_clients(self) -> str:
        """Connect as a client does, and wait for whoever has the queue."""
        host, _, port = self.supervisor.listen[0].rpartition(":")
        with socket.create_connection((host, int(port)), timeout=10) as client:
            return client.recv(100).decode()

    def versions(self) -> set[str]:
        return {worker.ruleset for worker in self.supervisor.status.workers}

    def until(self, done: Callable[[], bool]) -> None:
        end = time.monotonic() + 15
        while not done():
            assert time.monotonic() < end, self.supervisor.status
            time.sleep(0.02)


def test_serves_and_drains(tmp_path: Path) -> None:
    def script(gate: Gate) -> None:
        status = gate.supervisor.status
        assert status.ready
        assert gate.ask_clients() == "good\n"
        assert [worker.state for worker in status.workers] == ["serving", "serving"]
        assert gate.versions() == {status.ruleset}
        gate.until(lambda: gate.supervisor.status.workers[0].clients == 3)

    gate = Gate(tmp_path, "good")
    assert gate.run(script) == 0
    assert not gate.supervisor.status.ready
    lines = gate.log.read_text("utf-8").splitlines()
    assert len(lines) == 2
    assert '"event.id":"0000000000000007"' in lines[0]


def test_a_dead_worker_is_replaced_and_loses_no_queued_connection(tmp_path: Path) -> None:
    def script(gate: Gate) -> None:
        worker = gate.supervisor.status.workers[0]
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGSTOP)
        host, _, port = gate.supervisor.listen[0].rpartition(":")
        with socket.create_connection((host, int(port)), timeout=10) as waiting:
            os.kill(worker.pid, signal.SIGKILL)
            assert waiting.recv(100) == b"good\n"
        gate.until(lambda: gate.supervisor.status.workers[0].state == "serving")
        after = gate.supervisor.status.workers[0]
        assert after.pid != worker.pid
        assert (after.restarts, after.exit) == (1, "killed by signal 9")
        assert gate.supervisor.status.ready

    assert Gate(tmp_path, "good", workers=1).run(script) == 0


def test_hup_reloads(tmp_path: Path) -> None:
    def script(gate: Gate) -> None:
        gate.write(mode="detect")
        os.kill(os.getpid(), signal.SIGHUP)
        gate.until(lambda: gate.supervisor.status.sites[0].mode == "detect")

    assert Gate(tmp_path, "good").run(script) == 0


def test_workers_that_die_at_the_start_end_it(tmp_path: Path) -> None:
    gate = Gate(tmp_path, "dies")
    with pytest.raises(StartError, match=r"ended 3 times while starting \(exit status 7\)"):
        gate.run(lambda _: None)


def test_workers_that_refuse_the_first_policy_end_it(tmp_path: Path) -> None:
    gate = Gate(tmp_path, "fails")
    with pytest.raises(StartError, match="cannot use the policy: no such thing"):
        gate.run(lambda _: None)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT, signal.SIGINT])
def test_signals_end_it(tmp_path: Path, number: signal.Signals) -> None:
    assert Gate(tmp_path, "good").run(lambda _: os.kill(os.getpid(), number), drain=False) == 0


def test_a_second_term_ends_at_once(tmp_path: Path) -> None:
    def script(gate: Gate) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        gate.until(lambda: gate.supervisor.status.state == "draining")
        os.kill(os.getpid(), signal.SIGTERM)

    gate = Gate(tmp_path, "deaf")
    gate.write(drain=600.0)
    began = time.monotonic()
    assert gate.run(script, drain=False) == 0
    assert time.monotonic() - began < 15


def test_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        flags = {"origins": ["http://127.0.0.1"], "listen": listen, "packs": []}
        with pytest.raises(StartError, match="the port is in use"):
            Supervisor(lambda: config.load(None, flags))


def test_bad_configuration() -> None:
    with pytest.raises(InputError, match="--origin"):
        Supervisor(lambda: config.load(None, {}))


def test_an_upgrade_that_fails_changes_nothing_and_nothing_else_goes_on_meanwhile(tmp_path: Path) -> None:
    def script(gate: Gate) -> None:
        before = gate.supervisor.status.ruleset
        gate.supervisor._succession._command = [sys.executable, "-c", "import time; time.sleep(2); exit(4)"]
        os.kill(os.getpid(), signal.SIGUSR2)
        gate.until(lambda: gate.supervisor._succession.pending)
        for verb in ("upgrade", "reload", "rollback"):
            answer = gate.supervisor.ask(verb)
            assert not answer.ok and "an upgrade is under way" in answer.text
        gate.until(lambda: not gate.supervisor._succession.pending)
        assert gate.supervisor.ask("reload").ok
        answer = gate.supervisor.ask("upgrade")
        assert "ended (exit status 4)" in answer.text
        assert gate.ask_clients() == "good\n"
        assert gate.supervisor.status.ruleset == before

    assert Gate(tmp_path, "good").run(script) == 0
