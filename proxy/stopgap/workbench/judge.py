"""What would the gate do with these bytes?

A session of the core reads them as it would read a client's, with the policy of one site: so verdict, action,
mode, block page and event id are the gate's own. Every request is asked about alone. What happened to
connections before it (their number, a login) is not known here; rates are counted as in a gate.
"""

import os
import time
from collections.abc import Mapping, Sequence

import msgspec
from rich.text import Text

from stopgap import _core
from stopgap.config import Config
from stopgap.errors import ConfigError, nearest
from stopgap.events import schema
from stopgap.ruleset import explain, load, spec
from stopgap.ruleset.model import Rule

_SENT = frozenset({_core.FORWARD, _core.OPEN, _core.BODY, _core.END, _core.SEND})
"""Commands whose payload goes to the origin at once."""
_WHOLE = frozenset({_core.FORWARD, _core.END, _core.SEND})
"""Commands after which the origin has the whole request."""
_TURNED_AWAY = frozenset({_core.ANSWER, _core.CLOSE, _core.TARPIT})
_FLAGS = _core.MORE | _core.LAST
_CONTINUE = b"HTTP/1.1 100 "


class Judged(msgspec.Struct, frozen=True):
    """What becomes of a request: either `answer` goes to the client, or `sent` to the origin.

    An empty answer closes the connection: nobody waits here for the end of a tarpit. `seen` has every reading
    and finding; `event` is None where nothing was found.
    """

    request: bytes
    seen: explain.Explanation
    event: schema.Event | None
    answer: bytes | None
    sent: bytes

    @property
    def fate(self) -> str:
        """`passes`, or the action of the event: refused, dropped, tarpitted, detected, stripped."""
        if self.event:
            return self.event.event_action
        return "passes" if self.answer is None else "incomplete"


class Judge:
    """The policy of one site of a configuration, for every host; `text` is what its file says.

    Raises `InputError`.
    """

    def __init__(self, read: Config, text: str, site: str | None = None) -> None:
        self.config = read
        self.text = text
        self.index = _index(read, site)
        self.site = read.sites[self.index]
        self.ruleset = load.load(read)
        spec.build(read, self.ruleset)  # whatever is wrong is told with its line
        alone = msgspec.structs.replace(
            read,
            sites=(msgspec.structs.replace(self.site, hosts=("*",)),),
            **dict.fromkeys(spec.MOST_CONNECTIONS, 0),
        )
        built = spec.build(alone, self.ruleset)
        self.policy = spec.compiled(built)
        self.warnings = built.warnings
        self.rules: Mapping[str, Rule] = {rule.id: rule for rule in self.ruleset.rules}
        self._excepted: Sequence[str] = built.excepted.get(self.site.name, ())
        titles = {rule.id: rule.title for rule in self.ruleset.rules}
        self._known = schema.Known(titles, read.telling.masked)
        words = memoryview(bytearray((_core.BOARD_WORDS + _core.RATE_WORDS) * 8)).cast("Q")
        board, rates = words[: _core.BOARD_WORDS], words[_core.BOARD_WORDS :]
        rates[1] = int.from_bytes(os.urandom(8), "big")
        self._worker = _core.Worker(board, int.from_bytes(os.urandom(8), "big"), rates)
        self._worker.activate(self.policy)

    def ask(self, request: bytes, client: str = "127.0.0.1", tls: bool = False) -> Judged:
        """Judge a request, head and body as they stand on the wire."""
        session = self._worker.session(client, tls, False)
        answer, sent, held, whole = b"", b"", b"", False
        refused = False
        code, payload = session.receive(request)
        while True:
            command = code & ~_FLAGS
            if command in _TURNED_AWAY and not payload.startswith(_CONTINUE):
                refused, answer = True, b"" if command == _core.TARPIT else payload
                break
            if command == _core.HOLD:
                held += payload
            elif command in _SENT:
                sent += payload + (held if command == _core.SEND else b"")
                whole = command in _WHOLE
            if whole or not code & _core.MORE:
                break
            code, payload = session.receive(b"")
        session.end()
        told = [schema.event(line, time.time(), self._known) for line in self._worker.events()]
        self._worker.flush()  # so that the next one has an event of its own, not a count
        self._worker.events()
        passed = whole and not refused
        return Judged(
            request=request,
            seen=explain.read(self.policy.explain(request, 0)),
            event=told[0] if told else None,
            answer=None if passed else answer,
            sent=sent if passed else b"",
        )

    def told(self, judged: Judged) -> Text:
        """The explanation for people."""
        return explain.render(judged.seen, self.rules, self._excepted)


def _index(read: Config, name: str | None) -> int:
    names = [site.name for site in read.sites]
    if name is None:
        if len(names) > 1:
            raise ConfigError(
                f"--site: is missing; {read.document.file} has {len(names)} sites: {', '.join(names)}"
            )
        return 0
    if name not in names:
        raise ConfigError(f'--site: no site is called "{name}"{nearest(name, names)}')
    return names.index(name)
