"""Is a body that is too long, or not what it says, stopped before the server sees any of it?

The declared length is refused before a byte of the body is asked for or sent on; a chunked body at the byte
that breaks the limit. What is refused is told in full even to a client that goes on sending.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.client import Client, ask, chunked, get, post
from tests.e2e.gate import Gate, guarding
from tests.e2e.origins import Origin, until

HELD, STREAMED = "held.test", "streamed.test"
BOTH = pytest.mark.parametrize("host", [HELD, STREAMED])
LIMIT = 100_000


@pytest.fixture(scope="module")
def gate(folder: Path, shared: Origin) -> Iterator[Gate]:
    sites = (
        {"hosts": [HELD], "origins": shared.url, "server": "iis5", "limits": {"body": LIMIT}},
        {"hosts": [STREAMED], "origins": shared.url, "server": "iis10", "limits": {"body": LIMIT}},
    )
    with guarding(folder / "gate", *sites) as running:
        yield running


@BOTH
def test_at_the_limit(host: str, gate: Gate, origin: Origin) -> None:
    body = b"b" * LIMIT
    assert ask(gate.port, post("/up", body, host=host)).body == b"POST /up %d" % LIMIT
    assert ask(gate.port, chunked("/up", body[:1], body[1:], host=host)).body == b"POST /up %d" % LIMIT
    assert [request.body for request in origin.requests] == [body, body]


@BOTH
def test_declared_too_long(host: str, gate: Gate, origin: Origin) -> None:
    with Client(gate.port) as client:
        client.send(get("/up", f"Content-Length: {LIMIT + 1}", method="POST", host=host))
        answer = client.answer()
        assert (answer.status, answer.get(b"connection")) == (413, b"close")
        assert gate.event(answer.event)["stopgap.reason"] == "body-too-long"
        assert client.closed()
    assert origin.raw == b""


@BOTH
@pytest.mark.parametrize("length", ["100001", "4294967296", "18446744073709551617", "9" * 40])
def test_too_long_gets_no_continue(length: str, host: str, gate: Gate, origin: Origin) -> None:
    with Client(gate.port) as client:
        client.send(get("/up", f"Content-Length: {length}", "Expect: 100-continue", method="POST", host=host))
        answer = client.answer()
    assert answer.interim == ()
    assert answer.status in (400, 413)
    assert origin.raw == b""


@BOTH
def test_chunks_too_long_by_one_byte(host: str, gate: Gate, origin: Origin) -> None:
    with Client(gate.port) as client:
        client.send(get("/up", "Transfer-Encoding: chunked", method="POST", host=host))
        client.send(b"%x\r\n" % LIMIT + b"c" * LIMIT + b"\r\n")
        time.sleep(0.05)
        client.send(b"1\r\nX\r\n0\r\n\r\n")
        answer = client.answer()
        assert (answer.status, answer.get(b"connection")) == (413, b"close")
    assert origin.raw == b""


@BOTH
def test_a_chunk_that_says_it_is_too_long(host: str, gate: Gate, origin: Origin) -> None:
    with Client(gate.port) as client:
        client.send(get("/up", "Transfer-Encoding: chunked", method="POST", host=host) + b"fffffff\r\nabc")
        assert client.answer().status == 413
    assert origin.raw == b""


@BOTH
@pytest.mark.parametrize(
    "body",
    [b"5;a=b\r\nhello\r\n0\r\n\r\n", b"5\r\nhelloX\r\n", b"-1\r\n", b"0x5\r\nhello\r\n", b"5\nhello\n0\n\n"],
)
def test_bad_chunks(body: bytes, host: str, gate: Gate, origin: Origin) -> None:
    with Client(gate.port) as client:
        client.send(get("/up", "Transfer-Encoding: chunked", method="POST", host=host) + body)
        client.end()
        answer = client.answer()
    if answer.event:
        assert answer.status == 400
        assert origin.raw == b""
    else:
        assert origin.requests[0].body == b"hello"


def test_held_body_that_breaks_off_never_arrives(gate: Gate, origin: Origin) -> None:
    with Client(gate.port) as client:
        client.send(post("/up", b"abc" * 1000, host=HELD)[:-1])
        time.sleep(0.1)
    until(lambda: any(event["stopgap.reason"] == "body-cut" for event in gate.events))
    assert origin.raw == b""


def test_streamed_body_that_breaks_off_is_never_whole(gate: Gate, origin: Origin) -> None:
    with Client(gate.port) as client:
        client.send(post("/up", b"abc" * 1000, host=STREAMED)[:-1])
        until(lambda: b"abcabc" in origin.raw)
    until(lambda: all(peer.sock.fileno() < 0 for peer in origin.peers if b"abc" in peer.raw))
    assert origin.requests == []


def test_streamed_body_is_on_its_way_before_it_is_whole(gate: Gate, origin: Origin) -> None:
    with Client(gate.port) as client:
        whole = post("/up", b"a" * 5000 + b"z", host=STREAMED)
        client.send(whole[:-1])
        until(lambda: origin.raw.endswith(b"aaaa"))
        client.send(whole[-1:])
        assert client.answer().status == 200
    assert origin.requests[0].body == b"a" * 5000 + b"z"


@BOTH
def test_get_with_a_body(host: str, gate: Gate, origin: Origin) -> None:
    answer = ask(gate.port, get("/", "Content-Length: 3", host=host) + b"abc")
    assert (answer.status, gate.event(answer.event)["stopgap.reason"]) == (400, "get-with-body")
    assert ask(gate.port, get("/", "Content-Length: 0", host=host)).status == 200
    assert len(origin.requests) == 1


@BOTH
def test_whole_answer_for_a_client_that_goes_on_sending(host: str, gate: Gate, origin: Origin) -> None:
    """A reset would overtake the answer: the gate lingers."""
    for _ in range(10):
        with Client(gate.port) as client:
            client.send(get("/up", "Content-Length: 900000", method="POST", host=host))
            for _ in range(9):
                client.send(b"x" * 100_000)
            answer = client.answer()
            assert (answer.status, len(answer.body)) == (413, int(answer.get(b"content-length")))
    assert origin.raw == b""


def test_who_sends_for_ever_is_cut(gate: Gate, origin: Origin) -> None:
    with Client(gate.port) as client, pytest.raises(OSError):
        client.send(get("/up", "Content-Length: 900000000", method="POST", host=HELD))
        for _ in range(500):
            client.send(b"x" * 100_000)
    assert origin.raw == b""
