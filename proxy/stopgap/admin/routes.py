"""What is answered to each question at the admin address?

`ROUTES` and `NAMED` are the lists of all of them. What a route needs of the supervisor is in `Asked`; who may
ask at all is decided before, in `server.py`.
"""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from stopgap.admin import change, page, telling
from stopgap.admin.judge import Judge
from stopgap.admin.metrics import Metrics
from stopgap.admin.series import Series
from stopgap.admin.status import Answer, Source
from stopgap.errors import InputError
from stopgap.events.find import is_id
from stopgap.events.schema import Event
from stopgap.events.writer import RECENT
from stopgap.ruleset.history import chosen

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"
MOST_EVENTS = 1_000
MOST_ROWS = 5_000
"""Events and rows of one answer."""


class Reply(msgspec.Struct, frozen=True):
    """`fields`: further header fields."""

    status: int
    kind: str
    body: bytes
    fields: tuple[tuple[str, str], ...] = ()


class Asked(msgspec.Struct, frozen=True):
    """What a route may look at."""

    source: Source
    metrics: Metrics
    series: Series
    judge: Judge
    accept: str
    name: str
    """What stands behind the route in the path, `/events/NAME`, with control characters escaped."""
    query: str = ""
    body: bytes = b""
    near: bool = True
    """The asker is on this machine."""


Route = Callable[[Asked], Reply]


def plain(status: int, text: str) -> Reply:
    return Reply(status, TEXT, text.encode() + b"\n")


def _json(status: int, value: Any) -> Reply:
    return Reply(status, JSON, msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")


def _packed(value: Any) -> Reply:
    """JSON in one line, for what only a program reads."""
    return Reply(200, JSON, msgspec.json.encode(value) + b"\n")


def _metrics(asked: Asked) -> Reply:
    body, kind = asked.metrics.exposition(asked.accept)
    return Reply(200, kind, body)


def _livez(_: Asked) -> Reply:
    return plain(200, "alive")


def _readyz(asked: Asked) -> Reply:
    status = asked.source.status
    return plain(200 if status.ready else 503, status.state)


def _status(asked: Asked) -> Reply:
    status = asked.source.status
    uptime = round(time.time() - status.started_unix, 3)
    return _json(200, {**msgspec.to_builtins(status), "uptime_seconds": uptime})


def _rules(asked: Asked) -> Reply:
    source = asked.source
    told = {
        "ruleset": source.status.ruleset,
        "rules": telling.rules(source),
        "reasons": telling.reasons(source),
    }
    return _json(200, told)


def _rule(asked: Asked) -> Reply:
    found = telling.rule(asked.source, asked.name)
    if found is None:
        return _json(404, Answer(False, f"no rule is called {asked.name}; /rules lists all"))
    return _json(200, found)


def _numbers(asked: Asked, known: dict[str, int]) -> dict[str, int]:
    """What a query says, by name; the default where it says nothing. Raises `InputError`."""
    given = dict(known)
    for name, value in parse_qsl(asked.query[:500], keep_blank_values=True):
        if name not in known:
            raise InputError(f"{name}: is unknown; known: {', '.join(known)}")
        if not (value.isascii() and value.isdigit() and len(value) < 17):
            raise InputError(f"{name}: must be a number")
        given[name] = int(value)
    return given


def _events(asked: Asked) -> Reply:
    writer = asked.source.writer
    try:
        given = _numbers(asked, {"after": -1, "limit": RECENT})
    except InputError as error:
        return _json(400, Answer(False, str(error)))
    limit = min(given["limit"], MOST_EVENTS)
    memory = writer.memory
    found = memory.before(1 << 62, limit) if given["after"] < 0 else memory.after(given["after"], limit)
    told = {"events": [writer.told(news) for news in found.news]}
    return _json(200, {**told, "first": found.first, "next": found.begin + len(found.news)})


def _rows(asked: Asked) -> Reply:
    writer = asked.source.writer
    try:
        given = _numbers(asked, {"after": -1, "before": 1 << 50, "limit": MOST_ROWS})
    except InputError as error:
        return _json(400, Answer(False, str(error)))
    limit, memory = min(given["limit"], MOST_ROWS), writer.memory
    after = given["after"]
    found = memory.before(given["before"], limit) if after < 0 else memory.after(after, limit)
    rows = telling.rows(writer, found)
    return _packed({"first": found.first, "next": found.next, "begin": found.begin, "rows": rows})


def _of_event(tell: Callable[[Asked, Event], Reply]) -> Route:
    """A route whose name is the id of an event."""

    def route(asked: Asked) -> Reply:
        writer = asked.source.writer
        found = writer.find(int(asked.name, 16)) if is_id(asked.name) else None
        if found is None:
            return _json(404, Answer(False, f"no event {asked.name} is among the last {writer.memory.most}"))
        return tell(asked, found)

    return route


def _event(_: Asked, event: Event) -> Reply:
    return _json(200, event)


def _explained(asked: Asked, event: Event) -> Reply:
    return _json(200, asked.judge.explained(asked.source.handover, event))


def _proposal(asked: Asked, event: Event) -> Reply:
    return _outcome(change.proposed(asked.source, event))


def _series(asked: Asked) -> Reply:
    return _packed(asked.series.told(asked.name))


def _session(asked: Asked) -> Reply:
    return _json(200, change.able(asked.source, asked.near))


def _changing(do: Callable[[Source, bytes], change.Outcome]) -> Route:
    return lambda asked: _outcome(do(asked.source, asked.body))


def _outcome(outcome: change.Outcome) -> Reply:
    return _json(outcome.status, outcome.told)


def _rulesets(asked: Asked) -> Reply:
    in_use = asked.source.status.ruleset
    rows = [
        {"version": one.version, "time": one.time, "in_use": one.version == in_use}
        for one in asked.source.rulesets()
    ]
    return _json(200, {"rulesets": rows})


def _ruleset(asked: Asked) -> Reply:
    try:
        return _json(200, chosen(asked.source.rulesets(), asked.name))
    except InputError as error:
        return _json(404, Answer(False, str(error)))


def _history(asked: Asked) -> Reply:
    return _json(200, {"changes": telling.history(asked.source)})


def _question(verb: str) -> Route:
    def route(asked: Asked) -> Reply:
        answer = asked.source.ask(f"{verb} {asked.name}".rstrip())
        return _json(200 if answer.ok else 409, answer)

    return route


def _page(asked: Asked) -> Reply:
    file = page.FILES.get(asked.name or page.INDEX)
    if file is None:
        return plain(404, "the dashboard has no such file")
    return Reply(200, file.kind, file.body, page.FIELDS)


ROUTES: dict[str, tuple[str, Route]] = {
    "/": ("GET", _page),
    "/metrics": ("GET", _metrics),
    "/livez": ("GET", _livez),
    "/readyz": ("GET", _readyz),
    "/status": ("GET", _status),
    "/session": ("GET", _session),
    "/rules": ("GET", _rules),
    "/events": ("GET", _events),
    "/rows": ("GET", _rows),
    "/history": ("GET", _history),
    "/rulesets": ("GET", _rulesets),
    "/rollback": ("POST", _question("rollback")),
    "/reload": ("POST", _question("reload")),
    "/drain": ("POST", _question("drain")),
    "/upgrade": ("POST", _question("upgrade")),
    "/modes": ("POST", _changing(change.mode)),
    "/exceptions": ("POST", _changing(change.exception)),
}

NAMED: dict[str, tuple[str, Route]] = {
    "/reload": ("POST", _question("reload")),
    "/page": ("GET", _page),
    "/events": ("GET", _of_event(_event)),
    "/explained": ("GET", _of_event(_explained)),
    "/proposals": ("GET", _of_event(_proposal)),
    "/rules": ("GET", _rule),
    "/series": ("GET", _series),
    "/rulesets": ("GET", _ruleset),
    "/rollback": ("POST", _question("rollback")),
}
"""Routes that take a name after another slash."""

BODIES = ("/modes", "/exceptions")
"""Routes that want a body, in JSON."""

OPEN = ("/livez", "/readyz", "/")
OPEN_BELOW = "/page/"
"""What may be asked without the token: one word each for a load balancer; and the page without its data."""


def opened(path: str) -> bool:
    """Whether a path is open to those who have no token."""
    return path in OPEN or path.startswith(OPEN_BELOW)


def routed(path: str) -> tuple[str, Route, str] | None:
    """Method, route and name of a path."""
    if path in ROUTES:
        return (*ROUTES[path], "")
    before, _, name = path.rpartition("/")
    return (*NAMED[before], name) if name and before in NAMED else None
