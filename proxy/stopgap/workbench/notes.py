"""How does a flow become a vector of a rule, or an exception of the site?

Both are TOML to paste, made by the functions behind `stopgap rules` and `stopgap explain --except`. They are
told as text; a path appends them to a file. No file that is in use is changed.
"""

import datetime
from collections.abc import Iterator
from pathlib import Path

import tomlkit

from stopgap import texts
from stopgap.config import edit
from stopgap.errors import InputError
from stopgap.events.find import Rebuilt
from stopgap.ruleset import vectors
from stopgap.ruleset.propose import DAYS, Hopeless, Told, propose
from stopgap.workbench.judge import Judge, Judged

KINDS = ("block", "pass")
SECRET = frozenset({b"authorization", b"proxy-authorization", b"cookie"})
"""Headers that a vector does not take over where the verdict is the same without them."""
LONGEST = 64 * 1024
"""Bytes of the longest vector."""


class Unfit(InputError):
    """No vector or exception can be made of a flow; the text says why."""


def vector(judge: Judge, judged: Judged, kind: str) -> str:
    """A `block` or `pass` key with the request as short as the same finding allows, and whose it is."""
    if kind not in KINDS:
        raise Unfit(f'"{kind}" is no kind of vector; give block or pass')
    raw, wanted = judged.request, _cause(judged)
    if b"\r\n\r\n" not in raw:
        raise Unfit("the head of this request has no end; a vector is a whole head")
    short = next(one for one in (*_shorter(raw), raw) if _cause(judge.ask(one)) == wanted)
    text = _text(short)
    if len(text) > LONGEST:
        raise Unfit(f"the request is longer than a vector should be ({len(text)} characters)")
    if vectors.request(text) != short:
        raise Unfit("this request cannot be written as a vector")
    rule = judge.rules.get(wanted[1])
    if rule:
        head = f'rule "{rule.id}" ({rule.pack}.toml) {"catches" if judged.event else "passes"} this'
    else:
        head = f"reason {wanted[0]}" if wanted[0] else "no rule catches this"
    quoted = tomlkit.string(text.replace("'", r"\x27"), literal=True, multiline="\n" in text)
    return f"# {head}\n{kind} = [{quoted.as_string()}]\n"


def exception(judge: Judge, judged: Judged, reason: str, owner: str) -> str:
    """The narrowest `[[site.exception]]`, or limit, with which the request passes."""
    if judged.event is None:
        raise Unfit("nothing speaks against this request; it needs no exception")
    if not reason.strip():
        raise Unfit("an exception says who needs it, and why: give a reason")
    until = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=DAYS)
    told = Told(reason=reason, owner=owner, until=until)
    text, file = judge.text, judge.config.document.file
    try:
        with texts.replaced({file: text.encode()}):
            known = Rebuilt(judged.request, ())
            proposal = propose(judge.config, text, judge.index, judged.event, known, told)
    except Hopeless as error:
        raise Unfit(f"no exception can let it pass ({error.reason})") from None
    if not proposal.changes:
        raise Unfit("it passes with what the configuration says now")
    shown = "\n".join(edit.shown(one.table, one.keys) for one in proposal.changes)
    doubt = "" if proposal.sure else "# not tried: the event does not tell enough\n"
    return f'# below [[site]] "{judge.site.name}"\n{doubt}{shown}'


def append(path: str, text: str) -> None:
    """Put `text` at the end of a file. Raises `Unfit`."""
    try:
        with Path(path).expanduser().open("a", encoding="utf-8") as file:
            file.write(text + "\n")
    except OSError as error:
        raise Unfit(f"{path}: cannot be written: {error.strerror}") from None


def _shorter(raw: bytes) -> Iterator[bytes]:
    """The request line alone with the host of vectors, then the request without what is secret."""
    head, _, body = raw.partition(b"\r\n\r\n")
    line, *fields = head.split(b"\r\n")
    yield line + f"\r\nHost: {vectors.HOST}\r\n\r\n".encode()
    kept = [one for one in fields if one.partition(b":")[0].strip().lower() not in SECRET]
    yield b"\r\n".join([line, *kept]) + b"\r\n\r\n" + body


def _text(raw: bytes) -> str:
    """The notation of a vector; the request line alone where the rest is what a vector gets anyway."""
    line, end, rest = raw.partition(b"\r\n")
    alone = rest == f"Host: {vectors.HOST}\r\n\r\n".encode()
    return vectors.written(line if alone else line + end + rest)


def _cause(judged: Judged) -> tuple[str, str]:
    return (judged.event.reason, judged.event.rule_id) if judged.event else ("", "")
