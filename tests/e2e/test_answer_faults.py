"""Does a wrong answer of an origin hurt anybody, and is it named?

A table of what broken servers, scripts and attackers make an origin say: bytes in, and what comes of them.
Each goes whole and byte by byte, before one request and before an upload that is not over yet. Behind each
fault other clients ask, and everybody gets his own answer.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.client import Client, Cut, ask, get
from tests.e2e.gate import Gate, guarding
from tests.e2e.origins import Origin, Peer, Script, answer, echo, until

HOSTS = ("iis5.test", "iis10.test")
STOLEN = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen"

OK = b"HTTP/1.1 200 OK\r\n"
TWO = b"Content-Length: 2\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"

REFUSED = {  # no reading, or more than one: 502, and `origin-malformed`
    "HTTP/0.9": b"<html>hello</html>\r\n\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "TLS": b"\x15\x03\x01\x00\x02\x02\x46",
    "HTTP/2": b"HTTP/2.0 200 OK\r\n" + TWO + b"\r\nok",
    "no status": b"HTTP/1.1 OK\r\n" + TWO + b"\r\nok",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\n" + TWO + b"\r\nok",
    "a status below 100": b"HTTP/1.1 099 Odd\r\n\r\n" + STOLEN,
    "NUL in the status line": b"HTTP/1.1 200 O\0K\r\n" + TWO + b"\r\nok",
    "NUL in a value": OK + b"X: a\0b\r\n" + TWO + b"\r\nok",
    "NUL in a name": OK + b"X\0: a\r\n" + TWO + b"\r\nok",
    "a bare CR in the status line": b"HTTP/1.1 200 O\rK\r\n" + TWO + b"\r\nok",
    "a bare CR in a value": OK + b"X: a\rContent-Length: 9\r\n" + TWO + b"\r\nok",
    "a bare CR as a line's end": OK + b"X: a\r" + TWO + b"\r\nok",
    "a folded line": OK + b"X: a\r\n b\r\n" + TWO + b"\r\nok",
    "a folded length": OK + b"Content-Length:\r\n 2\r\n\r\nok",
    "white space before a field": OK + b" X: a\r\n" + TWO + b"\r\nok",
    "white space before a colon": OK + b"Content-Length : 2\r\n\r\nok",
    "a field without a colon": OK + b"X\r\n" + TWO + b"\r\nok",
    "a field without a name": OK + b": a\r\n" + TWO + b"\r\nok",
    "two lengths": OK + TWO + b"Content-Length: 3\r\n\r\nok!",
    "two lengths in one": OK + b"Content-Length: 2, 2\r\n\r\nok",
    "a length with a plus": OK + b"Content-Length: +2\r\n\r\nok",
    "a length below nothing": OK + b"Content-Length: -2\r\n\r\nok",
    "a length in hexadecimal": OK + b"Content-Length: 0x2\r\n\r\nok",
    "a length with a blank": OK + b"Content-Length: 1 0\r\n\r\nok",
    "a length of words": OK + b"Content-Length: two\r\n\r\nok",
    "an empty length": OK + b"Content-Length:\r\n\r\nok",
    "a length beyond 64 bits": OK + b"Content-Length: 18446744073709551618\r\n\r\nok",
    "length and chunks": OK + TWO + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": OK + b"Transfer-Encoding: chunked\r\n" + TWO + b"\r\n0\r\n\r\n",
    "chunks of 1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks twice": OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a coding beside chunks": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "an unknown coding": OK + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "identity": OK + b"Transfer-Encoding: identity\r\n" + TWO + b"\r\nok",
    "an endless status line": b"HTTP/1.1 200 " + b"a" * 70_000,
    "an endless field": OK + b"X: " + b"a" * 70_000,
    "endless fields": OK + b"X: a\r\n" * 12_000,
    "a hundred and one fields": OK + b"X: a\r\n" * 101 + TWO + b"\r\nok",
    "a storm of interim answers": INTERIM * 17 + OK + TWO + b"\r\nok",
    "a change of protocol unasked": b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n" + STOLEN,
}
SERVED = {  # odd, but with one reading: what the client gets, in a head of ours
    "bare LF in the head": (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", b"ok"),
    "the same length twice": (OK + TWO + TWO + b"\r\nok", b"ok"),
    "sixteen interim answers": (INTERIM * 16 + OK + TWO + b"\r\nok", b"ok"),
    "a hundred fields": (OK + b"X: a\r\n" * 99 + TWO + b"\r\nok", b"ok"),
    "1.0 that is kept": (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + TWO + b"\r\nok", b"ok"),
    "padded sizes and extensions": (CHUNKED + b"0002 ;a=b\r\nok\r\n0\r\n\r\n", b"ok"),
    "trailers": (CHUNKED + b"2\r\nok\r\n0\r\nContent-Length: 9\r\nX: a\r\n\r\n", b"ok"),
}
SURPLUS = {  # more than was declared goes to nobody
    "after a length": (OK + TWO + b"\r\nok" + STOLEN, b"ok"),
    "after chunks": (CHUNKED + b"2\r\nok\r\n0\r\n\r\n" + STOLEN, b"ok"),
    "after nothing": (OK + b"Content-Length: 0\r\n\r\n" + STOLEN, b""),
    "a body of 204": (b"HTTP/1.1 204 No Content\r\n" + TWO + b"\r\nok" + STOLEN, b""),
    "chunks of 204": (b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", b""),
    "a body of 304": (b"HTTP/1.1 304 Not Modified\r\n" + TWO + b"\r\nok" + STOLEN, b""),
    "after it said that it closes": (OK + b"Connection: close\r\n" + TWO + b"\r\nok" + STOLEN, b"ok"),
}
CUT = {  # the fault comes when the head is out: the client sees that the answer is not whole
    "a size that is none": (CHUNKED + b"2\r\nok\r\nxx\r\n", "origin-malformed"),
    "a size below nothing": (CHUNKED + b"2\r\nok\r\n-1\r\n", "origin-malformed"),
    "a size of many digits": (CHUNKED + b"2\r\nok\r\nfffffffff0000000f\r\n", "origin-malformed"),
    "no line's end after a size": (CHUNKED + b"2\r\nok\r\n2\rok", "origin-malformed"),
    "no line's end after a chunk": (CHUNKED + b"2\r\nokay\r\n0\r\n\r\n", "origin-malformed"),
    "an LF alone after a size": (CHUNKED + b"2\r\nok\r\n2\nok\r\n0\r\n\r\n", "origin-malformed"),
    "an endless extension": (CHUNKED + b"2\r\nok\r\n2;" + b"a" * 9000, "origin-malformed"),
    "endless trailers": (CHUNKED + b"2\r\nok\r\n0\r\n" + b"X: a\r\n" * 3000, "origin-malformed"),
    "an end before its length": (OK + b"Content-Length: 20\r\n\r\nok", "origin-closed"),
    "an end within a chunk": (CHUNKED + b"9\r\nok", "origin-closed"),
    "an end before the last chunk": (CHUNKED + b"2\r\nok\r\n", "origin-closed"),
}
EACH = pytest.mark.parametrize("crumbs", [False, True], ids=["whole", "crumbs"])


@pytest.fixture(scope="module")
def gate(folder: Path, shared: Origin) -> Iterator[Gate]:
    sites = [{"hosts": [host], "origins": shared.url, "server": host[:-5]} for host in HOSTS]
    with guarding(folder / "gate", *sites) as running:
        yield running


def saying(data: bytes, crumbs: bool, ends: bool = False, early: bool = False) -> Script:
    """Answer a request for /fault with these bytes, once its head has come if `early`; any other as asked."""

    def script(peer: Peer) -> None:
        while True:
            if early and peer.head() is not None:
                break
            request = None if early else peer.request()
            if request is None:
                return
            if request.target == b"/fault":
                break
            peer.send(echo(request))
        size = max(1, len(data) // 2000) if crumbs else len(data)
        for at in range(0, len(data), size):
            peer.send(data[at : at + size])
        while not ends and peer.more():
            pass

    return script


def others_are_served(gate: Gate, origin: Origin) -> None:
    """Two clients ask on two connections, and each gets what it asked for."""
    until(lambda: all(peer.sock.fileno() < 0 for peer in origin.peers if b"/fault" in peer.raw))
    with Client(gate.port) as one, Client(gate.port) as other:
        for client, name in ((one, "/one"), (other, "/other"), (one, "/one")):
            assert client.ask(get(name, host=HOSTS[1])).body == b"GET %s 0" % name.encode()


def named(gate: Gate, before: dict[tuple[str, ...], float], reason: str, name: str = "rejects") -> float:
    key = (f"stopgap_{name}_total", reason)
    return gate.counts()[key] - before[key]


@EACH
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, host: str, crumbs: bool, gate: Gate, origin: Origin) -> None:
    origin.script = saying(REFUSED[name], crumbs)
    before = gate.counts()
    with Client(gate.port) as client:
        got = client.ask(get("/fault", host=host))
    assert (got.status, b"stolen" in got.body) == (502, False)
    assert gate.event(got.event)["stopgap.reason"] == "origin-malformed"
    assert named(gate, before, "origin-malformed") == 1
    others_are_served(gate, origin)


@EACH
@pytest.mark.parametrize("name", SERVED)
def test_served(name: str, crumbs: bool, gate: Gate, origin: Origin) -> None:
    said, body = SERVED[name]
    origin.script = saying(said, crumbs, ends=True)
    got = ask(gate.port, get("/fault", host=HOSTS[1]))
    assert (got.status, got.body, got.event) == (200, body, "")
    assert [value for known, value in got.fields if known == b"content-length"] in ([], [b"2"])
    others_are_served(gate, origin)


@EACH
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("name", SURPLUS)
def test_surplus_goes_to_nobody(name: str, host: str, crumbs: bool, gate: Gate, origin: Origin) -> None:
    said, body = SURPLUS[name]
    origin.script = saying(said, crumbs)
    before = gate.counts()
    with Client(gate.port) as client:
        got = client.ask(get("/fault", host=host))
        assert (got.body, got.event) == (body, "")
        others_are_served(gate, origin)
        assert client.ask(get("/again", host=host)).body == b"GET /again 0"
    assert crumbs or named(gate, before, "origin-malformed", "detections") == 1


@EACH
@pytest.mark.parametrize("method", ["HEAD"])
def test_a_body_for_head_goes_to_nobody(method: str, crumbs: bool, gate: Gate, origin: Origin) -> None:
    origin.script = saying(OK + b"Content-Length: %d\r\n\r\n" % len(STOLEN) + STOLEN, crumbs)
    assert ask(gate.port, get("/fault", method=method, host=HOSTS[1])).status == 200
    others_are_served(gate, origin)


@EACH
@pytest.mark.parametrize("name", CUT)
def test_cut(name: str, crumbs: bool, gate: Gate, origin: Origin) -> None:
    said, reason = CUT[name]
    origin.script = saying(said, crumbs, ends=reason == "origin-closed")
    before = gate.counts()
    with Client(gate.port) as client, pytest.raises(Cut) as cut:
        client.ask(get("/fault", host=HOSTS[1]))
    assert b"stolen" not in cut.value.args[0]
    until(lambda: named(gate, before, reason) == 1)
    others_are_served(gate, origin)


@EACH
@pytest.mark.parametrize(
    ("said", "status"),
    [(answer(b"big", status="413 Too Large"), 413), (REFUSED["two lengths"], 502)],
    ids=["early", "early and wrong"],
)
def test_before_the_upload_ended(said: bytes, status: int, crumbs: bool, gate: Gate, origin: Origin) -> None:
    """Streamed: the answer goes out at once, and the rest of the body to nobody, on no connection again."""
    origin.script = saying(said, crumbs, early=True)
    with Client(gate.port) as client:
        head = get("/fault", "Content-Length: 100000", method="POST", host=HOSTS[1])
        client.send(head + b"x" * 50_000)
        assert client.answer(b"POST").status == status
        assert client.closed()
    origin.script = saying(b"", False)
    others_are_served(gate, origin)


@EACH
def test_before_the_upload_ended_held(crumbs: bool, gate: Gate, origin: Origin) -> None:
    """Held: the origin gets a whole request, and its answer to the head is that to the request."""
    origin.script = saying(answer(b"big", status="413 Too Large"), crumbs, early=True)
    with Client(gate.port) as client:
        client.send(get("/fault", "Content-Length: 1000", method="POST", host=HOSTS[0]) + b"x" * 500)
        assert origin.raw == b""
        client.send(b"x" * 500)
        assert client.answer(b"POST").status == 413
        origin.script = saying(b"", False)
        assert client.ask(get("/again", host=HOSTS[0])).body == b"GET /again 0"
