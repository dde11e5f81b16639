"""What is told of one refusal, and how as ECS?

`Event` is what every view tells, and as JSON a line in the Elastic Common Schema, with flat keys, so that
`grep` and every collector can read it. The event id is the one that the block page and `X-Stopgap-Event`
show. What a client sent is shown in printable ASCII only, every other byte as `\\xHH` (a backslash too), and
is cut: a line is never longer than `LONGEST` bytes, whatever was sent. Bodies and header values are not told.

A client that repeats itself makes one line with `stopgap.count` 0 and, when the minute is over, a second
one with the same id whose count says how many more there were.

What a rule caught and the mode let pass has an event of its own if the origin answers it with 2xx or 5xx.
"""

import datetime
import re
from collections.abc import Mapping

import msgspec

from stopgap import _core
from stopgap.config.model import Evidence
from stopgap.events.mask import masked
from stopgap.gate.messages import EventLine

ECS = "8.17.0"
LONGEST = 4096
"""Bytes of the longest line, line feed not counted."""
TARGET = 1500
AGENT = 400
NAME = 128
"""Bytes that a target, a user agent, and other words of a client may take in the line, as JSON."""
TITLE = 80
"""Characters of a title or name of the operator's (any script)."""

_PORT = re.compile(r":\d+$")
_SAFE = frozenset(range(0x20, 0x7F)) - {0x5C}
_PIECES = [
    (text, len(msgspec.json.encode(text)) - 2)
    for text in (chr(byte) if byte in _SAFE else f"\\x{byte:02x}" for byte in range(256))
]
KIND = {"denied": "alert", "ambiguous": "alert", "malformed": "alert", "failed": "event"}
ANSWER = "exploit-answered"
"""The action of an event that tells how an origin answered what had been detected."""
FATES = {
    "refused": ("failure", "denied"),
    "dropped": ("failure", "denied"),
    "tarpitted": ("failure", "denied"),
    "detected": ("success", "allowed"),
    "stripped": ("success", "allowed"),
    ANSWER: ("success", "allowed"),
}
"""Action -> event.outcome, second word of event.type."""
ANSWERED = ("refused", "tarpitted", ANSWER)
"""Actions by which the client gets the status."""
LOST, LOST_REASON = "lost", "Events came faster than they could be written."
"""Action and reason of the line that says how many events are missing."""
SENTENCE = {name: sentence for name, _, _, _, sentence in _core.reasons()}
_ALARM = "The origin answered what a rule had caught and the mode let pass: the hole may be open."


class Known(msgspec.Struct, frozen=True):
    """What the configuration knows and a worker's message does not carry."""

    titles: Mapping[str, str]
    """Rule id -> title."""
    masked: bool = False
    """Whether no more of a client is told than its network."""
    keeping: Mapping[str, Evidence] = {}
    """Site -> what is kept of its requests, where something is."""
    state: str = ""
    """The state folder."""


class Event(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    rename={
        "timestamp": "@timestamp",
        "ecs_version": "ecs.version",
        "event_id": "event.id",
        "event_kind": "event.kind",
        "event_category": "event.category",
        "event_type": "event.type",
        "event_action": "event.action",
        "event_outcome": "event.outcome",
        "event_reason": "event.reason",
        "event_start": "event.start",
        "event_end": "event.end",
        "rule_id": "rule.id",
        "rule_name": "rule.name",
        "method": "http.request.method",
        "status": "http.response.status_code",
        "target": "url.original",
        "host": "url.domain",
        "client": "source.ip",
        "agent": "user_agent.original",
        "site": "stopgap.site",
        "reason": "stopgap.reason",
        "tier": "stopgap.tier",
        "reading": "stopgap.reading",
        "offset": "stopgap.offset",
        "mode": "stopgap.mode",
        "count": "stopgap.count",
        "target_length": "stopgap.target_length",
        "cause": "stopgap.detection",
    },
):
    """One line. What is empty is left out."""

    timestamp: str
    ecs_version: str
    event_id: str
    event_kind: str
    event_category: tuple[str, ...]
    event_type: tuple[str, ...]
    event_action: str
    event_outcome: str
    event_reason: str
    count: int
    reason: str
    tier: str
    site: str
    mode: str
    target_length: int
    offset: int
    reading: str = ""
    rule_id: str = ""
    rule_name: str = ""
    client: str = ""
    method: str = ""
    host: str = ""
    target: str = ""
    status: int = 0
    agent: str = ""
    event_start: str = ""
    event_end: str = ""
    cause: str = ""
    """Id of the detection that the origin answered."""


def event(line: EventLine, now: float, known: Known) -> Event:
    """A worker's event as it is told; `now` is the time (Unix seconds) at which it came.

    The order of `line` is that of `_core.Worker.events`.
    """
    number, count, first, last, site, action, tier, reason, status, rule, reading, offset = line[:12]
    method, target, target_length, host, agent, client, mode, cause = line[12:]
    outcome, access = FATES[action]
    begun, ended = stamp(now - first / 1000), stamp(now - last / 1000)
    return Event(
        timestamp=ended,
        ecs_version=ECS,
        event_id=f"{number:016x}",
        event_kind=KIND.get(tier, "event"),
        event_category=("web",),
        event_type=("access", access),
        event_action=action,
        event_outcome=outcome,
        event_reason=_ALARM if action == ANSWER else SENTENCE.get(reason, ""),
        event_start=begun if count else "",
        event_end=ended if count else "",
        count=count,
        site=site[:TITLE],
        mode=mode,
        tier=tier,
        reason=reason,
        rule_id=rule[:NAME],
        rule_name=known.titles.get(rule, "")[:TITLE],
        reading=shown(reading.encode(), NAME),
        offset=offset,
        method=shown(method.encode(), NAME),
        target=shown(target, TARGET),
        target_length=target_length,
        host=shown(_PORT.sub("", host).encode(), NAME),
        status=status if action in ANSWERED else 0,
        agent=shown(agent, AGENT),
        client=masked(client) if known.masked else client,
        cause=f"{cause:016x}" if cause else "",
    )


def line(told: Event) -> bytes:
    """The event as a line, without its line feed."""
    return msgspec.json.encode(told)


def lost(count: int, now: float) -> bytes:
    """The line that says how many events are missing."""
    said = {
        "@timestamp": stamp(now),
        "event.kind": "event",
        "event.action": LOST,
        "event.reason": LOST_REASON,
        "stopgap.count": count,
    }
    return msgspec.json.encode(said)


def shown(data: bytes, limit: int) -> str:
    """Bytes as printable ASCII, any other as `\\xHH`; cut to `limit` bytes of JSON, quotes not counted."""
    plain = data.decode("latin-1")
    if plain.isascii() and plain.isprintable() and not ("\\" in plain or '"' in plain):
        return plain[:limit]
    pieces, room = [], limit
    for byte in data:
        piece, cost = _PIECES[byte]
        room -= cost
        if room < 0:
            break
        pieces.append(piece)
    return "".join(pieces)


def stamp(seconds: float) -> str:
    """Unix seconds as RFC 3339 in UTC, to the millisecond."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
