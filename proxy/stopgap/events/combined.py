"""How is an event told as a line of the combined log format of NCSA and Apache?

For programs that know nothing else. The fields of the format come first; what only Stopgap knows follows as
`name=value`. What an event does not hold is `-`: bytes and referrer always, and the status where the client
got the origin's answer; the version of HTTP is left out. In the quoted parts `"` is `\\x22`, as in nginx's
logs. Host and reading are not told, so that little of a request can be rebuilt from such a line.
"""

import datetime
import re

from stopgap import _core
from stopgap.events.schema import AGENT, ECS, FATES, KIND, LONGEST, LOST, TARGET, Event, stamp

_BACKSLASH, _ESCAPED, _QUOTE = "\\", "\\x5c", "\\x22"
_CUT = re.compile(r"\\(x[0-9a-f]?)?$")
"""What is left of an escape at the end of a text that was cut."""
_ESCAPE = re.compile(r"\\x[0-9a-f]{2}")
_LINE = re.compile(
    r"(?<![0-9A-Fa-f.:/])(?P<client>[0-9A-Fa-f.:/]{1,50}|-) - - \[(?P<when>[^\]]{1,40})\] "
    r"\"(?P<asked>[^\"]*)\" (?P<status>\d{3}|-) - "
    r"\"-\" \"(?P<agent>[^\"]*)\" event=(?P<id>[0-9a-f]{16}) action=(?P<action>[a-z-]+) "
    r"reason=(?P<reason>[a-z0-9-]+) rule=(?P<rule>\S+) mode=(?P<mode>[a-z]+) site=\"(?P<site>[^\"]*)\" "
    r"count=(?P<count>\d{1,12})"
)
_ID = re.compile(rb" event=([0-9a-f]{16}) action=[a-z-]+ reason=")


def line(told: Event) -> bytes:
    """The event as a line, without its line feed."""
    request = f"{told.method or '-'} {told.target or '-'}" if told.method or told.target else "-"
    asked = _quoted(request, TARGET)
    agent = _quoted(told.agent, AGENT) or "-"
    words = {
        "event": told.event_id,
        "action": told.event_action,
        "reason": told.reason,
        "rule": told.rule_id or "-",
        "mode": told.mode,
        "site": f'"{_quoted(told.site.replace(_BACKSLASH, _ESCAPED), TARGET)}"',
        "count": told.count,
    }
    more = " ".join(f"{name}={value}" for name, value in words.items())
    when = _when(told.timestamp)
    return f'{told.client or "-"} - - {when} "{asked}" {told.status or "-"} - "-" "{agent}" {more}'.encode()


def lost(count: int, now: float) -> bytes:
    """The line that says how many events are missing."""
    when = _when(datetime.datetime.fromtimestamp(now, datetime.UTC).isoformat())
    return f'- - - {when} "-" - - "-" "-" event=- action={LOST} count={count}'.encode()


def tells(text: bytes, number: str) -> bool:
    """Whether this line, with whatever a collector wrote before it, tells of the event with this id."""
    return number.encode() in _ID.findall(text)


def read(text: bytes) -> Event | None:
    """The event that a line tells of, with whatever a collector wrote before it; None when it is none.

    The host, and what of the target did not fit, are not in it.
    """
    if b" event=" not in text or len(text) > 2 * LONGEST:
        return None
    found = _LINE.search(text.decode("latin-1"))
    if found is None:
        return None
    told = found.groupdict()
    method, _, target = told["asked"].partition(" ")
    target = "" if target == "-" else target
    try:
        when = datetime.datetime.strptime(told["when"], "%d/%b/%Y:%H:%M:%S %z")
    except ValueError:
        return None
    sentence = next((row for row in _core.reasons() if row[0] == told["reason"]), None)
    if sentence is None or told["action"] not in FATES:
        return None
    outcome, access = FATES[told["action"]]
    return Event(
        timestamp=stamp(when.timestamp()),
        ecs_version=ECS,
        event_id=told["id"],
        event_kind=KIND.get(sentence[1], "event"),
        event_category=("web",),
        event_type=("access", access),
        event_action=told["action"],
        event_outcome=outcome,
        event_reason=sentence[4],
        count=int(told["count"]),
        reason=told["reason"],
        tier=sentence[1],
        site=_plain(told["site"]),
        mode=told["mode"],
        target_length=len(_ESCAPE.sub("?", target)),
        offset=0,
        rule_id="" if told["rule"] == "-" else told["rule"],
        client="" if told["client"] == "-" else told["client"],
        method="" if method == "-" else method,
        target=target,
        status=int(told["status"]) if told["status"] != "-" else 0,
        agent="" if told["agent"] == "-" else told["agent"],
    )


def _plain(text: str) -> str:
    return (
        text.encode("latin-1").decode("utf-8", "replace").replace(_QUOTE, '"').replace(_ESCAPED, _BACKSLASH)
    )


def _when(timestamp: str) -> str:
    return f"[{datetime.datetime.fromisoformat(timestamp):%d/%b/%Y:%H:%M:%S %z}]"


def _quoted(text: str, limit: int) -> str:
    """Text that ends no quotes, cut to `limit` characters but within no escape."""
    return _CUT.sub("", text.replace('"', _QUOTE)[:limit])
