"""`stopgap explain --event ID`: which request was it, why was it refused, which exception would let it pass?

The event is found in a log of JSON lines, or asked of a running gate. Exit codes: 0 the request passes, or
would with what `--except` proposes; 1 it is refused, or nothing can let it pass; 2 a flag or file is wrong
or there is no such event.
"""

import datetime
import sys
from pathlib import Path

import click
import msgspec
from rich.text import Text

from stopgap.cli import evidence, gate
from stopgap.cli.judged import View, show
from stopgap.cli.terminal import FINDINGS, console
from stopgap.config import Config, access, edit
from stopgap.errors import ConfigError, nearest
from stopgap.events import file, mask
from stopgap.events.find import Rebuilt, Thin, found, is_id, rebuilt
from stopgap.events.schema import ANSWER, Event
from stopgap.ruleset import change
from stopgap.ruleset.aftermath import steps
from stopgap.ruleset.pages import reasons, remedy, unlinked
from stopgap.ruleset.propose import DAYS, Hopeless, Proposal, Told, propose

PLACEHOLDER = "say who needs it, and why"


class Wanted(msgspec.Struct, frozen=True):
    """The flags of `explain` that go with `--event`."""

    event: str | None
    log: str | None
    admin: str | None
    propose: bool
    write: bool
    reason: str | None
    owner: str | None
    told: Event | None = None
    """The event, where a line of a log was given that tells of it."""


def explain_event(wanted: Wanted, view: View) -> int:
    """Show the event and its request, and what `wanted` asks beside; the exit code. Raises `InputError`."""
    read = view.config
    event = wanted.told or _found(wanted, read)
    if read.telling.masked:
        event = msgspec.structs.replace(event, client=mask.masked(event.client))
    site = _site(event, read)
    out = console()
    for label, text in [] if view.as_json else _facts(event):
        out.print(Text.assemble((f"{label:<10}", "dim"), text))
    request = _kept(event, view) or rebuilt(event)
    if request is None:
        if view.as_json:
            click.echo(msgspec.json.encode({"event": event}).decode())
        else:
            out.print(Text("the request line could not be read, so there is no request to explain"))
        return _hopeless(event.reason) if wanted.propose else FINDINGS
    code = _explained(event, view, site, request)
    return _proposed(wanted, event, read, site, request) if wanted.propose else code


def _kept(event: Event, view: View) -> Rebuilt | None:
    """The request as it was kept: of an answer to a detection, that of the detection."""
    out = console(sys.stderr if view.as_json else None)
    try:
        flow = evidence.kept(view.config, event.site, event.cause or event.event_id)
    except OSError as error:
        told = f"cannot be read: {error.strerror}; what follows is of the event alone"
        out.print(Text.assemble(("evidence  ", "dim"), told))
        return None
    if flow is None:
        return None
    out.print(Text.assemble(("evidence  ", "dim"), "the request as it was kept, without its secrets"))
    parts = {"stopgap.redacted": "the redacted values", "stopgap.cut": "the end of the body"}
    missing = tuple(part for key, part in parts.items() if flow.metadata.get(key))
    return Rebuilt(request=flow.request, missing=missing, why="they were not kept")


def _found(wanted: Wanted, read: Config) -> Event:
    number = wanted.event or ""
    if not is_id(number):
        raise ConfigError(f'--event: "{number}" is not an id; it has 16 of the digits 0-9 a-f')
    looked = []
    admin = gate.door(wanted.admin, None, None).address if wanted.admin else read.admin
    if wanted.log is None and admin:
        door = gate.Door(admin, access.of(read))
        try:
            told = gate.ask(door, "GET", f"/events/{number}", gate.SECONDS)
        except gate.NoAnswer as error:
            looked.append(f"no gate answers on {admin}: {error}")
        else:
            if "event.id" in told:
                return msgspec.convert(told, Event)
            looked.append(f"the gate on {admin} does not remember it")
    summary = None
    for log in _logs(wanted, read):
        event = _in_log(log, number)
        if event is None:
            looked.append(f"{'standard input' if log == '-' else log} does not tell of it")
        elif event.count == 0:
            return event
        summary = summary or event
    if summary is not None:
        return summary
    if not wanted.log and read.log == "-":
        looked.append("give the log with --log FILE, or its lines on standard input with --log -")
    raise ConfigError(f"--event: no event {number}: {'; '.join(looked)}")


def _logs(wanted: Wanted, read: Config) -> list[str]:
    """Where to look: in what --log names, or in the log of the configuration and those it has rotated."""
    if wanted.log or read.log == "-":
        return [wanted.log] if wanted.log else []
    rotation = read.telling.rotation
    return [read.log, *(file.kept(read.log, rotation.keep) if rotation else [])]


def _in_log(log: str, number: str) -> Event | None:
    try:
        if log == "-":
            return found(sys.stdin.buffer, number)
        with Path(log).open("rb") as lines:
            return found(lines, number)
    except Thin:
        raise ConfigError(
            f"--log: {log}: tells of {number} in the combined format, which holds too little of a request to "
            "explain it; leave out --log and ask the gate that remembers it, or explain its request line"
        ) from None
    except OSError as error:
        raise ConfigError(f"--log: {log}: cannot be read: {error.strerror}") from None


def _site(event: Event, read: Config) -> int:
    names = [site.name for site in read.sites]
    if not read.document.file:
        return 0
    if event.site not in names:
        near = nearest(event.site, names)
        raise ConfigError(f'{read.document.file}: the event is of site "{event.site}"; there is none{near}')
    return names.index(event.site)


def _facts(event: Event) -> list[tuple[str, str]]:
    rule = f", rule {event.rule_id} ({event.rule_name})" if event.rule_id else ""
    facts = [
        ("event", f"{event.event_id} at {event.timestamp}, client {event.client or 'unknown'}"),
        ("was", f"{event.event_action}: {event.reason}{rule}"),
    ]
    if event.cause:
        facts.append(("answer", f"{event.status} by the origin; event {event.cause} is the detection"))
    return facts


def _explained(event: Event, view: View, site: int, request: Rebuilt) -> int:
    more = {"event": event, "not_known": request.missing}
    seen, known = show(view, site, request.request, event.client, more)
    if view.as_json:
        return FINDINGS if seen.verdict else 0
    out = console()
    if request.missing:
        out.print(Text.assemble(("not known ", "dim"), f"{', '.join(request.missing)}: {request.why}"))
    cause = (event.reason, event.rule_id)
    if not any((found.reason, found.rule or "") == cause for found in seen.findings):
        told = f"then it was {event.reason}: for a part that is not known, or the rules have changed since"
        out.print(Text.assemble(("differs   ", "dim"), told))
    if event.event_action == ANSWER:
        advice = steps(event.event_id, event.site, event.status, event.rule_id, known.get(event.rule_id))
        for number, step in enumerate(advice, 1):
            out.print(Text.assemble(("next      " if number == 1 else " " * 10, "dim"), f"{number}. {step}"))
    return FINDINGS if seen.verdict else 0


def _proposed(wanted: Wanted, event: Event, read: Config, site: int, request: Rebuilt) -> int:
    file = read.document.file
    text = Path(file).read_bytes().decode()
    until = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=DAYS)
    told = Told(reason=wanted.reason or PLACEHOLDER, owner=wanted.owner or "", until=until)
    try:
        proposal = propose(read, text, site, event, request, told)
    except Hopeless as error:
        return _hopeless(error.reason)
    errors = console(sys.stderr)
    if not proposal.changes:
        errors.print(Text(f"It passes with what {file} says; `stopgap reload` takes that over."))
        return 0
    console().print(
        Text("\n" + "\n".join(edit.shown(one.table, one.keys) for one in proposal.changes)), end=""
    )
    if proposal.sure:
        errors.print(Text("With this the request passes, as far as it is known."))
    else:
        errors.print(
            Text("It cannot be tried: what was refused is not in the event. Watch whether it comes again.")
        )
    if wanted.write:
        _write(file, text, proposal)
    return 0


def _hopeless(reason: str) -> int:
    text = unlinked(remedy(reasons()[reason]))
    console(sys.stderr).print(Text(f"No exception can let it pass ({reason}). {text}"))
    return FINDINGS


def _write(file: str, text: str, proposal: Proposal) -> None:
    """Write what is proposed if it passes `check`, and show what has changed."""
    change.write(file, proposal.text)
    click.echo("\n".join(change.difference(file, text, proposal.text)), err=True)
    click.echo(f"{file}: written; `stopgap reload` takes it over", err=True)
