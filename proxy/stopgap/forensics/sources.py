"""Which requests does a file hold, in whichever format it is?

The format follows from the beginning of the file. Whatever cannot be understood is a broken line: it is
counted, and the first of them are kept with file and line, so that a log of nothing but noise fills nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

import msgspec

from stopgap.errors import ConfigError
from stopgap.events import flows
from stopgap.forensics import flow, har, native, ncsa, raw
from stopgap.forensics.lines import LONGEST, CutOff, Opened
from stopgap.forensics.native import Native
from stopgap.forensics.ncsa import Ncsa
from stopgap.forensics.request import Broken, Told
from stopgap.forensics.w3c import W3c

EVERYTHING = frozenset({"query", "version", "host", "user-agent", "referer", "cookie", "headers", "body"})
"""The parts of a request that a source may show."""
MOST_TOLD = 10
"""Broken lines that are told; all are counted."""
TRIED = 20
"""Lines from which the format of a log is told."""

CUT_OFF = "the compressed data breaks off or is damaged here"


Seen = tuple[int, Told]
"""One request of a file, and the line where it begins; of a HAR or flow file the number of its entry."""


class Reader(Protocol):
    """Reads one log line by line."""

    shows: frozenset[str] | None

    def __call__(self, line: bytes) -> Told | None: ...


LOGS: Mapping[str, Callable[[bytes], Reader]] = {"w3c": W3c, "ncsa": Ncsa, "iis": Native}
WHOLE = ("har", "raw", "flow")
FORMATS = (*LOGS, *WHOLE)


class Account(msgspec.Struct):
    """What was read: requests, broken lines with the first of them in words, and what all files show.

    `left_out` of the requests were not answered as they should be.
    """

    files: int = 0
    requests: int = 0
    left_out: int = 0
    broken: int = 0
    first_broken: list[str] = []
    shows: frozenset[str] = EVERYTHING

    def lose(self, file: str, line: int, why: str) -> None:
        """A line is broken."""
        self.broken += 1
        if len(self.first_broken) < MOST_TOLD:
            self.first_broken.append(f"{file}:{line}: {why}")


def requests(opened: Opened, named: str | None, host: bytes, account: Account) -> Iterator[Seen]:
    """Every request of a file in format `named`, or the one that it seems to be in. Raises `ConfigError`.

    `host` is for requests of which the file names none; `account` gets what was read.
    """
    account.files += 1
    if not _bare(opened.beginning()):
        return
    form = named or detected(opened)
    if form in LOGS:
        yield from _of_log(opened, LOGS[form](host), account)
        return
    try:
        text = opened.whole()
    except CutOff:
        account.lose(opened.name, 1, CUT_OFF)
        return
    if form == "raw":
        for line, told in raw.requests(text, host):
            account.requests += 1
            yield line, told
        return
    one = "flow" if form == "flow" else "entry"
    found = flow.requests(text) if form == "flow" else har.entries(opened.name, text)
    for number, entry in enumerate(found, 1):
        if isinstance(entry, Broken):
            account.lose(opened.name, number, f"{one} {number} {entry}")
        else:
            account.requests += 1
            yield number, entry


def answered(found: Iterable[Seen], statuses: range, account: Account) -> Iterator[Seen]:
    """The requests that were answered with one of these statuses."""
    for seen in found:
        if seen[1].status in statuses:
            yield seen
        else:
            account.left_out += 1


def _of_log(opened: Opened, reader: Reader, account: Account) -> Iterator[Seen]:
    number = 0
    try:
        for number, line in enumerate(opened.lines(), 1):
            if not line:
                continue
            try:
                if len(line) > LONGEST:
                    raise Broken(f"is longer than {LONGEST} bytes")
                told = reader(line)
            except Broken as broken:
                account.lose(opened.name, number, str(broken))
                continue
            if told is not None:
                account.requests += 1
                yield number, told
    except CutOff:
        account.lose(opened.name, number + 1, CUT_OFF)
    if reader.shows is not None:
        account.shows &= reader.shows


def detected(opened: Opened) -> str:
    """The format that a file seems to be in. Raises `ConfigError`."""
    beginning = _bare(opened.beginning())
    if beginning.startswith(b"{"):
        return "har"
    if raw.is_request(beginning):
        return "raw"
    if flows.is_flows(beginning):
        return "flow"
    for line in beginning.split(b"\n")[:TRIED]:
        if line.startswith(b"#"):
            return "w3c"
        if ncsa.is_line(line.strip()):
            return "ncsa"
        if native.is_line(line):
            return "iis"
    raise ConfigError(
        f"{opened.name}: is in no format that can be told from its beginning; say which with --format "
        f"({', '.join(FORMATS)})"
    )


def _bare(beginning: bytes) -> bytes:
    """What a file begins with, without a byte order mark and empty lines."""
    return beginning.lstrip(b"\xef\xbb\xbf\r\n\0\t ")
