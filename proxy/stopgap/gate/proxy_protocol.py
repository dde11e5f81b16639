"""For whom does a peer speak that says so by PROXY protocol, version 1 or 2?

The header is the first that such a peer sends, before any handshake of TLS (HAProxy's
`proxy-protocol.txt`). `parse` takes the bytes so far; `header` takes exactly the header off a socket.

We are stricter than the text where it leaves a choice: datagrams, Unix sockets and unknown families are
refused, numbers have no leading zeros, and a header of version 2 is at most `LONGEST` bytes. What follows
the addresses in version 2 (TLVs) is skipped.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

SECONDS: Final = 10.0
"""How long a header may take."""
LONGEST: Final = 4096
LONGEST_TEXT: Final = 107
"""Bytes of a header of version 1, CR and LF counted."""

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
