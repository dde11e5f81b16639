"""How does a change that was asked for on the dashboard get into the file, and from there to all workers?

The file is changed as the command line does it, then the gate is asked to reload. If it refuses, the file is
put back as it was. Nothing is changed while the files say something else than what is in use: a reload would
take over more than was asked for.
"""

import datetime
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from stopgap.admin.status import Source
from stopgap.config import edit
from stopgap.errors import ConfigError, InputError, printable
from stopgap.events.find import rebuilt
from stopgap.events.schema import Event
from stopgap.ruleset import change
from stopgap.ruleset.change import Why
from stopgap.ruleset.pages import reasons, remedy, unlinked
from stopgap.ruleset.propose import DAYS, Hopeless, Proposal, Told, propose

LONGEST = 1_000
"""Characters of a path."""
MOST_CLIENTS = 64
LAST = datetime.timedelta(days=3 * 366)
"""An exception that is made here ends within this time."""

_ONE_AT_A_TIME = threading.Lock()


class Outcome(msgspec.Struct, frozen=True):
    status: int
    told: dict[str, Any]


class ModeBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Put a rule, pack or reason of a site into another mode, or the site itself with `name` "".

    With `dry` nothing is written; the answer says what would change.
    """

    site: str
    name: str
    mode: str
    reason: str
    owner: str
    dry: bool = False


class ExceptionBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Make an exception: the narrowest for an event, or one to a rule on a path and for clients."""

    reason: str
    owner: str
    until: datetime.date
    event: str = ""
    site: str = ""
    rule: str = ""
    path: str = ""
    clients: list[str] = []
    dry: bool = False


_MODE = msgspec.json.Decoder(ModeBody)
_EXCEPTION = msgspec.json.Decoder(ExceptionBody)

SOMETHING = "?"
"""Reason and owner of an exception that is only tried; without any it would be no right one."""

Make = Callable[[str], str]
"""Makes the new text of the configuration of the old one."""


def able(source: Source, near: bool) -> dict[str, Any]:
    """Whether the asker may change something here, and if not, why."""
    file = source.handover.config.document.file
    today = source.handover.day
    return {
        "file": str(Path(file).resolve()) if file else "",
        "near": near,
        "why": unable(source),
        "today": str(today),
        "until": str(today + datetime.timedelta(days=DAYS)),
    }


def unable(source: Source) -> str:
    """Why nothing can be written just now, in a word or a sentence; "" if it can."""
    file = source.handover.config.document.file
    if not file:
        return "this gate was started by flags alone, so there is no file to write into"
    if source.status.rolled_back:
        return "an older ruleset is in use by a rollback; `stopgap reload` takes the files over first"
    folder = Path(os.path.realpath(file)).parent
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"the gate runs as a user who may not write in {folder}"
    return ""


def mode(source: Source, body: bytes) -> Outcome:
    """Put something into another mode."""
    try:
        asked = _MODE.decode(body)
    except msgspec.MsgspecError as error:
        return _refused(400, f"body: {error}")
    why, today = Why(asked.reason, asked.owner), source.handover.day
    return _change(
        source, lambda text: change.mode(text, asked.site, asked.name, asked.mode, why, today), asked.dry
    )


def exception(source: Source, body: bytes) -> Outcome:
    """Make an exception."""
    try:
        asked = _EXCEPTION.decode(body)
    except msgspec.MsgspecError as error:
        return _refused(400, f"body: {error}")
    today = source.handover.day
    if not today <= asked.until <= today + LAST:
        return _refused(400, f"until: must be from {today} to {today + LAST}")
    if len(asked.path) > LONGEST or len(asked.clients) > MOST_CLIENTS:
        return _refused(400, f"path, clients: at most {LONGEST} characters and {MOST_CLIENTS} clients")
    if asked.event:
        return _of_event(source, asked)
    if not asked.path and not asked.clients:
        return _refused(400, "path: give a path or clients; an exception for all would switch the rule off")
    keys: dict[str, Any] = {"rule": asked.rule}
    keys |= {"path": asked.path} if asked.path else {}
    keys |= {"clients": asked.clients} if asked.clients else {}
    why = Why(asked.reason, asked.owner)
    return _change(source, lambda text: change.exception(text, asked.site, keys, why, asked.until), asked.dry)


def proposed(source: Source, event: Event) -> Outcome:
    """The narrowest change that lets the request of an event pass, as it would stand in the file."""
    until = source.handover.day + datetime.timedelta(days=DAYS)
    file = source.handover.config.document.file
    if not file:
        return _refused(200, unable(source))
    try:
        made = _proposal(
            source, event, Told(SOMETHING, SOMETHING, until), source.handover.texts[file].decode()
        )
    except InputError as error:
        return _refused(200, str(error))  # an answer, if not the one that was hoped for
    known = [
        (one.table, {key: one.keys[key] for key in one.keys if key not in _SAID}) for one in made.changes
    ]
    changes = [
        {"table": table, "keys": keys, "shown": _lines(edit.shown(table, keys))} for table, keys in known
    ]
    return Outcome(200, {"ok": True, "changes": changes, "sure": made.sure})


_SAID = ("reason", "owner", "until")
"""What an operator says of an exception."""


def _lines(text: str) -> str:
    """A text for people: a glob may hold what a client sent."""
    return "\n".join(map(printable, text.splitlines()))


def _of_event(source: Source, asked: ExceptionBody) -> Outcome:
    try:
        event = source.writer.find(int(asked.event, 16))
    except ValueError:
        event = None
    if event is None:
        return _refused(404, f"no event {printable(asked.event[:40])} is remembered")

    def make(text: str) -> str:
        why = Why(asked.reason, asked.owner).checked()
        made = _proposal(source, event, Told(why.reason, why.owner, asked.until), text)
        if not made.changes:
            raise ConfigError("nothing to change: the request passes with what the file says")
        return made.text

    return _change(source, make, asked.dry)


def _proposal(source: Source, event: Event, told: Told, text: str) -> Proposal:
    """Raises `InputError`, also where nothing can let the request pass."""
    config = source.handover.config
    names = [site.name for site in config.sites]
    request = rebuilt(event)
    if request is None or event.site not in names:
        raise InputError("the request is not known well enough to propose an exception")
    try:
        return propose(config, text, names.index(event.site), event, request, told)
    except Hopeless as error:
        text = unlinked(remedy(reasons()[error.reason]))
        raise InputError(f"No exception can let it pass ({error.reason}). {text}") from None


def _change(source: Source, make: Make, dry: bool) -> Outcome:
    if not _ONE_AT_A_TIME.acquire(blocking=False):
        return _refused(409, "another change is on its way; try again")
    try:
        return _changed(source, make, dry)
    except InputError as error:
        return _refused(409, str(error))
    finally:
        _ONE_AT_A_TIME.release()


def _changed(source: Source, make: Make, dry: bool) -> Outcome:
    handover = source.handover
    file = handover.config.document.file
    if why := unable(source):
        return _refused(409, why)
    if moved := [path for path, text in handover.texts.items() if _now(path) != text]:
        return _refused(409, f"{', '.join(moved)}: differs from what is in use; `stopgap reload` first")
    old = handover.texts[file].decode()
    new = make(old)
    change.checked(file, new)
    told: dict[str, Any] = {"diff": change.difference(file, old, new)}
    if dry:
        return Outcome(200, {"ok": True, "text": "nothing is written yet", **told})
    edit.replace(file, new)
    answer = source.ask("reload")
    if answer.ok:
        return Outcome(200, {"ok": True, "text": answer.text, **told})
    if _now(file) == new.encode():
        edit.replace(file, old)
        return _refused(409, f"the gate refused it, and {file} is as it was: {answer.text}")
    return _refused(409, f"the gate refused it, and somebody else has changed {file} since: {answer.text}")


def _now(path: str) -> bytes | None:
    try:
        return Path(path).read_bytes()
    except OSError:
        return None


def _refused(status: int, text: str) -> Outcome:
    return Outcome(status, {"ok": False, "text": text})
