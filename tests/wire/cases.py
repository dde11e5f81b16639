"""What is a wire conversation? A case of a TOML file: bytes of client and origin, and what comes of them.

Texts are as one reads them: a newline stands for CRLF, `\\xHH` for a byte (`\\x0a` is a bare LF) and
`{text*N}` for N times the text. Keys of `[[case]]`:

title, why       what it shows; the source
server, codepages, mode, site
                 the site (iis5, [1252], block); `site` is laid over it, e.g. { limits = { head = 200 } }
rule             one more rule: an expression
rules            more rules: tables with `id`, `match` and whatever else a rule may have
trusted          the client may set X-Forwarded-For
client           what the client sends
then             what it sends after the answers, in a piece of its own
origin           the answers, one for each request that arrives (default: a 200 with two bytes)
silent           the origin never answers
fail             instead of an answer: the reason that the gate gives to `Session.fail`
wait             seconds that pass after the client's bytes, before `Session.expire` is called
commands         the commands when the bytes come whole (WAIT left out)
requests         what the origin gets, each whole; [] when nothing may arrive
statuses         the status lines that the client gets, in order
answer           all that the client gets, byte for byte
reason           the reason of the first refusal
detected         the reason of what was let through: detected or stripped
surplus          the origin sends more than its answer: told of only where it comes in one piece with the end
events           all events in order: action, reason, mode (the origin's status, and how many more)
address          the client of the first event
closed, pinned, retired
                 whether the client's connection ends, the origin's belongs to the client, or must be closed
tunnel           bytes for the origin after a 101
"""

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from tests.conversation import OK

FOLDER = Path(__file__).parent


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One conversation; see the module's text for the keys."""

    title: str
    why: str
    file: str
    server: str = "iis5"
    codepages: tuple[int, ...] = (1252,)
    mode: str = "block"
    site: dict[str, Any] = {}
    rule: dict[str, Any] | None = None
    rules: list[dict[str, Any]] = []
    trusted: bool = False
    client: bytes
    then: bytes = b""
    origin: tuple[bytes, ...] = (OK,)
    silent: bool = False
    fail: str | None = None
    wait: float = 0
    commands: list[str] | None = None
    requests: tuple[bytes, ...] | None = None
    statuses: list[int] | None = None
    answer: bytes | None = None
    reason: str | None = None
    detected: str | None = None
    surplus: bool = False
    events: list[str] | None = None
    address: str | None = None
    closed: bool | None = None
    pinned: bool = False
    retired: bool | None = None
    tunnel: bytes = b""


def bytes_of(text: str) -> bytes:
    """A text of a case as bytes."""
    data = text.encode().replace(b"\n", b"\r\n")
    data = re.sub(rb"\\x([0-9a-fA-F]{2})", lambda found: bytes([int(found[1], 16)]), data)
    return re.sub(rb"\{([^{}*]+)\*(\d+)\}", lambda found: found[1] * int(found[2]), data)


def cases_of(path: Path) -> Iterator[Case]:
    for row in tomllib.loads(path.read_text("utf-8"))["case"]:
        for key in ("client", "then", "tunnel", "answer"):
            if key in row:
                row[key] = bytes_of(row[key])
        for key in ("origin", "requests"):
            if key in row:
                row[key] = [bytes_of(text) for text in row[key]]
        yield msgspec.convert({**row, "file": path.stem}, Case)


@cache
def load() -> tuple[Case, ...]:
    """Every case of the folder, file by file."""
    return tuple(case for path in sorted(FOLDER.glob("*.toml")) for case in cases_of(path))
