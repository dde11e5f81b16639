"""Do the metrics say what the board holds, and can Prometheus read them?"""

import os
import platform
import re

import msgspec
import pytest

from stopgap import _core
from stopgap.admin import metrics, status
from stopgap.admin.metrics import TABLE, Board, Metrics
from stopgap.gate.handover import Counters
from stopgap.gate.health import FAILURES
from stopgap.ruleset.spec import Registry

WORKERS = 2
FIRST = {name: first for name, first, _ in _core.board()}
URL = "http://192.0.2.1:80"


SITE = status.Site(
    name="kaikei",
    hosts=("*",),
    server="iis5",
    codepages=(932,),
    mode="canary",
    canary=25,
    on_error="refuse",
    modes={"short-name": "detect"},
    body="buffer",
    rules=1,
    exceptions=tuple(
        status.Excepted(
            id=ident,
            rule="ida-idq",
            path="/a",
            clients=(),
            fields=(),
            reason="why",
            owner="",
            until="",
            state=state,
            hits=hits,
            preset=ident == "dd",
        )
        for ident, state, hits in (
            *(("aa", "in-force", 3), ("bb", "unused", 0)),
            *(("cc", "in-force", 1), ("dd", "unused", 0)),
        )
    ),
    origins=(status.Origin(url=URL, up=True, busy=1, idle=2),),
)
WORKER = status.Worker(
    index=0, pid=os.getpid(), state="serving", restarts=4, ruleset="ab", clients=1, waiting=5, exit=""
)
STATUS = status.Status(
    version="1.2.3",
    started="",
    started_unix=1000.0,
    loaded_unix=2000.0,
    state="ready",
    ready=True,
    ruleset="ab",
    listen=("127.0.0.1:80",),
    admin="127.0.0.1:9901",
    tls=False,
    sites=(SITE,),
    workers=(WORKER,),
    reload=status.Reload(time="", unix=0.0, ok=True),
    reloads=0,
    events_written=7,
    events_dropped=8,
    syslog_dropped=9,
)
SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")


class Scene:
    """A board of two workers that a test writes on, and the metrics that come of it."""

    def __init__(self) -> None:
        self.words = memoryview(bytearray((WORKERS * _core.BOARD_WORDS + _core.RATE_WORDS) * 8)).cast("Q")
        self.board = Board(self.words, WORKERS)
        counters = Counters(registry=Registry(), origins={URL: 3})
        for name in ("other", "kaikei"):
            counters.registry.site(name)
        counters.registry.rule("ida-idq")
        self.metrics = Metrics(self.board, counters, lambda: STATUS)

    def put(self, worker: int, region: str, index: int, count: int) -> None:
        self.words[worker * _core.BOARD_WORDS + FIRST[region] + index] = count

    def samples(self) -> dict[tuple[str, tuple[str, ...]], float]:
        text, kind = self.metrics.exposition("")
        assert kind.startswith("application/openmetrics-text")
        lines = [line for line in text.decode().splitlines() if not line.startswith("#")]
        found = [SAMPLE.fullmatch(line) for line in lines]
        return {
            (one[1], tuple(sorted(re.findall(r'\w+="([^"]*)"', one[2] or "")))): float(one[3])
            for one in found
            if one
        }


def labels(*values: str) -> tuple[str, ...]:
    """Label values as `Scene.samples` orders them."""
    return tuple(sorted(values))


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_what_the_table_of_rates_has_lost(scene: Scene) -> None:
    scene.words[WORKERS * _core.BOARD_WORDS] = 7
    assert scene.samples()["stopgap_rate_entries_lost_total", ()] == 7


def test_counters_are_summed_over_workers(scene: Scene) -> None:
    for worker in range(WORKERS):
        scene.put(worker, "requests", 1 * 3 + 1, 10)
        scene.put(worker, "rules", 1, 2)
        scene.put(worker, "rules", 4, 1)
        scene.put(worker, "reasons", 2 * 2, 3)
        scene.put(worker, "reasons", 2 * 2 + 1, 1)
        scene.put(worker, "answered", 1 * 2 + 1, 5)
        scene.put(worker, "origin_errors", 3 * 8 + 1, 4)
    samples = scene.samples()
    reason = _core.reasons()[2][0]
    assert samples["stopgap_requests_total", labels("kaikei", "refused")] == 20
    assert samples["stopgap_requests_total", labels("other", "refused")] == 0
    assert samples["stopgap_rule_matches_total", labels("ida-idq", "detected")] == 4
    assert samples["stopgap_rule_matches_total", labels("ida-idq", "stripped")] == 2
    assert samples["stopgap_rejects_total", (reason,)] == 6
    assert samples["stopgap_detections_total", (reason,)] == 2
    assert samples["stopgap_detections_answered_total", labels("kaikei", "5xx")] == 10
    assert samples["stopgap_detections_answered_total", labels("kaikei", "2xx")] == 0
    assert samples["stopgap_origin_errors_total", labels(URL, FAILURES[1])] == 8


def test_modes_and_exceptions(scene: Scene) -> None:
    samples = scene.samples()
    assert samples["stopgap_site_mode", labels("kaikei", "canary")] == 1
    assert samples["stopgap_rule_mode", labels("kaikei", "short-name", "detect")] == 1
    assert samples["stopgap_exceptions", labels("kaikei", "in-force")] == 2
    assert samples["stopgap_exceptions", labels("kaikei", "unused")] == 1
    assert samples["stopgap_exceptions", labels("kaikei", "expired")] == 0
    assert samples["stopgap_exception_hits_total", labels("kaikei", "ida-idq", "aa")] == 3


def test_histograms_are_cumulative(scene: Scene) -> None:
    bounds = _core.buckets()["filter_seconds"]
    scene.put(0, "filter_seconds", 0, 1)
    scene.put(1, "filter_seconds", 2, 2)
    scene.put(1, "filter_seconds", len(bounds), 4)
    scene.put(1, "filter_seconds", len(bounds) + 1, 1_500_000_000)
    samples = scene.samples()
    assert samples["stopgap_filter_seconds_bucket", (repr(bounds[1]),)] == 1
    assert samples["stopgap_filter_seconds_bucket", (repr(bounds[2]),)] == 3
    assert samples["stopgap_filter_seconds_bucket", ("+Inf",)] == 7
    assert samples["stopgap_filter_seconds_count", ()] == 7
    assert samples["stopgap_filter_seconds_sum", ()] == 1.5


def test_a_dead_worker_has_no_connections(scene: Scene) -> None:
    scene.put(0, "connections_opened", 0, 9)
    scene.put(0, "connections_closed", 0, 2)
    assert scene.samples()["stopgap_connections", ("open",)] == 7
    scene.board.settle(0)
    samples = scene.samples()
    assert samples["stopgap_connections", ("open",)] == 0
    assert samples["stopgap_connections_accepted_total", ()] == 9


def test_what_the_supervisor_knows(scene: Scene) -> None:
    samples = scene.samples()
    assert samples["stopgap_build_info", labels("1.2.3", platform.python_version())] == 1
    assert samples["stopgap_worker_restarts_total", ("0",)] == 4
    assert samples["stopgap_workers", ("serving",)] == 1
    assert samples["stopgap_connections", ("waiting",)] == 5
    assert samples["stopgap_origin_connections", labels("kaikei", URL, "idle")] == 2
    assert samples["stopgap_reload_success_timestamp_seconds", ()] == 2000
    assert samples["stopgap_events_dropped_total", ("writer",)] == 8
    assert samples["stopgap_events_dropped_total", ("syslog",)] == 9
    assert samples["stopgap_process_resident_memory_bytes", ("worker-0",)] > 1 << 20
    assert samples["stopgap_process_cpu_seconds_total", ("supervisor",)] > 0


def test_every_row_of_the_table_is_told(scene: Scene) -> None:
    assert {family.name for family in scene.metrics.collect()} == set(TABLE)
    for name, (kind, _, text) in TABLE.items():
        assert kind in ("counter", "gauge", "histogram", "info")
        assert text.endswith("."), name


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "application/openmetrics-text"),
        ("*/*", "application/openmetrics-text"),
        ("text/html", "text/plain"),
        (
            "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5",
            "application/openmetrics",
        ),
    ],
)
def test_the_form_that_is_asked_for(scene: Scene, accept: str, kind: str) -> None:
    text, content_type = scene.metrics.exposition(accept)
    assert content_type.startswith(kind)
    assert text.endswith(b"# EOF\n") == kind.startswith("application")


def test_a_process_that_is_gone_is_left_out() -> None:
    gone = msgspec.structs.replace(STATUS, workers=(msgspec.structs.replace(WORKER, pid=2**22 + 1),))
    names = [process for process, _ in metrics._processes(gone)["stopgap_process_cpu_seconds"]]
    assert names == [("supervisor",)]


def test_an_index_outside_its_region_is_an_error(scene: Scene) -> None:
    with pytest.raises(IndexError):
        scene.board.total("heartbeat", 1)
