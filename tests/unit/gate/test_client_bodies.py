"""Do bodies and answers flow no faster than the slower side, held or streamed, in memory or on disk?"""

import pytest

from stopgap._core import (
    BODY,
    END,
    FINISH,
    FORWARD,
    HOLD,
    LAST,
    MORE,
    OPEN,
    RETIRE,
    SEND,
    WAIT,
    WRITE,
)
from stopgap.gate.spool import MEMORY
from tests.unit.gate.fakes import House

GET = b"GET / HTTP/1.1\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def test_streamed_body() -> None:
    house = House()
    client, wire = house.client()
    house.script.expect("receive", b"POST", OPEN, b"head")
    house.script.expect("receive", b"b1", BODY, b"b1")
    house.script.expect("receive", b"b2", END, b"b2")
    client.data_received(b"POST")
    client.data_received(b"b1")
    assert wire.paused()
    _, origin = house.connect()
    assert not wire.paused()
    client.data_received(b"b2")
    assert origin.take() == b"headb1b2"
    assert client.flags == 0


def test_origin_that_reads_slowly_stops_the_client() -> None:
    house = House()
    upstream, _ = house.idle()
    client, wire = house.client()
    house.script.expect("receive", b"POST", OPEN, b"head")
    client.data_received(b"POST")
    upstream.pause_writing()
    assert wire.paused()
    upstream.resume_writing()
    assert not wire.paused()


def test_client_that_reads_slowly_stops_the_origin() -> None:
    house = House()
    upstream, origin = house.idle()
    client, wire = house.client()
    house.script.expect("receive", GET, FORWARD, b"rewritten")
    house.script.expect("respond", b"head", WRITE, b"HEAD")
    client.data_received(GET)
    upstream.data_received(b"head")
    client.pause_writing()
    assert origin.paused()
    client.resume_writing()
    assert not origin.paused()
    client.pause_writing()
    house.script.expect("respond", b"end", FINISH, b"END")
    upstream.data_received(b"end")
    assert not origin.paused() and house.pool.origins[0].idle == [upstream]
    assert wire.paused(), "no further request until the answer is read"
    house.script.expect("receive", b"", WAIT)
    client.resume_writing()
    house.loop.run()
    assert not wire.paused() and client.flags == 0


def test_last_bytes_of_an_answer_clog_the_client() -> None:
    house = House()
    upstream, origin = house.idle()
    client, wire = house.client()
    house.script.expect("receive", GET, FORWARD, b"rewritten")
    house.script.expect("respond", OK, FINISH, b"answer")
    client.data_received(GET)
    wire.clogs = True
    upstream.data_received(OK)
    assert not origin.paused(), "the next exchange reads from it"
    assert wire.paused() and wire.take() == b"answer"
    house.script.expect("receive", b"", WAIT)
    client.resume_writing()
    house.loop.run()
    assert not wire.paused() and client.flags == 0


def test_early_answer_to_a_streamed_body_closes() -> None:
    house = House()
    upstream, origin = house.idle()
    client, wire = house.client()
    house.script.expect("receive", b"POST", OPEN, b"head")
    house.script.expect("respond", b"413", RETIRE | LAST, b"413")
    client.data_received(b"POST")
    upstream.data_received(b"413")
    assert (wire.take(), wire.state, origin.state) == (b"413", "half", "aborted")


def test_held_body_in_memory() -> None:
    house = House()
    client, _ = house.client()
    house.script.expect("receive", b"POST", HOLD, b"b1")
    house.script.expect("receive", b"b2", HOLD | MORE, b"b2")
    house.script.expect("receive", b"", SEND, b"head")
    client.data_received(b"POST")
    client.data_received(b"b2")
    _, origin = house.connect()
    assert origin.take() == b"headb1b2"
    assert client.flags == 0 and client.spool is None


def test_held_body_on_disk() -> None:
    house = House()
    client, wire = house.client()
    piece = bytes(MEMORY // 2 + 1)
    for _ in range(2):
        house.script.expect("receive", piece, HOLD, piece)
        client.data_received(piece)
    assert wire.paused(), "until it is written"
    house.labour()
    assert not wire.paused()
    house.script.expect("receive", b"z", HOLD | MORE, b"z")
    house.script.expect("receive", b"", SEND, b"head")
    client.data_received(b"z")
    _, origin = house.connect()
    house.labour()
    assert origin.take() == b"head" + piece * 2 + b"z"
    assert client.flags == 0 and client.spool is None


def test_body_complete_before_it_is_written() -> None:
    house = House()
    upstream, origin = house.idle()
    client, wire = house.client()
    body = bytes(MEMORY + 1)
    house.script.expect("receive", body, HOLD | MORE, body)
    house.script.expect("receive", b"", SEND, b"head")
    client.data_received(body)
    assert origin.take() == b""
    house.labour()
    assert origin.take() == b"head" + body
    assert not wire.paused() and client.upstream is upstream


def test_answer_before_a_held_body_was_sent_costs_the_connection() -> None:
    house = House()
    upstream, origin = house.idle()
    client, wire = house.client()
    body = bytes(MEMORY + 1)
    house.script.expect("receive", body, HOLD, body)
    client.data_received(body)
    house.labour()
    house.script.expect("receive", b"z", HOLD | MORE, b"z")
    house.script.expect("receive", b"", SEND, b"head")
    client.data_received(b"z")
    house.script.expect("respond", b"401", FINISH, b"401")
    upstream.data_received(b"401")
    assert (wire.take(), origin.state) == (b"401", "aborted")
    house.labour()
    assert client.flags == 0 and wire.state == "open"


def test_full_disk(capsys: pytest.CaptureFixture[str]) -> None:
    house = House()
    house.folder = "/nonexistent"
    client, wire = house.client()
    body = bytes(MEMORY + 1)
    house.script.expect("receive", body, HOLD, body)
    house.script.expect("fail", "no-room", RETIRE | LAST, b"503")
    client.data_received(body)
    house.labour()
    assert (wire.take(), wire.state) == (b"503", "half")
    assert "could not be spooled" in capsys.readouterr().err


def test_client_gone_while_its_body_is_written() -> None:
    house = House()
    client, wire = house.client()
    body = bytes(MEMORY + 1)
    house.script.expect("receive", body, HOLD, body)
    client.data_received(body)
    spool = client.spool
    wire.abort()
    house.labour()
    assert spool is not None and spool.file is None
    assert house.clients == set()
