"""Does a client that opens or has too many connections lose them, at any worker, and nobody else?"""

import os
import signal
import ssl
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.certificates import self_signed
from tests.e2e.client import Client, Cut, get
from tests.e2e.gate import Gate, guarding
from tests.e2e.origins import Origin, until

MOST = 20
FLOOD, OTHER = "127.0.0.2", "127.0.0.3"


def ask(gate: Gate, source: str) -> int:
    """The status of a request on a connection of its own; 0 where that is closed unread."""
    try:
        with Client(gate.port, source=source) as client:
            return client.ask(get("/a.asp")).status
    except (ConnectionError, Cut):
        return 0


def test_a_flood_is_closed_and_others_are_served(tmp_path: Path, shared: Origin, origin: Origin) -> None:
    site = {"origins": shared.url}
    with guarding(tmp_path, site, workers=2, new_connections=MOST) as gate:
        seen = Counter(ask(gate, FLOOD) for _ in range(3 * MOST))
        # The minute slides: a few may be let in again while this runs.
        assert seen[0] >= 2 * MOST - 5 and seen[200] >= MOST and seen[0] + seen[200] == 3 * MOST
        assert [ask(gate, OTHER) for _ in range(MOST)] == [200] * MOST
        assert len(origin.requests) == seen[200] + MOST
        until(lambda: len(gate.events) > 0)
        told = {(event["stopgap.reason"], event["source.ip"]) for event in gate.events}
        assert told == {("too-many-connections", FLOOD)}
        assert len(gate.events) <= 2
        assert gate.counts()["stopgap_rejects_total", "too-many-connections"] == seen[0]


def arrive(gate: Gate, stack: ExitStack, source: str, header: bytes = b"") -> Client | None:
    """A connection that was served once and stays; None where it is closed unread."""
    client = stack.enter_context(Client(gate.port, source=source))
    try:
        client.send(header)
        return client if client.ask(get("/a.asp")).status == 200 else None
    except (ConnectionError, Cut):
        client.sock.close()
        return None


def test_one_client_has_so_many_connections_and_no_more(
    tmp_path: Path, shared: Origin, origin: Origin
) -> None:
    site = {"origins": shared.url}
    with (
        guarding(tmp_path, site, workers=2, client_connections=MOST, trusted="127.0.0.9") as gate,
        ExitStack() as stack,
    ):
        there = [arrive(gate, stack, FLOOD) for _ in range(3 * MOST)]
        assert [client is not None for client in there] == [True] * MOST + [False] * 2 * MOST
        assert all(arrive(gate, stack, OTHER) for _ in range(MOST))
        assert all(arrive(gate, stack, "127.0.0.9") for _ in range(MOST + 5))
        assert gate.counts()["stopgap_rejects_total", "too-many-connections"] == 2 * MOST
        until(lambda: len(gate.events) > 0)
        told = {(event["stopgap.reason"], event["source.ip"]) for event in gate.events}
        assert told == {("too-many-connections", FLOOD)} and len(gate.events) <= 2
        for client in there[:3]:
            assert client is not None
            client.sock.close()
        until(lambda: arrive(gate, stack, FLOOD) is not None)
        for worker in gate.status["workers"]:
            os.kill(worker["pid"], signal.SIGKILL)
        until(lambda: all(worker["restarts"] == 1 for worker in gate.status["workers"]))
        until(lambda: gate.status["ready"])
        assert all(arrive(gate, stack, FLOOD) for _ in range(MOST))
        assert arrive(gate, stack, FLOOD) is None


def test_one_ipv6_network_is_one_client(tmp_path: Path, shared: Origin, origin: Origin) -> None:
    """A peer that speaks PROXY protocol has as many IPv6 addresses as the test wants."""

    def header(address: str) -> bytes:
        return f"PROXY TCP6 {address} 2001:db8::1 1 80\r\n".encode()

    site = {"origins": shared.url}
    with (
        guarding(tmp_path, site, workers=2, client_connections=4, proxy_protocol=FLOOD) as gate,
        ExitStack() as stack,
    ):
        taken = [arrive(gate, stack, FLOOD, header(f"2001:db8:1:2:{n}::{n}")) for n in range(1, 9)]
        assert [client is not None for client in taken] == [True] * 4 + [False] * 4
        assert arrive(gate, stack, FLOOD, header("2001:db8:1:3::1"))


def test_who_never_ends_a_handshake_is_counted(tmp_path: Path, shared: Origin, origin: Origin) -> None:
    """Connections count before TLS: who has as many as one may gets no further handshake, others do."""
    cert, key = self_signed(tmp_path)
    context = ssl.create_default_context(cafile=cert)
    site = {"origins": shared.url}
    tls = {"cert": cert, "key": key}
    with (
        guarding(tmp_path, site, workers=2, client_connections=MOST, tls=tls) as gate,
        ExitStack() as stack,
    ):
        silent = [stack.enter_context(Client(gate.port, source=FLOOD)) for _ in range(2 * MOST)]
        until(lambda: gate.counts().get(("stopgap_rejects_total", "too-many-connections")) == MOST)
        with pytest.raises(OSError), Client(gate.port, context, source=FLOOD) as client:
            client.ask(get("/a.asp"))
        with Client(gate.port, context, source=OTHER) as client:
            assert client.ask(get("/a.asp")).status == 200
        for client in silent:
            client.sock.close()
        with pytest.raises((OSError, Cut)), Client(gate.port, source=OTHER) as client:
            client.ask(get("/no-tls"))
        until(lambda: served(gate, context))
        assert gate.counts()["stopgap_rejects_total", "client-tls"] == 1


def served(gate: Gate, context: ssl.SSLContext) -> bool:
    try:
        with Client(gate.port, context, source=FLOOD) as client:
            return client.ask(get("/a.asp")).status == 200
    except OSError:
        return False


def test_all_clients_together_have_no_more_than_is_set(
    tmp_path: Path, shared: Origin, origin: Origin
) -> None:
    site = {"origins": shared.url}
    with guarding(tmp_path, site, workers=2, max_connections=MOST) as gate, ExitStack() as stack:
        there = [arrive(gate, stack, f"127.0.3.{n}") for n in range(1, MOST + 11)]
        assert [client is not None for client in there] == [True] * MOST + [False] * 10
        assert gate.counts()["stopgap_rejects_total", "gate-full"] == 10
        until(lambda: len(gate.events) == 10)
        assert {event["stopgap.reason"] for event in gate.events} == {"gate-full"}
