"""Does the recorder keep the bytes that came, and end what has no end?"""

from typing import Any

import pytest

pytest.importorskip("mitmproxy", reason="mitmproxy needs Python 3.12")

from stopgap.workbench.verdicts import RAW
from stopgap.workbench.wire import LONGEST_HEAD, Room
from tests.unit.workbench.talk import Bench, held, judge

HOST = b"Host: kaikei.test\r\n"
PAGE = b"<title>Request not completed</title>"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"GET  /a HTTP/1.1\r\n" + HOST + b"\r\n", "bad-request-line"),
        (b"GET\t/a HTTP/1.1\r\n" + HOST + b"\r\n", "tab-in-request-line"),
        (b"GET /a HTTP/1.1\n" + HOST + b"\r\n", "bare-lf"),
        (b"GET /a HTTP/1.1\r\n" + HOST + b"A: b\r\n c\r\n\r\n", "obs-fold"),
        (b"GET /a HTTP/1.1\r\n" + HOST + b"A: \x00\r\n\r\n", "nul-byte"),
        (b"GET /a HTTP/1.1\r\n" + HOST + HOST + b"\r\n", "duplicate-host"),
        (b"GET http://other.test/a HTTP/1.1\r\n" + HOST + b"\r\n", "host-mismatch"),
    ],
)
def test_what_mitmproxy_mends_is_judged_as_it_came(raw: bytes, reason: str) -> None:
    async def test(tctx: Any) -> None:
        bench = Bench(tctx, judge())
        client = await bench.client().start()
        await client.says(raw)
        assert PAGE in client.got
        assert not client.sent
        for flow in bench.seen.flows:
            assert (flow.metadata[RAW], flow.metadata["workbench.reason"]) == (raw, reason)

    held(test)


def test_empty_lines_before_a_request() -> None:
    async def test(tctx: Any) -> None:
        bench = Bench(tctx, judge())
        client = await bench.client().start()
        await client.says(b"\r\n\r\nGET /a HTTP/1.1\r\n" + HOST + b"\r\n")
        there = judge().ask(b"\r\n\r\nGET /a HTTP/1.1\r\n" + HOST + b"\r\n", "198.51.100.7")
        assert bytes(client.sent) == there.sent
        assert bench.seen.flows[0].metadata["workbench.fate"] == there.fate

    held(test)


@pytest.mark.parametrize("beginning", [b"", b"GET /", b"GET / HTTP/1.1\r\n" + HOST + b"A: "])
def test_a_head_without_end(beginning: bytes) -> None:
    async def test(tctx: Any) -> None:
        bench = Bench(tctx, judge())
        client = await bench.client().start()
        await client.says(beginning)
        for _ in range(LONGEST_HEAD // 1000 + 1):
            await client.says(b"a" * 1000)
        assert client.closed
        assert client.got.startswith((b"HTTP/1.1 414", b"HTTP/1.1 431", b"HTTP/1.1 400"))
        assert not bench.seen.flows

    held(test)


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 90000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\nfffff\r\n"]
)
def test_a_body_longer_than_is_read(framing: bytes) -> None:
    async def test(tctx: Any) -> None:
        bench = Bench(tctx, judge(limits={"body": 1000}), room=Room(5000, 10**9))
        client = await bench.client().start()
        await client.says(b"POST /a.asp HTTP/1.1\r\n" + HOST + framing)
        for _ in range(6):
            await client.says(b"a" * 1000)
        assert client.closed
        assert client.got.startswith(b"HTTP/1.1 413")
        assert not client.sent
        assert bench.seen.flows[0].metadata["workbench.reason"] == "body-too-long"

    held(test)


def test_requests_share_a_room_until_they_are_answered() -> None:
    raw = b"POST /a.asp HTTP/1.1\r\n" + HOST + b"Content-Length: 1000\r\n\r\n" + b"a" * 1000

    async def test(tctx: Any) -> None:
        room = Room(5000, 2500)
        bench = Bench(tctx, judge(server="iis6"), room=room)
        first, second, third = [await bench.client().start() for _ in range(3)]
        await first.says(raw)
        await second.says(raw)
        assert room.used == 2 * len(raw)
        await third.says(raw)
        assert third.got.startswith(b"HTTP/1.1 503")
        assert third.closed
        assert not third.sent
        await first.answers(b"HTTP/1.1 204 No Content\r\n\r\n")
        assert room.used == len(raw)
        await second.leaves()
        assert room.used == 0
        await first.says(raw)
        assert first.sent.count(b"POST /a.asp") == 2

    held(test)


def test_trailers_are_told_of_where_mitmproxy_would_end_without_a_word() -> None:
    async def test(tctx: Any) -> None:
        bench = Bench(tctx, judge())
        client = await bench.client().start()
        head = b"POST /a.asp HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
        await client.says(head + b"3\r\nabc\r\n0\r\nA: b\r\n\r\n")
        assert client.got.startswith(b"HTTP/1.1 501")
        assert client.closed
        assert not client.sent
        assert bench.seen.flows[0].error

    held(test)


def test_a_connection_that_closes_is_forgotten() -> None:
    async def test(tctx: Any) -> None:
        bench = Bench(tctx, judge())
        client = await bench.client().start()
        await client.says(b"GET /a HTTP/1.1\r\n" + HOST + b"\r\n")
        connection = bench.seen.flows[0].client_conn
        assert bench.verdicts.wire.of(connection)
        await client.leaves()
        assert bench.verdicts.wire.of(connection) is None

    held(test)
