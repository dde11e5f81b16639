"""Are rates what lies between two samples, and totals what came since the first?"""

import msgspec
import pytest

from stopgap.top.figures import HISTORY, Counts, Past, Row, Sample, counts, network, networks, shown
from tests.unit.events.test_find import EVENT

STATUS = {"sites": [{"name": "店"}, {"name": "new"}]}


def told(requests: float, rules: float = 0, rejects: float = 0, detections: float = 0) -> Counts:
    return {
        ("stopgap_requests_total", "店", "passed"): requests - rejects,
        ("stopgap_requests_total", "店", "refused"): rejects,
        ("stopgap_rule_matches_total", "detected", "ida-idq"): 0.0,
        ("stopgap_rule_matches_total", "refused", "ida-idq"): rules,
        ("stopgap_rejects_total", "extension-denied"): rejects,
        ("stopgap_detections_total", "extension-denied"): detections,
        ("stopgap_rejects_total", "stream"): 0.0,
    }


def test_rates_and_totals() -> None:
    past = Past()
    first = past.add(Sample(10.0, told(1000, 100, 50), STATUS, ()))
    assert (first.requests, first.refused) == (0, 0)
    assert len(first.rules) == len(first.reasons) == 0
    past.add(Sample(11.0, told(1010, 102, 52), STATUS, ()))
    now = past.add(Sample(13.0, told(1050, 106, 56, 2), STATUS, ()))
    assert (now.requests, now.refused, now.detected) == (20, 2, 0)
    assert [list(one) for one in now.history] == [[0, 10, 20], [0, 2, 2]]
    assert now.rules == (Row("ida-idq", 2.0, 6),)
    assert now.reasons == (Row("extension-denied", 3.0, 8),)
    assert now.sites == (("店", 20, 2, 0), ("new", 0, 0, 0))


def test_a_gate_that_was_restarted_counts_anew() -> None:
    past = Past()
    past.add(Sample(1.0, told(1000, 100, 50), STATUS, ()))
    now = past.add(Sample(2.0, told(30, 3, 3), STATUS, ()))
    assert (now.requests, now.rules) == (30, (Row("ida-idq", 3.0, 3),))


def test_the_past_is_bounded() -> None:
    past = Past()
    for second in range(HISTORY * 2):
        now = past.add(Sample(float(second), told(second), STATUS, ()))
    assert len(now.history[0]) == HISTORY


def test_an_exposition() -> None:
    text = (
        "# TYPE stopgap_requests_total counter\n"
        'stopgap_requests_total{site="店",verdict="refused"} 3.0\n'
        "# TYPE stopgap_ready gauge\nstopgap_ready 1.0\n"
    )
    assert counts(text) == {("stopgap_requests_total", "店", "refused"): 3.0}


@pytest.mark.parametrize(
    ("client", "name"),
    [
        ("192.0.2.7", "192.0.2.0/24"),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("2001:db8::7", "2001:db8::/64"),
        ("\x1b[31m", "\\x1b[31m"),
    ],
)
def test_networks(client: str, name: str) -> None:
    assert network(client) == name


def test_events_by_network() -> None:
    clients = (("192.0.2.7", 0), ("192.0.2.9", 5), ("10.0.0.1", 0), ("", 0))
    events = [msgspec.structs.replace(EVENT, client=client, count=count) for client, count in clients]
    assert networks(events) == (Row("192.0.2.0/24", 0.0, 6), Row("10.0.0.0/24", 0.0, 1))


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("", True),
        ("IDA extension", True),
        ("192.0.2", False),
        ("h.example refused", True),
        ("ida nothing", False),
    ],
)
def test_a_filter(words: str, wanted: bool) -> None:
    assert shown(EVENT, words) is wanted
