"""How do signals and the questions of other threads reach the supervisor's loop?

Both ring one bell, a socket pair that the loop's selector watches: a signal writes its number
(`signal.set_wakeup_fd`), a question a zero. Nothing is done in a signal handler or in the asking thread.
"""

import concurrent.futures
import contextlib
import queue
import signal
import socket
from types import FrameType
from typing import Any

from stopgap.admin.status import Answer

ANSWER_SECONDS = 90.0
"""Longest wait of a question for its answer."""
SIGNALS = (
    signal.SIGHUP,
    signal.SIGTERM,
    signal.SIGQUIT,
    signal.SIGINT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGCHLD,
)
"""What is heard; SIGCHLD only wakes the loop."""

Question = tuple[str, "concurrent.futures.Future[Answer]"]


class Bell:
    """`fileno()` is to be watched for reading; then `signals()` and `questions()` say what came."""

    def __init__(self) -> None:
        self._heard, self._rope = socket.socketpair()
        for end in (self._heard, self._rope):
            end.setblocking(False)
        self._questions: queue.SimpleQueue[Question] = queue.SimpleQueue()
        self._wakeup = -1
        self._handlers: dict[signal.Signals, Any] = {}

    def fileno(self) -> int:
        return self._heard.fileno()

    def listen(self) -> None:
        """Take over the signals; in the main thread only."""
        self._handlers = {number: signal.signal(number, _noted) for number in SIGNALS}
        self._wakeup = signal.set_wakeup_fd(self._rope.fileno(), warn_on_full_buffer=False)

    def close(self) -> None:
        """Give the signals back to whom they belonged."""
        if self._handlers:
            signal.set_wakeup_fd(self._wakeup)
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
        self._heard.close()
        self._rope.close()

    def ask(self, verb: str) -> Answer:
        """Put a question from another thread and wait for the answer."""
        future: concurrent.futures.Future[Answer] = concurrent.futures.Future()
        self._questions.put((verb, future))
        with contextlib.suppress(OSError):
            self._rope.send(b"\0")
        try:
            return future.result(ANSWER_SECONDS)
        except TimeoutError:
            return Answer(False, f"the supervisor gave no answer within {ANSWER_SECONDS:.0f} s")

    def signals(self) -> list[int]:
        """The signals since the last call, in order."""
        with contextlib.suppress(BlockingIOError):
            return [number for number in self._heard.recv(4096) if number]
        return []

    def questions(self) -> list[Question]:
        """The questions since the last call; each future must get an answer."""
        return [self._questions.get() for _ in range(self._questions.qsize())]


def _noted(number: int, frame: FrameType | None) -> None:
    """Signals are read from the bell; this only keeps them from their default action."""
