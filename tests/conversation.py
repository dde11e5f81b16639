"""What do a client and an origin see of each other through a `Session`? A gate without sockets.

Carries out the commands of `_core.pyi` and nothing else. The same bytes in other pieces may give other
commands (one FORWARD, or OPEN, BODY and END); a `Transcript` holds what both sides get, which may not differ.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from stopgap import _core

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
COMMANDS = {
    getattr(_core, name): name
    for name in (
        [
            "WAIT",
            "FORWARD",
            "OPEN",
            "BODY",
            "END",
            "HOLD",
            "SEND",
            "ANSWER",
            "CLOSE",
            "PAUSE",
            "RELAY",
            "WRITE",
            "FINISH",
            "RETIRE",
            "PIN",
            "TUNNEL",
            "TARPIT",
        ]
    )
}
KIND = _core.MORE - 1
ANSWER = "exploit-answered"
"""The action of the event that tells how the origin answered what was detected."""


@dataclass
class Transcript:
    """What a connection came to."""

    requests: list[bytes] = field(default_factory=list)
    """Each complete request as the origin gets it."""
    client: bytes = b""
    """All that the client gets."""
    closed: bool = False
    tunnel: bytes = b""
    """What the origin gets after the protocol was switched."""
    pinned: bool = False
    retired: int = 0
    commands: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    """Names of the reasons in the events of the refusals."""
    detected: list[str] = field(default_factory=list)
    """The same for what was judged and forwarded all the same."""
    events: list[str] = field(default_factory=list)
    """Action, reason and mode of every event, an origin's status, and how many more a line counts."""
    addresses: list[str] = field(default_factory=list)
    """The client of every event."""


def words(number: int) -> memoryview:
    """Memory as the supervisor gives it to a worker."""
    return memoryview(bytearray(8 * number)).cast("Q")


class Conversation:
    """One client connection and its origin; `answers` are given in turn, the last one again and again.

    Without answers the origin stays silent. With `fail`, an index into `_core.reasons()`, it cannot be used.
    """

    def __init__(
        self,
        policy: _core.Policy,
        answers: Sequence[Iterable[bytes]] = ((OK,),),
        fail: int | None = None,
        trusted: bool = False,
    ) -> None:
        self.worker = _core.Worker(words(_core.BOARD_WORDS), 1, words(_core.RATE_WORDS))
        self.worker.activate(policy)
        self.session = self.worker.session("192.0.2.7", False, trusted)
        self.answers = [list(answer) for answer in answers]
        self.fail = fail
        self.said = Transcript()
        self._open = b""
        self._held = b""
        self._tunnel = False
        self._finished = 0

    def receive(self, data: bytes) -> None:
        """The client sends a piece, if it may still send."""
        if not self.said.closed:
            self._carry_out(*self.session.receive(data))

    def expire(self) -> None:
        """The deadlines are looked at."""
        command, payload = self.session.expire()
        if command != _core.WAIT:
            self._answer(b"", command, payload)

    def finish(self) -> Transcript:
        """The client closes; the worker writes its events."""
        self.session.end()
        self.worker.flush()
        for event in self.worker.events():
            count, action, reason, mode = event[1], event[5], event[7], event[18]
            told = f"{action} {reason} {mode}" + (f" {event[8]}" if action == ANSWER else "")
            self.said.events.append(told + (f" and {count} more" if count else ""))
            self.said.addresses.append(event[17])
            if count == 0 and action != ANSWER:
                let_through = action in ("detected", "stripped")
                (self.said.detected if let_through else self.said.reasons).append(reason)
        return self.said

    def _carry_out(self, command: int, payload: bytes) -> None:
        kind = command & KIND
        self.said.commands.append(COMMANDS[kind])
        if kind in (_core.ANSWER, _core.CLOSE):
            self.said.client += payload
            self.said.closed |= kind == _core.CLOSE
        elif kind == _core.OPEN:
            self._open = payload
        elif kind == _core.BODY:
            self._open += payload
        elif kind == _core.HOLD:
            self._held += payload
        elif kind == _core.TUNNEL:
            self.said.tunnel += payload
        elif kind in (_core.FORWARD, _core.END, _core.SEND):
            self._complete(payload if kind == _core.FORWARD else self._open + payload + self._held)
        else:
            assert kind in (_core.WAIT, _core.PAUSE, _core.TARPIT), COMMANDS[kind]
            assert not payload
        if command & _core.MORE:
            self._carry_out(*self.session.receive(b""))

    def _complete(self, request: bytes) -> None:
        self._open = self._held = b""
        self.said.requests.append(request)
        if self.fail is not None:
            self._answer(b"", *self.session.fail(self.fail))
            return
        if not self.answers:
            return
        turn = min(len(self.said.requests), len(self.answers)) - 1
        number = len(self.said.requests)
        for piece in self.answers[turn]:
            if self._finished >= number:
                return
            self._answer(piece, *self.session.respond(piece))
        if self._finished < number and not self._tunnel:
            self._answer(b"", *self.session.lost())

    def _answer(self, piece: bytes, command: int, payload: bytes) -> None:
        kind = command & KIND
        self.said.commands.append(COMMANDS[kind])
        self.said.client += piece if kind == _core.RELAY else payload
        self.said.closed |= kind == _core.CLOSE or bool(command & _core.LAST)
        self._finished += kind in (_core.FINISH, _core.RETIRE, _core.PIN, _core.CLOSE)
        self.said.pinned |= kind == _core.PIN
        self.said.retired += kind == _core.RETIRE
        self._tunnel |= kind == _core.TUNNEL
        if command & _core.MORE and not self.said.closed:
            self._carry_out(*self.session.receive(b""))


def converse(
    policy: _core.Policy, pieces: Iterable[bytes], answers: Sequence[Iterable[bytes]] = ((OK,),)
) -> Transcript:
    """A whole connection: the client sends the pieces, then closes."""
    conversation = Conversation(policy, answers)
    for piece in pieces:
        conversation.receive(piece)
    return conversation.finish()


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """The data in pieces, cut at these places (those inside it)."""
    ends = sorted({place for place in places if 0 < place < len(data)})
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True)]


def bytewise(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]
