"""What does a line of a log in IIS's own format say?

Fifteen columns with a comma and a space between them, which no setting changes: client, user, date, time,
service, server, its address, milliseconds, bytes in and out, status, Windows status, method, path, query.
"""

import re

from stopgap.forensics.request import NONE, Broken, Told, made, status_of, target

SHOWS = frozenset({"query"})
COLUMNS = 15
CLIENT, DAY, STATUS, METHOD, PATH, QUERY = 0, 2, 10, 12, 13, 14

_LINE = re.compile(rb"[^,]{1,256}, [^,]{0,256}, \d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}, \d")


class Native:
    """Reads line after line of one log. `shows` are the parts that every line shows."""

    def __init__(self, host: bytes) -> None:
        """`host` is for all requests: such a log names none."""
        self._host = host
        self.shows: frozenset[str] | None = SHOWS

    def __call__(self, line: bytes) -> Told:
        """The request of a line. Raises `Broken`."""
        cells = line.split(b", ", COLUMNS - 1)
        if len(cells) != COLUMNS:
            raise Broken(f"has {len(cells)} columns where IIS's own format has {COLUMNS}")
        method, path = cells[METHOD], cells[PATH]
        if method == NONE or path == NONE:
            raise Broken("holds no method or no path")
        query = cells[QUERY].rstrip().removesuffix(b",")
        request = made(method, target(path, query), b"HTTP/1.1", self._host)
        return Told(request, False, status_of(cells[STATUS]), cells[CLIENT].strip(), cells[DAY])


def is_line(line: bytes) -> bool:
    """Whether this looks like a line of such a log."""
    return _LINE.match(line) is not None
