"""In which words can an event be told?

A format is two functions: one that words an event, and one that words how many are missing. Each makes a
line of at most `schema.LONGEST` bytes. `Record` is such a line with what an output may want to know of it.
"""

from collections.abc import Callable

import msgspec

from stopgap.events import combined, ocsf, schema
from stopgap.events.schema import Event


class Format(msgspec.Struct, frozen=True):
    line: Callable[[Event], bytes]
    lost: Callable[[int, float], bytes]


class Record(msgspec.Struct, frozen=True):
    """A line without its line feed; its time as RFC 3339, its action, and whether it is an alert."""

    line: bytes
    time: str
    action: str
    alert: bool


FORMATS = {
    "ecs": Format(schema.line, schema.lost),
    "ocsf": Format(ocsf.line, ocsf.lost),
    "combined": Format(combined.line, combined.lost),
}
"""By the names of `stopgap.config.model.FORMATS`."""


def record(told: Event, name: str) -> Record:
    """An event in the words of the format with this name."""
    alert = told.event_kind == "alert"
    return Record(FORMATS[name].line(told), told.timestamp, told.event_action, alert)


def lost(count: int, now: float, name: str) -> Record:
    """How many events are missing."""
    return Record(FORMATS[name].lost(count, now), schema.stamp(now), schema.LOST, alert=True)
