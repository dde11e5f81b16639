"""What does the client get when the origin dies, at each point of an exchange?

An answer of the gate's own that says which of 502 and 504 it was, or a connection that is visibly cut; never
half an answer that looks whole, and never a piece of another's.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.client import Answer, Client, Cut, ask, chunked, get, post
from tests.e2e.gate import Gate, guarding
from tests.e2e.origins import Origin, Peer, Script, answer, deaf, free_port, until

HELD, STREAMED = "held.test", "streamed.test"
SLOW = {"connect": 1, "first_byte": 1, "total": 3, "write": 1}
BIG = b"B" * 200_000
HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"


@pytest.fixture(scope="module")
def gate(folder: Path, shared: Origin) -> Iterator[Gate]:
    with deaf() as nowhere:
        nobody = f"http://127.0.0.1:{free_port()}"
        sites = (
            {"hosts": [HELD], "origins": shared.url, "server": "iis5", "deadlines": SLOW},
            {"hosts": [STREAMED], "origins": shared.url, "server": "iis10", "deadlines": SLOW},
            {"hosts": ["nobody.test"], "origins": nobody, "deadlines": SLOW},
            {"hosts": ["deaf.test"], "origins": nowhere, "deadlines": SLOW},
            {"hosts": ["two.test"], "origins": [nobody, shared.url], "deadlines": SLOW},
            {"hosts": ["deaf-two.test"], "origins": [nowhere, shared.url], "deadlines": SLOW},
        )
        with guarding(folder / "gate", *sites) as running:
            yield running


def dies(at: Callable[[Peer], object], by_reset: bool = False) -> Script:
    """Do something, then be gone."""

    def script(peer: Peer) -> None:
        at(peer)
        if by_reset:
            peer.reset()

    return script


def said(data: bytes) -> Callable[[Peer], None]:
    """Read a whole request and say this."""

    def at(peer: Peer) -> None:
        if peer.request() is not None:
            peer.send(data)

    return at


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKS = OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
BEFORE_AN_ANSWER: dict[str, Callable[[Peer], object]] = {
    "after the accept": lambda peer: None,
    "after a few bytes of the head": lambda peer: peer.sock.recv(5),
    "after the head": Peer.head,
    "after the request": Peer.request,
    "in the status line": said(b"HTTP/1.1 20"),
    "after the status line": said(OK),
    "in the head": said(OK + b"Content-Length: 5\r\nX-A: "),
    "after an interim answer": said(b"HTTP/1.1 100 Continue\r\n\r\n"),
}
IN_AN_ANSWER: dict[str, bytes] = {
    "after the head": OK + b"Content-Length: 10\r\n\r\n",
    "in the body": HALF,
    "in a chunk's size": OK + b"Transfer-Encoding: chunked\r\n\r\n1",
    "in a chunk": CHUNKS + b"a\r\nhalf",
    "between chunks": CHUNKS,
    "before the last line end": CHUNKS + b"0\r\n",
    "in a bad chunk": CHUNKS + b"zz\r\n",
}
RESET = pytest.mark.parametrize("by_reset", [False, True], ids=["closes", "resets"])
REQUESTS = {
    "get": get("/", host=HELD),
    "get streamed": get("/", host=STREAMED),
    "post": post("/", b"abc", host=HELD),
    "big post": post("/", BIG, host=HELD),
    "big post streamed": post("/", BIG, host=STREAMED),
    "chunked": chunked("/", BIG, host=STREAMED),
}


def refused(gate: Gate, got: Answer) -> str:
    """The reason in the event of an answer of the gate's own."""
    assert got.event, got
    return str(gate.event(got.event)["stopgap.reason"])


@RESET
@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("place", BEFORE_AN_ANSWER)
def test_before_an_answer(place: str, request_: bytes, by_reset: bool, gate: Gate, origin: Origin) -> None:
    origin.script = dies(BEFORE_AN_ANSWER[place], by_reset)
    with Client(gate.port) as client:
        client.send(request_)
        got = client.answer()
        assert got.status == 502 and got.event
        if got.get(b"connection") == b"close":
            assert client.closed()
        else:
            origin.script = dies(said(answer(b"whole")))
            assert client.ask(get("/", host=HELD)).body == b"whole"
    assert len(origin.requests) <= 2


def test_the_reason_is_told(gate: Gate, origin: Origin) -> None:
    origin.script = dies(Peer.request)
    assert refused(gate, ask(gate.port, get("/", host=HELD))) == "origin-closed"
    origin.script = dies(said(b"SSH-2.0-OpenSSH\r\n\r\n"))
    assert refused(gate, ask(gate.port, get("/", host=HELD))) == "origin-malformed"


@RESET
@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("place", IN_AN_ANSWER)
def test_in_an_answer(place: str, version: str, by_reset: bool, gate: Gate, origin: Origin) -> None:
    """The client sees that something is missing; an HTTP/1.0 client has only the length to see it by."""

    def at(peer: Peer) -> None:
        said(IN_AN_ANSWER[place])(peer)
        time.sleep(0.02)

    origin.script = dies(at, by_reset)
    with Client(gate.port) as client:
        client.send(get("/1", version=version, host=HELD) + get("/2", host=HELD))
        try:
            got = client.answer()
        except (Cut, ConnectionResetError):
            assert len(origin.requests) == 1
            return
        if version == "1.0" and b"chunked" in IN_AN_ANSWER[place]:
            assert got.body in (b"", b"hello", b"hellohalf")
        else:
            assert got.status == 502 and got.event


@pytest.mark.parametrize("host", [HELD, STREAMED])
def test_in_the_middle_of_an_upload(host: str, gate: Gate, origin: Origin) -> None:
    def at(peer: Peer) -> None:
        peer.head()

    origin.script = dies(at, by_reset=True)
    with Client(gate.port) as client:
        whole = post("/", BIG, host=host)
        client.send(whole[:100_000])
        time.sleep(0.2)
        with contextlib.suppress(OSError):
            client.send(whole[100_000:])
        assert client.answer().status == 502


@pytest.mark.parametrize("host", [HELD, STREAMED])
def test_an_early_answer_to_an_upload(host: str, gate: Gate, origin: Origin) -> None:
    """It reaches the client, and the connection is not used again."""

    def at(peer: Peer) -> None:
        peer.head()
        peer.send(answer(b"no", status="403 Forbidden"))
        with contextlib.suppress(OSError):
            while peer.more():
                pass

    origin.script = dies(at)
    with Client(gate.port) as client:
        whole = post("/", BIG, host=host)
        client.send(whole[:100_000])
        time.sleep(0.2)
        with contextlib.suppress(OSError):
            client.send(whole[100_000:])
        got = client.answer()
        assert (got.status, got.body) == (403, b"no")
    origin.script = dies(said(answer(b"clean")))
    assert ask(gate.port, get("/", host=host)).body == b"clean"


def test_an_answer_is_never_continued_by_another(gate: Gate, origin: Origin) -> None:
    """Half an answer on one connection, whole ones on others at the same time."""

    def script(peer: Peer) -> None:
        while (request := peer.request()) is not None:
            if request.target == b"/half":
                peer.send(HALF)
                time.sleep(0.05)
                return
            peer.send(answer(b"whole"))

    origin.script = script
    for _ in range(10):
        with Client(gate.port) as one, Client(gate.port) as other:
            one.send(get("/half", host=STREAMED))
            assert other.ask(get("/", host=STREAMED)).body == b"whole"
            with pytest.raises((Cut, ConnectionResetError)) as cut:
                one.answer()
            assert not cut.value.args or cut.value.args[0] in (b"half", b"", 104)
            assert other.ask(get("/", host=STREAMED)).body == b"whole"


# Origins that are slow, or not there


@pytest.mark.parametrize("host", [HELD, STREAMED])
@pytest.mark.parametrize("body", [b"", b"abc"])
def test_no_answer_in_time(body: bytes, host: str, gate: Gate, origin: Origin) -> None:
    origin.script = dies(lambda peer: (peer.request(), peer.more()))
    began = time.monotonic()
    got = ask(gate.port, post("/", body, host=host) if body else get("/", host=host))
    assert (got.status, refused(gate, got)) == (504, "origin-timeout")
    assert 0.9 < time.monotonic() - began < 4
    until(lambda: all(peer.sock.fileno() < 0 for peer in origin.peers))


def test_an_answer_that_never_ends(gate: Gate, origin: Origin) -> None:
    def at(peer: Peer) -> None:
        if peer.request() is not None:
            peer.send(OK + b"Content-Length: 1000\r\n\r\n")
            with contextlib.suppress(OSError):
                for _ in range(100):
                    peer.send(b"x")
                    time.sleep(0.1)

    origin.script = dies(at)
    began = time.monotonic()
    with Client(gate.port) as client, pytest.raises((Cut, ConnectionResetError)):
        client.ask(get("/", host=HELD))
    assert 2.5 < time.monotonic() - began < 6


def test_nobody_listens(gate: Gate) -> None:
    with Client(gate.port) as client:
        got = client.ask(get("/", host="nobody.test"))
        assert (got.status, refused(gate, got)) == (502, "origin-refused")
        assert client.ask(post("/", b"abc", host="nobody.test")).status == 502


def test_nobody_accepts(gate: Gate) -> None:
    got = ask(gate.port, get("/", host="deaf.test"))
    assert (got.status, refused(gate, got)) == (504, "origin-connect-timeout")


@pytest.mark.parametrize("host", ["two.test", "deaf-two.test"])
def test_the_next_origin_is_tried(host: str, gate: Gate, origin: Origin) -> None:
    with Client(gate.port) as client:
        for number in range(20):
            assert client.ask(get(f"/{number}", host=host)).body == b"GET /%d 0" % number
        assert client.ask(post("/last", b"abc", host=host)).body == b"POST /last 3"


def test_failures_are_counted_for_their_origin(gate: Gate, origin: Origin) -> None:
    def counted(reason: str) -> float:
        return sum(
            n
            for key, n in gate.counts().items()
            if key[0] == "stopgap_origin_errors_total" and key[2] == reason
        )

    before = counted("origin-closed")
    origin.script = dies(Peer.request)
    for _ in range(5):
        assert ask(gate.port, get("/", host=HELD)).status == 502
    until(lambda: counted("origin-closed") == before + 5)
