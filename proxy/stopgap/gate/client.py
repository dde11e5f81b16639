"""How are the core's commands carried out on the client's side?

One `Client` is one client connection and one `Session`. The way of almost every request is the
first branch of `data_received` (a whole request, an idle origin connection) and the first branch of
`Upstream.data_received` (the whole answer), that of an attack the second; all else is in the table
at the end. `flags.py` says what may be unusual about a connection.

Back-pressure: whichever side cannot take more stops the reading of the other (`ORIGIN_FULL`,
`CLOGGED`). Only the client's reading has several reasons to stop; `HELD` is their union.
"""

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from stopgap._core import (
    ANSWER,
    BODY,
    CLOSE,
    END,
    FINISH,
    FORWARD,
    HOLD,
    LAST,
    MORE,
    OPEN,
    PAUSE,
    PIN,
    RELAY,
    RETIRE,
    SEND,
    TARPIT,
    TUNNEL,
    WAIT,
)
from stopgap.gate import ending, health
from stopgap.gate.flags import (
    CLOGGED,
    HALF,
    HELD,
    HOLDING,
    LEAVING,
    LINGER,
    OPENED,
    ORIGIN_FULL,
    OUTDATED,
    OWED,
    PAUSED,
    PINNED,
    PUMPING,
    QUEUED,
    SPILLING,
    TUNNELLED,
    WAITING,
)
from stopgap.gate.spool import Spool, pump, spill
from stopgap.say import say

if TYPE_CHECKING:
    from stopgap._core import Session
    from stopgap.gate.pool import Pool
    from stopgap.gate.upstream import Upstream
    from stopgap.gate.worker import Gate

COMMAND: Final = MORE - 1
LOCAL: Final = "127.0.0.1"
"""What all peers of a Unix socket are called."""


class Client(asyncio.Protocol):
    """One client connection.

    `request` is what was last sent to an origin, kept to send it again; `retried` the one that was.
    `since` is when the request began to wait for a connection, `stalled` when a peer stopped reading
    or the lingering began (monotonic seconds), `backlog` what was unsent at the last sweep, `begun` the
    session of a connection that was counted before it became a client (`greeter.py`).
    """

    __slots__ = (
        "backlog",
        "begun",
        "flags",
        "gate",
        "idle",
        "pending",
        "pinned",
        "pool",
        "pools",
        "receive",
        "redirect",
        "request",
        "respond",
        "retried",
        "session",
        "since",
        "spool",
        "stalled",
        "tls",
        "transport",
        "upstream",
        "write",
    )

    pool: "Pool"
    idle: "list[Upstream]"

    def __init__(self, gate: "Gate", tls: bool, redirect: int = 0, begun: "Session | None" = None) -> None:
        self.gate = gate
        self.tls = tls
        self.redirect = redirect
        self.pinned: Upstream | None = None
        self.flags = 0
        self.upstream: Upstream | None = None
        self.request = b""
        self.retried = b""
        self.pending: list[bytes] = []
        self.spool: Spool | None = None
        self.since = 0.0
        self.stalled = 0.0
        self.backlog = 0
        self.begun = begun

    def follow(self, pools: "list[Pool]") -> None:
        """Take connections from these pools. `idle` is the short way: the idle connections of the only
        origin of the only site; always empty where there is a choice, or a connection of the client's own."""
        self.pools = pools
        self.idle = []
        if len(pools) == 1:
            self.pool = pools[0]
            if self.pool.single is not None and self.pinned is None:
                self.idle = self.pool.single

    def connection_made(self, transport: Any) -> None:
        self.transport: asyncio.Transport = transport
        self.write = self.transport.write
        peer = transport.get_extra_info("peername")
        address = peer[0] if isinstance(peer, tuple) else LOCAL
        self.session = self.begun or self.gate.session(address, self.tls, self.redirect)
        self.follow(self.gate.pools)
        self.receive = self.session.receive
        self.respond = self.session.respond
        self.gate.clients.add(self)
        if self.session.closed:
            self.transport.abort()
        elif len(self.gate.clients) > self.gate.most:
            self.gate.shed += 1
            self.session.turn_away(health.FULL)
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        command, payload = self.receive(data)
        if command == FORWARD:
            if not self.idle:
                self._forward(payload)
                return
            upstream = self.idle.pop()
            upstream.origin.reused += 1
            self.request = payload
            self.upstream = upstream
            upstream.client = self
            upstream.respond = self.respond
            upstream.reply = self.write
            upstream.write(payload)
        elif command == ANSWER:
            self.write(payload)
        else:
            self._perform(command, payload)

    # The client's side, once more and in full.

    def _perform(self, command: int, payload: bytes) -> None:
        while True:
            _PERFORM[command & COMMAND](self, payload)
            if not command & MORE:
                return
            if self.flags & CLOGGED:
                self.hold_back(OWED)
                return
            command, payload = self.receive(b"")

    def _again(self) -> None:
        """The core has more requests. An error must not leave the client waiting: uvloop would close
        the connection only for one in `data_received` as the loop calls it."""
        try:
            self.data_received(b"")
        except BaseException:
            self.transport.abort()
            raise
        if self.flags & HALF and self.upstream is None and not self.flags & (WAITING | SPILLING | OWED):
            ending.part(self)  # what it sent before it closed its half is all answered

    def _wait(self, payload: bytes) -> None:
        """The core needs more bytes."""

    def _forward(self, payload: bytes) -> None:
        self.request = payload
        upstream = self.pinned
        if upstream is None:
            self.pool = self.pools[self.session.site]
            upstream = self.pool.take(self)
        if upstream is None:
            self._enqueue()
        else:
            self.granted(upstream)

    def _open(self, payload: bytes) -> None:
        self.flags |= OPENED
        self._forward(payload)

    def _body(self, payload: bytes) -> None:
        if self.upstream is not None:
            self.upstream.write(payload)
        else:
            self.pending.append(payload)
            self.hold_back(QUEUED)

    def _end(self, payload: bytes) -> None:
        self.flags &= ~OPENED
        self._body(payload)

    def _hold(self, payload: bytes) -> None:
        self.flags |= HOLDING
        if self.spool is None:
            self.spool = Spool(self.gate.folder, self.gate.held)
        if self.spool.add(payload) and not self.flags & SPILLING:
            self.hold_back(SPILLING)
            self.gate.spawn(spill(self.spool, partial(self._spilled, self.spool)))

    def _send(self, payload: bytes) -> None:
        self.flags &= ~HOLDING
        if self.flags & SPILLING:
            self.request = payload
        else:
            self._forward(payload)

    def _answer(self, payload: bytes) -> None:
        self.write(payload)

    def _pause(self, payload: bytes) -> None:
        self.hold_back(PAUSED)

    # The way to an origin connection (`pool.Waiter`).

    def _enqueue(self, first: bool = False) -> None:
        self.flags |= WAITING
        self.pool.enqueue(self, first)

    @property
    def belongs(self) -> int | None:
        """The origin that the request belongs to, by its index; asked only where a site is sticky."""
        return self.session.belongs

    def carried(self, origin: int) -> None:
        """The origin of this index gets the request (`StickyPool`)."""
        self.session.carried(origin)

    def granted(self, upstream: "Upstream") -> None:
        """The pool gives this connection: send what there is of the request."""
        self.flags &= ~WAITING
        self.upstream = upstream
        upstream.attach(self, self.request)
        spool = self.spool
        if self.pending:
            upstream.transport.writelines(self.pending)
            self.pending = []
        elif spool is not None and spool.file is None:
            upstream.transport.writelines(spool.take())
            self.spool = None
        elif spool is not None:
            self.flags |= PUMPING
            self.gate.spawn(pump(spool, upstream, partial(self._pumped, spool)))
        self.go_on(QUEUED)

    def refused(self, reason: int) -> None:
        """There will be no connection for this request."""
        self.flags &= ~WAITING
        self.settle(*self.session.fail(reason))

    def _spilled(self, spool: Spool, error: OSError | None) -> None:
        self.go_on(SPILLING)
        if self.spool is not spool:
            spool.close()
        elif error is not None:
            self._disk_failed(error)
        elif not self.flags & HOLDING:
            self._forward(self.request)

    def _pumped(self, spool: Spool, error: OSError | None) -> None:
        if self.spool is spool:
            self.spool = None
            self.flags &= ~PUMPING
            if error is not None:
                self._disk_failed(error)

    def _disk_failed(self, error: OSError) -> None:
        say(f"a held request body could not be spooled: {error}")
        self.let_go()
        self.settle(*self.session.fail(health.NO_ROOM))

    # The origin's side, in full.

    def settle(self, command: int, payload: bytes, data: bytes = b"") -> None:
        """Carry out a command of `respond`, `lost`, `fail` or `expire`; `data` is what RELAY means."""
        base = command & COMMAND
        if base == CLOSE:
            if self.upstream is not None and self.session.fault is not None:
                self.upstream.pool.ended(self.upstream, self.session.fault)
            ending.close(self, payload)
            return
        if base == RELAY:
            self.write(data)
        elif payload:
            self.write(payload)
        if base == TUNNEL:
            self.flags |= TUNNELLED
        elif base in _OVER:
            self.finish(base, command)

    def finish(self, base: int, command: int) -> None:
        """The answer is written: `base` (FINISH, RETIRE, PIN) says what becomes of the connection."""
        flags = self.flags
        upstream = self.upstream
        if upstream is not None:
            upstream.pool.ended(upstream, self.session.fault)
        if upstream is None or base == RETIRE or flags & (PUMPING | OPENED):
            self.let_go()
        else:
            self.upstream = None
            if flags & CLOGGED:
                upstream.transport.resume_reading()
            self._part(upstream, base)
        if flags & OUTDATED:
            self.follow(self.gate.pools)
        self.flags &= ~(OUTDATED | HOLDING)
        self.request = b""
        if flags & (OPENED | HOLDING):
            ending.linger(self)
            return
        if command & LAST or self.flags & LEAVING or (flags & HALF and not command & MORE):
            ending.part(self)
            return
        if flags & CLOGGED:
            self.hold_back(OWED)
        elif command & MORE:
            self.gate.loop.call_soon(self._again)
        self.go_on(PAUSED | ORIGIN_FULL | QUEUED)

    def _part(self, upstream: "Upstream", base: int) -> None:
        """A finished exchange leaves its connection to the client (NTLM) or to the pool."""
        upstream.detach()
        if self.pinned is None and base == PIN:
            self.pinned = upstream
            self.follow(self.pools)
            self.flags |= PINNED
            upstream.pin(self)
        elif self.pinned is None:
            upstream.pool.release(upstream)

    def let_go(self) -> None:
        """Give up the exchange: its connection, its place in the queue, its held body."""
        if self.flags & WAITING:
            self.pool.cancel(self)
        upstream, self.upstream = self.upstream, None
        if upstream is not None:
            upstream.drop()
            if upstream is self.pinned:
                self._logged_out()
        spool, self.spool = self.spool, None
        if spool is not None and not self.flags & (SPILLING | PUMPING):
            spool.close()
        self.pending = []
        self.flags &= ~(WAITING | PUMPING)

    def _logged_out(self) -> None:
        """The login went with the origin connection; a client that stayed would believe to have it."""
        self.pinned = None
        self.flags = self.flags & ~PINNED | LEAVING

    def origin_lost(self, upstream: "Upstream") -> None:
        """The origin closed; a connection that had only been idle too long is tried once again."""
        idle = self.upstream is None
        self.upstream = None
        if upstream is self.pinned:
            self._logged_out()
        elif upstream.reused and self.request is not self.retried and self.session.retriable:
            self.retried = self.request
            self._enqueue(first=True)
            return
        if idle:
            self.transport.close()
            return
        command, payload = self.session.lost()
        upstream.pool.ended(upstream, self.session.fault)
        self.settle(command, payload)

    # Back-pressure, and the end.

    def hold_back(self, why: int) -> None:
        if not self.flags & HELD and not self.transport.is_closing():
            self.transport.pause_reading()
        self.flags |= why

    def go_on(self, why: int) -> None:
        if not self.flags & why:
            return
        self.flags &= ~why
        if not self.flags & HELD and not self.transport.is_closing():
            self.transport.resume_reading()

    def origin_full(self) -> None:
        """The origin reads more slowly than the client sends."""
        self.stalled = self.gate.clock()
        self.hold_back(ORIGIN_FULL)

    def origin_drained(self) -> None:
        """The origin has caught up."""
        self.go_on(ORIGIN_FULL)

    def pause_writing(self) -> None:
        self.flags |= CLOGGED
        self.stalled = self.gate.clock()
        if self.upstream is None:
            self.hold_back(OWED)
        else:
            self.upstream.transport.pause_reading()

    def resume_writing(self) -> None:
        self.flags &= ~CLOGGED
        if self.upstream is not None:
            self.upstream.transport.resume_reading()
        if self.flags & OWED:
            self.go_on(OWED)
            self.gate.loop.call_soon(self._again)

    def eof_received(self) -> bool:
        """A client that has sent its whole request may close its half and still gets the answer."""
        whole = not self.flags & (OPENED | HOLDING | TUNNELLED | LINGER)
        if whole and not self.tls and (self.upstream is not None or self.flags & (WAITING | SPILLING)):
            self.flags |= HALF
            return True
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self.flags or self.upstream is not None:
            pinned = self.pinned
            self.let_go()
            if pinned is not None:
                pinned.drop()
            self.gate.tarpit.discard(self)
        self.session.end()
        self.gate.clients.discard(self)


_OVER: Final = frozenset((FINISH, RETIRE, PIN))

_PERFORM: Final = {
    WAIT: Client._wait,
    FORWARD: Client._forward,
    OPEN: Client._open,
    BODY: Client._body,
    END: Client._end,
    HOLD: Client._hold,
    SEND: Client._send,
    ANSWER: Client._answer,
    CLOSE: ending.close,
    PAUSE: Client._pause,
    TARPIT: ending.tarpit,
    TUNNEL: Client._body,
}
