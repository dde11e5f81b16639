"""What does a line of a W3C extended log say, as IIS 4 and later and HTTP.sys write it?

`#Fields` names the columns, and each one holds from there on: IIS writes a new one at every start, and its
order differs between versions. Spaces in values are written as `+`, no value as `-`.
"""

from collections.abc import Callable
from operator import itemgetter

from stopgap.forensics.request import NONE, Broken, Told, made, status_of, target

COLUMNS = (
    *("cs-method", "cs-uri-stem", "cs-uri-query", "sc-status", "cs-version", "cs-host"),
    *("cs(user-agent)", "cs(referer)", "cs(cookie)", "c-ip", "date"),
)
NEEDED = COLUMNS[:2]
SHOWS = {
    "cs-uri-query": "query",
    "cs-version": "version",
    "cs-host": "host",
    "cs(user-agent)": "user-agent",
    "cs(referer)": "referer",
    "cs(cookie)": "cookie",
}
"""The part of a request that a column shows."""

Cells = Callable[[list[bytes]], tuple[bytes, ...]]


class W3c:
    """Reads line after line of one log. `shows` are the parts that every line so far showed."""

    def __init__(self, host: bytes) -> None:
        """`host` is for requests of which the log names none."""
        self._host = host
        self._count = 0
        self._day = b""
        self._cells: Cells | None = None
        self._why = "stands before any #Fields, so that nobody knows its columns"
        self.shows: frozenset[str] | None = None

    def __call__(self, line: bytes) -> Told | None:
        """The request of a line; None for a directive. Raises `Broken`."""
        if line.startswith(b"#"):
            if line[:8].lower() == b"#fields:":
                self._name(line[8:].decode("latin-1").lower().split())
            elif line[:6].lower() == b"#date:":
                self._day = line[6:].split()[0] if line[6:].split() else b""
            return None
        cells = line.split(b" ")
        if self._cells is None:
            raise Broken(self._why)
        if len(cells) != self._count:
            raise Broken(f"has {len(cells)} columns where #Fields names {self._count}")
        cells.append(NONE)
        method, stem, query, status, version, host, agent, referer, cookie, client, day = self._cells(cells)
        if method == NONE or stem == NONE:
            raise Broken("holds no method or no path")
        fields = b""
        if agent != NONE:
            fields = b"User-Agent: %b\r\n" % agent.replace(b"+", b" ")
        if referer != NONE:
            fields += b"Referer: %b\r\n" % referer
        if cookie != NONE:
            fields += b"Cookie: %b\r\n" % cookie.replace(b";+", b"; ")
        named = host != NONE
        request = made(
            method,
            target(stem, query),
            b"HTTP/1.1" if version == NONE else version,
            host if named else self._host,
            fields,
        )
        return Told(
            request,
            named,
            status_of(status),
            b"" if client == NONE else client,
            self._day if day == NONE else day,
        )

    def _name(self, names: list[str]) -> None:
        """From here on the columns are these; one that is not there is read from behind the last."""
        self._count = len(names)
        missing = [name for name in NEEDED if name not in names]
        if missing:
            self._cells, self._why = None, f"#Fields above it names no {missing[0]}"
            return
        places = [names.index(name) if name in names else len(names) for name in COLUMNS]
        self._cells = itemgetter(*places)
        shown = frozenset(part for name, part in SHOWS.items() if name in names)
        self.shows = shown if self.shows is None else self.shows & shown
