"""How is an event told as a line of the combined log format of NCSA and Apache?

For programs that know nothing else. The fields of the format come first; what only Stopgap knows follows as
`name=value`. What an event does not hold is `-`: bytes and referrer always, and the status where the client
got the origin's answer; the version of HTTP is left out. In the quoted parts `"` is `\\x22`, as in nginx's
logs. Host and reading are not told, so that no request can be rebuilt from such a line.
"""

import datetime
import re

from stopgap.events.schema import AGENT, LOST, TARGET, Event

_BACKSLASH, _ESCAPED, _QUOTE = "\\", "\\x5c", "\\x22"
_CUT = re.compile(r"\\(x[0-9a-f]?)?$")
"""What is left of an escape at the end of a text that was cut."""
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


def _when(timestamp: str) -> str:
    return f"[{datetime.datetime.fromisoformat(timestamp):%d/%b/%Y:%H:%M:%S %z}]"


def _quoted(text: str, limit: int) -> str:
    """Text that ends no quotes, cut to `limit` characters but within no escape."""
    return _CUT.sub("", text.replace('"', _QUOTE)[:limit])
