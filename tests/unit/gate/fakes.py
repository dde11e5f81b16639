"""What stands for sockets, the core and the pool while one file of the gate is tested?

`Script` is a session that says what it is told: each call takes the next line of the script, which
names the call and the bytes expected and gives the command and payload to answer with. `Wire` is a
transport that remembers what was done to it. So a test reads like the conversation.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine
from typing import Any, cast

from stopgap import _core
from stopgap.gate import health
from stopgap.gate.client import Client
from stopgap.gate.messages import Site
from stopgap.gate.pool import Origin, Pool
from stopgap.gate.spool import Held
from stopgap.gate.upstream import Upstream
from stopgap.gate.worker import Gate

SITE = Site(name="test", origins=("http://192.0.2.1:80",), counters=(0,))


class Script:
    """A session that follows a script of (call, bytes expected, command, payload)."""

    def __init__(self) -> None:
        self.lines: deque[tuple[str, Any, int, bytes]] = deque()
        self.site = 0
        self.retriable = False
        self.busy = False
        self.closed = False
        self.ended = False
        self.fault: int | None = None
        self.turned: list[str] = []

    def expect(self, call: str, given: Any, command: int, payload: bytes = b"") -> None:
        self.lines.append((call, given, command, payload))

    def _next(self, call: str, given: Any) -> tuple[int, bytes]:
        assert self.lines, f"unexpected {call}({given!r})"
        wanted, expected, command, payload = self.lines.popleft()
        assert (call, given) == (wanted, expected)
        return command, payload

    def receive(self, data: bytes) -> tuple[int, bytes]:
        return self._next("receive", data)

    def respond(self, data: bytes) -> tuple[int, bytes]:
        return self._next("respond", data)

    def lost(self) -> tuple[int, bytes]:
        self.fault = health.CLOSED
        return self._next("lost", None)

    def fail(self, reason: int) -> tuple[int, bytes]:
        self.fault = reason
        return self._next("fail", _core.reasons()[reason][0])

    def expire(self) -> tuple[int, bytes]:
        return self._next("expire", None) if self.lines else (_core.WAIT, b"")

    def turn_away(self, reason: int) -> None:
        self.turned.append(_core.reasons()[reason][0])

    def end(self) -> None:
        self.ended = True


class Wire(asyncio.Transport):
    """A transport without a socket. Closing it tells the protocol at once."""

    def __init__(self, protocol: Any, half: bool = True) -> None:
        super().__init__()
        self.protocol = protocol
        self.half = half
        self.sent = b""
        self.reading = True
        self.state = "open"
        self.unsent = 0
        self.clogs = False
        """Whether the next write fills the buffer."""
        protocol.connection_made(self)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("198.51.100.7", 40000) if name == "peername" else default

    def write(self, data: Any) -> None:
        assert self.state == "open", f"write after {self.state}"
        self.sent += data
        if self.clogs:
            self.clogs = False
            self.protocol.pause_writing()

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def can_write_eof(self) -> bool:
        return self.half

    def write_eof(self) -> None:
        self.state = "half"

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def paused(self) -> bool:
        return not self.reading

    def is_closing(self) -> bool:
        return self.state in ("closed", "aborted", "flushing")

    def close(self) -> None:
        self._end("closed")

    def abort(self) -> None:
        self._end("aborted")

    def _end(self, state: str) -> None:
        if self.state not in ("closed", "aborted"):
            self.state = state
            self.protocol.connection_lost(None)

    def take(self) -> bytes:
        """What was sent since the last time."""
        sent, self.sent = self.sent, b""
        return sent


class Loop:
    """Keeps what should run soon until `run`."""

    def __init__(self) -> None:
        self.soon: deque[Any] = deque()
        self.faults: list[Exception] = []

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.faults.append(context["exception"])

    def call_soon(self, callback: Any, *args: Any) -> None:
        self.soon.append((callback, args))

    def run(self) -> None:
        while self.soon:
            callback, args = self.soon.popleft()
            callback(*args)


class House:
    """What clients share (`worker.Gate`), with one pool whose dials the test completes itself."""

    def __init__(self, site: Site = SITE) -> None:
        self.now = 1000.0
        self.loop = Loop()
        self.core = self
        self.script = Script()
        self.dials: list[tuple[Origin, frozenset[str]]] = []
        self.pool = Pool(site, self._dial, self.clock)
        self.pools = [self.pool]
        self.retired: list[Pool] = []
        self.clients: set[Client] = set()
        self.tarpit: set[Client] = set()
        self.folder: str | None = None
        self.held = Held()
        self.most = 2
        self.shed = 0
        self.leaving = False
        self.work: list[Coroutine[Any, Any, None]] = []

    def clock(self) -> float:
        return self.now

    def session(self, address: str, tls: bool, redirect: int = 0) -> Script:
        assert address == "198.51.100.7"
        return self.script

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.work.append(work)

    def labour(self) -> None:
        """Run what was spawned to its end."""

        async def all_of_it() -> None:
            while self.work:
                await self.work.pop(0)

        asyncio.run(all_of_it())

    def _dial(self, pool: Pool, origin: Origin, tried: frozenset[str]) -> None:
        self.dials.append((origin, tried))

    def client(self, tls: bool = False) -> tuple[Client, Wire]:
        client = Client(cast(Gate, self), tls)
        return client, Wire(client, half=not tls)

    def connect(self) -> tuple[Upstream, Wire]:
        """Complete the oldest dial."""
        origin, _ = self.dials.pop(0)
        upstream = Upstream(self.pool, origin)
        return upstream, Wire(upstream)

    def idle(self) -> tuple[Upstream, Wire]:
        """An idle connection, as if an exchange had just finished on it."""
        origin = self.pool.origins[0]
        origin.dialing += 1
        upstream = Upstream(self.pool, origin)
        return upstream, Wire(upstream)
