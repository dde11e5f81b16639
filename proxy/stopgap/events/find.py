"""Which line of a log tells of the event with this id, and which request was it?

An event holds no header but the Host, and no body: what is rebuilt from it is the part of the request that
most rules look at, and `missing` names the rest.
"""

import re
from collections.abc import Iterable

import msgspec

from stopgap.events import combined, ocsf
from stopgap.events.schema import Event

_ID = re.compile(r"[0-9a-f]{16}")
_BYTE = re.compile(rb"\\x([0-9a-f]{2})")
_DECODER = msgspec.json.Decoder(Event)


class Thin(Exception):
    """The event is told, but only in a combined line, from which no request can be rebuilt."""


class Rebuilt(msgspec.Struct, frozen=True):
    """The request of an event as far as it is known; `missing` are the parts that are not."""

    request: bytes
    missing: tuple[str, ...]
    why: str = "an event does not hold them"


def is_id(text: str) -> bool:
    """Whether this can be the id of an event: sixteen small hexadecimal digits."""
    return _ID.fullmatch(text) is not None


def found(lines: Iterable[bytes], number: str) -> Event | None:
    """The event with this id; of a client that repeated itself, the line of its first request.

    The lines are ECS or OCSF, with whatever a collector wrote before each. Raises `Thin`.
    """
    summary, thin = None, False
    for line in lines:
        if number.encode() not in line:
            continue
        event = _whole(line)
        if event is None:
            thin = thin or combined.tells(line, number)
        elif event.event_id == number:
            if event.count == 0:
                return event
            summary = event
    if summary is None and thin:
        raise Thin
    return summary


def told(line: bytes) -> Event | None:
    """The event that a line tells of, in any of the formats; None when it tells of none."""
    return _whole(line) or combined.read(line)


def _whole(line: bytes) -> Event | None:
    text = line[max(line.find(b"{"), 0) :]
    try:
        return _DECODER.decode(text)
    except msgspec.MsgspecError:
        return ocsf.read(text)


def rebuilt(event: Event) -> Rebuilt | None:
    """The request that an event tells of; None when its request line could not be read."""
    target = unescaped(event.target)
    if not event.method or not target:
        return None
    missing = ["the headers" if not event.host else "the headers but Host", "the body"]
    if len(target) < event.target_length:
        missing.append(f"the last {event.target_length - len(target)} bytes of the target")
    host = unescaped(event.host)
    line = unescaped(event.method) + b" " + target
    head = line + (b" HTTP/1.1\r\nHost: " + host if host else b" HTTP/1.0") + b"\r\n"
    if event.method in ("POST", "PUT"):
        head += b"Content-Length: 0\r\n"
    return Rebuilt(request=head + b"\r\n", missing=tuple(missing))


def unescaped(text: str) -> bytes:
    """The bytes that an event shows as printable ASCII and `\\xHH`."""
    return _BYTE.sub(lambda hit: bytes([int(hit[1], 16)]), text.encode())
