"""Does the workbench say and do what the gate does, with every vector of every pack?"""

import re
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mitmproxy", reason="mitmproxy needs Python 3.12")

from mitmproxy import http
from mitmproxy.io import FlowReader
from mitmproxy.test import tflow

from stopgap.events import flows as evidence
from stopgap.ruleset import load, vectors
from stopgap.workbench.judge import Judged
from stopgap.workbench.messages import written
from stopgap.workbench.verdicts import CAME, HELD, RAW, REFUSED
from tests.unit.workbench.talk import Bench, held, judge

VECTORS = sorted({one.text for rule in load.assemble(load.packaged(), {}).rules for one in rule.vectors})
WITHOUT_A_FLOW = {"bad-target": 2, "bad-version": 1, "bad-request-line": 1, "no-version": 1}
"""What mitmproxy cannot parse, by the gate's reason: there is an answer, but no flow to look at."""
NOT_TAKEN = {
    **{"bad-header-name": 1, "space-before-colon": 1, "bad-chunk": 3, "body-cut": 3, "body-too-long": 3},
    **{"transfer-on-1.0": 1, "bad-length": 2, "duplicate-length": 1, "length-and-transfer": 1},
    **{"unknown-transfer": 1, "passes": 1},
}
"""Flows that cannot be held, because mitmproxy does not read them to their end. The one that the gate would
pass has trailers."""
REQUEST = b"GET %b HTTP/1.1\r\nHost: kaikei.test\r\n\r\n"
GATE_PAGE = b"<title>Request not completed</title>"


@pytest.mark.parametrize("mode", ["block", "detect"])
def test_every_vector_is_judged_as_the_gate_judges_it(mode: str) -> None:
    gate = judge(mode=mode, strict=True)
    without, not_taken = Counter[str](), Counter[str]()

    async def test(tctx: Any) -> None:
        bench = Bench(tctx, judge(mode=mode, strict=True))
        for text in VECTORS:
            raw = vectors.request(text)
            there = gate.ask(raw, "198.51.100.7")
            assert (gate.policy.judge(raw, 0) is None) == (there.event is None), text
            client = await bench.client().start()
            await client.says(raw)
            if not (client.sent or client.got):
                await client.leaves()
            flow = bench.seen.flows.pop() if bench.seen.flows else None
            reason = there.event.reason if there.event else "passes"
            if flow is None:
                without[reason] += 1
                assert GATE_PAGE in client.got, text
            else:
                _same(flow, raw, there, text)
                not_taken[reason] += flow.error is not None
                assert bytes(client.sent) == (b"" if flow.error else there.sent), text
            if there.answer and client.got:
                assert client.got.startswith(there.answer[:12]), text
                number = flow.metadata["workbench.event"] if flow else ""
                assert f"X-Stopgap-Event: {number}".encode() in client.got, text
            bench.seen.flows.clear()
            await client.leaves()

    held(test)
    assert without == WITHOUT_A_FLOW
    assert +not_taken == NOT_TAKEN


def _same(flow: http.HTTPFlow, raw: bytes, there: Judged, text: str) -> None:
    """The flow tells the verdict of the gate about the very bytes of the vector."""
    facts = flow.metadata
    assert facts["workbench.bytes"] == CAME
    assert facts.get(RAW, raw) == raw, text
    wanted = (there.event.reason, there.event.rule_id, there.event.mode) if there.event else (None,) * 3
    found = (facts.get(f"workbench.{key}") for key in ("reason", "rule", "mode"))
    assert (facts["workbench.fate"], *found) == (there.fate, *wanted), text


@pytest.mark.parametrize("cut", [1, 7, 40])
def test_bytes_in_pieces_and_one_request_behind_another(cut: int) -> None:
    first = b"POST /a.asp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    second = REQUEST % b"/a/..%c0%af../b"
    both = first + second

    async def test(tctx: Any) -> None:
        bench = Bench(tctx, judge(server="iis6"))
        client = await bench.client().start()
        for place in range(0, len(both), cut):
            await client.says(both[place : place + cut])
        assert client.sent.endswith(b"\r\nContent-Length: 3\r\n\r\nabc")
        await client.answers(b"HTTP/1.1 204 No Content\r\n\r\n")
        one, two = bench.seen.flows
        assert (one.metadata[RAW], one.metadata["workbench.fate"]) == (first, "passes")
        assert (two.metadata[RAW], two.metadata["workbench.fate"]) == (second, "refused")
        assert GATE_PAGE in client.got
        assert b"%c0" not in client.sent

    held(test)


def test_what_a_flow_shows() -> None:
    async def test(tctx: Any) -> None:
        bench = Bench(tctx, judge())
        client = await bench.client().start()
        await client.says(REQUEST % b"/x.%2569da")
        (flow,) = bench.seen.flows
        number = flow.metadata["workbench.event"]
        assert flow.comment.startswith("stopgap: refused with 404: extension-denied, rule ida-idq (")
        assert flow.comment.endswith(f"read as /x.ida [percent > percent-2], event {number}")
        assert flow.marked == REFUSED
        assert f"X-Stopgap-Event: {number}".encode() in client.got

    held(test)


class Holds:
    """Holds every request, and does with it what a test wants once it is shown."""

    def __init__(self, edit: Any) -> None:
        self.edit = edit
        self.comments: list[str] = []

    def request(self, flow: http.HTTPFlow) -> None:
        flow.intercept()

    def update(self, flows: list[http.HTTPFlow]) -> None:
        for flow in flows:
            if flow.intercepted:
                self.comments.append(flow.comment)
                self.edit(flow)
                flow.resume()


def test_a_request_that_was_edited_is_judged_anew() -> None:
    def edit(flow: http.HTTPFlow) -> None:
        flow.request.path = "/x.ida" if flow.request.path == "/ok.asp" else "/ok.asp"

    async def test(tctx: Any) -> None:
        holds = Holds(edit)
        bench = Bench(tctx, judge(), holds)
        client = await bench.client().start()
        await client.says(REQUEST % b"/ok.asp")
        assert GATE_PAGE in client.got
        assert not client.sent
        client = await bench.client().start()
        await client.says(REQUEST % b"/x.ida")
        assert client.sent.startswith(b"GET /ok.asp HTTP/1.1\r\nHost: kaikei.test\r\n")
        first, second = bench.seen.flows
        assert (first.metadata["workbench.fate"], first.metadata["workbench.bytes"]) == ("refused", HELD)
        assert (second.metadata["workbench.fate"], second.marked) == ("passes", "")
        assert [comment.partition(":")[2].split()[0] for comment in holds.comments] == ["passes", "refused"]

    held(test)


def test_a_request_that_was_held_and_not_edited_is_carried_out_as_it_was_judged() -> None:
    async def test(tctx: Any) -> None:
        bench = Bench(tctx, judge(), Holds(lambda flow: None))
        client = await bench.client().start()
        await client.says(REQUEST % b"/x.ida")
        assert GATE_PAGE in client.got
        assert bench.seen.flows[0].metadata["workbench.bytes"] == CAME

    held(test)


def test_a_held_request_may_be_killed() -> None:
    async def test(tctx: Any) -> None:
        bench = Bench(tctx, judge(), Holds(lambda flow: (flow.kill(), flow.resume())))
        client = await bench.client().start()
        await client.says(REQUEST % b"/ok.asp")
        assert client.closed
        assert not client.sent

    held(test)


def test_detect_marks_and_forwards() -> None:
    async def test(tctx: Any) -> None:
        bench = Bench(tctx, judge(mode="detect"))
        client = await bench.client().start()
        await client.says(REQUEST % b"/x.ida")
        assert client.sent.startswith(b"GET /x.ida HTTP/1.1\r\n")
        (flow,) = bench.seen.flows
        assert (flow.metadata["workbench.fate"], flow.marked) == ("detected", ":eyes:")
        assert "mode detect" in flow.comment

    held(test)


def test_what_cannot_be_judged_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> None:
        raise MemoryError

    async def test(tctx: Any) -> None:
        bench = Bench(tctx, judge())
        monkeypatch.setattr(bench.verdicts, "_asked", broken)
        client = await bench.client().start()
        await client.says(REQUEST % b"/ok.asp")
        assert client.closed
        assert not client.sent

    held(test)


def test_a_flow_from_a_file_is_judged_and_left_alone() -> None:
    async def test(tctx: Any) -> None:
        bench = Bench(tctx, judge())
        flow = tflow.tflow(resp=True, live=False)
        flow.request.headers["Host"] = "kaikei.test"
        flow.live = False
        flow.request.headers["Host"] = "kaikei.test"
        flow.request.path, flow.comment, flow.marked = "/x.ida", "seen on Monday", ":cherries:"
        before, answer = written(flow), flow.response
        await bench.verdicts.request(flow)
        assert flow.comment.startswith("seen on Monday | stopgap: refused with 404")
        assert flow.marked == ":cherries:"
        assert flow.metadata["workbench.bytes"] == HELD
        assert (written(flow), flow.response) == (before, answer)
        await bench.verdicts.request(flow)
        assert flow.comment.count("stopgap:") == 1

    held(test)


def test_the_bytes_that_a_gate_kept_as_evidence_are_judged() -> None:
    raw = b"GET /x.%2569da HTTP/1.1\r\nHost:kaikei.test\r\n\r\n"

    async def test(tctx: Any) -> None:
        bench = Bench(tctx, judge())
        told = evidence.Told("198.51.100.7", False, 1.0, {}, "refused", ":red_circle:", "refused")
        file = BytesIO(evidence.written(raw, len(raw), told))
        (flow,) = FlowReader(file).stream()
        assert isinstance(flow, http.HTTPFlow)
        await bench.verdicts.request(flow)
        assert (flow.metadata[RAW], flow.metadata["workbench.bytes"]) == (raw, CAME)
        assert flow.metadata["workbench.rule"] == "ida-idq"

    held(test)


def test_without_an_origin_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(tctx: Any) -> None:
        bench = Bench(tctx, judge())
        monkeypatch.setattr(bench.verdicts, "_origin", None)
        client = await bench.client().start()
        await client.says(REQUEST % b"/ok.asp")
        assert client.closed
        assert not client.sent

    held(test)


@pytest.mark.parametrize("page", ["workbench.md", "ja/workbench.md"])
def test_the_pages_count_what_cannot_be_held(page: str) -> None:
    text = (Path(__file__).parents[3] / "docs" / page).read_text("utf-8")
    counts = [int(number) for number in re.findall(r"^\| (\d+)(?: 個)?: ", text, re.M)]
    forwarded = NOT_TAKEN["passes"]
    assert counts == [sum(WITHOUT_A_FLOW.values()), sum(NOT_TAKEN.values()) - forwarded, forwarded]
