"""Who has waited too long?

One sweep a second over all connections of a worker, instead of a timer for each request; a few at a time,
so that nobody's request waits until thousands of others have been looked at. The core knows the deadlines of
heads, bodies, answers, tunnels and idle clients (`Session.expire`); here are those of bytes written and not
taken, of lingering after a refusal, and of idle origin connections. A peer that takes anything between two
sweeps has not stalled.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from stopgap._core import WAIT
from stopgap.gate import health, probe
from stopgap.gate.client import Client
from stopgap.gate.ending import LINGER_SECONDS
from stopgap.gate.flags import CLOGGED, CLOSING, LEAVING, LINGER, ORIGIN_FULL

if TYPE_CHECKING:
    from stopgap.gate.worker import Gate

AT_ONCE: Final = 64
"""Clients that are looked at before others have their turn. To refuse one takes some 15 microseconds."""
WRITE_SECONDS: Final = 60.0
"""How long a client may leave an answer unread that no origin is needed for."""


def sweep(gate: "Gate", now: float) -> None:
    """End what has taken too long at this time (monotonic seconds)."""
    _look_at(gate, now, tuple(gate.clients))
    for pool in (*gate.pools, *gate.retired):
        for upstream in pool.sweep(now):
            upstream.drop()
    probe.start(gate, now)
    gate.retired = [pool for pool in gate.retired if not pool.empty]


def _look_at(gate: "Gate", now: float, clients: Sequence[Client], first: int = 0) -> None:
    """At some of these clients now, and at the others in the next turns of the loop."""
    end = first + AT_ONCE
    for client in clients[first:end]:
        if client not in gate.clients:
            continue
        try:
            _look(client, now)
        except Exception as exc:
            client.transport.abort()
            gate.loop.call_exception_handler({"message": "deadline sweep", "exception": exc})
    if end < len(clients):
        gate.loop.call_soon(_look_at, gate, now, clients, end)


def _look(client: Client, now: float) -> None:
    if client.flags & LINGER:
        if now - client.stalled > LINGER_SECONDS:
            client.transport.abort()
        return
    command, payload = client.session.expire()
    if command != WAIT:
        client.settle(command, payload)
    elif client.flags & (CLOGGED | CLOSING):
        _unread(client, now)
    elif client.flags & ORIGIN_FULL:
        _untaken(client, now)
    elif client.transport.is_closing():
        client.flags |= CLOSING
        client.stalled = now
    elif client.flags & LEAVING and not client.session.busy:
        client.transport.close()


def _unread(client: Client, now: float) -> None:
    """The client does not read its answer."""
    backlog = client.transport.get_write_buffer_size()
    limit = client.upstream.pool.site.write if client.upstream else WRITE_SECONDS
    if backlog != client.backlog:
        client.backlog = backlog
        client.stalled = now
    elif now - client.stalled > limit:
        client.transport.abort()


def _untaken(client: Client, now: float) -> None:
    """The origin does not read the request."""
    upstream = client.upstream
    if upstream is None:
        return
    backlog = upstream.transport.get_write_buffer_size()
    if backlog != client.backlog:
        client.backlog = backlog
        client.stalled = now
    elif now - client.stalled > upstream.pool.site.write:
        client.settle(*client.session.fail(health.TIMEOUT))
