"""What is counted, and how does a monitoring system read it?

The workers count on the board, a row of 64-bit words a worker in shared memory (`_core.board` names the
regions). One custom collector sums the rows when somebody asks, adds what the supervisor knows of itself
and its processes, and prometheus-client words it. Labels are bounded: never a path, a client or a user
agent. `TABLE` is the list of all metrics.
"""

import os
import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector, CollectorRegistry

from stopgap import _core
from stopgap.admin.status import Status
from stopgap.gate.handover import Counters
from stopgap.gate.health import FAILURES

VERDICTS = ("passed", "refused", "detected")
ACTIONS = ("refused", "detected", "dropped", "tarpitted", "stripped")
CLASSES = ("2xx", "5xx")
EXCEPTION_STATES = ("in-force", "unused", "expired")
FAILURE_WORDS = 8
OPENMETRICS = "application/openmetrics-text; version=1.0.0"

COUNTER, GAUGE, HISTOGRAM, INFO = "counter", "gauge", "histogram", "info"
TABLE: dict[str, tuple[str, tuple[str, ...], str]] = {
    "stopgap_build": (INFO, (), "Version of Stopgap and of Python."),
    "stopgap_ruleset": (INFO, (), "Hash of the rules and sites in use; the same on every gate of a fleet."),
    "stopgap_requests": (COUNTER, ("site", "verdict"), "Requests by what became of them."),
    "stopgap_rule_matches": (COUNTER, ("rule", "action"), "Requests that a rule caught."),
    "stopgap_rate_entries_lost": (
        COUNTER,
        (),
        "Counts of clients that a flood of others pushed out too early.",
    ),
    "stopgap_rejects": (COUNTER, ("reason",), "Requests refused, by reason."),
    "stopgap_detections": (COUNTER, ("reason",), "Requests forwarded that block mode would have refused."),
    "stopgap_detections_answered": (
        COUNTER,
        ("site", "class"),
        "Detected requests that the origin answered with 2xx or 5xx: the hole may be open.",
    ),
    "stopgap_site_mode": (GAUGE, ("site", "mode"), "1 for the mode that a site is in."),
    "stopgap_site_on_error": (
        GAUGE,
        ("site", "on_error"),
        "1 for what a site does with a request that cannot be judged.",
    ),
    "stopgap_rule_mode": (
        GAUGE,
        ("site", "rule", "mode"),
        "1 for a rule or reason whose mode is not its site's.",
    ),
    "stopgap_exceptions": (
        GAUGE,
        ("site", "state"),
        "Own exceptions: in-force, unused since the start, expired.",
    ),
    "stopgap_exception_hits": (
        COUNTER,
        ("site", "rule", "exception"),
        "Requests that an exception let pass.",
    ),
    "stopgap_request_seconds": (HISTOGRAM, (), "From a complete head to the end of the answer."),
    "stopgap_filter_seconds": (HISTOGRAM, (), "What reading and judging a request took."),
    "stopgap_connections": (GAUGE, ("state",), "Client connections: open, or waiting for an origin."),
    "stopgap_connections_accepted": (COUNTER, (), "Client connections since the start."),
    "stopgap_connections_shed": (COUNTER, (), "Client connections closed at once for want of descriptors."),
    "stopgap_origin_up": (GAUGE, ("site", "origin"), "1 while an origin accepts connections."),
    "stopgap_origin_connections": (GAUGE, ("site", "origin", "state"), "Connections to an origin."),
    "stopgap_origin_connections_opened": (COUNTER, ("origin",), "Connections made to an origin."),
    "stopgap_origin_connections_reused": (COUNTER, ("origin",), "Requests sent on a kept connection."),
    "stopgap_origin_errors": (COUNTER, ("origin", "reason"), "Exchanges that failed at an origin."),
    "stopgap_events_written": (COUNTER, (), "Event lines written."),
    "stopgap_events_dropped": (
        COUNTER,
        ("where",),
        "Event lines lost in a worker, in the log (writer) or on the way to syslog.",
    ),
    "stopgap_evidence_kept": (COUNTER, ("site",), "Requests that were kept as evidence."),
    "stopgap_evidence_bytes": (GAUGE, ("site",), "What the evidence of a site takes on disk."),
    "stopgap_evidence_dropped": (
        COUNTER,
        ("where",),
        "Requests that were not kept: for a worker's pace, in the queue, or for want of disk.",
    ),
    "stopgap_ready": (GAUGE, (), "1 while requests are served."),
    "stopgap_reload_success": (GAUGE, (), "0 when the last reload was refused."),
    "stopgap_reload_success_timestamp_seconds": (GAUGE, (), "When the rules in use were loaded."),
    "stopgap_start_time_seconds": (GAUGE, (), "When the supervisor started."),
    "stopgap_workers": (GAUGE, ("state",), "Workers by state."),
    "stopgap_worker_restarts": (COUNTER, ("worker",), "Times that a worker had to be started again."),
    "stopgap_process_cpu_seconds": (COUNTER, ("process",), "User and system time of a living process."),
    "stopgap_process_resident_memory_bytes": (GAUGE, ("process",), "Resident memory of a process."),
    "stopgap_process_open_fds": (GAUGE, ("process",), "Open files and sockets of a process."),
}

Sample = tuple[tuple[str, ...], float]


class Board:
    """The counters of all workers; `words` holds one slot after the other, then the table of rates."""

    def __init__(self, words: memoryview, workers: int) -> None:
        self._words = words
        self._starts = [index * _core.BOARD_WORDS for index in range(workers)]
        self._regions = {name: (first, length) for name, first, length in _core.board()}

    def total(self, region: str, index: int = 0) -> int:
        """One word of a region, summed over the workers."""
        first, length = self._regions[region]
        if not 0 <= index < length:
            raise IndexError(f"{region}[{index}]")
        return sum(self._words[start + first + index] for start in self._starts)

    def totals(self, region: str) -> list[int]:
        """All words of a region, each summed over the workers."""
        return [self.total(region, index) for index in range(self._regions[region][1])]

    def lost(self) -> int:
        """Entries of the table of rates that made room while they still counted."""
        return self._words[-_core.RATE_WORDS]

    def settle(self, worker: int) -> None:
        """A worker died: the connections that it had open are closed."""
        start = self._starts[worker]
        opened, closed = (self._regions[name][0] for name in ("connections_opened", "connections_closed"))
        self._words[start + closed] = self._words[start + opened]


class Metrics(Collector):
    """Everything in `TABLE`, read when asked for."""

    def __init__(self, board: Board, counters: Counters, status: Callable[[], Status]) -> None:
        self._board = board
        self._counters = counters
        self._status = status
        self._reasons = [name for name, *_ in _core.reasons()]
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """(text, content type), as the Accept header wants it; OpenMetrics when it wants nothing."""
        encoder, kind = choose_encoder(OPENMETRICS if accept in ("", "*/*") else accept)
        return encoder(self._registry), kind

    def collect(self) -> Iterator[Metric]:
        """One family for each row of `TABLE`."""
        status = self._status()
        rows = {**self._requests(), **self._origins(status)}
        rows |= {**_sites(status), **_supervisor(status), **_processes(status)}
        for name, (kind, labels, text) in TABLE.items():
            if kind == INFO:
                info = InfoMetricFamily(name, text)
                info.add_metric((), _info(name, status, len(self._counters.registry.rules)))
                yield info
            elif kind == HISTOGRAM:
                yield self._histogram(name, text)
            else:
                family = (CounterMetricFamily if kind == COUNTER else GaugeMetricFamily)(
                    name, text, labels=labels
                )
                for values, count in rows[name]:
                    family.add_metric(values, count)
                yield family

    def _requests(self) -> dict[str, list[Sample]]:
        total = self._board.total
        registry = self._counters.registry
        reasons = list(enumerate(self._reasons))
        return {
            "stopgap_requests": [
                ((site, verdict), total("requests", index * len(VERDICTS) + word))
                for site, index in list(registry.sites.items())
                for word, verdict in enumerate(VERDICTS)
            ],
            "stopgap_rule_matches": [
                ((rule, action), total("rules", index * len(ACTIONS) + word))
                for rule, index in list(registry.rules.items())
                for word, action in enumerate(ACTIONS)
            ],
            "stopgap_rejects": [((name,), total("reasons", index * 2)) for index, name in reasons],
            "stopgap_detections": [((name,), total("reasons", index * 2 + 1)) for index, name in reasons],
            "stopgap_detections_answered": [
                ((site, kind), total("answered", index * len(CLASSES) + word))
                for site, index in list(registry.sites.items())
                for word, kind in enumerate(CLASSES)
            ],
            "stopgap_connections_accepted": [((), total("connections_opened"))],
            "stopgap_connections_shed": [((), total("connections_shed"))],
            "stopgap_rate_entries_lost": [((), self._board.lost())],
        }

    def _origins(self, status: Status) -> dict[str, list[Sample]]:
        total = self._board.total
        known = list(self._counters.origins.items())
        now = [(site.name, origin) for site in status.sites for origin in site.origins]
        return {
            "stopgap_origin_errors": [
                ((url, reason), total("origin_errors", index * FAILURE_WORDS + word))
                for url, index in known
                for word, reason in enumerate(FAILURES)
            ],
            "stopgap_origin_connections_opened": [
                ((url,), total("origin_connections_opened", index)) for url, index in known
            ],
            "stopgap_origin_connections_reused": [
                ((url,), total("origin_connections_reused", index)) for url, index in known
            ],
            "stopgap_origin_up": [((site, origin.url), float(origin.up)) for site, origin in now],
            "stopgap_origin_connections": [
                ((site, origin.url, state), count)
                for site, origin in now
                for state, count in (("busy", origin.busy), ("idle", origin.idle), ("pinned", origin.pinned))
            ],
            "stopgap_connections": [
                (("open",), max(0, total("connections_opened") - total("connections_closed"))),
                (("waiting",), sum(worker.waiting for worker in status.workers)),
            ],
            "stopgap_events_dropped": [
                (("worker",), total("events_dropped")),
                (("writer",), status.events_dropped),
                (("syslog",), status.syslog_dropped),
            ],
        }

    def _histogram(self, name: str, text: str) -> HistogramMetricFamily:
        """The board holds a count for each bucket and, last, the sum in nanoseconds."""
        region = name.removeprefix("stopgap_")
        *counts, nanoseconds = self._board.totals(region)
        bounds = [repr(bound) for bound in _core.buckets()[region]]
        buckets, below = [], 0
        for bound, count in zip([*bounds, "+Inf"], counts, strict=True):
            below += count
            buckets.append((bound, float(below)))
        return HistogramMetricFamily(name, text, buckets=buckets, sum_value=nanoseconds / 1e9)


def _info(name: str, status: Status, rules: int) -> dict[str, str]:
    if name == "stopgap_ruleset":
        return {"hash": status.ruleset, "rules": str(rules)}
    return {"version": status.version, "python": platform.python_version()}


def _sites(status: Status) -> dict[str, list[Sample]]:
    """Modes and exceptions; those that the files no longer have are gone."""
    hits = {
        (site.name, one.rule, one.id): float(one.hits) for site in status.sites for one in site.exceptions
    }
    return {
        "stopgap_site_mode": [((site.name, site.mode), 1) for site in status.sites],
        "stopgap_site_on_error": [((site.name, site.on_error), 1) for site in status.sites],
        "stopgap_rule_mode": [
            ((site.name, rule, mode), 1) for site in status.sites for rule, mode in site.modes.items()
        ],
        "stopgap_exceptions": [
            ((site.name, state), sum(one.state == state and not one.preset for one in site.exceptions))
            for site in status.sites
            for state in EXCEPTION_STATES
        ],
        "stopgap_exception_hits": list(hits.items()),
    }


def _supervisor(status: Status) -> dict[str, list[Sample]]:
    states = [worker.state for worker in status.workers]
    return {
        "stopgap_events_written": [((), status.events_written)],
        "stopgap_evidence_kept": [((one.site,), one.flows) for one in status.evidence],
        "stopgap_evidence_bytes": [((one.site,), one.bytes) for one in status.evidence],
        "stopgap_evidence_dropped": [((where,), count) for where, count in status.evidence_dropped.items()],
        "stopgap_ready": [((), float(status.ready))],
        "stopgap_reload_success": [((), float(status.reload.ok))],
        "stopgap_reload_success_timestamp_seconds": [((), status.loaded_unix)],
        "stopgap_start_time_seconds": [((), status.started_unix)],
        "stopgap_workers": [((state,), states.count(state)) for state in sorted({*states, "serving"})],
        "stopgap_worker_restarts": [((str(worker.index),), worker.restarts) for worker in status.workers],
    }


def _processes(status: Status) -> dict[str, list[Sample]]:
    named = [("supervisor", os.getpid())]
    named += [(f"worker-{worker.index}", worker.pid) for worker in status.workers if worker.pid is not None]
    seen = [(name, usage) for name, usage in ((name, _usage(pid)) for name, pid in named) if usage]
    rows = (
        "stopgap_process_cpu_seconds",
        "stopgap_process_resident_memory_bytes",
        "stopgap_process_open_fds",
    )
    return {row: [((name,), usage[column]) for name, usage in seen] for column, row in enumerate(rows)}


def _usage(pid: int) -> Sequence[float]:
    """(CPU seconds, resident bytes, open files) of a process, () when it is gone (proc(5))."""
    process = Path("/proc", str(pid))
    try:
        times = (process / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
        pages = (process / "statm").read_text("ascii").split()[1]
        files = _count((process / "fd").iterdir())
    except OSError:
        return ()
    seconds = (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")
    return seconds, int(pages) * os.sysconf("SC_PAGE_SIZE"), files


def _count(things: Iterable[object]) -> int:
    return sum(1 for _ in things)
