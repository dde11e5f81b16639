"""Is a protocol switched only where the site allows it, and is the tunnel then a plain pipe?"""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.client import Client, get
from tests.e2e.gate import Gate, guarding
from tests.e2e.origins import Origin, Peer, answering, echo, until

OPEN, SHUT, BRIEF = "open.test", "shut.test", "brief.test"
KEYS = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


@pytest.fixture(scope="module")
def gate(folder: Path, shared: Origin) -> Iterator[Gate]:
    sites = (
        {"hosts": [OPEN], "origins": shared.url, "server": "iis8", "upgrade": ["websocket"]},
        {"hosts": [SHUT], "origins": shared.url, "server": "iis8"},
        {
            "hosts": [BRIEF],
            "origins": shared.url,
            "server": "iis8",
            "upgrade": ["websocket"],
            "deadlines": {"tunnel": 2},
        },
    )
    with guarding(folder / "gate", *sites) as running:
        yield running


def mirror(peer: Peer) -> None:
    """Switch, greet, then send back whatever comes."""
    if peer.head() is not None:
        peer.send(SWITCH + b"hello")
        while data := peer.sock.recv(1 << 16):
            peer.send(data)


def test_refused_where_it_is_not_allowed(gate: Gate, origin: Origin) -> None:
    with Client(gate.port) as client:
        answer = client.ask(get("/chat", *KEYS, host=SHUT))
        assert (answer.status, gate.event(answer.event)["stopgap.reason"]) == (403, "upgrade-denied")
    assert origin.raw == b""


@pytest.mark.parametrize("protocol", ["h2c", "TLS/1.0", "websocket, h2c"])
def test_other_protocols_are_refused(protocol: str, gate: Gate, origin: Origin) -> None:
    fields = (
        f"Upgrade: {protocol}",
        "Connection: Upgrade, HTTP2-Settings",
        "HTTP2-Settings: AAMAAABkAAQAAP__",
    )
    with Client(gate.port) as client:
        answer = client.ask(get("/chat", *fields, host=OPEN))
        assert answer.event or b"upgrade" not in origin.raw.lower()


def test_tunnel(gate: Gate, origin: Origin) -> None:
    origin.script = mirror
    with Client(gate.port) as client:
        answer = client.ask(get("/chat", *KEYS, host=OPEN))
        assert (answer.status, answer.get(b"upgrade")) == (101, b"websocket")
        said = b"\x81\x05hello GET /default.ida HTTP/1.1\r\n\r\n\x00\xff"
        client.send(said)
        assert client._take(5 + len(said)) == b"hello" + said
        data = bytes(range(256)) * 8192
        threading.Thread(target=client.send, args=(data,)).start()
        assert client._take(len(data)) == data
    until(lambda: all(peer.sock.fileno() < 0 for peer in origin.peers))
    assert b"\r\nUpgrade: websocket\r\n" in origin.peers[0].raw


def test_tunnel_ends_with_the_origin(gate: Gate, origin: Origin) -> None:
    origin.script = mirror
    with Client(gate.port) as client:
        assert client.ask(get("/chat", *KEYS, host=OPEN)).status == 101
        assert client._take(5) == b"hello"
        origin.hang_up()
        assert client.closed()


def test_tunnel_in_which_nothing_moves_is_closed_on_both_sides(gate: Gate, origin: Origin) -> None:
    origin.script = mirror
    with Client(gate.port) as client:
        assert client.ask(get("/chat", *KEYS, host=BRIEF)).status == 101
        assert client._take(5) == b"hello"
        for _ in range(3):  # a byte in either direction is enough, for longer than the deadline
            time.sleep(1)
            client.send(b"x")
            assert client._take(1) == b"x"
        began = time.monotonic()
        assert client.closed()
        assert 1.9 < time.monotonic() - began < 5
    until(lambda: all(peer.sock.fileno() < 0 for peer in origin.peers))


def test_origin_that_does_not_switch(gate: Gate, origin: Origin) -> None:
    origin.script = answering(echo)
    with Client(gate.port) as client:
        assert client.ask(get("/chat", *KEYS, host=OPEN)).body == b"GET /chat 0"


def test_switch_that_nobody_asked_for(gate: Gate, origin: Origin) -> None:
    origin.script = mirror
    with Client(gate.port) as client:
        answer = client.ask(get("/chat", host=OPEN))
        assert (answer.status, gate.event(answer.event)["stopgap.reason"]) == (502, "origin-malformed")
