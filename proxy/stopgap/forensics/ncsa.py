"""What does a line of an NCSA log say: common or combined, of IIS, Apache httpd or nginx?

IIS writes a path decoded and its bytes as they are; the others write the request line as it came, with
`\\xHH` for what is not printable. So a raw byte is escaped in the path, and `\\xHH` becomes the byte that was
sent.
"""

import re

from stopgap.forensics.request import NONE, Broken, Told, made, status_of, target

SHOWS = frozenset({"query", "version"})
IN_COMBINED = frozenset({"user-agent", "referer"})

_QUOTED = rb'"((?:[^"\\]++|\\.)*+)"'
_REST = re.compile(rb"\] %b (\d{3}|-) \S+(?: %b %b)?" % (_QUOTED, _QUOTED, _QUOTED), re.DOTALL)
_ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|([\"\\]))")


class Ncsa:
    """Reads line after line of one log. `shows` are the parts that every line so far showed."""

    def __init__(self, host: bytes) -> None:
        """`host` is for all requests: such a log names none."""
        self._host = host
        self.shows: frozenset[str] | None = None

    def __call__(self, line: bytes) -> Told:
        """The request of a line. Raises `Broken`."""
        found = _rest(line)
        if found is None:
            raise Broken('is not: host ident user [time] "METHOD target version" status bytes')
        said, status, referer, agent = found.groups()
        combined = agent is not None
        if self.shows is None:
            self.shows = SHOWS | IN_COMBINED if combined else SHOWS
        elif not combined and self.shows >= IN_COMBINED:
            self.shows = SHOWS
        who, _, when = line.partition(b" ")
        client, day = who if who != NONE else b"", when.partition(b"[")[2].partition(b":")[0]
        method, gap, rest = said.partition(b" ")
        if not gap:
            raise Broken("holds no request line")
        wanted, _, version = rest.rpartition(b" ")
        if not version.startswith(b"HTTP/"):
            wanted, version = rest, b""
        path, mark, query = wanted.partition(b"?")
        wanted = path if path.isascii() else target(path, NONE)
        fields = b""
        if combined and agent != NONE:
            fields = b"User-Agent: %b\r\n" % _unescaped(agent)
        if combined and referer != NONE:
            fields += b"Referer: %b\r\n" % _unescaped(referer)
        wanted = _unescaped(wanted + mark + query)
        if not version:  # HTTP/0.9, or what is none; the gate has to say
            return Told(method + b" " + wanted + b"\r\n\r\n", False, status_of(status), client, day)
        request = made(method, wanted, version, self._host, fields)
        return Told(request, False, status_of(status), client, day)


def is_line(line: bytes) -> bool:
    """Whether this looks like a line of such a log."""
    return _rest(line) is not None


def _rest(line: bytes) -> re.Match[bytes] | None:
    """What stands behind the time. Searched for step by step, so that no hostile line takes long."""
    start = line.find(b" [")
    end = line.find(b"]", start)
    return _REST.match(line, end) if start > 0 and end > 0 else None


def _unescaped(text: bytes) -> bytes:
    return _ESCAPE.sub(_byte, text) if b"\\" in text else text


def _byte(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 16)]) if found[1] else bytes(found[2])
