"""Which events are remembered, and how do all outputs get the same ones?

The supervisor hands events over and goes on. The last ones are kept for the admin address; the log and the
syslog server get each of them, at a bounded pace, so that a flood of different clients costs lines and no
more. Which lines an output is missing, for that or for a reason of its own, it counts and tells itself.
"""

import threading
import time
from collections import deque
from collections.abc import Iterable

from stopgap.config.model import Telling
from stopgap.events import formats, schema
from stopgap.events.evidence import Archive
from stopgap.events.file import File
from stopgap.events.formats import Record
from stopgap.events.output import Output
from stopgap.gate.messages import EventLine, Evidence
from stopgap.gate.syslog import Sender

RECENT = 256
KEPT = 1_000
"""Events that `recent` shows, and that `find` knows."""
PACE = 200.0
BURST = 5_000.0
"""Lines a second in the long run, and at once."""

News = tuple[float, EventLine]
"""When it came, and what came."""


class Writer:
    """Takes events from the supervisor's thread. `written` and `dropped` count the lines of the log."""

    def __init__(self, target: str, known: schema.Known, telling: Telling | None = None) -> None:
        """`target`: `-` for standard output, or the path of a file. Raises `OSError` for the latter."""
        self._known = known
        self._telling = telling or Telling()
        self._file = File(target, self._telling.rotation)
        self._sender = Sender(self._telling.syslog)
        self._log = Output[News]("the log", self._file, self._word, self._missing)
        self._syslog = Output[News]("syslog", self._sender, self._word, self._missing)
        self.archive = Archive(known)
        self._lock = threading.Lock()
        self._recent: deque[News] = deque(maxlen=KEPT)
        self._tokens, self._refilled = BURST, time.monotonic()

    @property
    def written(self) -> int:
        return self._log.written

    @property
    def dropped(self) -> int:
        return self._log.dropped

    @property
    def syslog_dropped(self) -> int:
        """How many events the syslog server has not got, as far as anybody knows."""
        return self._syslog.dropped

    def start(self) -> None:
        self._log.start()
        self.archive.start()
        self._follow_syslog()

    def follow(self, known: schema.Known, telling: Telling) -> None:
        """From now on tell it so; what was told stays as it is."""
        moved = telling.syslog != self._telling.syslog
        self._known, self._telling = known, telling
        self._file.rotation = telling.rotation
        if moved:
            self._sender.server = telling.syslog
            self._syslog.reopen()
        self._follow_syslog()
        self.archive.follow(known)

    def put(self, lines: Iterable[EventLine]) -> None:
        """Hand events over; never waits."""
        now = time.time()
        news = [(now, line) for line in lines]
        with self._lock:
            self._recent.extend(news)
        allowed = self._allowed(len(news))
        self._log.put(news[:allowed], len(news) - allowed)
        if self._telling.syslog is not None:
            self._syslog.put(news[:allowed], len(news) - allowed)

    def keep(self, report: Evidence) -> None:
        """Hand over the requests behind events; never waits."""
        self.archive.put(report)

    def recent(self) -> list[schema.Event]:
        """The last events, oldest first."""
        return [self._event(news) for news in self._remembered()[-RECENT:]]

    def find(self, number: int) -> schema.Event | None:
        """The event with this id if it is one of the last `KEPT`; a first request goes before its summary."""
        kept = [news for news in self._remembered() if news[1][0] == number]
        return self._event(max(kept, key=lambda news: news[1][1] == 0)) if kept else None

    def reopen(self) -> None:
        """Open the file anew (after a rotation), and connect anew; nothing happens on standard output."""
        self._log.reopen()
        self._syslog.reopen()

    def close(self, seconds: float) -> None:
        """Write what waits, for at most so many seconds, and end."""
        end = time.monotonic() + seconds
        for output in (self._log, self._syslog):
            output.end()
        for output in (self._log, self._syslog):
            output.join(max(0.0, end - time.monotonic()))
        self.archive.close(max(0.0, end - time.monotonic()))

    def _follow_syslog(self) -> None:
        """Its thread runs once there is a server."""
        if self._telling.syslog is not None and self._log.running and not self._syslog.running:
            self._syslog.start()

    def _remembered(self) -> list[News]:
        with self._lock:
            return list(self._recent)

    def _allowed(self, wanted: int) -> int:
        """How many of so many lines are within the pace."""
        now = time.monotonic()
        self._tokens = min(BURST, self._tokens + (now - self._refilled) * PACE)
        self._refilled = now
        allowed = min(wanted, int(self._tokens))
        self._tokens -= allowed
        return allowed

    def _event(self, news: News) -> schema.Event:
        return schema.event(news[1], news[0], self._known)

    def _word(self, news: News) -> Record:
        return formats.record(self._event(news), self._telling.format)

    def _missing(self, count: int) -> Record:
        return formats.lost(count, time.time(), self._telling.format)
