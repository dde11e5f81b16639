"""Which requests does a file of raw requests hold?

One after another as they go over the wire, head and body, with empty lines between them or not. A body is as
long as its head says. A file that was saved with LF alone gets CRLF in its heads. Request lines without any
header, one a line, are so many requests, and get a Host.
"""

import re
from collections.abc import Iterator

from stopgap.forensics.request import Told, made

_LINE = re.compile(rb"([A-Za-z_-]+) (\S+) (HTTP/\d\.\d)\r?")
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_NOT_GAP = re.compile(rb"[^\r\n]")
_LENGTH = re.compile(rb"^content-length:[ \t]*(\d{1,18})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_CHUNKED = re.compile(rb"^transfer-encoding:.*chunked[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_LAST_CHUNK = re.compile(rb"\n0[ \t]*(?:;[^\n]*)?\r?\n(?:[^\r\n]+\r?\n)*\r?\n")
_HOST = re.compile(rb"^host:", re.IGNORECASE | re.MULTILINE)


def is_request(beginning: bytes) -> bool:
    """Whether a file begins with a request line."""
    return _LINE.match(beginning.lstrip(b"\r\n")) is not None


def requests(text: bytes, host: bytes) -> Iterator[tuple[int, Told]]:
    """Each request with the line that it begins on. `host` is for request lines without headers."""
    number, place = 1, 0
    while True:
        begins = _NOT_GAP.search(text, place)
        if begins is None:
            return
        start = begins.start()
        number += text.count(b"\n", place, start)
        found = _HEAD_END.search(text, start)
        head_end, body = found.span() if found else (len(text), len(text))
        head = text[start:head_end]
        lines = [_LINE.fullmatch(line) for line in head.rstrip(b"\r\n").split(b"\n")]
        if all(lines):
            for offset, (method, wanted, version) in enumerate(line.groups() for line in lines if line):
                yield number + offset, Told(made(method, wanted, version, host), False, 0)
            place = body
        else:
            place = body + _length(text, head, body)
            wired = head if b"\r\n" in head else head.replace(b"\n", b"\r\n")
            request = wired.rstrip(b"\r\n") + b"\r\n\r\n" + text[body:place]
            yield number, Told(request, _HOST.search(head) is not None, 0)
        number += text.count(b"\n", start, place)


def _length(text: bytes, head: bytes, body: int) -> int:
    """Bytes of the body that begins at `body`, as far as there are any."""
    left = len(text) - body
    if _CHUNKED.search(head):
        found = _LAST_CHUNK.search(text, body - 1)
        return found.end() - body if found else left
    told = _LENGTH.search(head)
    return min(int(told[1]), left) if told else 0
