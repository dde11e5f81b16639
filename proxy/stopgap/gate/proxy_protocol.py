"""For whom does a peer speak that says so by PROXY protocol, version 1 or 2?

The header is the first that such a peer sends, before any handshake of TLS (HAProxy's
`proxy-protocol.txt`). `parse` takes the bytes so far; `Greeter` accepts the connections of one listener,
takes exactly the header off the socket, and hands that on as if the client had connected itself. It stands
in the place of uvloop's own listener only where `proxy_protocol` names peers.

We are stricter than the text where it leaves a choice: datagrams, Unix sockets and unknown families are
refused, numbers have no leading zeros, and a header of version 2 is at most `LONGEST` bytes. What follows
the addresses in version 2 (TLVs) is skipped.
"""

import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from stopgap import _core
from stopgap.gate.client import Client
from stopgap.gate.sockets import SPENT

if TYPE_CHECKING:
    from stopgap.gate.worker import Gate

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

SECONDS: Final = 10.0
"""How long a header may take."""
LONGEST: Final = 4096
LONGEST_TEXT: Final = 107
"""Bytes of a header of version 1, CR and LF counted."""
ACCEPTS: Final = 64
"""Connections accepted in one turn of the loop."""
PAUSE: Final = 1.0
"""Seconds without accepting when the kernel has no descriptor or memory left."""
REASON: Final = [name for name, *_ in _core.reasons()].index("proxy-header")

_TEXT: Final = b"PROXY "
_BINARY: Final = b"\r\n\r\n\0\r\nQUIT\n"
_PORT = rb"(0|[1-9][0-9]{0,4})"
_LINE: Final = re.compile(rb"PROXY TCP([46]) ([0-9A-Fa-f.:]+) ([0-9A-Fa-f.:]+) " + _PORT + b" " + _PORT)
_UNKNOWN: Final = re.compile(rb"PROXY UNKNOWN( [ -~]*)?")
_VERSION_AND_COMMAND: Final = {0x20: "local", 0x21: "proxy"}
_FAMILIES: Final = {0x00: 0, 0x11: 4, 0x21: 16}
"""Bytes of an address of each family (unspecified, TCP over IPv4, TCP over IPv6)."""


class NotAHeader(Exception):
    """What a peer sent can't become a PROXY header."""


@dataclass(frozen=True, slots=True)
class Header:
    """A whole header: its bytes, and the address of the client; "" where the peer speaks for itself."""

    length: int
    source: str = ""


def parse(data: bytes) -> Header | None:
    """The header that `data` begins with; None while all of it may be the beginning of one.

    Raises `NotAHeader`.
    """
    if data.startswith(_BINARY[: len(data)]):
        return _binary(data)
    if data.startswith(_TEXT[: len(data)]):
        return _text(data)
    raise NotAHeader


def _text(data: bytes) -> Header | None:
    line, end, _ = data[:LONGEST_TEXT].partition(b"\r\n")
    if not end:
        if len(data) >= LONGEST_TEXT:
            raise NotAHeader
        return None
    length = len(line) + 2
    if _UNKNOWN.fullmatch(line):
        return Header(length)
    found = _LINE.fullmatch(line)
    if found is None:
        raise NotAHeader
    family, source, destination, *ports = found.groups()
    made = ipaddress.IPv4Address if family == b"4" else ipaddress.IPv6Address
    try:
        client, _ = made(source.decode()), made(destination.decode())
    except ValueError:
        raise NotAHeader from None
    if any(int(port) > 65535 for port in ports):
        raise NotAHeader
    return Header(length, _plain(client))


def _binary(data: bytes) -> Header | None:
    """Signature, version and command, family, length of the rest; then the addresses, the source first."""
    if len(data) < 16:
        return None
    command, size = _VERSION_AND_COMMAND.get(data[12]), _FAMILIES.get(data[13])
    length = 16 + int.from_bytes(data[14:16], "big")
    if command is None or length > LONGEST:
        raise NotAHeader
    if command == "local":  # then family and addresses mean nothing
        return Header(length) if len(data) >= length else None
    if size is None or length < 16 + (2 * size + 4 if size else 0):
        raise NotAHeader
    if len(data) < length:
        return None
    return Header(length, _plain(ipaddress.ip_address(data[16 : 16 + size])) if size else "")


def _plain(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """As text; an IPv4 address that is written as IPv6 as what it is."""
    return str(getattr(address, "ipv4_mapped", None) or address)


def among(address: str, networks: Iterable[Network]) -> bool:
    """Whether the address of a peer lies in one of these."""
    peer = ipaddress.ip_address(address.partition("%")[0])
    return any(peer in network for network in networks)


class Greeter:
    """Accepts on one listening socket, which it owns."""

    def __init__(
        self,
        gate: "Gate",
        listening: socket.socket,
        front: ssl.SSLContext | None,
        client: Callable[..., Client],
    ) -> None:
        self._gate = gate
        self._listening = listening
        self._front = front
        self._client = client
        self._closed = False
        listening.setblocking(False)
        self._resume()

    def close(self) -> None:
        """Accept no more; who has connected is served."""
        if not self._closed:
            self._closed = True
            self._gate.loop.remove_reader(self._listening)
            self._listening.close()

    def _resume(self) -> None:
        if not self._closed:
            self._gate.loop.add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        for _ in range(ACCEPTS):
            try:
                sock, name = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in SPENT:
                    raise
                self._gate.loop.remove_reader(self._listening)
                self._gate.loop.call_later(PAUSE, self._resume)
                return
            if len(self._gate.clients) + self._gate.greeting >= self._gate.most:
                self._gate.shed += 1
                sock.close()
            else:
                self._gate.admit(sock, name, self._front, self._client)


def wrapped(front: ssl.SSLContext | None) -> dict[str, Any]:
    """How the loop is told of TLS."""
    if front is None:
        return {}
    return {"ssl": front, "ssl_handshake_timeout": 10.0, "ssl_shutdown_timeout": 2.0}


async def admit(
    gate: "Gate",
    sock: socket.socket,
    peer: str,
    front: ssl.SSLContext | None,
    client: Callable[..., Client],
) -> None:
    """Make a client of a connection that was accepted outside the loop, once it has said who it is."""
    try:
        sock.setblocking(False)
        source = ""
        if gate.proxies and among(peer, gate.proxies):
            async with asyncio.timeout(SECONDS):
                source = await header(gate.loop, sock)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await gate.loop.connect_accepted_socket(partial(client, source=source), sock, **wrapped(front))
    except (NotAHeader, TimeoutError):
        session = gate.core.session(peer, front is not None, True)
        session.turn_away(REASON)
        session.end()
        sock.close()
    except OSError:  # it went, or TLS could not be agreed on
        sock.close()
    finally:
        gate.greeting -= 1


async def header(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> str:
    """Take the header off a socket, and no byte more: the client's address, "" for the peer's own.

    Raises `NotAHeader`, or `ConnectionError` when the peer goes without a word.
    """
    taken = b""
    while True:
        try:
            ahead = sock.recv(LONGEST, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            await _readable(loop, sock)
            continue
        if not ahead:
            raise NotAHeader if taken else ConnectionAbortedError
        found = parse(taken + ahead)
        size = len(ahead) if found is None else found.length - len(taken)
        taken += sock.recv(size)
        if found is not None:
            return found.source


async def _readable(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
    ready = asyncio.Event()
    loop.add_reader(sock, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(sock)
