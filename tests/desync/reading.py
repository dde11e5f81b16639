"""What does a stream of requests say, if it says one thing only? The test's own reading, not the core's.

RFC 9112 taken at its strictest: every form that two servers were ever known to frame differently is no
request at all. What the gate forwards must be what stands here, and nothing else.
"""

import re
from dataclasses import dataclass, replace

LINE = re.compile(rb"(?:\r\n){0,2}([A-Z][A-Z_-]{0,31}) ([!-~\x80-\xff]+) HTTP/1\.([01])\r\n")
FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*\r\n")
TARGET = re.compile(rb"(?i:https?://([^/?]*))?((?:/.*)?)", re.S)
HOST = re.compile(rb"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]{2,}\])(?::[0-9]{0,5})?")
SIZE = re.compile(rb"([1-9A-Fa-f][0-9A-Fa-f]{0,7}|0)\r\n")
LENGTH = re.compile(rb"[0-9]{1,18}")


@dataclass(frozen=True, order=True)
class Meaning:
    """One request as somebody understood it."""

    method: bytes
    target: bytes
    body: bytes


@dataclass(frozen=True)
class Readings:
    """What a stream says. `end`: it is `over`, goes on behind its end (`open`), or turns `bad`."""

    requests: tuple[Meaning, ...]
    end: str


class _Bad(Exception):
    """From here on there is more than one reading."""


class _Part(Exception):
    """There is only the beginning of a request."""


def readings(stream: bytes, early: bytes = b"") -> Readings:
    """All requests of a stream, up to the first that has not exactly one reading.

    Of a request for `early` nobody says the body.
    """
    found: list[Meaning] = []
    at, keep = 0, True
    try:
        while keep and at < len(stream):
            meaning, at, keep = _request(stream, at)
            found.append(replace(meaning, body=b"") if meaning.target == early else meaning)
    except _Bad:
        return Readings(tuple(found), "bad")
    except _Part:
        return Readings(tuple(found), "open")
    return Readings(tuple(found), "open" if keep else "over")


def _request(stream: bytes, at: int) -> tuple[Meaning, int, bool]:
    line = LINE.match(stream, at)
    if line is None:
        raise _Part if _open(stream, at) else _Bad
    method, target, minor = line[1], line[2], line[3]
    fields: list[tuple[bytes, bytes]] = []
    at = line.end()
    while stream[at : at + 2] != b"\r\n":
        field = FIELD.match(stream, at)
        if field is None:
            raise _Part if _open(stream, at) else _Bad
        fields.append((field[1].lower(), field[2]))
        at = field.end()
    if any(name in (b"content_length", b"transfer_encoding") for name, _ in fields):
        raise _Bad
    target = _target(method, target, minor, [value for name, value in fields if name == b"host"])
    body, at = _body(stream, at + 2, minor, fields)
    options = b",".join(
        value for name, value in fields if name == b"connection" or name == b"proxy-connection"
    )
    words = [word.strip().lower() for word in options.split(b",")]
    keep = b"close" not in words and (minor == b"1" or b"keep-alive" in words)
    return Meaning(method, target, body), at, keep


def _open(stream: bytes, at: int) -> bool:
    """Whether the line that begins here may still become a good one."""
    return b"\n" not in stream[at:].removeprefix(b"\r\n").removeprefix(b"\r\n")


def _target(method: bytes, target: bytes, minor: bytes, hosts: list[bytes]) -> bytes:
    """The target in origin form. RFC 9112 3.2: one good Host, and no other authority beside it."""
    if len(hosts) != 1 if minor == b"1" else len(hosts) > 1:
        raise _Bad
    if not all(map(HOST.fullmatch, hosts)):
        raise _Bad
    if target == b"*" and method == b"OPTIONS":
        return target
    parts = TARGET.fullmatch(target)
    if parts is None or method == b"CONNECT":
        raise _Bad
    authority, path = parts[1], parts[2]
    if authority is None:
        return path
    if not HOST.fullmatch(authority) or any(host.lower() != authority.lower() for host in hosts):
        raise _Bad
    return path or b"/"


def _body(stream: bytes, at: int, minor: bytes, fields: list[tuple[bytes, bytes]]) -> tuple[bytes, int]:
    lengths = [value for name, value in fields if name == b"content-length"]
    transfers = [value.lower() for name, value in fields if name == b"transfer-encoding"]
    if transfers:
        if lengths or transfers != [b"chunked"] or minor == b"0":
            raise _Bad
        return _chunks(stream, at)
    if len(lengths) > 1 or not all(map(LENGTH.fullmatch, lengths)):
        raise _Bad
    end = at + (int(lengths[0]) if lengths else 0)
    if end > len(stream):
        raise _Part
    return stream[at:end], end


def _chunks(stream: bytes, at: int) -> tuple[bytes, int]:
    body = b""
    while True:
        size = SIZE.match(stream, at)
        if size is None:
            raise _Part if re.fullmatch(rb"[0-9A-Fa-f]{0,8}\r?", stream[at:]) else _Bad
        at = size.end()
        count = int(size[1], 16)
        if not count:
            return body, _trailers(stream, at)
        body += stream[at : at + count]
        at += count
        if len(stream) < at + 2:
            raise _Part
        if stream[at : at + 2] != b"\r\n":
            raise _Bad
        at += 2


def _trailers(stream: bytes, at: int) -> int:
    """RFC 9112 7.1.2: read and dropped, so only their lines must be certain."""
    while stream[at : at + 2] != b"\r\n":
        trailer = FIELD.match(stream, at)
        if trailer is None:
            raise _Part if b"\n" not in stream[at:] else _Bad
        at = trailer.end()
    return at + 2
