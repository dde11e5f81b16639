"""How did the counters move in the last hour and in the last day?

A thread looks at the board every few seconds and keeps what has been added since: fine samples for an hour,
and sums of a minute for a day. Only what is not zero is kept, packed, so that a quiet day costs next to
nothing. Clients are counted by their network, from the events; of each sample only the busiest are kept.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from stopgap import _core
from stopgap.admin.metrics import ACTIONS, CLASSES, FAILURE_WORDS, VERDICTS
from stopgap.admin.status import Source
from stopgap.events import mask
from stopgap.gate.health import FAILURES

STEP, FINE = 5, 720
MINUTE, COARSE = 60, 1_440
"""Seconds between two samples, and how many of them are kept."""
NETWORKS = 50
"""Networks that a sample names; `OTHERS` are the rest together."""
OTHERS = "others"
BITS = {4: 24, 6: 64}
BATCH = 2_000
"""Events that are read at once."""

Column = tuple[str, str, str]
"""What is counted: kind, name, and word; such as `("requests", "kaikei", "refused")`."""


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """What was added until `time` (Unix seconds): by place of the column, and by network."""

    time: int
    added: dict[int, int]
    networks: dict[str, int]
    open: int
    """Client connections open at that moment."""


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Sample)


class Series:
    """Both rings. `take` is for the thread of `start`, or for a test; `told` is for any thread."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._places: dict[Column, int] = {}
        self._before: dict[Column, int] = {}
        self._read = 0
        self._rings: dict[str, deque[bytes]] = {"hour": deque(maxlen=FINE), "day": deque(maxlen=COARSE)}
        self._minute: list[Sample] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="series", daemon=True)

    def start(self) -> None:
        self._before = counts(self._source)
        self._thread.start()

    def close(self) -> None:
        self._over.set()

    def take(self, now: float) -> None:
        """Keep what was added since the last time."""
        seen = counts(self._source)
        added = {
            self._places.setdefault(column, len(self._places)): count - self._before.get(column, 0)
            for column, count in seen.items()
            if count > self._before.get(column, 0)
        }
        self._before = seen
        total = self._source.board.total
        alive = max(0, total("connections_opened") - total("connections_closed"))
        sample = Sample(int(now), added, _busiest(self._networks()), alive)
        self._rings["hour"].append(_ENCODER.encode(sample))
        if self._minute and sample.time // MINUTE != self._minute[0].time // MINUTE:
            self._rings["day"].append(_ENCODER.encode(summed(self._minute)))
            self._minute = []
        self._minute.append(sample)

    def told(self, span: str) -> dict[str, Any]:
        """`hour` or `day`: times, and a row of counts for each column that is not all zero."""
        ring = list(self._rings["day" if span == "day" else "hour"])
        samples = [_DECODER.decode(packed) for packed in ring]
        if span == "day" and (rest := list(self._minute)):
            samples.append(summed(rest))
        used = sorted({place for sample in samples for place in sample.added})
        columns = list(self._places)
        networks = Counter[str]()
        for sample in samples:
            networks.update(sample.networks)
        return {
            "span": span if span == "day" else "hour",
            "step": MINUTE if span == "day" else STEP,
            "times": [sample.time for sample in samples],
            "open": [sample.open for sample in samples],
            "columns": [
                {"of": columns[place], "counts": [sample.added.get(place, 0) for sample in samples]}
                for place in used
            ],
            "networks": _busiest(networks),
            "bounds": _core.buckets()["request_seconds"],
        }

    def _networks(self) -> Counter[str]:
        """Refused and detected requests since the last time, by network."""
        found: Counter[str] = Counter()
        memory, known = self._source.writer.memory, self._source.handover.known()
        while (page := memory.after(self._read, BATCH)).news:
            self._read = page.begin + len(page.news)
            clients = Counter[str]()
            for line, _ in page.news:
                clients[line[17]] += line[1] or 1
            for client, count in clients.items():
                found[mask.network(client) if known.masked else network(client)] += count
            if self._read >= page.next:
                break
        found.pop("", None)
        return found

    def _run(self) -> None:
        due = time.monotonic()
        while not self._over.wait(max(0.0, due - time.monotonic())):
            self.take(time.time())
            due = max(due + STEP, time.monotonic())


def counts(source: Source) -> dict[Column, int]:
    """Every counter that is worth a line over time, as it stands."""
    board, counters = source.board, source.counters
    registry = counters.registry
    tables: Iterable[tuple[str, str, Mapping[str, int], tuple[str, ...], int]] = (
        ("requests", "requests", dict(registry.sites), VERDICTS, len(VERDICTS)),
        ("answered", "answered", dict(registry.sites), CLASSES, len(CLASSES)),
        ("rule", "rules", dict(registry.rules), ACTIONS, len(ACTIONS)),
        ("reason", "reasons", _REASONS, ("refused", "detected"), 2),
        ("origin", "origin_errors", dict(counters.origins), FAILURES, FAILURE_WORDS),
    )
    found: dict[Column, int] = {}
    for kind, region, names, words, width in tables:
        totals = board.totals(region)
        for name, index in names.items():
            for place, word in enumerate(words):
                found[kind, name, word] = totals[index * width + place]
    buckets = board.totals("request_seconds")[:-1]
    found |= {("seconds", str(place), ""): count for place, count in enumerate(buckets)}
    found["events", "", "dropped"] = board.total("events_dropped") + source.status.events_dropped
    return found


_REASONS = {name: place for place, (name, *_) in enumerate(_core.reasons())}


def summed(samples: list[Sample]) -> Sample:
    """Several samples as one, at the time of the last."""
    added, networks = Counter[int](), Counter[str]()
    for sample in samples:
        added.update(sample.added)
        networks.update(sample.networks)
    return Sample(samples[-1].time, dict(added), _busiest(networks), max(sample.open for sample in samples))


def network(client: str) -> str:
    """`192.0.2.0/24` of `192.0.2.77`, `2001:db8:1:2::/64` of `2001:db8:1:2::3`; "" of what is no address."""
    if ":" not in client and client.count(".") == 3:  # a worker's own words: an address
        return f"{client.rpartition('.')[0]}.0/24"
    return mask.network(client, BITS)


def _busiest(networks: Counter[str]) -> dict[str, int]:
    """Those with the most requests, the rest as `OTHERS`."""
    rest = sum(networks.values())
    others = networks.get(OTHERS, 0)
    named = [(name, count) for name, count in networks.most_common(NETWORKS + 1) if name != OTHERS][:NETWORKS]
    rest -= sum(count for _, count in named)
    return {**dict(named), OTHERS: rest} if rest or others else dict(named)
