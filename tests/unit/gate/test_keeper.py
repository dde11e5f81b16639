"""Does a keeper start its worker, notice its end, and take its time before the next one?"""

import os
import selectors
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stopgap.gate import keeper, messages
from stopgap.gate.keeper import Keeper

FAKE = Path(__file__).with_name("fake_worker.py")
POLICY = messages.Activate(version="v1", spec=b"{}" * 500_000, sites=[])


class Scene:
    """A keeper, and the loop that looks after it."""

    def __init__(self, how: str) -> None:
        self.said: list[messages.Report] = []
        self.board = os.memfd_create("board")
        self.selector = selectors.DefaultSelector()
        command = [sys.executable, str(FAKE), how]
        self.keeper = Keeper(0, [], self.board, self.selector, self.take, command)

    def take(self, worker: Keeper, report: messages.Report) -> None:
        self.said.append(report)
        if isinstance(report, messages.Ready):
            worker.send(POLICY)

    def until(self, done: Callable[[], bool]) -> int:
        """Look after the worker; how often it ended."""
        ended, end = 0, time.monotonic() + 15
        while not done():
            assert time.monotonic() < end, (self.keeper.state, self.said)
            ended += self.keeper.tick(time.monotonic())
            for key, mask in self.selector.select(0.05):
                key.data(mask)
        return ended

    def close(self) -> None:
        self.keeper.close()
        self.selector.close()
        os.close(self.board)


@pytest.fixture
def start() -> Iterator[Callable[[str], Scene]]:
    scenes: list[Scene] = []

    def made(how: str) -> Scene:
        scenes.append(Scene(how))
        return scenes[-1]

    yield made
    for scene in scenes:
        scene.close()


def test_serves_with_a_policy_longer_than_a_pipe(start: Callable[[str], Scene]) -> None:
    scene = start("good")
    scene.until(lambda: scene.keeper.state == keeper.SERVING)
    assert scene.keeper.version == "v1"
    assert scene.said[:2] == [messages.Ready(), messages.Activated(version="v1")]


def test_waits_longer_after_each_death(start: Callable[[str], Scene]) -> None:
    scene = start("dies")
    scene.until(lambda: scene.keeper.restarts == 3)
    assert (scene.keeper.state, scene.keeper.exit) == (keeper.WAITING, "exit status 7")
    assert keeper.FIRST_DELAY * 2 < scene.keeper.delay <= keeper.FIRST_DELAY * 4


def test_a_silent_worker_is_killed(start: Callable[[str], Scene], monkeypatch: pytest.MonkeyPatch) -> None:
    scene = start("good")
    scene.until(lambda: scene.keeper.state == keeper.SERVING)
    monkeypatch.setattr(keeper, "SILENCE", 0.5)
    assert scene.keeper.pid is not None
    os.kill(scene.keeper.pid, signal.SIGSTOP)
    assert scene.until(lambda: scene.keeper.restarts == 1) == 1
    assert scene.keeper.exit.startswith("killed after")


def test_our_own_sleep_is_not_its_silence(
    start: Callable[[str], Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = start("good")
    scene.until(lambda: scene.keeper.state == keeper.SERVING)
    scene.keeper.tick(time.monotonic() + 3600)
    time.sleep(0.2)
    assert not scene.keeper.tick(time.monotonic() + 3600)
    assert scene.keeper.state == keeper.SERVING


def test_drains(start: Callable[[str], Scene]) -> None:
    scene = start("good")
    scene.until(lambda: scene.keeper.state == keeper.SERVING)
    scene.keeper.drain(5.0)
    assert scene.keeper.state == keeper.LEAVING
    scene.until(lambda: scene.keeper.state == keeper.ENDED)
    assert scene.said[-1] == messages.Drained()
    assert scene.keeper.restarts == 0


def test_drain_without_a_process(start: Callable[[str], Scene]) -> None:
    scene = start("good")
    scene.keeper.drain(5.0)
    assert scene.keeper.state == keeper.ENDED


def test_a_command_that_is_not_there(start: Callable[[str], Scene]) -> None:
    scene = start("good")
    scene.keeper._command = ["/no/such/python"]
    scene.keeper.start(time.monotonic())
    assert scene.keeper.state == keeper.WAITING
    assert scene.keeper.exit == "could not be started: No such file or directory"


def test_no_descriptor_for_the_next_one(
    start: Callable[[str], Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again later, as any start that fails."""
    scene = start("good")
    with monkeypatch.context() as without:
        without.setattr("socket.socketpair", out_of_files)
        assert not scene.keeper.tick(time.monotonic())
        assert (scene.keeper.state, scene.keeper.restarts) == (keeper.WAITING, 1)
        assert scene.keeper.exit == "could not be started: Too many open files"
    scene.until(lambda: scene.keeper.state == keeper.SERVING)


def out_of_files() -> None:
    raise OSError(24, "Too many open files")
