"""How does an origin connection carry an exchange?

One `Upstream` is one connection to an origin. While it carries an exchange, `respond` is the bound
method of the client's session and `reply` the write of the client's transport, so that a chunk of
the answer costs one call into the core and one write. While it is idle, `respond` is `_stray`: an
idle origin that talks has lost its place in the protocol, and the connection is closed.
"""

import asyncio
import ssl
from collections.abc import Callable, Sized
from typing import TYPE_CHECKING, Any, Final

from stopgap._core import FINISH, LAST, RELAY, WRITE
from stopgap.gate import ending, health
from stopgap.gate.sockets import SPENT

if TYPE_CHECKING:
    from stopgap.gate.client import Client
    from stopgap.gate.pool import Origin, Pool

BROKEN: Final = (ssl.SSLError, ConnectionResetError, ConnectionAbortedError, BrokenPipeError)
"""What ends a TLS handshake; an origin that does not even accept is refused otherwise."""

_STRAY: Final = -1
_FINISH_LAST: Final = FINISH | LAST


def _stray(data: bytes) -> tuple[int, bytes]:
    return _STRAY, b""


class Upstream(asyncio.Protocol):
    """One connection to an origin.

    `since` is when the pool's sweep first saw it idle (0: it has worked since), `full` whether the
    origin reads more slowly than the client sends, `heed` true where the pool wants to know of the end of an
    exchange (see `pool.py`).
    """

    __slots__ = (
        "client",
        "closed",
        "connected",
        "drained",
        "full",
        "heed",
        "idle",
        "origin",
        "pinned",
        "pool",
        "reply",
        "respond",
        "reused",
        "since",
        "transport",
        "write",
    )

    def __init__(self, pool: "Pool", origin: "Origin") -> None:
        self.pool = pool
        self.origin = origin
        self.idle = origin.idle
        self.heed: Sized = pool.waiting
        self.client: Client | None = None
        self.respond: Callable[[bytes], tuple[int, bytes]] = _stray
        self.since = 0.0
        self.reused = False
        self.pinned = False
        self.connected = False
        self.closed = False
        self.full = False
        self.drained: asyncio.Future[None] | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport: asyncio.Transport = transport
        self.write = self.transport.write
        secure = self.origin.secure
        if secure is not None and secure.stranger(transport):
            self.closed = True
            return
        self.connected = True
        self.pool.connected(self)

    def attach(self, client: "Client", payload: bytes) -> None:
        """Carry the client's exchange, of which this is the beginning."""
        self.client = client
        self.respond = client.respond
        self.reply = client.write
        self.write(payload)

    def detach(self) -> None:
        """The exchange is over; nothing is expected from the origin now."""
        self.respond = _stray
        self.reused = True
        self.since = 0.0
        if not self.pinned:
            self.client = None

    def pin(self, client: "Client") -> None:
        """Belong to this client until it closes."""
        self.client = client
        self.pinned = True
        self.pool.pin(self)

    def data_received(self, data: bytes) -> None:
        command, payload = self.respond(data)
        if command | LAST == _FINISH_LAST:
            self.reply(payload)
            client = self.client
            if client is None:
                return
            if client.flags or self.heed:  # the write may just have clogged it
                client.finish(FINISH, command)
                return
            client.upstream = None
            client.request = b""
            self.client = None
            self.respond = _stray
            self.reused = True
            self.since = 0.0
            self.idle.append(self)
            if command != FINISH:
                ending.part(client)
        elif command == RELAY:
            self.reply(data)
        elif command == WRITE:
            self.reply(payload)
        else:
            self._settle(command, payload, data)

    def eof_received(self) -> bool:
        """The origin sends no more: HTTP has no use for the other half."""
        self.lost()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """In TLS 1.3 an origin refuses our certificate only when it reads the first request."""
        client, secure = self.client, self.origin.secure
        if isinstance(exc, ssl.SSLError) and secure is not None and client is not None and not self.reused:
            error = secure.explain(exc, self.origin.host)
            self.pool.broken(self.origin, health.TLS, error)
            client.refused(health.TLS)
        self.lost()

    def pause_writing(self) -> None:
        self.full = True
        if self.client is not None:
            self.client.origin_full()

    def resume_writing(self) -> None:
        self.full = False
        if self.drained is not None:
            self.drained.set_result(None)
            self.drained = None
        if self.client is not None:
            self.client.origin_drained()

    async def room(self) -> None:
        """Wait until more may be written, or until the connection is gone."""
        if self.full and not self.closed:
            self.drained = asyncio.get_running_loop().create_future()
            await self.drained

    def drop(self) -> None:
        """Close at once; what has not been sent is thrown away."""
        if self.closed:
            return
        self.closed = True
        self.client = None
        self.respond = _stray
        if self.drained is not None:
            self.drained.set_result(None)
            self.drained = None
        self.transport.abort()
        self.pool.closed(self, self.pinned)

    @property
    def resting(self) -> bool:
        """Whether it belongs to a client that asks nothing at the moment."""
        return self.pinned and self.respond is _stray

    def lost(self) -> None:
        """It has ended, or must: its client is told."""
        client = self.client
        self.drop()
        if client is not None:
            client.origin_lost(self)

    def _settle(self, command: int, payload: bytes, data: bytes) -> None:
        if self.client is None or command == _STRAY:
            self.lost()
        else:
            self.client.settle(command, payload, data)


def dial(pool: "Pool", origin: "Origin", tried: frozenset[str]) -> None:
    """Start a connection to an origin; it ends in `pool.connected` or `pool.failed`."""
    task = asyncio.get_running_loop().create_task(_dial(pool, origin, tried))
    _dials.add(task)
    task.add_done_callback(_dials.discard)


_dials: set[asyncio.Task[None]] = set()


async def _dial(pool: "Pool", origin: "Origin", tried: frozenset[str]) -> None:
    upstream = Upstream(pool, origin)
    loop, secure = asyncio.get_running_loop(), origin.secure
    options = secure.options(origin.host) if secure is not None else {}
    try:
        async with asyncio.timeout(pool.site.connect):
            transport, _ = await loop.create_connection(lambda: upstream, origin.host, origin.port, **options)
        if secure is None or upstream.connected:
            return
        transport.abort()
        reason, error = health.TLS, secure.stranger(transport)
    except TimeoutError:
        what = "connection" if secure is None else "TLS connection"
        reason, error = health.CONNECT_TIMEOUT, f"no {what} within {pool.site.connect:g} s"
    except OSError as exc:
        if exc.errno in SPENT:
            pool.spent(origin, exc.strerror or str(exc))
            return
        if secure is not None and isinstance(exc, BROKEN):
            reason, error = health.TLS, secure.explain(exc, origin.host)
        else:
            reason, error = health.REFUSED, exc.strerror or str(exc)
    if not upstream.connected:
        pool.failed(origin, tried, reason, error)
