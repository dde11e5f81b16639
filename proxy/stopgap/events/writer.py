"""Which events are remembered, and how do all outputs get the same ones?

The supervisor hands events over and goes on. The last ones are kept for the admin address; the log and the
syslog server get each of them, at a bounded pace, so that a flood of different clients costs lines and no
more. Which lines an output is missing, for that or for a reason of its own, it counts and tells itself.
"""

import sys
import time
from collections.abc import Sequence

from stopgap.config.model import Telling
from stopgap.events import formats, schema
from stopgap.events.evidence import Archive
from stopgap.events.file import File
from stopgap.events.formats import Record
from stopgap.events.memory import Memory, News
from stopgap.events.output import Output
from stopgap.gate.messages import EventLine, Evidence
from stopgap.gate.syslog import Sender

RECENT = 256
"""Events that `recent` shows."""
PACE = 200.0
BURST = 5_000.0
"""Lines a second in the long run, and at once."""


class Writer:
    """Takes events from the supervisor's thread. `written` and `dropped` count the lines of the log.

    `memory` has the last events as they came; `told` words them.
    """

    def __init__(self, target: str, known: schema.Known, telling: Telling | None = None) -> None:
        """`target`: `-` for standard output, or the path of a file. Raises `OSError` for the latter."""
        self._known = known
        self._telling = telling or Telling()
        self._file = File(target, self._telling.rotation)
        self._sender = Sender(self._telling.syslog)
        self._log = Output[News]("the log", self._file, self._word, self._missing)
        self._syslog = Output[News]("syslog", self._sender, self._word, self._missing)
        self.memory = Memory(self._telling.remembered)
        self.archive = Archive(known)
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
        self.memory.most = telling.remembered
        if moved:
            self._sender.server = telling.syslog
            self._syslog.reopen()
        self._follow_syslog()
        self.archive.follow(known)

    def put(self, lines: Sequence[EventLine]) -> None:
        """Hand events over; never waits."""
        now = time.time()
        news = [(line, now) for line in lines]
        self.memory.put(lines, now)
        allowed = self._allowed(len(news))
        self._log.put(news[:allowed], len(news) - allowed)
        if self._telling.syslog is not None:
            self._syslog.put(news[:allowed], len(news) - allowed)

    def keep(self, report: Evidence) -> None:
        """Hand over the requests behind events; never waits."""
        self.archive.put(report)

    def recent(self) -> list[schema.Event]:
        """The last events, oldest first."""
        return [self.told(news) for news in self.memory.before(sys.maxsize, RECENT).news]

    def find(self, number: int) -> schema.Event | None:
        """The event with this id if it is remembered; a first request goes before its summary."""
        news = self.memory.find(number)
        return None if news is None else self.told(news)

    def told(self, news: News) -> schema.Event:
        """An event as all outputs tell it."""
        return schema.event(news[0], news[1], self._known)

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

    def _allowed(self, wanted: int) -> int:
        """How many of so many lines are within the pace."""
        now = time.monotonic()
        self._tokens = min(BURST, self._tokens + (now - self._refilled) * PACE)
        self._refilled = now
        allowed = min(wanted, int(self._tokens))
        self._tokens -= allowed
        return allowed

    def _word(self, news: News) -> Record:
        return formats.record(self.told(news), self._telling.format)

    def _missing(self, count: int) -> Record:
        return formats.lost(count, time.time(), self._telling.format)
