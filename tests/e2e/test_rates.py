"""Is a client refused who asks too often, and only he, by the rules that ship (catalogue V-PAD, V-400DOS)?"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from stopgap.ruleset import load, vectors
from stopgap.ruleset.model import Rule
from tests.e2e.client import Client, get, post
from tests.e2e.gate import Gate, guarding
from tests.e2e.origins import Origin, Request, answer, answering

ASKED = 62
"""Requests of an attacker: even when a minute ends among them, one half is above the rate."""
SURE = 13
"""Different values that no estimate takes for more than twenty."""

COUNTING = [rule for rule in load.assemble(load.packaged(), {}).rules if rule.rate]


@pytest.fixture(scope="module")
def gate(folder: Path, shared: Origin) -> Iterator[Gate]:
    site = {"origins": shared.url, "server": "iis7", "packs": ["aspnet"]}
    with guarding(folder / "gate", site, workers=2) as running:
        yield running


def server(request: Request) -> bytes:
    """As ASP.NET before MS10-070: the status says what is wrong with the padding."""
    if b"good" in request.target:
        return answer(b"script")
    return answer(b"", status="404 Not Found" if b"axd" in request.target else "500 Internal Server Error")


def statuses(gate: Gate, source: str, *requests: bytes) -> list[int]:
    """The answers to requests of one client, each on a connection of its own: any worker may get it."""
    got = []
    for request in requests:
        with Client(gate.port, source=source) as client:
            got.append(client.ask(request).status)
    return got


def test_v_pad_a_padding_oracle_dries_up(gate: Gate, origin: Origin) -> None:
    origin.script = answering(server)
    got = statuses(gate, "127.0.2.1", *(get(f"/WebResource.axd?d=guess{number}") for number in range(ASKED)))
    assert got[:SURE] == [404] * SURE
    assert 429 in got
    assert len(origin.requests) == got.count(404)
    assert statuses(gate, "127.0.2.1", get("/WebResource.axd?d=guess1"), get("/good.aspx")) == [429, 200]


def test_v_pad_by_the_viewstate(gate: Gate, origin: Origin) -> None:
    origin.script = answering(server)
    form = "Content-Type: application/x-www-form-urlencoded"
    got = statuses(
        gate,
        "127.0.2.2",
        *(post("/a.aspx", b"__VIEWSTATE=guess%d" % number, form) for number in range(2 * ASKED)),
    )
    assert got[: 2 * SURE] == [500] * 2 * SURE
    assert 429 in got


def test_v_pad_whoever_gets_what_he_asks_for_may_ask_on(gate: Gate, origin: Origin) -> None:
    origin.script = answering(server)
    found = [get(f"/WebResource.axd?d=good{number}") for number in range(ASKED)]
    again = [get("/ScriptResource.axd?d=gone")] * ASKED
    assert statuses(gate, "127.0.2.3", *found) == [200] * ASKED
    assert statuses(gate, "127.0.2.3", *again) == [404] * ASKED


def guess(text: str, number: int) -> bytes:
    """A vector whose values all begin with this number, of three figures."""
    head, end, body = vectors.request(text).partition(b"\r\n\r\n")
    line, _, fields = head.partition(b"\r\n")
    line, values = (part.replace(b"=", b"=%03d" % number) for part in (line, body))
    grown = b"Content-Length: %d" % len(values)
    return line + b"\r\n" + re.sub(rb"(?i)content-length: \d+", grown, fields) + end + values


@pytest.mark.parametrize("rule", COUNTING, ids=lambda rule: rule.id)
def test_block_vectors_count_and_pass_vectors_do_not(rule: Rule, gate: Gate, origin: Origin) -> None:
    assert rule.rate is not None
    over = rule.rate.over
    sure = over * 2 // 3 if rule.rate.distinct else over
    status = rule.rate.answers[0] if rule.rate.answers else 200
    origin.script = answering(lambda request: answer(b"", status=f"{status} So"))
    for number, vector in enumerate((*rule.block, *rule.passes), 1):
        guesses = (guess(vector.text, turn) for turn in range(2 * over + 1))
        got = statuses(gate, f"127.0.1.{number}", *guesses)
        assert got[:sure] == [status] * sure, vector.text
        assert (429 in got) == (vector in rule.block), vector.text
