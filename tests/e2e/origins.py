"""What did the origin get, and what does an origin say that behaves in its own way?

`Origin` listens on loopback and gives each connection to a script, a function of one `Peer` that reads and
answers as it likes; `answering` is the usual one. Every byte that arrives is kept by connection.
"""

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

PATIENCE = 30.0
"""Seconds that a script waits for the gate before it gives up."""


@dataclass(frozen=True)
class Request:
    """One whole request; names of `fields` are in lower case, `raw` is head and body as they came."""

    method: bytes
    target: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes
    raw: bytes

    def values(self, name: bytes) -> list[bytes]:
        return [value for known, value in self.fields if known == name]


@dataclass(eq=False)
class Peer:
    """One connection of the gate. `raw` is all that it sent, `requests` what was whole."""

    number: int
    sock: socket.socket
    raw: bytearray = field(default_factory=bytearray)
    requests: list[Request] = field(default_factory=list)
    read: int = 0

    def more(self) -> bool:
        """Receive some bytes; False when the gate has closed."""
        data = self.sock.recv(1 << 16)
        self.raw += data
        return bool(data)

    def head(self) -> bytes | None:
        """The next head, with its empty line; None when the gate closes before it is whole."""
        while (end := self.raw.find(b"\r\n\r\n", self.read)) < 0:
            if not self.more():
                return None
        head = bytes(self.raw[self.read : end + 4])
        self.read = end + 4
        return head

    def request(self) -> Request | None:
        """The next whole request; None when the gate closes before that."""
        head = self.head()
        if head is None:
            return None
        line, *lines = head[:-4].split(b"\r\n")
        method, target, _ = line.split(b" ")
        fields = tuple(
            (name.lower(), value.strip()) for name, _, value in (one.partition(b":") for one in lines)
        )
        length = int(dict(fields).get(b"content-length", b"0"))
        assert b"transfer-encoding" not in dict(fields), "the gate decodes chunked requests"
        while len(self.raw) < self.read + length:
            if not self.more():
                return None
        body = bytes(self.raw[self.read : self.read + length])
        self.read += length
        self.requests.append(Request(method, target, fields, body, head + body))
        return self.requests[-1]

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def reset(self) -> None:
        """End the connection with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


Script = Callable[[Peer], None]


def answer(body: bytes, *fields: str, status: str = "200 OK") -> bytes:
    """An answer with Content-Length."""
    lines = [f"HTTP/1.1 {status}", *fields, f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def answering(reply: Callable[[Request], bytes]) -> Script:
    """Answer each request of a connection until the gate closes it."""

    def script(peer: Peer) -> None:
        while (request := peer.request()) is not None:
            peer.send(reply(request))

    return script


def echo(request: Request) -> bytes:
    """Say what came: method, target and length of the body."""
    said = b"%s %s %d" % (request.method, request.target, len(request.body))
    whole = answer(said, "X-Origin: echo")
    return whole[: len(whole) - len(said)] if request.method == b"HEAD" else whole


class Origin:
    """A listening origin; `script` may be replaced between connections."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self.script = script
        self.tls = tls
        self.faults: list[str] = []
        """Why handshakes failed, as this side sees it."""
        self.peers: list[Peer] = []
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._acceptor = threading.Thread(target=self._accept, name="origin")

    @property
    def requests(self) -> list[Request]:
        """All whole requests, connection by connection."""
        return [request for peer in list(self.peers) for request in list(peer.requests)]

    @property
    def raw(self) -> bytes:
        """All bytes that came, connection by connection."""
        return b"".join(bytes(peer.raw) for peer in list(self.peers))

    def forget(self) -> None:
        """Forget all connections, which are closed by now."""
        with self._lock:
            self.peers = []

    def tidy(self) -> None:
        """Forget the connections that are closed, for an origin that lives long: a thread that has ended
        keeps its stack as long as somebody holds it."""
        with self._lock:
            self.peers = [peer for peer in self.peers if peer.sock.fileno() >= 0]
            self._threads = [thread for thread in self._threads if thread.is_alive()]

    def hang_up(self) -> None:
        """End every connection, as an origin does that restarts, and wait until the gate has noticed."""
        for peer in list(self.peers):
            with suppress(OSError):
                peer.sock.shutdown(socket.SHUT_WR)
        until(lambda: all(peer.sock.fileno() < 0 for peer in self.peers))

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(PATIENCE)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                peer = Peer(len(self.peers), sock)
                self.peers.append(peer)
                thread = threading.Thread(target=self._serve, args=(peer,), name=f"origin peer {peer.number}")
                thread.start()
                self._threads.append(thread)

    def _serve(self, peer: Peer) -> None:
        if self.tls is not None:
            try:
                peer.sock = self.tls.wrap_socket(peer.sock, server_side=True)
            except OSError as error:
                self.faults.append(str(error))
                peer.sock.close()
                return
        with peer.sock, suppress(OSError):
            self.script(peer)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join()
        for peer in self.peers:
            with suppress(OSError):
                peer.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def start(self) -> None:
        self._acceptor.start()


@contextmanager
def running(script: Script | None = None, tls: ssl.SSLContext | None = None) -> Iterator[Origin]:
    """An origin for a while; the echo without a script."""
    origin = Origin(script or answering(echo), tls)
    origin.start()
    try:
        yield origin
    finally:
        origin.close()


def until(true: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until something is true; fails when it does not come true in time."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"still not so after {seconds:g} s"
        time.sleep(0.01)


def free_port() -> int:
    """A loopback port at which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def deaf() -> Iterator[str]:
    """The URL of a port whose queue is full, so that no connection to it is ever made."""
    with ExitStack() as opened:
        listener = opened.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):
            sock = opened.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
