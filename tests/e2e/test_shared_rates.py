"""Do two workers of the real program hold one client to a rate, and leave all others alone?"""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.client import Client, get, post
from tests.e2e.gate import Gate, guarding
from tests.e2e.origins import Origin, until

OVER = 20
FAST, OTHER = "127.0.0.2", "127.0.0.3"
RULE = {
    "id": "often",
    "title": "Often",
    "match": {"extension": "axd"},
    "rate": {"over": OVER, "per": 86_400},
    "block": ["GET /a.axd HTTP/1.0"],
    "pass": ["GET / HTTP/1.0"],
}
FORM = {
    "id": "form",
    "title": "A form",
    "match": {"basename": "toolpane.aspx", "form": {"name": "a", "value": "evil"}},
    "block": ["POST /toolpane.aspx HTTP/1.1\nHost: h\nContent-Length: 6\n\na=evil"],
    "pass": ["GET /toolpane.aspx?a=evil HTTP/1.0"],
}


@pytest.fixture
def gate(tmp_path: Path, shared: Origin) -> Iterator[Gate]:
    with guarding(
        tmp_path, {"origins": shared.url, "server": "iis10"}, workers=2, rule=[RULE, FORM]
    ) as running:
        yield running


def ask(gate: Gate, source: str, target: str = "/a.axd") -> int:
    """The status of a request on a connection of its own: either worker may get it."""
    with Client(gate.port, source=source) as client:
        return client.ask(get(target)).status


def test_one_client_is_held_to_it_by_both_workers(gate: Gate, origin: Origin) -> None:
    seen = Counter(ask(gate, FAST) for _ in range(3 * OVER))
    assert seen == {200: OVER, 429: 2 * OVER}
    assert len(origin.requests) == OVER
    assert [ask(gate, OTHER) for _ in range(OVER)] == [200] * OVER
    assert ask(gate, FAST, "/a.aspx") == 200
    until(lambda: len(gate.events) > 0)
    assert {(event["stopgap.reason"], event["source.ip"]) for event in gate.events} == {
        ("rate-exceeded", FAST)
    }
    assert gate.counts()["stopgap_rejects_total", "rate-exceeded"] == 2 * OVER


def test_a_worker_that_dies_takes_no_count_with_it(gate: Gate, origin: Origin) -> None:
    assert [ask(gate, FAST) for _ in range(OVER + 1)][-1] == 429
    for worker in gate.status["workers"]:
        os.kill(worker["pid"], signal.SIGKILL)
    until(lambda: all(worker["restarts"] == 1 for worker in gate.status["workers"]))
    until(lambda: gate.status["ready"])
    assert ask(gate, FAST) == 429
    assert ask(gate, OTHER) == 200


def test_only_the_form_that_may_decide_waits_for_its_body(gate: Gate, origin: Origin) -> None:
    body = b"a=evil" + b"&" * 100_000
    for target, seen in (("/upload.aspx", b"POST /upload.aspx"), ("/toolpane.aspx", b"")):
        origin.forget()
        request = post(target, body)
        with Client(gate.port) as client:
            client.send(request[:-90_000])
            if seen:
                until(lambda: origin.raw != b"")
            client.send(request[-90_000:])
            assert client.answer().status == (200 if seen else 404)
        assert origin.raw.startswith(seen) and bool(origin.raw) == bool(seen)
