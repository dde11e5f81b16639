"""How does the gate end a client's connection?

At once, after what was written has arrived, or as late as a tarpit may. A tarpit holds a bounded number
of clients a worker: an attacker that opens more is closed at once, so holding costs us less than it costs
them. Nothing is read from a client that is held; one that leaves is noticed at the tarpit's deadline.
"""

from typing import TYPE_CHECKING, Final

from stopgap._core import WAIT
from stopgap.gate.flags import HALF, HELD, LINGER, TARPITTED

if TYPE_CHECKING:
    import asyncio

    from stopgap.gate.client import Client

LINGER_BYTES: Final = 1 << 20
LINGER_SECONDS: Final = 2.0
TARPIT_PLACES: Final = 256
"""Clients that a worker holds in its tarpit."""


def close(client: "Client", payload: bytes) -> None:
    """Give up what runs, write the payload, close."""
    client.let_go()
    if payload:
        client.write(payload)
        linger(client)
    else:
        client.transport.close()


def part(client: "Client") -> None:
    """Close after the last answer. A client that did not ask for it may have sent more by then."""
    if client.gate.leaving:
        linger(client)
    else:
        client.transport.close()


def linger(client: "Client") -> None:
    """Close in such a way that what was written arrives: a reset would overtake it."""
    if client.flags & HALF or not client.transport.can_write_eof():
        client.transport.close()
        return
    client.flags |= LINGER
    client.stalled = client.gate.clock()
    client.receive = _Discard(client.transport)
    client.transport.write_eof()
    client.go_on(HELD)


class _Discard:
    """Takes, in the session's place, what a lingering client still sends, up to `LINGER_BYTES`.

    It knows the transport and not the client: a client that held itself would outlive its connection.
    """

    __slots__ = ("left", "transport")

    def __init__(self, transport: "asyncio.Transport") -> None:
        self.transport = transport
        self.left = LINGER_BYTES

    def __call__(self, data: bytes) -> tuple[int, bytes]:
        self.left -= len(data)
        if self.left < 0:
            self.transport.abort()
        return WAIT, b""


def tarpit(client: "Client", payload: bytes) -> None:
    """Hold the client until its session expires, if there is a place."""
    held = client.gate.tarpit
    if len(held) >= TARPIT_PLACES:
        close(client, b"")
        return
    client.let_go()
    held.add(client)
    client.hold_back(TARPITTED)
