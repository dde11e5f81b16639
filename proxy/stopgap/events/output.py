"""How do events reach one output without anybody having to wait for it?

Whoever has events hands them over and goes on; one thread words and writes them. Its queue is bounded, so an
output that stands still costs lines and nothing else. What it has not got is counted, and told to it in a
line of its own once a minute. An output that is `Away` is asked again soon; until then its lines wait.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from stopgap.events.formats import Record
from stopgap.say import say

T = TypeVar("T")

QUEUE = 10_000
"""Events that wait to be written."""
BATCH = 64
REPORT = 60.0
"""Seconds between two lines about what is missing."""
AGAIN = 1.0
"""Seconds after which an output that was away is tried again."""


class Away(Exception):
    """The record was not taken, but will be later."""


class Sink(Protocol):
    """Where records go in the end. Used by the thread of its output alone."""

    def put(self, record: Record) -> bool:
        """Whether the record was written; False: it is lost.

        Raises `Away`; the next record is then the same one again, unless the output ends.
        """

    def reopen(self) -> None:
        """Begin anew, after somebody has moved a file away."""

    def close(self) -> None: ...


class Output(Generic[T]):
    """One sink, its queue and its thread; `written` and `dropped` count."""

    def __init__(
        self, name: str, sink: Sink, word: Callable[[T], Record], lost: Callable[[int], Record]
    ) -> None:
        """`word` makes a record of what is handed over, `lost` one of how many are missing."""
        self.written = 0
        self._not_taken = 0
        self._not_written = 0
        self._sink = sink
        self._word, self._lost = word, lost
        self._queue: deque[T] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._reopen = False
        self._told = 0
        self._again = 0.0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def dropped(self) -> int:
        """How many events the output has not got."""
        return self._not_taken + self._not_written

    @property
    def running(self) -> bool:
        """It was started."""
        return self._thread.ident is not None

    def start(self) -> None:
        self._thread.start()

    def put(self, news: Sequence[T], missing: int = 0) -> None:
        """Hand events over, and tell how many the output is not to get; never waits."""
        with self._wake:
            taken = news[: max(0, QUEUE - len(self._queue))]
            self._queue.extend(taken)
            self._not_taken += missing + len(news) - len(taken)
            self._wake.notify()

    def reopen(self) -> None:
        with self._wake:
            self._reopen = True
            self._wake.notify()

    def end(self) -> None:
        """Write what waits, and end; nobody waits for that here."""
        with self._wake:
            self._closing = True
            self._wake.notify()

    def join(self, seconds: float) -> None:
        """Wait for at most so many seconds until all is written."""
        if self.running:
            self._thread.join(seconds)
        if self._queue:
            say(f"events not written to {self._thread.name}, which takes them too slowly: {len(self._queue)}")

    def _due(self) -> bool:
        """Is there anything to do now?"""
        return self._closing or self._reopen or (bool(self._queue) and time.monotonic() >= self._again)

    def _run(self) -> None:
        report = time.monotonic() + REPORT
        while True:
            with self._wake:
                self._wake.wait_for(self._due, timeout=AGAIN)
                due = self._closing or time.monotonic() >= self._again
                batch = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH))] if due else []
                closing, reopen, self._reopen = self._closing, self._reopen, False
            if reopen:
                self._sink.reopen()
            away = self._write(batch)
            if self.dropped > self._told and not away and (closing or time.monotonic() >= report):
                report = time.monotonic() + REPORT
                away = self._report()
            if closing and (away or not batch):
                self._sink.close()
                return

    def _write(self, batch: Sequence[T]) -> bool:
        """Whether the output is away; then what it did not take is the first to be tried again."""
        for place, news in enumerate(batch):
            try:
                done = self._sink.put(self._word(news))
            except Away:
                with self._wake:
                    self._again = time.monotonic() + AGAIN
                    self._queue.extendleft(reversed(batch[place:]))
                return True
            self.written += done
            self._not_written += not done
        return False

    def _report(self) -> bool:
        """Tell what is missing since the last report; whether the output is away."""
        told = self.dropped
        try:
            self._sink.put(self._lost(told - self._told))
        except Away:
            self._again = time.monotonic() + AGAIN
            return True
        self._told = told
        return False
