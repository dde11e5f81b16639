"""What does a client send, byte for byte, and what does it get back?

`Client` is a raw socket that reads answers by RFC 9112 and keeps what follows for the next one. It is as
strict as a client can be: an answer that cannot be framed, or that ends too early, is an error.
"""

import select
import socket
import ssl
from dataclasses import dataclass
from types import TracebackType

PATIENCE = 30.0
HOME = "127.0.0.1"


@dataclass(frozen=True)
class Answer:
    """One final answer; names of `fields` are in lower case."""

    status: int
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes
    interim: tuple[int, ...] = ()

    def get(self, name: bytes) -> bytes:
        """The value of a field, b"" when it is not there."""
        return dict(self.fields).get(name, b"")

    @property
    def event(self) -> str:
        """The id of the refusal's event; "" when the answer is not the gate's own."""
        return self.get(b"x-stopgap-event").decode()


class Cut(Exception):
    """The connection ended in the middle of an answer, or before it; what came is the argument."""


class Client:
    """One connection to the gate, from the address `source`."""

    def __init__(
        self,
        port: int,
        tls: ssl.SSLContext | None = None,
        receive: int = 0,
        source: str = HOME,
        name: str | None = "localhost",
    ) -> None:
        """`name` is the host that a TLS client asks for and checks."""
        sock = socket.socket()
        if source != HOME:
            sock.bind((source, 0))
        if receive:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        sock.settimeout(PATIENCE)
        try:
            sock.connect(("127.0.0.1", port))
            if sock.getsockname() == sock.getpeername():
                raise ConnectionRefusedError("nobody listens, and the socket met itself")
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sock = tls.wrap_socket(sock, server_hostname=name) if tls else sock
        except OSError:
            sock.close()
            raise
        self.buffer = bytearray()

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def end(self) -> None:
        """Send no more, but listen."""
        self.sock.shutdown(socket.SHUT_WR)

    def _more(self) -> bool:
        data = self.sock.recv(1 << 16)
        self.buffer += data
        return bool(data)

    def _take(self, count: int) -> bytes:
        while len(self.buffer) < count:
            if not self._more():
                raise Cut(bytes(self.buffer))
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken

    def _until(self, mark: bytes) -> bytes:
        while (end := self.buffer.find(mark)) < 0:
            if not self._more():
                raise Cut(bytes(self.buffer))
        return self._take(end + len(mark))

    def answer(self, method: bytes = b"GET") -> Answer:
        """The next final answer. Raises `Cut`."""
        interim: list[int] = []
        while True:
            line, *lines = self._until(b"\r\n\r\n")[:-4].split(b"\r\n")
            version, status, *_ = line.split(b" ", 2)
            assert version in (b"HTTP/1.0", b"HTTP/1.1"), line
            code = int(status)
            if code >= 200 or code == 101:
                break
            interim.append(code)
        fields = tuple(
            (name.lower(), value.strip()) for name, _, value in (one.partition(b":") for one in lines)
        )
        return Answer(code, fields, self._body(method, code, dict(fields)), tuple(interim))

    def _body(self, method: bytes, status: int, fields: dict[bytes, bytes]) -> bytes:
        if method == b"HEAD" or status in (101, 204, 304):
            return b""
        if b"transfer-encoding" in fields:
            assert fields[b"transfer-encoding"].lower() == b"chunked" and b"content-length" not in fields
            return self._chunks()
        if b"content-length" in fields:
            return self._take(int(fields[b"content-length"]))
        return self.rest()

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self._until(b"\r\n").split(b";")[0], 16):
            body += self._take(size)
            assert self._take(2) == b"\r\n"
        while self._until(b"\r\n") != b"\r\n":
            pass
        return body

    def rest(self) -> bytes:
        """All that still comes, to the end of the connection."""
        while self._more():
            pass
        return self._take(len(self.buffer))

    def ask(self, data: bytes) -> Answer:
        """Send one request and read its answer."""
        self.send(data)
        return self.answer(data.split(b" ", 1)[0])

    def hung_up(self) -> bool:
        """Whether the gate has closed already; does not wait."""
        return not self.buffer and bool(select.select([self.sock], [], [], 0)[0])

    def closed(self) -> bool:
        """Whether the gate closes now, having said nothing more; waits for it."""
        return not self.buffer and not self._more()


HOST = "intranet.test"


def get(
    target: str | bytes, *fields: str, method: str = "GET", version: str = "1.1", host: str = HOST
) -> bytes:
    """A request without a body."""
    line = method.encode() + b" " + (target.encode() if isinstance(target, str) else target)
    lines = [f"Host: {host}", *fields]
    return line + f" HTTP/{version}\r\n".encode() + "\r\n".join(lines).encode() + b"\r\n\r\n"


def post(
    target: str, body: bytes, *fields: str, method: str = "POST", version: str = "1.1", host: str = HOST
) -> bytes:
    """A request with a body of declared length."""
    fields = (f"Content-Length: {len(body)}", *fields)
    return get(target, *fields, method=method, version=version, host=host) + body


def chunked(target: str, *pieces: bytes, method: str = "POST", host: str = HOST) -> bytes:
    """An upload in chunks."""
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return get(target, "Transfer-Encoding: chunked", method=method, host=host) + chunks + b"0\r\n\r\n"


def ask(port: int, data: bytes) -> Answer:
    """One request on a connection of its own."""
    with Client(port) as client:
        return client.ask(data)
