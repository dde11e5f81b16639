"""Does each conversation of the folder come out as written, whole, byte by byte and in random pieces?"""

import random
import re
import time

import pytest

from stopgap import _core
from tests.conversation import Conversation, Transcript, bytewise, cut
from tests.policies import RULES, rule, site, specification
from tests.wire.cases import Case, load

CASES = load()
SPLITS = 20
EVERY_REASON = {name for name, *_ in _core.reasons()}


def policy(case: Case) -> _core.Policy:
    one = site(case.server, case.codepages, **{"mode": case.mode, **case.site})
    rules = [*RULES, *([rule("case", case.rule)] if case.rule else []), *case.rules]
    return _core.Policy(specification([one], rules))


def play(case: Case, judge: _core.Policy, client: list[bytes], origin: list[list[bytes]]) -> Transcript:
    fail = None if case.fail is None else [name for name, *_ in _core.reasons()].index(case.fail)
    conversation = Conversation(judge, [] if case.silent else origin, fail, case.trusted)
    for piece in client:
        conversation.receive(piece)
    if case.then:
        conversation.receive(case.then)
    if case.wait:
        time.sleep(case.wait)
        conversation.expire()
    return conversation.finish()


def statuses(client: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"HTTP/1\.[01] (\d{3})[ \r]", client)]


def compare(case: Case, said: Transcript, whole: bool = False) -> None:
    if case.requests is not None:
        assert said.requests == list(case.requests)
    if case.statuses is not None:
        assert statuses(said.client) == case.statuses
    if case.answer is not None:
        assert said.client == case.answer
    assert (said.reasons[0] if said.reasons else None) == case.reason
    if whole or said.detected or not case.surplus:
        assert (said.detected[0] if said.detected else None) == case.detected
    if case.events is not None:
        assert said.events == case.events
    if case.address is not None:
        assert said.addresses[0] == case.address
    if case.closed is not None:
        assert said.closed == case.closed
    assert said.pinned == case.pinned
    if case.retired is not None:
        assert bool(said.retired) == case.retired
    assert said.tunnel == case.tunnel


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.file}: {case.title}")
def test_conversation(case: Case) -> None:
    judge = policy(case)
    whole = play(case, judge, [case.client], [[answer] for answer in case.origin])
    compare(case, whole, whole=True)
    if case.commands is not None:
        assert [command for command in whole.commands if command != "WAIT"] == case.commands


@pytest.mark.parametrize(
    "case", [case for case in CASES if not case.wait], ids=lambda case: f"{case.file}: {case.title}"
)
def test_conversation_in_pieces(case: Case) -> None:
    judge = policy(case)
    compare(case, play(case, judge, bytewise(case.client), [bytewise(answer) for answer in case.origin]))
    chance = random.Random(case.title)
    for _ in range(SPLITS):
        client = cut(case.client, chance.choices(range(len(case.client) + 1), k=chance.randint(1, 6)))
        origin = [
            cut(answer, chance.choices(range(len(answer) + 1), k=chance.randint(1, 6)))
            for answer in case.origin
        ]
        compare(case, play(case, judge, client, origin))


def test_every_reason_has_a_case() -> None:
    """But those of connections that are closed unread: `test_rates.py`, `gate/test_greeter.py`, and
    `test_client_tls.py`."""
    unread = {"too-many-connections", "gate-full", "proxy-header", "client-tls"}
    assert {case.reason for case in CASES if case.reason} == EVERY_REASON - unread


def test_titles_are_unique() -> None:
    titles = [(case.file, case.title) for case in CASES]
    assert len(titles) == len(set(titles))
