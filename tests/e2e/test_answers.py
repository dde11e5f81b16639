"""Does an answer of any form reach the client as it was meant, and does nobody fill the gate's memory?

Every framing that an old server uses, whole and byte by byte; then downloads to a client that does not
read and uploads to an origin that does not.
"""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.client import Answer, Client, ask, get
from tests.e2e.gate import Gate, guarding, resident
from tests.e2e.origins import Origin, Peer, Script, answering, echo, until

MIB = 1 << 20
ROOM = 12 * 1024
"""KiB that a worker may grow by while one side does not read."""
TEXT = b"<html>" + b"0123456789abcdef" * 4096 + b"</html>"


@pytest.fixture(scope="module")
def gate(folder: Path, shared: Origin) -> Iterator[Gate]:
    sites = (
        {"hosts": ["iis5.test"], "origins": shared.url, "server": "iis5"},
        {"hosts": ["iis10.test"], "origins": shared.url, "server": "iis10", "limits": {"body": 512 * MIB}},
    )
    with guarding(folder / "gate", *sites) as running:
        yield running


def saying(*pieces: bytes, ends: bool, crumbs: bool = False) -> Script:
    """Answer every request with these bytes; close the connection after the first if it `ends`."""

    def script(peer: Peer) -> None:
        while peer.request() is not None:
            data = b"".join(pieces)
            if crumbs:
                for at in range(0, len(data), max(1, len(data) // 900)):
                    peer.send(data[at : at + max(1, len(data) // 900)])
            else:
                for piece in pieces:
                    peer.send(piece)
            if ends:
                return

    return script


def in_chunks(data: bytes, size: int) -> bytes:
    cut = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in cut) + b"0\r\n\r\n"


OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
ANSWERS = {  # what the origin says, whether it closes after it, what the client must get
    "length": (OK + b"Content-Length: %d\r\n\r\n" % len(TEXT) + TEXT, False, TEXT),
    "chunks": (OK + b"Transfer-Encoding: chunked\r\n\r\n" + in_chunks(TEXT, 1000), False, TEXT),
    "until it closes": (OK + b"\r\n" + TEXT, True, TEXT),
    "until it closes, 1.0": (b"HTTP/1.0 200 OK\r\n\r\n" + TEXT, True, TEXT),
    "1.0 with length": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", True, b"ok"),
    "empty": (OK + b"Content-Length: 0\r\n\r\n", False, b""),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", False, b""),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n", False, b""),
    "after two interim ones": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        + OK
        + b"Content-Length: 2\r\n\r\nok",
        False,
        b"ok",
    ),
    "a reason of many words": (
        b"HTTP/1.1 500 Object Moved, or so\r\nContent-Length: 1\r\n\r\nx",
        False,
        b"x",
    ),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx", False, b"x"),
}


@pytest.mark.parametrize("crumbs", [False, True], ids=["whole", "crumbs"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("name", ANSWERS)
def test_answer(name: str, version: str, crumbs: bool, gate: Gate, origin: Origin) -> None:
    said, ends, body = ANSWERS[name]
    origin.script = saying(said, ends=ends, crumbs=crumbs)
    with Client(gate.port) as client:
        keep = ("Connection: keep-alive",) if version == "1.0" else ()
        answer = client.ask(get("/", *keep, version=version, host="iis5.test"))
        assert (answer.event, answer.body) == ("", body)
        assert version == "1.1" or answer.get(b"transfer-encoding") == b""
        if version == "1.1":
            assert client.ask(get("/again", host="iis5.test")).body == body
        elif answer.get(b"connection").lower() != b"keep-alive":
            assert client.closed()


@pytest.mark.parametrize("name", ["length", "chunks", "until it closes", "empty"])
def test_head_has_no_body(name: str, gate: Gate, origin: Origin) -> None:
    said, ends, _ = ANSWERS[name]
    origin.script = saying(said.partition(b"\r\n\r\n")[0] + b"\r\n\r\n", ends=ends)
    with Client(gate.port) as client:
        for _ in range(3):
            answer = client.ask(get("/", method="HEAD", host="iis10.test"))
            assert (answer.status, answer.body, answer.event) == (200, b"", "")


def test_more_than_was_declared_reaches_nobody(gate: Gate, origin: Origin) -> None:
    extra = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen"
    origin.script = saying(OK + b"Content-Length: 2\r\n\r\nok" + extra, ends=False)
    with Client(gate.port) as one, Client(gate.port) as other:
        for client in (one, other, one, other):
            assert client.ask(get("/", host="iis10.test")).body == b"ok"
    assert len(origin.requests) == 4
    assert all(len(peer.requests) <= 1 for peer in origin.peers)


def test_an_idle_origin_that_talks_is_left(gate: Gate, origin: Origin) -> None:

    def script(peer: Peer) -> None:
        if peer.request() is not None:
            peer.send(OK + b"Content-Length: 2\r\n\r\nok")
            time.sleep(0.1)
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen")
            peer.request()

    origin.script = script
    with Client(gate.port) as client:
        assert client.ask(get("/", host="iis10.test")).body == b"ok"
        until(lambda: len(origin.peers) >= 1)
        time.sleep(0.3)
        assert client.ask(get("/", host="iis10.test")).body == b"ok"


def growth(gate: Gate) -> tuple[int, int]:
    """Process of the worker, and what it uses now (KiB)."""
    pid = gate.status["workers"][0]["pid"]
    return pid, resident(pid)


def test_a_client_that_does_not_read(gate: Gate, origin: Origin) -> None:
    size = 96 * MIB
    sent = [0]

    def script(peer: Peer) -> None:
        if peer.request() is not None:
            peer.send(OK + b"Content-Length: %d\r\n\r\n" % size)
            for _ in range(size // MIB):
                peer.send(bytes(MIB))
                sent[0] += MIB

    origin.script = script
    pid, before = growth(gate)
    with Client(gate.port, receive=1 << 16) as client:
        client.send(get("/large", host="iis10.test"))
        until(lambda: sent[0] > 0)
        most = settled(lambda: sent[0])
        assert most < size // 2
        assert resident(pid) - before < ROOM
        assert len(client.answer().body) == size
    assert resident(pid) - before < ROOM


def test_an_origin_that_does_not_read(gate: Gate, origin: Origin) -> None:
    size = 96 * MIB
    go_on = threading.Event()

    def script(peer: Peer) -> None:
        go_on.wait(20)
        request = peer.request()
        assert request is not None
        peer.send(echo(request))

    origin.script = script
    pid, before = growth(gate)
    sent = [0]
    with Client(gate.port) as client:

        def upload() -> None:
            client.send(get("/up", f"Content-Length: {size}", method="POST", host="iis10.test"))
            for _ in range(size // MIB):
                client.send(bytes(MIB))
                sent[0] += MIB

        thread = threading.Thread(target=upload)
        thread.start()
        most = settled(lambda: sent[0])
        held = resident(pid) - before
        go_on.set()
        thread.join()
        assert client.answer().body == b"POST /up %d" % size
    assert most < size // 2
    assert held < ROOM
    assert resident(pid) - before < ROOM


def settled(count: Callable[[], int]) -> int:
    """The count as soon as it has stood still for half a second."""
    last, since = -1, time.monotonic()
    while time.monotonic() - since < 0.5:
        if count() != last:
            last, since = count(), time.monotonic()
        time.sleep(0.02)
    return last


def test_many_pipelined_without_reading(gate: Gate, origin: Origin) -> None:
    """Answers that nobody takes hold up the requests behind them."""
    origin.script = answering(lambda _: OK + b"Content-Length: %d\r\n\r\n" % len(TEXT) + TEXT)
    pid, before = growth(gate)
    with Client(gate.port, receive=1 << 16) as client:
        client.send(get("/", host="iis10.test") * 1000)
        assert settled(lambda: len(origin.requests)) < 500
        assert resident(pid) - before < ROOM
        answers: list[Answer] = [client.answer() for _ in range(1000)]
    assert all(answer.body == TEXT for answer in answers)
    assert ask(gate.port, get("/", host="iis10.test")).status == 200
