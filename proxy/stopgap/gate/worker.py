"""What does one worker process do between its start and its end?

`python -m stopgap.gate.worker <Start as JSON>` (see `messages.py`). It tells the supervisor that it
is ready, compiles each policy it is handed, accepts clients from the first policy on, reports events
and answers pings. Signals mean nothing to it: the supervisor says when to drain, or is gone, which
means the same.

A drain loses nobody who is connected: who waits in the queue of a listening socket is still taken, every
answer that begins says `Connection: close`, and a connection is closed without one only after it has lain
idle for a while.
"""

import asyncio
import contextlib
import gc
import ipaddress
import mmap
import os
import resource
import signal
import socket
import ssl
import sys
from collections import Counter
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import uvloop

from stopgap import _core
from stopgap.gate import messages, sockets, tls
from stopgap.gate.client import LOCAL, Client
from stopgap.gate.contexts import TlsError
from stopgap.gate.deadlines import sweep
from stopgap.gate.flags import LEAVING, OUTDATED
from stopgap.gate.greeter import Greeter, admit
from stopgap.gate.origin_tls import Secure
from stopgap.gate.pool import Pool
from stopgap.gate.proxy_protocol import Network, among
from stopgap.gate.spool import Held
from stopgap.gate.sticky import StickyPool
from stopgap.gate.upstream import dial
from stopgap.say import say

TICK: Final = 0.5
"""Seconds between two reports of events; every second tick sweeps."""
BACKLOG: Final = 4096
ACCEPTS: Final = 3
"""Connections accepted in one turn of the loop: libuv takes one for each descriptor that it watches."""
FILES_OF_OURS: Final = 64
"""Descriptors that are neither a client's nor an origin's. Each client may need one of an origin."""
FAILURE_WORDS: Final = 8
"""Words of the board for the failures of one origin (`health.FAILURES`)."""
LATECOMERS: Final = 0.05
"""Seconds after the last regular accept when the queues of the listening sockets are emptied: by then the
loop has let go of them, and the supervisor has closed its own."""
GREETING: Final = 2.0
"""Seconds that a drain waits for connections that are no clients yet."""
TELLS: Final = 20
"""A worker tells of failed handshakes once in so many ticks."""
OOM: Final = 200
"""How much sooner than the supervisor a worker is ended when memory runs out (proc(5), oom_score_adj)."""
EVIDENCE_UNSENT: Final = 1 << 20
"""Bytes that may wait for the supervisor before requests are only counted that are to be kept."""
EVENTS_UNSENT: Final = 4 << 20
"""Bytes of events that may wait for the supervisor before further ones are only counted."""


class Gate:
    """The state that all connections of a worker share.

    `proxies` are the peers that speak PROXY protocol, `greeting` counts connections that are no client yet,
    `unsecured` failed TLS handshakes by what OpenSSL says of them.
    """

    def __init__(self, board: memoryview, rates: memoryview, index: int = 0) -> None:
        self.index = index
        self.core = _core.Worker(board, int.from_bytes(os.urandom(8), "big"), rates)
        self.board = board
        self.words = {name: first for name, first, _ in _core.board()}
        self.loop = asyncio.get_running_loop()
        self.clock = self.loop.time
        self.pools: list[Pool] = []
        self.retired: list[Pool] = []
        self.clients: set[Client] = set()
        self.tarpit: set[Client] = set()
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.most = max(files - FILES_OF_OURS, 2) // 2
        self.shed = 0
        self.leaving = False
        self.greeting = 0
        self.unsecured: Counter[str] = Counter()
        self.proxies: list[Network] = []
        self.held = Held()
        self.folder: str | None = None
        self.version = ""
        self._networks: list[Network] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def session(self, address: str, tls: bool, redirect: int = 0) -> _core.Session:
        """Of a new connection from this address, which is counted, and refused if it is one too many."""
        trusted = bool(self._networks) and among(address, self._networks)
        return self.core.session(address, tls, trusted, redirect)

    def admit(
        self,
        sock: socket.socket,
        name: object,
        front: ssl.SSLContext | None,
        redirect: int,
    ) -> None:
        """Take on a connection that was accepted here; see `greeter.admit`."""
        self.greeting += 1
        self.spawn(admit(self, sock, name[0] if isinstance(name, tuple) else LOCAL, front, redirect))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine that belongs to a connection."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def install(self, policy: _core.Policy, message: messages.Activate) -> None:
        """Use a policy from the next request on; a site whose origins stay the same keeps its connections.

        Raises TlsError, and then nothing has changed.
        """
        workers = message.settings.workers
        sites = [
            msgspec.structs.replace(site, connections=messages.share(site.connections, workers, self.index))
            for site in message.sites
        ]
        pools = [self._pool(site) for site in sites]
        for pool, site in zip(pools, sites, strict=True):
            pool.site = site
        for pool in self.pools:
            if pool not in pools:
                pool.retired = True
                self.retired.append(pool)
        for client in self.clients:
            if client.session.busy:
                client.flags |= OUTDATED
            else:
                client.follow(pools)
        self.pools = pools
        self.folder = message.settings.spool
        self._networks = [ipaddress.ip_network(text) for text in message.settings.trusted]
        self.proxies = [ipaddress.ip_network(text) for text in message.settings.proxy_protocol]
        self.core.activate(policy)
        self.version = message.version

    def _pool(self, site: messages.Site) -> Pool:
        """The pool that the site has, or a new one. Raises TlsError."""
        known = (pool for pool in self.pools if pool.lasts(site))
        kind = StickyPool if site.sticky else Pool
        return next(known, None) or kind(site, dial, self.clock, Secure(site.tls) if site.tls else None)

    def count(self) -> None:
        """Write to the board what the core does not see."""
        board, words = self.board, self.words
        for pool in (*self.pools, *self.retired):
            for origin in pool.origins:
                board[words["origin_connections_opened"] + origin.counter] += origin.opened
                board[words["origin_connections_reused"] + origin.counter] += origin.reused
                origin.opened = origin.reused = 0
                errors = words["origin_errors"] + origin.counter * FAILURE_WORDS
                for word, count in enumerate(origin.health.counts):
                    board[errors + word] += count
                    origin.health.counts[word] = 0

    def pong(self, n: int) -> messages.Pong:
        """How clients and origins are."""
        pools = self.pools
        return messages.Pong(
            n=n,
            clients=len(self.clients),
            waiting=sum(len(pool.waiting) for pool in pools),
            origins=[state for pool in pools for state in pool.states()],
        )


class Worker(asyncio.Protocol):
    """The control connection, and what the supervisor asks for over it."""

    def __init__(self, start: messages.Start, gate: Gate) -> None:
        self.start = start
        self.gate = gate
        self.finished = gate.loop.create_future()
        self.draining: float | None = None
        self._frames = messages.commands()
        self._one_at_a_time = asyncio.Lock()
        self._servers: list[asyncio.Server | Greeter] = []
        self._greets: bool | None = None  # nobody listens yet
        self._doors: list[tuple[socket.socket, messages.Listener]] = []
        self._settled = 0.0
        self._front = tls.Front(ssl.PROTOCOL_TLS_SERVER)
        self._patience = messages.Settings().drain
        self._ticks = 0
        self._unkept = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.send(messages.Ready())
        self.gate.loop.call_later(TICK, self._tick)

    def send(self, report: messages.Report) -> None:
        """Tell the supervisor."""
        if not self.transport.is_closing():
            self.transport.write(messages.frame(report))

    def data_received(self, data: bytes) -> None:
        for command in self._frames.feed(data):
            if isinstance(command, messages.Ping):
                self.send(self.gate.pong(command.n))
            elif isinstance(command, messages.Activate):
                self.gate.spawn(self._activate(command))
            else:
                self.drain(command.seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self.drain(self._patience)

    async def _activate(self, message: messages.Activate) -> None:
        async with self._one_at_a_time:
            try:
                policy = await self.gate.loop.run_in_executor(None, _core.Policy, message.spec)
                listening = tls.context(message.settings.tls) if message.settings.tls else None
                self.gate.install(policy, message)
                self._front.current = listening or self._front.current
                if self._greets is None:
                    _spare_the_collector()
                if self.draining is None and self._greets != bool(self.gate.proxies):
                    await self._listen()
            except (_core.PolicyError, TlsError, OSError, ValueError) as exc:
                self.send(messages.Failed(version=message.version, error=str(exc)))
                return
            self._patience = message.settings.drain
            self.send(messages.Activated(version=message.version))

    async def _listen(self) -> None:
        """Accept, in place of what accepted before; through a `Greeter` where a client must show itself."""
        if any(listener.tls for listener in self.start.listen) and self._front.current is None:
            raise TlsError("tls", "a listener is marked tls, but no certificate and key are given")
        if not self._doors:
            self._doors = [(sockets.adopted(one.fd), one) for one in self.start.listen]
        self._deafen()
        self._greets = bool(self.gate.proxies)
        for door, listener in self._doors:
            front = self._front if listener.tls else None
            if self._greets or front is not None:
                self._servers.append(Greeter(self.gate, door.dup(), front, listener.redirect))
                continue
            client = partial(Client, self.gate, False, listener.redirect)
            for _ in range(ACCEPTS):
                server = await self.gate.loop.create_server(client, sock=door.dup(), backlog=BACKLOG)
                self._servers.append(server)

    def _deafen(self) -> None:
        for server in self._servers:
            server.close()
        self._servers.clear()

    def drain(self, seconds: float) -> None:
        """Accept no more; end when nothing runs, or after so many seconds."""
        end = self.gate.clock() + seconds
        if self.draining is not None:
            self.draining = min(self.draining, end)
            return
        self.draining = end
        self._settled = self.gate.clock() + GREETING
        self.gate.leaving = True
        self.gate.core.leave()
        for client in self.gate.tarpit:
            client.flags |= LEAVING
        self._deafen()
        self.gate.loop.call_later(LATECOMERS, self._take_the_rest)

    def _take_the_rest(self) -> None:
        """Whoever connected before the listening ended is a client like any other."""
        doors, self._doors = self._doors, []
        for door, listener in doors:
            front = self._front if listener.tls else None
            with door, contextlib.suppress(OSError):
                for _ in range(BACKLOG):
                    self.gate.admit(*door.accept(), front, listener.redirect)

    def _over(self, now: float) -> bool:
        """Whether nothing is left to be done after a drain, or no time to do it."""
        if self.draining is None or now > self.draining:
            return self.draining is not None
        waiting = self._doors or self.gate.clients or (self.gate.greeting and now < self._settled)
        return not waiting

    def _tick(self) -> None:
        if self.finished.done():
            return
        gate = self.gate
        gate.loop.call_later(TICK, self._tick)
        now = gate.clock()
        gate.board[gate.words["heartbeat"]] += 1
        self._ticks += 1
        if self._ticks % 2 == 0:
            sweep(gate, now)
            gate.count()
            self._tell_of_shed()
        if self._ticks % TELLS == 0:
            self._tell_of_unsecured()
        self._report_events()
        if self._over(now):
            for client in tuple(gate.clients):
                client.transport.abort()
            gate.core.flush()
            self._tell_of_unsecured()
            self._report_events()
            self.send(messages.Drained())
            self.transport.close()
            self.finished.set_result(None)

    def _tell_of_shed(self) -> None:
        shed, self.gate.shed = self.gate.shed, 0
        self.gate.board[self.gate.words["connections_shed"]] += shed
        if shed:
            most = f"{self.gate.most} clients are the most that the limit of open files (LimitNOFILE) allows"
            say(f"worker {os.getpid()}: closed {shed} at once: {most}")

    def _tell_of_unsecured(self) -> None:
        failed, self.gate.unsecured = self.gate.unsecured, Counter()
        if failed:
            whys = ", ".join(f"{why} {count}" for why, count in failed.most_common(3))
            say(f"worker {os.getpid()}: {failed.total()} TLS handshakes of clients failed: {whys}")

    def _report_events(self) -> None:
        lines = self.gate.core.events()
        if lines:
            self._report(lines)
        self._report_evidence(lines)

    def _report(self, lines: list[messages.EventLine]) -> None:
        if self.transport.get_write_buffer_size() > EVENTS_UNSENT:
            self.gate.board[self.gate.words["events_dropped"]] += len(lines)
        else:
            self.send(messages.Events(lines=lines))

    def _report_evidence(self, lines: list[messages.EventLine]) -> None:
        """Send the requests that are to be kept, each with its event, which is one of these."""
        rows, missing = self.gate.core.evidence()
        self._unkept += missing
        if not rows and not self._unkept:
            return
        if self.transport.get_write_buffer_size() > EVIDENCE_UNSENT:
            self._unkept += len(rows)
            return
        told = {line[0]: line for line in lines if line[1] == 0}
        kept = [(messages.Captured(*row), told.get(row[0])) for row in rows]
        self.send(messages.Evidence(version=self.gate.version, kept=kept, missing=self._unkept))
        self._unkept = 0


def _complain(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """One line on stderr instead of a traceback; the connection concerned is closed by the loop."""
    cause = context.get("exception")
    text = f"{type(cause).__name__}: {cause}" if cause is not None else context.get("message", "")
    say(f"worker {os.getpid()}: internal error: {text}")


def _spare_the_collector() -> None:
    """Cycles are rare here; the default thresholds cost 2 % of a short connection (measured).

    What is there before the first client stays for good and is not looked at again. Nothing later may be
    frozen: of a client that lived at that moment, whatever is in a cycle would never be freed.
    """
    gc.set_threshold(20_000, 50, 100)
    gc.collect()
    gc.freeze()


def _be_the_first_to_go() -> None:
    """Where memory runs out the kernel shall end a worker, which is started again, not the supervisor."""
    file = Path("/proc/self/oom_score_adj")
    with contextlib.suppress(OSError):
        file.write_text(str(min(int(file.read_text()) + OOM, 1000)))


async def serve(start: messages.Start) -> None:
    """Be a worker until the supervisor has no more use for it."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_complain)
    size = os.fstat(start.board).st_size
    words = memoryview(mmap.mmap(start.board, size)).cast("Q")
    first = start.index * _core.BOARD_WORDS
    gate = Gate(words[first : first + _core.BOARD_WORDS], words[-_core.RATE_WORDS :], start.index)
    worker = Worker(start, gate)
    control = socket.socket(fileno=start.control)
    await loop.create_unix_connection(lambda: worker, sock=control)
    await worker.finished


_DEAF_TO: Final = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
"""What a terminal or an operator sends to the whole group is for the supervisor alone."""


def main() -> None:
    """Entry point of `python -m stopgap.gate.worker`."""
    for number in _DEAF_TO:
        signal.signal(number, signal.SIG_IGN)
    _be_the_first_to_go()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    uvloop.run(serve(msgspec.json.decode(sys.argv[1], type=messages.Start)))


if __name__ == "__main__":
    main()
