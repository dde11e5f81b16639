"""How do events reach standard output or a file without anybody having to wait?

The supervisor hands events over and goes on; one thread words and writes them. Its queue is bounded, and so
is its pace, so a reader that stands still, a full disk or a flood of different clients costs lines and
nothing else. What was dropped is counted, and told in a line of its own once a minute. When the reader of
standard output is gone for good, everything is dropped.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Iterable

import msgspec

from stopgap.events import schema
from stopgap.gate.messages import EventLine
from stopgap.say import say

STDOUT = 1
QUEUE = 10_000
"""Events that wait to be written."""
RECENT = 256
KEPT = 1_000
"""Events that `recent` shows, and that `find` knows."""
PACE = 200.0
BURST = 5_000.0
"""Lines a second in the long run, and at once."""
REPORT = 60.0
"""Seconds between two lines about dropped events."""


class Writer:
    """Takes events from the supervisor's thread and writes them in its own; `written` and `dropped` count."""

    def __init__(self, target: str, known: schema.Known) -> None:
        """`target`: `-` for standard output, or the path of a file. Raises `OSError` for the latter."""
        self.target = target
        self.known = known
        self.written = 0
        self.dropped = 0
        self._fd = _open(target)
        self._queue: deque[tuple[float, EventLine]] = deque()
        self._recent: deque[tuple[float, EventLine]] = deque(maxlen=KEPT)
        self._wake = threading.Condition()
        self._closing = False
        self._reopen = False
        self._told = 0
        self._torn = False
        self._complained = -REPORT
        self._tokens, self._refilled = BURST, time.monotonic()
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, lines: Iterable[EventLine]) -> None:
        """Hand events over; never waits."""
        now = time.time()
        with self._wake:
            for line in lines:
                self._recent.append((now, line))
                if len(self._queue) < QUEUE and self._allowed():
                    self._queue.append((now, line))
                else:
                    self.dropped += 1
            self._wake.notify()

    def recent(self) -> list[schema.Event]:
        """The last events, oldest first."""
        with self._wake:
            kept = list(self._recent)[-RECENT:]
        return [schema.event(line, now, self.known) for now, line in kept]

    def find(self, number: int) -> schema.Event | None:
        """The event with this id if it is one of the last `KEPT`; a first request goes before its summary."""
        with self._wake:
            kept = [(now, line) for now, line in self._recent if line[0] == number]
        if not kept:
            return None
        now, line = max(kept, key=lambda one: one[1][1] == 0)
        return schema.event(line, now, self.known)

    def reopen(self) -> None:
        """Open the file anew (after a rotation); nothing happens on standard output."""
        with self._wake:
            self._reopen = True
            self._wake.notify()

    def close(self, seconds: float) -> None:
        """Write what waits, for at most so many seconds, and end."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(seconds)
        if self._queue:
            say(f"{len(self._queue)} events were not written: nobody reads them fast enough")
        if self.target != "-" and self._fd is not None and not self._thread.is_alive():
            os.close(self._fd)

    def _allowed(self) -> bool:
        """One more line within the pace?"""
        now = time.monotonic()
        self._tokens = min(BURST, self._tokens + (now - self._refilled) * PACE)
        self._refilled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _run(self) -> None:
        report = time.monotonic() + REPORT
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._queue or self._closing or self._reopen, timeout=1.0)
                batch = [self._queue.popleft() for _ in range(min(len(self._queue), 64))]
                closing, reopen, self._reopen = self._closing, self._reopen, False
            if reopen:
                self._open_again()
            self._write(msgspec.json.encode(schema.event(line, now, self.known)) for now, line in batch)
            if self.dropped > self._told and (closing or time.monotonic() >= report):
                report = time.monotonic() + REPORT
                self._report()
            if closing and not batch:
                return

    def _report(self) -> None:
        lost, self._told = self.dropped - self._told, self.dropped
        line = {
            "@timestamp": schema.stamp(time.time()),
            "event.kind": "event",
            "event.action": "lost",
            "event.reason": "Events came faster than they could be written.",
            "stopgap.count": lost,
        }
        self._write([msgspec.json.encode(line)], counted=False)

    def _write(self, lines: Iterable[bytes], counted: bool = True) -> None:
        for line in lines:
            done = self._fd is not None and self._try(line)
            if counted:
                self.written += done
                self.dropped += not done

    def _try(self, line: bytes) -> bool:
        """Write one line; False, and a complaint once a minute, when that cannot be done."""
        try:
            self._put_out(b"\n" * self._torn + line + b"\n")
        except BrokenPipeError:
            self._fd = None
            say("the reader of standard output is gone; events are dropped from here on")
            return False
        except OSError as error:
            if time.monotonic() - self._complained >= REPORT:
                self._complained = time.monotonic()
                say(f"events cannot be written: {error.strerror}")
            return False
        return True

    def _put_out(self, data: bytes) -> None:
        """Write all of it; `_torn` tells whether the last line was left unfinished."""
        rest = memoryview(data)
        while rest:
            count = os.write(self._fd if self._fd is not None else STDOUT, rest)
            self._torn = count < len(rest)
            rest = rest[count:]

    def _open_again(self) -> None:
        if self.target == "-":
            return
        try:
            fresh = _open(self.target)
        except OSError as error:
            say(f"{self.target}: cannot be opened again, the old file stays in use: {error.strerror}")
            return
        if self._fd is not None:
            os.close(self._fd)
        self._fd = fresh


def _open(target: str) -> int | None:
    if target == "-":
        return STDOUT
    return os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
