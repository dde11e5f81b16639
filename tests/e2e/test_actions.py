"""What does a client of the real program meet whom a rule drops, holds, or strips of a header?"""

import select
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from stopgap.gate.ending import TARPIT_PLACES
from tests.e2e.client import Client, ask, get
from tests.e2e.gate import Gate, guarding
from tests.e2e.origins import Origin, until

DEADLINE = 2.0
HELD = get("/held")


def rule(name: str, **keys: object) -> dict[str, object]:
    vectors = {"block": [f"GET /{name} HTTP/1.0"], "pass": ["GET / HTTP/1.0"]}
    return {
        "id": name,
        "title": name,
        "why": name,
        "match": {"path": {"prefix": f"/{name}"}},
        **vectors,
        **keys,
    }


@pytest.fixture(scope="module")
def gate(folder: Path, shared: Origin) -> Iterator[Gate]:
    rules = [
        rule("dropped", action="drop"),
        rule("held", action="tarpit", status=403),
        rule("bare", action="strip", strip=["Translate"]),
    ]
    site = {"origins": shared.url, "deadlines": {"tarpit": DEADLINE}}
    with guarding(folder / "gate", site, rule=rules) as running:
        yield running


def actions(gate: Gate) -> dict[str, int]:
    """How many events there are of each action, repeats not counted."""
    made = [event["event.action"] for event in gate.events]
    return {action: made.count(action) for action in made}


def test_drop_says_nothing(gate: Gate, origin: Origin) -> None:
    with Client(gate.port) as client:
        client.send(get("/dropped"))
        assert client.closed()
    until(lambda: "dropped" in actions(gate))
    assert origin.raw == b""


def test_strip_forwards_without_the_header(gate: Gate, origin: Origin) -> None:
    assert ask(gate.port, get("/bare", "Translate: f", "X-A: b")).status == 200
    assert b"\r\nX-A: b\r\n" in origin.raw
    assert b"translate" not in origin.raw.lower()
    until(lambda: "stripped" in actions(gate))


def test_the_tarpit_answers_late(gate: Gate, origin: Origin) -> None:
    with Client(gate.port) as client:
        began = time.monotonic()
        client.send(HELD + HELD)
        got = client.answer()
        assert DEADLINE - 0.1 < time.monotonic() - began < DEADLINE + 3
        assert (got.status, gate.event(got.event)["event.action"]) == (403, "tarpitted")
        assert client.closed()
    assert origin.raw == b""


def test_a_full_tarpit_closes_and_others_are_served(gate: Gate, origin: Origin) -> None:
    more = 8
    with ExitStack() as open_ones:
        held = [open_ones.enter_context(Client(gate.port)) for _ in range(TARPIT_PLACES + more)]
        for client in held:
            client.send(HELD)
        closed: set[Client] = set()

        def refused() -> int:
            ready, _, _ = select.select([client.sock for client in held if client not in closed], [], [], 0)
            closed.update(client for client in held if client.sock in ready)
            return len(closed)

        until(lambda: refused() >= more, DEADLINE)
        assert ask(gate.port, get("/")).status == 200
        assert len(closed) == more and all(client.closed() for client in closed)
        late = [client for client in held if client not in closed]
        assert {client.answer().status for client in late} == {403}
    # Every place was given back.
    with Client(gate.port) as client:
        client.send(HELD)
        assert client.answer().status == 403


def test_a_client_that_leaves_gives_its_place_back(gate: Gate, origin: Origin) -> None:
    for _ in range(TARPIT_PLACES):
        with Client(gate.port) as client:
            client.send(HELD)
    until(lambda: gate.counts()[("stopgap_connections", "open")] <= 1, DEADLINE + 5)
    with Client(gate.port) as client:
        client.send(HELD)
        assert client.answer().status == 403


def test_the_tarpit_does_not_hold_up_the_end(folder: Path, shared: Origin) -> None:
    site = {"origins": shared.url, "deadlines": {"tarpit": 60, "drain": 30}}
    rules = [rule("held", action="tarpit")]
    with guarding(folder / "ending", site, rule=rules) as gate, Client(gate.port) as client:
        client.send(HELD)
        until(lambda: "tarpitted" in actions(gate))
        began = time.monotonic()
        gate.signal(signal.SIGTERM)
        assert gate.ended() == 0
        assert time.monotonic() - began < 8
