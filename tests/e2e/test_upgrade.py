"""Does a new supervisor take the place of the old one, of a newer program too, and does nobody notice?

Clients that keep their connections, clients that make a new one for each request and clients with pauses
load the gate meanwhile. The program is a script of the test's own, so that it can be replaced on disk. With
STOPGAP_LONG=1 there are 30 upgrades in a row.
"""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.client import Client, get
from tests.e2e.gate import Gate, written
from tests.e2e.load import Load
from tests.e2e.origins import Origin, Peer, answer, until
from tests.e2e.test_privilege import low_port
from tests.e2e.unprivileged import NOBODY, REACHABLE, ROOT, room

UPGRADES = (2, 1, 3) * (10 if os.environ.get("STOPGAP_LONG") == "1" else 1)
"""The number of workers after each."""
SCRIPT = """#!{python}
import sys
import stopgap
{text}
from stopgap.cli import main
sys.exit(main())
"""


def over(pid: int) -> bool:
    """Whether a process has ended; it may still wait for its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


class Installed:
    """Stopgap as it is installed, and a gate of it."""

    def __init__(self, folder: Path, origin: Origin) -> None:
        self.folder, self.origin = folder, origin
        self.script = folder / "stopgap"
        self.install()
        self.configure()
        self.gates: list[Gate] = []

    def install(self, text: str = "") -> None:
        """Replace the program; `text` is run when it starts."""
        fresh = self.folder / "stopgap.new"
        fresh.write_text(SCRIPT.format(python=sys.executable, text=text), "utf-8")
        fresh.chmod(0o755)
        fresh.rename(self.script)

    def configure(self, workers: int = 2, **site: object) -> str:
        top = {"listen": "127.0.0.1:0", "admin": "127.0.0.1:0", "workers": workers}
        return written(self.folder, {"origins": self.origin.url, "packs": [], **site}, **top)

    def start(self, **environment: str) -> Gate:
        program = (str(self.script),)
        file = str(self.folder / "stopgap.toml")
        gate = Gate(self.folder, "--config", file, program=program, environment=environment)
        self.gates.append(gate)
        gate.wait()
        return gate

    def end(self) -> None:
        for gate in self.gates:
            last = gate.status["pid"] if gate.admin else gate.process.pid
            if gate.admin:
                os.kill(last, signal.SIGINT)
            assert gate.ended(40) == 0, gate.said
            until(partial(over, last), 40)
            assert "internal error" not in gate.said and "Traceback" not in gate.said, gate.said


@pytest.fixture
def installed(tmp_path: Path, origin: Origin) -> Iterator[Installed]:
    made = Installed(tmp_path, origin)
    yield made
    made.end()


def upgraded(gate: Gate) -> int:
    """Upgrade; the process id of the new supervisor."""
    before = gate.status["pid"]
    status, text = gate.admins("/upgrade", "POST")
    assert status == 200, text
    after = int(gate.status["pid"])
    assert after != before and f"process {after} serves" in text
    return after


@pytest.mark.timeout(900)
def test_no_request_is_lost(installed: Installed) -> None:
    """Several times in a row, with other numbers of workers: fewer than sockets, and more."""
    gate = installed.start()
    with (
        Load(gate.port, 4) as keeping,
        Load(gate.port, 3, close_every=1) as coming,
        Load(gate.port, 4, pause=0.3) as pausing,
    ):
        for workers in UPGRADES:
            keeping.goes_on()
            coming.goes_on()
            installed.configure(workers)
            upgraded(gate)
            assert len(gate.status["workers"]) == workers
            assert gate.admins("/reload", "POST")[0] == 200
        until(lambda: over(gate.process.pid))
        at = keeping.answered, coming.answered
        until(lambda: keeping.answered > at[0] + 50 and coming.answered > at[1] + 50)
    assert keeping.failed + coming.failed + pausing.failed == []
    answered = keeping.answered + coming.answered + pausing.answered
    print(f"{answered} requests during {len(UPGRADES)} upgrades, 0 failed")


def test_the_new_program_serves_with_the_new_file(installed: Installed) -> None:
    gate = installed.start()
    installed.install('stopgap.__version__ = "9.8.7"')
    installed.configure(mode="detect")
    gate.signal(signal.SIGUSR2)
    until(lambda: gate.process.poll() is not None, 40)
    status = gate.status
    assert (status["version"], status["sites"][0]["mode"]) == ("9.8.7", "detect")
    assert gate.process.returncode == 0


BROKEN = {
    "a broken program": ("raise SystemExit(7)", "", "ended (exit status 7); standard error says why"),
    "a wrong file": ("", 'mode = "shout"', 'site.mode: \\"shout\\" is unknown'),
    "a port that is taken": ("", "listen", "the port is in use by another program"),
}


def test_a_new_one_that_cannot_serve_changes_nothing(installed: Installed) -> None:
    gate = installed.start()
    pid = gate.status["pid"]
    with Load(gate.port, 2, close_every=2) as load, socket.create_server(("127.0.0.1", 0)) as taken:
        both = f'["127.0.0.1:0", "127.0.0.1:{taken.getsockname()[1]}"]'
        for name, (text, line, why) in BROKEN.items():
            installed.install(text)
            file = Path(installed.configure())
            good = file.read_text("utf-8")
            more = good.replace('"127.0.0.1:0"', both, 1) if line == "listen" else good + line
            file.write_text(more, "utf-8")
            status, told = gate.admins("/upgrade", "POST")
            assert status == 409 and why in told and "nothing has changed" in told, (name, told)
            assert gate.status["pid"] == pid and gate.status["ready"], name
            load.goes_on()
        installed.install()
        installed.configure()
        upgraded(gate)
    assert load.failed == []


def test_what_runs_is_finished(installed: Installed, origin: Origin) -> None:
    """A download that began before an upgrade ends after it; nobody else waits for that."""
    go_on = threading.Event()

    def half(peer: Peer) -> None:
        while (request := peer.request()) is not None:
            whole = answer(bytes(1 << 20))
            peer.send(whole[: 1 << 19])
            if request.target == b"/long":
                go_on.wait(60)
            peer.send(whole[1 << 19 :])

    origin.script = half
    gate = installed.start()
    with Client(gate.port) as long, Client(gate.port) as idle:
        assert idle.ask(get("/")).get(b"connection") == b""
        long.send(get("/long"))
        assert long._more()
        upgraded(gate)
        assert idle.closed()
        with Client(gate.port) as fresh:
            assert fresh.ask(get("/")).get(b"connection") == b""
        assert gate.process.poll() is None
        go_on.set()
        assert len(long.answer().body) == 1 << 20
        assert long.closed()
    assert gate.ended() == 0


class Systemd:
    """Hears what is said over sd_notify, and by which process."""

    def __init__(self, path: str) -> None:
        self.heard: list[tuple[int, str]] = []
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.sock.bind(path)
        threading.Thread(target=self._hear, daemon=True).start()

    def _hear(self) -> None:
        while True:
            data, extra, _, _ = self.sock.recvmsg(4096, 1024)
            self.heard.append((int.from_bytes(extra[0][2][:4], sys.byteorder), data.decode()))

    def by(self, wanted: str) -> set[int]:
        """Who said something that begins so."""
        return {pid for pid, text in list(self.heard) if text.startswith(wanted)}


def test_systemd_follows(installed: Installed) -> None:
    """systemd believes only the process that it knows as the main one: nobody else may say anything."""
    path = str(installed.folder / "notify")
    systemd = Systemd(path)
    gate = installed.start(NOTIFY_SOCKET=path, WATCHDOG_USEC="400000")
    old, new = gate.process.pid, upgraded(gate)
    until(lambda: new in systemd.by("WATCHDOG=1"))
    assert gate.ended(40) == 0
    os.kill(new, signal.SIGTERM)
    until(lambda: over(new) and systemd.by("STOPPING=1"), 40)
    gate.admin = 0
    turn = systemd.heard.index((old, f"MAINPID={new}\nWATCHDOG=1"))
    assert {pid for pid, _ in systemd.heard[: turn + 1]} == {old}
    assert {pid for pid, _ in systemd.heard[turn + 1 :]} == {new}
    assert systemd.by("READY=1") == {old} and systemd.by("STOPPING=1") == {new}


def test_the_old_one_dies_in_between(installed: Installed) -> None:
    gate = installed.start()
    installed.install("import time; time.sleep(1)")
    with Load(gate.port, 4) as keeping, Load(gate.port, 2, close_every=1) as coming:
        until(lambda: keeping.answered > 50)
        gate.signal(signal.SIGUSR2)
        until(lambda: "starts to take over" in gate.said)
        gate.process.kill()
        gate.process.wait()
        gate.process.returncode = 0
        assert gate.status["pid"] != gate.process.pid
        at = keeping.answered, coming.answered
        until(lambda: keeping.answered > at[0] + 50 and coming.answered > at[1] + 50, 30)
    assert keeping.failed + coming.failed == []


def test_who_gave_up_root_can_be_succeeded(origin: Origin) -> None:
    """On a port that only root may bind, as nobody, with more workers than there are sockets."""
    if not ROOT:
        return
    with room() as base:
        site = {"origins": origin.url, "packs": []}
        there = {"listen": f"127.0.0.1:{low_port()}", "admin": "127.0.0.1:0", "user": "nobody"}
        gate = Gate(base, "--config", written(base, site, workers=1, **there), before=REACHABLE)
        gate.wait()
        with Load(gate.port, 2, close_every=5) as load:
            written(base, site, workers=3, **there)
            new = upgraded(gate)
            pids = [new, *(worker["pid"] for worker in gate.status["workers"])]
            assert [Path(f"/proc/{pid}").stat().st_uid for pid in pids] == [NOBODY] * 4
            assert gate.ended(40) == 0
            at = load.answered
            until(lambda: load.answered > at + 50)
        assert load.failed == []
        assert "warning" not in gate.said
        os.kill(new, signal.SIGINT)
        until(lambda: over(new), 40)
