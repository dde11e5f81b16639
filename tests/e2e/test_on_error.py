"""What becomes of a request that cannot be judged to the end? What its site wants, and everybody can see it.

The budget of readings is what a request can use up from outside; `session/tests.rs` in the core lets the
judge itself fail.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.client import ask, get, post
from tests.e2e.gate import Gate, guarding
from tests.e2e.origins import Origin, until

CLOSED, OPEN = "closed.test", "open.test"
FORM = "Content-Type: application/x-www-form-urlencoded"
DENSE = b"a=%zz%ff%c2%a5%e2%88%96%ef%bc%85%2525%25zz%25ff%25%e2%252588%5z%25c0"
PATH = "/_layouts/15/toolpane.aspx"
MALFORMED = b"GET / HTTP/1.1\r\nHost: open.test\r\nContent-Length: +1\r\n\r\nx"


@pytest.fixture(scope="module")
def gate(folder: Path, shared: Origin) -> Iterator[Gate]:
    common = {"origins": shared.url, "server": "any", "packs": ["sharepoint"]}
    sites = ({"hosts": [CLOSED], **common}, {"hosts": [OPEN], "on_error": "forward", **common})
    with guarding(folder / "gate", *sites) as running:
        yield running


def test_refused_where_a_site_fails_closed(gate: Gate, origin: Origin) -> None:
    before = gate.counts()
    got = ask(gate.port, post(PATH, DENSE, FORM, host=CLOSED))
    assert got.status == 400
    event = gate.event(got.event)
    assert (event["stopgap.reason"], event["event.action"]) == ("too-many-readings", "refused")
    assert origin.raw == b""
    key = ("stopgap_rejects_total", "too-many-readings")
    assert gate.counts()[key] - before[key] == 1


def test_forwarded_where_it_fails_open(gate: Gate, origin: Origin) -> None:
    before = gate.counts()
    assert ask(gate.port, post(PATH, DENSE, FORM, host=OPEN)).event == ""
    assert [request.body for request in origin.requests] == [DENSE]
    until(lambda: any(event["event.action"] == "detected" for event in gate.events))
    (event,) = (event for event in gate.events if event["event.action"] == "detected")
    assert (event["stopgap.reason"], event["url.domain"]) == ("too-many-readings", OPEN)
    key = ("stopgap_detections_total", "too-many-readings")
    assert gate.counts()[key] - before[key] == 1


def test_what_cannot_be_framed_is_refused_all_the_same(gate: Gate, origin: Origin) -> None:
    got = ask(gate.port, MALFORMED)
    assert (got.status, gate.event(got.event)["stopgap.reason"]) == (400, "bad-length")
    assert origin.raw == b""


def test_what_is_judged_is_refused_all_the_same(gate: Gate, origin: Origin) -> None:
    assert ask(gate.port, get("/a%00b", host=OPEN)).status == 400
    assert origin.raw == b""


def test_which_of_the_two_is_said(gate: Gate) -> None:
    assert [site["on_error"] for site in gate.status["sites"]] == ["refuse", "forward"]
    counts = gate.counts()
    assert counts["stopgap_site_on_error", "refuse", "site0"] == 1
    assert counts["stopgap_site_on_error", "forward", "site1"] == 1
