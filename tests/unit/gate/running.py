"""What stands for the supervisor and the origin while a real worker process is tested?

`Running` starts `python -m stopgap.gate.worker` as the supervisor does and speaks its messages.
`Origin` is a server of raw sockets: a function of the test has each connection in a thread of its own.
"""

import mmap
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from stopgap import _core
from stopgap.gate import messages
from tests import policies

Report = TypeVar("Report")
SECONDS = 20.0


class Origin:
    """`serve(connection)` runs in a thread for each connection; the worker may reset that."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self.serve = serve
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.connections = 0
        self.threads = [threading.Thread(target=self._accept)]
        self.threads[0].start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.sock.getsockname()[1]}"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.sock.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._run, args=(connection,))
            self.threads.append(thread)
            thread.start()

    def _run(self, connection: socket.socket) -> None:
        connection.settimeout(SECONDS)
        with connection, suppress(ConnectionError):
            self.serve(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        for thread in self.threads:
            thread.join(SECONDS)


def read_head(connection: socket.socket) -> bytes:
    """Bytes up to the end of a head (and what came with it); b"" when the peer closed."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return b""
        data += more
    return data


def answer(connection: socket.socket, body: bytes = b"ok", extra: bytes = b"") -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s" % (len(body), extra, body))


def keep_alive(connection: socket.socket) -> None:
    """An origin that answers every bodiless request with `ok` for as long as it is asked."""
    while read_head(connection):
        answer(connection)


class Running:
    """One worker process with one listening socket."""

    def __init__(self, tls: bool = False) -> None:
        self.control, theirs = socket.socketpair()
        self.control.settimeout(SECONDS)
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = listener.getsockname()[1]
        board = os.memfd_create("board")
        os.ftruncate(board, 8 * (2 * _core.BOARD_WORDS + _core.RATE_WORDS))
        self.board = memoryview(mmap.mmap(board, 0)).cast("Q")[_core.BOARD_WORDS :]
        start = messages.Start(
            index=1,
            control=theirs.fileno(),
            board=board,
            listen=[messages.Listener(listener.fileno(), tls)],
        )
        self.process = subprocess.Popen(
            [sys.executable, "-m", "stopgap.gate.worker", msgspec.json.encode(start).decode()],
            pass_fds=(theirs.fileno(), board, listener.fileno()),
            stderr=subprocess.PIPE,
            text=True,
        )
        theirs.close()
        listener.close()
        os.close(board)
        self.complaint = ""
        """What the worker is expected to say on stderr."""
        self.frames = messages.reports()
        self.reports: list[messages.Report] = []
        self.receive(messages.Ready)

    def send(self, message: messages.Command) -> None:
        self.control.sendall(messages.frame(message))

    def receive(self, kind: type[Report]) -> Report:
        """The next report of this kind; others that come before it are dropped."""
        while True:
            while self.reports:
                report = self.reports.pop(0)
                if isinstance(report, kind):
                    return report
            data = self.control.recv(1 << 20)
            assert data, "the worker closed its control socket"
            self.reports.extend(self.frames.feed(data))

    def use(
        self,
        *origins: str,
        server: str = "iis6",
        version: str = "v",
        settings: messages.Settings | None = None,
        site: dict[str, Any] | None = None,
        **gate: Any,
    ) -> None:
        """Activate a policy of one site; `site` are keys of its specification, `gate` of `messages.Site`."""
        spec = policies.specification(
            [policies.site(server, name="test", **(site or {}))],
            [policies.rule("ida", policies.extension("ida"))],
        )
        numbers = tuple(range(len(origins)))
        made = messages.Site(name="test", origins=origins, counters=numbers, **gate)
        self.send(
            messages.Activate(
                version=version, spec=spec, sites=[made], settings=settings or messages.Settings()
            )
        )
        assert self.receive(messages.Activated).version == version

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), SECONDS)

    def ask(self, request: bytes) -> bytes:
        """Send on a connection of its own and read until it closes."""
        with self.connect() as client:
            client.sendall(request)
            return read_all(client)

    def word(self, name: str, index: int = 0) -> int:
        """A word of the worker's slot on the board."""
        first = {region: start for region, start, _ in _core.board()}[name]
        return int(self.board[first + index])

    def resident(self) -> int:
        """Memory in KiB."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.control.close()
        if kind is not None:
            self.process.kill()
        _, said = self.process.communicate(timeout=40)
        if kind is None:
            assert self.process.returncode == 0
            assert (self.complaint in said) if self.complaint else (said == "")


def read_all(client: socket.socket) -> bytes:
    data = bytearray()
    while more := client.recv(1 << 20):
        data += more
    return bytes(data)
