"""Which request does a line of a log tell of?

A log of IIS holds the path as the server had decoded it, and the query as it came. So what a path cannot
hold on the wire is escaped again, byte by byte in the log's own encoding: a name in Shift_JIS stays
Shift_JIS. Headers that the log does not tell are not there.
"""

import re
from typing import NamedTuple

WITH_BODY = frozenset({b"POST", b"PUT"})
NONE = b"-"
"""What stands in a column that has no value."""

_ODD = re.compile(rb"[^!\"$->@-~]+")
"""Bytes that a path cannot have on the wire: all but printable ASCII, `#` and `?`."""
_REJECTED = b"/<Rejected-By-UrlScan>"


class Broken(Exception):
    """A line cannot be understood; the text says why."""


class Told(NamedTuple):
    """The bytes of a request; whether the log names its host; the status of the answer, 0 if not known.

    `client` is the address of the client and `day` the date, as they stand in the log; b"" if not known.
    """

    request: bytes
    named: bool
    status: int
    client: bytes = b""
    day: bytes = b""


def target(path: bytes, query: bytes) -> bytes:
    """The target of a decoded path and a raw query, `NONE` for none.

    One that URLScan refused stands in the query, behind a path of its own.
    """
    if path == _REJECTED and query != NONE:
        return query.removeprefix(b"~")
    path = _ODD.sub(_escaped, path)
    return path if query in (NONE, b"") else path + b"?" + query


def made(method: bytes, wanted: bytes, version: bytes, host: bytes, fields: bytes = b"") -> bytes:
    """A request of its parts; `fields` are whole header lines, each with its end."""
    end = b"Content-Length: 0\r\n" if method in WITH_BODY else b""
    return b"%b %b %b\r\nHost: %b\r\n%b%b\r\n" % (method, wanted, version, host, fields, end)


def status_of(cell: bytes) -> int:
    """The number in a column; 0 for `NONE`. Raises `Broken`."""
    if cell == NONE:
        return 0
    if not (cell.isdigit() and len(cell) == 3):
        raise Broken("has no status of three digits where it should be")
    return int(cell)


def _escaped(found: re.Match[bytes]) -> bytes:
    return b"%" + found[0].hex("%").upper().encode()
