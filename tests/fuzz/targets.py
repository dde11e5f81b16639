"""What is fuzzed? Entry points that take bytes; they return when all is well and raise when it is not.

The first bytes of an input choose server, code page and pieces, the rest goes to the core, so that any
engine (atheris, hypothesis, plain mutation) can drive them.
"""

import json
from collections.abc import Callable

import h11

from stopgap import _core
from tests.client import heard
from tests.conversation import Conversation, Transcript, bytewise, converse, cut
from tests.policies import guard

SERVERS = _core.servers()
PAGES = _core.codepages()
REQUEST = b"GET / HTTP/1.1\r\nHost: vector.test\r\n\r\n"


def setting(data: bytes) -> tuple[str, int, bytes]:
    """Server and code page from the first two bytes, and the rest."""
    head, rest = data[:2].ljust(2, b"\0"), data[2:]
    return SERVERS[head[0] % len(SERVERS)], PAGES[head[1] % len(PAGES)], rest


def receive(data: bytes) -> None:
    """Client bytes, whole and one by one: the same requests, the same answers.

    A line is judged when it ends, so the input's last one is ended.
    """
    server, page, rest = setting(data)
    rest += b"\r\n\r\n"
    policy = guard(server, page)
    whole = converse(policy, [rest])
    single = converse(policy, bytewise(rest))
    assert (whole.requests, whole.closed, whole.reasons) == (single.requests, single.closed, single.reasons)
    for request in whole.requests:
        assert request.count(b"\r\n\r\n") >= 1
        assert b"\n" not in request.partition(b"\r\n\r\n")[0].replace(b"\r\n", b"")


def respond(data: bytes) -> None:
    """Origin bytes, whole and one by one: the client gets the same.

    What comes after the answer is only seen with it when it comes in the same piece.
    """
    server, page, rest = setting(data)
    policy = guard(server, page)
    whole = converse(policy, [REQUEST], [[rest]])
    single = converse(policy, [REQUEST], [bytewise(rest)])
    assert whole.closed == single.closed
    assert outcome(whole) == outcome(single)


def outcome(said: Transcript) -> object:
    """The answer as a client reads it (the sizes of chunks may differ), or that it cannot."""
    try:
        return heard(said, b"GET")[:2]
    except (h11.RemoteProtocolError, AssertionError):
        return "unreadable"


def lines_out_of_turn(data: bytes) -> None:
    """Both sides talk in any order, and the gate's own calls come in between."""
    server, page, rest = setting(data)
    conversation = Conversation(guard(server, page))
    session = conversation.session
    for number, piece in enumerate(cut(rest, range(0, len(rest), 7))):
        side = piece[0] % 5 if piece else 4
        if side < 2:
            session.receive(piece[1:])
        elif side < 4:
            session.respond(piece[1:])
        elif number % 2:
            session.expire()
        else:
            session.lost()
    session.end()
    conversation.worker.flush()
    conversation.worker.events()


def readings(data: bytes) -> None:
    """A target: readings exist, are small and begin with a slash or are the path as it came."""
    server, page, rest = setting(data)
    for decoded, resolved, steps, anomalies in _core.readings(rest, server, [page]):
        assert decoded.decode("utf-8") is not None
        assert resolved.decode("utf-8") is not None
        assert b"\\" not in decoded + resolved
        assert isinstance(steps, list)
        assert isinstance(anomalies, list)


def judge(data: bytes) -> None:
    """A whole request: the verdict names a reason and a rule that exist, and explain agrees with judge."""
    server, page, rest = setting(data)
    policy = guard(server, page)
    verdict = policy.judge(rest, 0)
    if verdict is not None:
        reason, rule, _reading = verdict
        assert 0 <= reason < len(_core.reasons())
        assert -1 <= rule < len(policy.rules)
    told = json.loads(policy.explain(rest, 0))["verdict"]
    assert (told and told["reason"]) == (verdict and _core.reasons()[verdict[0]][0])


TARGETS: dict[str, Callable[[bytes], None]] = {
    "receive": receive,
    "respond": respond,
    "out-of-turn": lines_out_of_turn,
    "readings": readings,
    "judge": judge,
}
