"""Which request, or which event of Stopgap's own, does one line of a log tell of?

The line is given as it is, with the #Fields above it where it needs them, or as `FILE:N`, as a replay names
it. Of a HAR file N is the entry, of raw requests the line on which one begins.
"""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from stopgap.errors import ConfigError, InputError
from stopgap.events.find import told as event_of
from stopgap.events.schema import Event
from stopgap.forensics import native, ncsa, sources
from stopgap.forensics.lines import Opened
from stopgap.forensics.native import Native
from stopgap.forensics.ncsa import Ncsa
from stopgap.forensics.request import Broken, Told
from stopgap.forensics.sources import Account
from stopgap.forensics.w3c import W3c

_PLACE = re.compile(r"(.+):([1-9]\d{0,17})", re.DOTALL)


def at(text: str, host: bytes) -> Told | Event | None:
    """What `FILE:N` tells of; None when that is not the form of `text`, or there is no such file.

    `host` is for a request of which the file names none. Raises `InputError`.
    """
    found = _PLACE.fullmatch(text)
    if found is None or not Path(found[1]).is_file():
        return None
    name, number = found[1], int(found[2])
    with contextlib.closing(Opened(name)) as opened:
        line = next((line for place, line in enumerate(opened.lines(), 1) if place == number), None)
    if line is not None and (event := event_of(line)):
        return event
    account = _Watched()
    account.number = number
    with contextlib.closing(Opened(name)) as opened:
        for place, told in sources.requests(opened, None, host, account):
            if place == number:
                return told
            if place > number:
                break
    raise InputError(account.why or f"{text}: tells of no request")


class _Watched(Account):
    """Keeps why the line `number` is broken."""

    number: int = 0
    why: str = ""

    def lose(self, file: str, line: int, why: str) -> None:
        if line == self.number:
            self.why = f"{file}:{line}: {why}"


def of_text(text: bytes, host: bytes) -> Told | Event:
    """What these lines tell of: one request, or one event. Raises `ConfigError`."""
    found: list[Told | Event] = []
    columns = W3c(host)
    named = False
    try:
        for line in filter(None, (one.strip(b"\r\0") for one in text.split(b"\n"))):
            named = named or line.startswith(b"#")
            found += _read(line, columns if named else None, host)
    except Broken as broken:
        raise ConfigError(f"--line: {broken}") from None
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(f"--line: tells of {len(found)} requests; give one line")
    raise ConfigError(
        "--line: is no event and no line of an NCSA log or of IIS's own format; a line of a W3C log needs the"
        " #Fields above it, so give FILE:N, or both lines on standard input"
    )


def _read(line: bytes, columns: W3c | None, host: bytes) -> Iterator[Told | Event]:
    if event := event_of(line):
        yield event
    elif columns is not None:
        if told := columns(line):
            yield told
    elif ncsa.is_line(line):
        yield Ncsa(host)(line)
    elif native.is_line(line):
        yield Native(host)(line)
