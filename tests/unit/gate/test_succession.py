"""Is the place handed over only to a successor that serves, and does one that cannot change nothing?

The successor is a real process, a few lines of Python on the other end of the wire.
"""

import concurrent.futures
import os
import select
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from stopgap.admin.status import Answer
from stopgap.errors import ConfigError
from stopgap.gate import succession
from stopgap.gate.succession import NOBODY, Estate, Predecessor, Succession

HEIR = """
import os, sys, time
from stopgap.gate import succession
before = succession.predecessor()
assert "STOPGAP_SUCCESSION" not in os.environ and "NOTIFY_SOCKET" not in os.environ
(door,) = before.listen["here:0"]
assert before.admin["there:0"].getsockname()[1] == {admin}
assert door.getsockname()[1] == {listen}
{then}
"""
SERVES = "before.say('serving'); assert before.wire.recv(10) == b''; door.accept()[0].sendall(b'heir')"


class Scene:
    """A supervisor that could be succeeded."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.door = socket.create_server(("127.0.0.1", 0))
        self.admin = socket.create_server(("127.0.0.1", 0))
        self.future: concurrent.futures.Future[Answer] = concurrent.futures.Future()
        self.succession = Succession(NOBODY, self.said.append, [])

    def begin(self, then: str, *command: str) -> None:
        text = HEIR.format(then=then, listen=self.door.getsockname()[1], admin=self.admin.getsockname()[1])
        self.succession._command = command or (sys.executable, "-c", text)
        self.succession.begin({"here:0": [self.door]}, {"there:0": self.admin}, self.future)

    def tick(self) -> bool:
        """Until the successor serves, or does not."""
        end = time.monotonic() + 30
        while self.succession.pending and time.monotonic() < end:
            if self.succession.tick(time.monotonic()):
                return True
            time.sleep(0.02)
        return False

    def close(self) -> None:
        self.succession.abandon()
        self.door.close()
        self.admin.close()


@pytest.fixture
def scene() -> Iterator[Scene]:
    with closing(Scene()) as made:
        yield made


def test_the_sockets_are_handed_over(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(path)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        scene.begin(SERVES)
        pid = int(scene.said[0].split()[2])
        with socket.create_connection(scene.door.getsockname(), timeout=30) as client:
            assert scene.tick()
            assert not scene.future.done()
            scene.succession.hand_over(7.0)
            scene.door.close()
            assert client.recv(10) == b"heir"
        assert systemd.recv(100).decode() == f"MAINPID={pid}\nWATCHDOG=1"
    assert "NOTIFY_SOCKET" not in os.environ
    assert scene.future.result() == Answer(
        True, f"upgraded: process {pid} serves; this one drains for up to 7 s"
    )
    assert not scene.succession.pending
    os.waitpid(pid, 0)


@pytest.mark.parametrize(
    ("then", "why"),
    [
        ("sys.exit(5)", "(exit status 5); standard error says why"),
        ("os.kill(os.getpid(), 9)", "(killed by signal 9); standard error says why"),
        ("before.say('x' * 9000); sys.exit(2)", "nothing has changed: " + "x" * succession.LONGEST),
        ("before.say('serving'); sys.exit(0)", ""),
    ],
)
def test_one_that_cannot_serve_changes_nothing(scene: Scene, then: str, why: str) -> None:
    scene.begin(then)
    if scene.tick():  # it said so, and died before anybody looked
        return
    assert not scene.future.result().ok
    assert scene.future.result().text.endswith(why)
    assert scene.said[-1] == scene.future.result().text
    assert scene.door.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)


def test_one_that_takes_too_long_is_killed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(succession, "SECONDS", 0.2)
    scene.begin("time.sleep(60)")
    assert not scene.tick()
    assert scene.future.result().text.endswith("did not serve within 0 s")


def test_one_that_cannot_be_started(scene: Scene) -> None:
    scene.begin("", "/no/such/program")
    assert scene.future.result().text.endswith(
        "/no/such/program could not be started: No such file or directory"
    )
    assert not scene.succession.pending


def test_process_1_stays(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 1)
    scene.begin("")
    assert "process 1 of a container cannot be replaced" in scene.future.result().text


def test_the_end_of_the_gate_ends_it(scene: Scene) -> None:
    scene.begin("time.sleep(60)")
    pid = int(scene.said[0].split()[2])
    scene.succession.abandon()
    assert scene.future.result().text.endswith("the gate ends")
    assert os.waitpid(pid, 0)[1] == 15


def test_the_place_is_taken_when_the_wire_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    door, admin = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))
    estate = Estate(theirs.fileno(), {"a": [door.fileno()]}, {"b": admin.fileno()}, "/run/notify")
    monkeypatch.setenv(succession.ENVIRONMENT, msgspec.json.encode(estate).decode())
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    before = succession.predecessor()
    for sock in (theirs, door, admin):
        sock.detach()
    alone: list[str] = []
    heir = Succession(before, alone.append, [])
    with selectors.DefaultSelector() as selector:
        heir.enter(selector, lambda: alone.append("alone"))
        heir.serving()
        assert ours.recv(100) == b"serving"
        replaces = [heir.replaces]
        ours.close()
        ((key, mask),) = selector.select(5)
        key.data(mask)
        assert not selector.get_map()
    assert (alone, [*replaces, heir.replaces]) == (["alone"], [True, False])
    assert os.environ["NOTIFY_SOCKET"] == "/run/notify"
    assert before.listen["a"][0].fileno() == before.admin["b"].fileno() == -1
    monkeypatch.delenv("NOTIFY_SOCKET")


def test_without_a_predecessor_the_place_is_free() -> None:
    alone: list[str] = []
    with selectors.DefaultSelector() as selector:
        Succession(NOBODY, alone.append, []).enter(selector, lambda: alone.append("alone"))
    assert alone == ["alone"]
    assert succession.predecessor() is NOBODY


def test_the_old_one_hears_why() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        with pytest.raises(ConfigError), succession.explained(Predecessor(wire=theirs)):
            raise ConfigError("a.toml:3: wrong")
        assert ours.recv(100) == b"a.toml:3: wrong"
        with pytest.raises(ConfigError), succession.explained(NOBODY):
            raise ConfigError("nobody asks")
        assert select.select([ours], [], [], 0)[0] == []


def test_its_own_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "stopgap"
    monkeypatch.setattr(sys, "orig_argv", ["python3", str(script), "serve"])
    assert succession.own_command() == [sys.executable, str(script), "serve"]
    script.touch(0o755)
    assert succession.own_command() == [str(script), "serve"]
    monkeypatch.setattr(sys, "orig_argv", ["python3", "-m", "stopgap", "serve"])
    assert succession.own_command() == [sys.executable, "-m", "stopgap", "serve"]
