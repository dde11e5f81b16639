"""How long does a client have, and what does it hear when its time is over?

Deadlines of the site, small here: a head that drips, a body that drips, a connection without requests, an
answer that is not read. Others are served in the meantime.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.client import Client, Cut, ask, get
from tests.e2e.gate import Gate, guarding
from tests.e2e.origins import Origin, answer, answering, until

HELD, STREAMED = "held.test", "streamed.test"


@pytest.fixture(scope="module")
def gate(folder: Path, shared: Origin) -> Iterator[Gate]:
    hurry = {"head": 1, "idle": 2, "body_rate": 500, "write": 1}
    sites = (
        {"hosts": [HELD], "origins": shared.url, "server": "iis5", "deadlines": hurry},
        {"hosts": [STREAMED], "origins": shared.url, "server": "iis10", "deadlines": hurry},
    )
    with guarding(folder / "gate", *sites) as running:
        yield running


def test_a_head_that_drips(gate: Gate, origin: Origin) -> None:
    with Client(gate.port) as client:
        began = time.monotonic()
        client.send(get("/", host=HELD)[:-2])
        got = client.answer()
        assert (got.status, gate.event(got.event)["stopgap.reason"]) == (408, "head-timeout")
        assert 0.9 < time.monotonic() - began < 4
        assert client.closed()
    assert origin.raw == b""


def test_dripping_on_does_not_help(gate: Gate, origin: Origin) -> None:
    with Client(gate.port) as client:
        client.send(get("/", host=HELD)[:-2])
        client.sock.settimeout(0.1)
        began = time.monotonic()
        while time.monotonic() - began < 5:
            try:
                client.send(b"X-A: b\r\n")
                if client.sock.recv(1):
                    break
            except TimeoutError:
                continue
        assert time.monotonic() - began < 4


def test_an_idle_client(gate: Gate, origin: Origin) -> None:
    with Client(gate.port) as fresh, Client(gate.port) as used:
        assert used.ask(get("/", host=HELD)).status == 200
        began = time.monotonic()
        assert used.closed()
        assert 1.5 < time.monotonic() - began < 5
        assert fresh.rest()[:12] in (b"", b"HTTP/1.1 408")


def drip(client: Client) -> bytes:
    """One drop, and what the gate says to it."""
    try:
        client.send(b"drip")
        return client.sock.recv(1 << 16)
    except TimeoutError:
        return b""


def test_a_body_that_drips(gate: Gate, origin: Origin) -> None:
    """500 bytes a second are asked for, after ten seconds of grace."""
    with Client(gate.port) as one, Client(gate.port) as other:
        clients = {HELD: one, STREAMED: other}
        for host, client in clients.items():
            client.send(get("/up", "Content-Length: 100000", method="POST", host=host) + b"a")
            client.sock.settimeout(0.1)
        began = time.monotonic()
        while clients and time.monotonic() - began < 20:
            for host, client in list(clients.items()):
                if got := drip(client):
                    assert got.startswith(b"HTTP/1.1 408")
                    assert 9 < time.monotonic() - began < 16
                    del clients[host]
        assert not clients
    assert origin.requests == []


def test_an_answer_that_nobody_reads(gate: Gate, origin: Origin) -> None:
    origin.script = answering(lambda _: answer(bytes(64 << 20)))
    with Client(gate.port, receive=1 << 12) as client:
        client.send(get("/large", host=STREAMED))
        until(lambda: origin.peers and origin.peers[0].sock.fileno() < 0, 15)
        with pytest.raises((Cut, OSError)):
            client.answer()


def test_others_are_served_meanwhile(gate: Gate, origin: Origin) -> None:
    slow = [Client(gate.port) for _ in range(200)]
    for client in slow:
        client.send(b"GET / HTTP/1.1\r\n")
    began = time.monotonic()
    for number in range(50):
        assert ask(gate.port, get(f"/{number}", host=HELD)).status == 200
    assert time.monotonic() - began < 5
    for client in slow:
        assert client.rest().startswith(b"HTTP/1.1 408")
        client.sock.close()
    assert len(origin.requests) == 50
