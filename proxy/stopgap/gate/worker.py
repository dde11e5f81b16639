"""What does one worker process do between its start and its end?

`python -m stopgap.gate.worker <Start as JSON>` (see `messages.py`). It tells the supervisor that it
is ready, compiles each policy it is handed, accepts clients from the first policy on, reports events
and answers pings. Signals mean nothing to it: the supervisor says when to drain, or is gone, which
means the same.
"""

import asyncio
import gc
import ipaddress
import mmap
import os
import resource
import signal
import socket
import ssl
import sys
from collections.abc import Coroutine
from functools import partial
from typing import Any, Final, cast

import msgspec
import uvloop

from stopgap import _core
from stopgap.gate import messages, tls
from stopgap.gate.client import Client
from stopgap.gate.deadlines import sweep
from stopgap.gate.flags import LEAVING, OUTDATED
from stopgap.gate.pool import Pool
from stopgap.gate.spool import Held
from stopgap.gate.upstream import dial

TICK: Final = 0.5
"""Seconds between two reports of events; every second tick sweeps."""
BACKLOG: Final = 4096
ACCEPTS: Final = 3
"""Connections accepted in one turn of the loop: libuv takes one for each descriptor that it watches."""
FILES_OF_OURS: Final = 64
"""Descriptors that are neither a client's nor an origin's. Each client may need one of an origin."""
FAILURE_WORDS: Final = 8
"""Words of the board for the failures of one origin (`health.FAILURES`)."""
EVENTS_UNSENT: Final = 4 << 20
"""Bytes of events that may wait for the supervisor before further ones are only counted."""


class Gate:
    """The state that all connections of a worker share."""

    def __init__(self, board: memoryview) -> None:
        self.core = _core.Worker(board, int.from_bytes(os.urandom(8), "big"))
        self.board = board
        self.words = {name: first for name, first, _ in _core.board()}
        self.loop = asyncio.get_running_loop()
        self.clock = self.loop.time
        self.pools: list[Pool] = []
        self.retired: list[Pool] = []
        self.clients: set[Client] = set()
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.most = max(files - FILES_OF_OURS, 2) // 2
        self.shed = 0
        self.held = Held()
        self.folder: str | None = None
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def trusts(self, address: str) -> bool:
        """Whether this peer may say whom it speaks for."""
        if not self._networks:
            return False
        peer = ipaddress.ip_address(address.partition("%")[0])
        return any(peer in network for network in self._networks)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine that belongs to a connection."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def install(self, policy: _core.Policy, message: messages.Activate) -> None:
        """Use a policy from the next request on; a site that stays as it was keeps its connections."""
        known = {pool.site: pool for pool in self.pools}
        pools = [known.get(site) or Pool(site, dial, self.clock) for site in message.sites]
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
        self.core.activate(policy)

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
        self._servers: list[asyncio.Server] = []
        self._context: ssl.SSLContext | None = None
        self._patience = messages.Settings().drain
        self._odd = False

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
                self._certify(message.settings.tls)
                self.gate.install(policy, message)
                if not self._servers and self.draining is None:
                    await self._listen()
            except (_core.PolicyError, tls.TlsError, OSError, ValueError) as exc:
                self.send(messages.Failed(version=message.version, error=str(exc)))
                return
            self._patience = message.settings.drain
            gc.collect()
            gc.freeze()
            self.send(messages.Activated(version=message.version))

    def _certify(self, wanted: messages.Tls | None) -> None:
        """Make the context of the TLS listeners, or give the one in use its new certificate."""
        if wanted is None:
            return
        made = tls.context(wanted)
        if self._context is None:
            self._context = made
        else:
            tls.load(self._context, wanted)

    async def _listen(self) -> None:
        for listener in self.start.listen:
            if listener.tls and self._context is None:
                raise tls.TlsError("a listener is marked tls, but no certificate and key are given")
            for _ in range(ACCEPTS):
                server = await self.gate.loop.create_server(
                    partial(Client, self.gate, listener.tls),
                    sock=socket.socket(fileno=os.dup(listener.fd)),
                    backlog=BACKLOG,
                    ssl=self._context if listener.tls else None,
                    ssl_handshake_timeout=10.0 if listener.tls else None,
                    ssl_shutdown_timeout=2.0 if listener.tls else None,
                )
                self._servers.append(server)
            os.close(listener.fd)  # so that closing the servers ends the listening

    def drain(self, seconds: float) -> None:
        """Accept no more; end when nothing runs, or after so many seconds."""
        end = self.gate.clock() + seconds
        if self.draining is not None:
            self.draining = min(self.draining, end)
            return
        self.draining = end
        for server in self._servers:
            server.close()
        for client in self.gate.clients:
            client.flags |= LEAVING

    def _tick(self) -> None:
        if self.finished.done():
            return
        gate = self.gate
        gate.loop.call_later(TICK, self._tick)
        now = gate.clock()
        self._odd = not self._odd
        gate.board[gate.words["heartbeat"]] += 1
        if self._odd:
            sweep(gate, now)
            gate.count()
            self._tell_of_shed()
        self._report_events()
        if self.draining is not None and (not gate.clients or now > self.draining):
            for client in tuple(gate.clients):
                client.transport.abort()
            gate.core.flush()
            self._report_events()
            self.send(messages.Drained())
            self.transport.close()
            self.finished.set_result(None)

    def _tell_of_shed(self) -> None:
        shed, self.gate.shed = self.gate.shed, 0
        if shed:
            most = f"{self.gate.most} clients are the most that the limit of open files (LimitNOFILE) allows"
            print(
                f"stopgap: worker {os.getpid()}: closed {shed} at once: {most}", file=sys.stderr, flush=True
            )

    def _report_events(self) -> None:
        lines = self.gate.core.events()
        if not lines:
            return
        if self.transport.get_write_buffer_size() > EVENTS_UNSENT:
            self.gate.board[self.gate.words["events_dropped"]] += len(lines)
        else:
            self.send(messages.Events(lines=lines))


def _complain(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """One line on stderr instead of a traceback; the connection concerned is closed by the loop."""
    cause = context.get("exception")
    text = f"{type(cause).__name__}: {cause}" if cause is not None else context.get("message", "")
    print(f"stopgap: worker {os.getpid()}: internal error: {text}", file=sys.stderr, flush=True)


def _spare_the_collector() -> None:
    """Cycles are rare here; the default thresholds cost 2 % of a short connection (measured)."""
    gc.set_threshold(20_000, 50, 100)


async def serve(start: messages.Start) -> None:
    """Be a worker until the supervisor has no more use for it."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_complain)
    _spare_the_collector()
    size = os.fstat(start.board).st_size
    words = memoryview(mmap.mmap(start.board, size)).cast("Q")
    first = start.index * _core.BOARD_WORDS
    gate = Gate(words[first : first + _core.BOARD_WORDS])
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


def main() -> None:
    """Entry point of `python -m stopgap.gate.worker`."""
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
        signal.SIGHUP,
        signal.SIGQUIT,
        signal.SIGUSR1,
        signal.SIGUSR2,
    ):
        signal.signal(number, signal.SIG_IGN)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    uvloop.run(serve(msgspec.json.decode(sys.argv[1], type=messages.Start)))


if __name__ == "__main__":
    main()
