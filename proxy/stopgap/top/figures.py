"""What does a gate do just now: how much a second, by rule, reason, client network, site and origin?

A `Sample` is what the admin address told at one moment; `Figures` are what lies between the last two, and the
totals since the view began. The client networks are those of the events that the gate remembers. All bounded.
"""

import ipaddress
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from stopgap.errors import printable
from stopgap.events.schema import Event

HISTORY = 60
"""Samples that the lines of the past show."""

Counts = dict[tuple[str, ...], float]
"""(metric, the values of its labels in the order of their names) -> value."""

COUNTED = frozenset(
    {
        "stopgap_requests_total",
        "stopgap_rule_matches_total",
        "stopgap_rejects_total",
        "stopgap_detections_total",
    }
)


SEARCHED = (
    *("event_id", "event_action", "client", "rule_id", "reason", "site", "mode"),
    *("method", "target", "host", "agent"),
)
"""Parts of an event in which a filter looks."""


class Sample(msgspec.Struct, frozen=True):
    """At `time` (seconds of any clock that only goes on)."""

    time: float
    counts: Counts
    status: Mapping[str, Any]
    events: Sequence[Event]


class Row(msgspec.Struct, frozen=True):
    """One line of a table: a name, how many a second, and how many since the view began."""

    name: str
    rate: float
    total: int


class Figures(msgspec.Struct, frozen=True):
    """What is shown. `history` are the rates of requests and of refusals, oldest first."""

    requests: float
    refused: float
    detected: float
    history: tuple[tuple[float, ...], tuple[float, ...]]
    rules: tuple[Row, ...]
    reasons: tuple[Row, ...]
    networks: tuple[Row, ...]
    sites: tuple[tuple[str, float, float, float], ...]
    """Name, requests, refusals, detections a second."""


class Past:
    """Samples that were taken so far, as far as they are needed."""

    def __init__(self) -> None:
        self._first: Sample | None = None
        self._last: Sample | None = None
        self._requests: deque[float] = deque(maxlen=HISTORY)
        self._refused: deque[float] = deque(maxlen=HISTORY)

    def add(self, sample: Sample) -> Figures:
        """Take one more; a gate that was restarted counts anew."""
        first, last = self._first or sample, self._last or sample
        if any(sample.counts.get(key, 0.0) < value for key, value in last.counts.items()):
            first = last = Sample(last.time, {}, sample.status, ())
        self._first, self._last = first, sample
        seconds = max(sample.time - last.time, 0.001)
        rates = _between(last.counts, sample.counts, seconds)
        totals = _between(first.counts, sample.counts, 1.0)
        verdicts = _sum(rates, "stopgap_requests_total", 1)
        self._requests.append(sum(verdicts.values()))
        self._refused.append(verdicts.get("refused", 0.0))
        return Figures(
            requests=sum(verdicts.values()),
            refused=verdicts.get("refused", 0.0),
            detected=verdicts.get("detected", 0.0),
            history=(tuple(self._requests), tuple(self._refused)),
            rules=_rows(rates, totals, ("stopgap_rule_matches_total",), 1),
            reasons=_rows(rates, totals, ("stopgap_rejects_total", "stopgap_detections_total"), 0),
            networks=networks(sample.events),
            sites=_sites(rates, sample.status),
        )


def counts(exposition: str) -> Counts:
    """The counters of /metrics that are shown. Raises `ValueError`."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): float(sample.value)
        for family in text_string_to_metric_families(exposition)
        for sample in family.samples
        if sample.name in COUNTED
    }


def networks(events: Iterable[Event]) -> tuple[Row, ...]:
    """The networks (/24 and /64) of clients in events, the most frequent first."""
    found: Counter[str] = Counter()
    for event in events:
        if event.client:
            found[network(event.client)] += max(event.count, 1)
    return tuple(Row(name, 0.0, count) for name, count in sorted(found.items(), key=_most))


def network(client: str) -> str:
    """The network of an address, or what is written where it is none."""
    try:
        if "/" in client:
            return str(ipaddress.ip_network(client))
        address = ipaddress.ip_address(client)
    except ValueError:
        return printable(client)
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 64), strict=False))


def shown(event: Event, filtered: str) -> bool:
    """Whether an event holds every word of a filter, in any case."""
    words = " ".join(getattr(event, key) for key in SEARCHED).lower()
    return all(word in words for word in filtered.lower().split())


def _between(old: Counts, new: Counts, seconds: float) -> Counts:
    return {key: (value - old.get(key, 0.0)) / seconds for key, value in new.items()}


def _sum(found: Counts, metric: str, label: int) -> dict[str, float]:
    """The values of a metric by one of its labels."""
    summed: dict[str, float] = {}
    for (name, *labels), value in found.items():
        if name == metric:
            summed[labels[label]] = summed.get(labels[label], 0.0) + value
    return summed


def _rows(rates: Counts, totals: Counts, metrics: Sequence[str], label: int) -> tuple[Row, ...]:
    """Those that were ever met, the most frequent first."""
    rate: dict[str, float] = {}
    total: Counter[str] = Counter()
    for metric in metrics:
        for name, value in _sum(totals, metric, label).items():
            total[name] += round(value)
        for name, value in _sum(rates, metric, label).items():
            rate[name] = rate.get(name, 0.0) + value
    met = sorted(((name, count) for name, count in total.items() if count), key=_most)
    return tuple(Row(name, rate[name], count) for name, count in met)


def _sites(rates: Counts, status: Mapping[str, Any]) -> tuple[tuple[str, float, float, float], ...]:
    def rate(site: str, verdict: str) -> float:
        return rates.get(("stopgap_requests_total", site, verdict), 0.0)

    names = [str(site["name"]) for site in status.get("sites", ())]
    verdicts = ("passed", "refused", "detected")
    return tuple(
        (
            name,
            sum(rate(name, verdict) for verdict in verdicts),
            rate(name, "refused"),
            rate(name, "detected"),
        )
        for name in names
    )


def _most(row: tuple[str, int]) -> tuple[int, str]:
    return -row[1], row[0]
