"""What is kept of the requests behind the events, and how does nobody have to wait for it?

The supervisor hands over what its workers held of a request and goes on; one thread redacts it and writes it
into the ring of its site. The bytes that wait are bounded. What is not kept is counted by where it was lost:
in a `worker` (its pace), in the `queue`, or on the way to the `disk`; standard error tells of it once a
minute. A folder that cannot be written costs flows and nothing else; it is tried again.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from functools import lru_cache

from stopgap.config.model import Evidence as Keeping
from stopgap.events import flows, ring
from stopgap.events.mask import masked
from stopgap.events.redact import FORWARDED, Redactor
from stopgap.events.schema import ANSWERED, SENTENCE, Known
from stopgap.gate.messages import Captured, EventLine, Evidence
from stopgap.say import say

QUEUE = 8 << 20
"""Bytes of requests that wait to be written."""
AGAIN = 1.0
"""Seconds after which a ring that failed is tried again."""
COMPLAIN = 60.0
"""Seconds between two lines about one trouble."""
WORKER, WAITING, DISK = WHERES = ("worker", "queue", "disk")

_WORDS = {
    "refused": ("Refused", ":red_circle:"),
    "dropped": ("Refused without an answer", ":red_circle:"),
    "tarpitted": ("Refused after a long wait", ":red_circle:"),
    "detected": ("Detected and forwarded", ":orange_circle:"),
    "stripped": ("Forwarded without a header", ":orange_circle:"),
}
"""Action -> what a comment says of it, and the mark."""
_OVERHEAD = 512

News = tuple[float, str, Captured, EventLine | None]
"""When it came, the ruleset, what was held of it, and its event."""


class Archive:
    """Takes captures from the supervisor's thread, and keeps them. Counts may be read by any thread."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._written: Counter[str] = Counter()
        self._sizes: dict[str, int] = {}
        self._dropped: Counter[str] = Counter()
        self._rings: dict[str, ring.Ring] = {}
        self._again: dict[str, float] = {}
        self._complained: dict[str, float] = {}
        self._told = 0
        self._queue: deque[News] = deque()
        self._waiting = 0
        self._wake = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="evidence", daemon=True)
        self._started = False

    @property
    def dropped(self) -> dict[str, int]:
        """How many requests were not kept, by where they were lost."""
        return {where: self._dropped[where] for where in WHERES}

    @property
    def kept(self) -> dict[str, tuple[int, int]]:
        """By site: the flows written since the start, and the bytes that its ring takes on disk."""
        return {site: (self._written[site], self._sizes.get(site, 0)) for site in self._known.keeping}

    def start(self) -> None:
        """The thread runs once a site keeps something."""
        self._started = True
        self.follow(self._known)

    def follow(self, known: Known) -> None:
        """From now on keep what this says; what was kept stays."""
        self._known = known
        if self._started and known.keeping and self._thread.ident is None:
            self._thread.start()

    def put(self, report: Evidence) -> None:
        """Hand over what a worker sent; never waits."""
        now = time.time()
        with self._wake:
            self._dropped[WORKER] += report.missing
            for capture, line in report.kept:
                size = len(capture.raw) + _OVERHEAD
                if self._waiting + size > QUEUE or self._thread.ident is None:
                    self._dropped[WAITING] += 1
                    continue
                self._waiting += size
                self._queue.append((now, report.version, capture, line))
            self._wake.notify()

    def close(self, seconds: float) -> None:
        """Write what waits, for at most so many seconds, and end."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread.ident is not None:
            self._thread.join(seconds)
        with self._wake:
            self._dropped[WAITING] += len(self._queue)
            self._queue.clear()
        self._tell()

    def _run(self) -> None:
        for site, keeping in self._known.keeping.items():
            self._measure(site, keeping)
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._queue or self._closing, timeout=COMPLAIN)
                news = self._queue.popleft() if self._queue else None
                if news is not None:
                    self._waiting -= len(news[2].raw) + _OVERHEAD
                closing = self._closing
            if news is not None:
                self._keep(*news)
            elif closing:
                for one in self._rings.values():
                    one.close()
                return
            self._complain("lost", self._tell)

    def _measure(self, site: str, keeping: Keeping) -> None:
        try:
            self._sizes[site] = self._ring(site, keeping).bytes()
        except OSError as error:
            self._unable(site, error)

    def _ring(self, site: str, keeping: Keeping) -> ring.Ring:
        if site not in self._rings:
            for gone in self._rings.keys() - self._known.keeping.keys():
                self._rings.pop(gone).close()
            self._rings[site] = ring.Ring(ring.folder(self._known.state, site), keeping.bytes)
        self._rings[site].budget = keeping.bytes
        return self._rings[site]

    def _keep(self, now: float, version: str, capture: Captured, line: EventLine | None) -> None:
        known, site = self._known, capture.site
        keeping = known.keeping.get(site)
        if keeping is None:  # since a reload
            return
        if time.monotonic() < self._again.get(site, 0.0):
            self._dropped[DISK] += 1
            return
        try:
            self._sizes[site] = self._ring(site, keeping).put(worded(now, version, capture, line, known))
            self._written[site] += 1
        except OSError as error:
            self._dropped[DISK] += 1
            if not isinstance(error, ring.TooLarge):
                self._again[site] = time.monotonic() + AGAIN
            self._unable(site, error)

    def _unable(self, site: str, error: OSError) -> None:
        why = error.strerror or str(error)
        where = ring.folder(self._known.state, site)
        self._complain(site, lambda: say(f"site {site}: evidence cannot be kept in {where}: {why}"))

    def _complain(self, what: str, how: Callable[[], None]) -> None:
        """Say something at most once a minute."""
        now = time.monotonic()
        if now >= self._complained.get(what, 0.0):
            self._complained[what] = now + COMPLAIN
            how()

    def _tell(self) -> None:
        """Say how many were not kept since the last such line, if any."""
        dropped = self.dropped
        if (total := sum(dropped.values())) > self._told:
            parts = ", ".join(f"{where} {count}" for where, count in dropped.items() if count)
            say(f"requests not kept as evidence: {total - self._told}; since the start, {parts}")
            self._told = total


def worded(now: float, version: str, capture: Captured, line: EventLine | None, known: Known) -> bytes:
    """A capture as a flow, without its secrets."""
    keeping = known.keeping[capture.site]
    raw = _redactor((*keeping.redact, *(FORWARDED if known.masked else ())))(capture.raw)
    metadata: dict[str, str | int | bool] = {
        flows.EVENT: f"{capture.event:016x}",
        flows.SITE: capture.site,
        "stopgap.verdict": "passed",
        "stopgap.ruleset": version,
        "stopgap.body": capture.form,
        "stopgap.cut": capture.cut,
        "stopgap.redacted": raw != capture.raw,
    }
    comment, mark = "Passed; kept as one of a sample.", ""
    if line is not None:
        action, tier, reason, status, rule, reading, offset = line[5:12]
        metadata |= {
            "stopgap.verdict": action,
            "stopgap.reason": reason,
            "stopgap.rule": rule,
            "stopgap.reading": reading,
            "stopgap.offset": offset,
            "stopgap.tier": tier,
            "stopgap.mode": line[18],
        }
        comment, mark = _comment(action, reason, rule, known.titles)
        if action in ANSWERED:
            metadata[flows.STATUS] = status
    told = flows.Told(
        client=masked(capture.client) if known.masked else capture.client,
        tls=capture.tls,
        time=now - capture.age / 1000,
        metadata=metadata,
        comment=comment,
        marked=mark,
        error=f"{comment[:-1]} (Stopgap keeps no answers)",
    )
    return flows.written(raw, capture.head, told, capture.form == "decoded")


def _comment(action: str, reason: str, rule: str, titles: Mapping[str, str]) -> tuple[str, str]:
    """One sentence of a verdict, and its mark."""
    word, mark = _WORDS[action]
    why = titles.get(rule) or SENTENCE.get(reason, "")
    by = f" by rule {rule}" if rule else ""
    return f"{word} as {reason}{by}: {why.rstrip('.')}.", mark


@lru_cache(64)
def _redactor(names: tuple[str, ...]) -> Redactor:
    return Redactor(names)
