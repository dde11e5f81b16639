"""Can the holes be reached that lie in framing, heads and the reuse of connections?

One test for each row of the catalogue that no rule can stand for (V-..., R..., B...), named by the row: what
the origin gets, byte for byte, from a gate that has no rules at all.
"""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.client import Answer, Client, Cut, ask, chunked, get, post
from tests.e2e.gate import Gate, guarding
from tests.e2e.origins import Origin, Peer, answer, until

SERVERS = ("iis4", "iis5", "iis6", "iis10")
EACH = pytest.mark.parametrize("server", SERVERS)
OLD = pytest.mark.parametrize("server", ("iis4", "iis5"))


@pytest.fixture(scope="module")
def gate(folder: Path, shared: Origin) -> Iterator[Gate]:
    sites = [{"hosts": [f"{one}.test"], "origins": shared.url, "server": one} for one in SERVERS]
    sites.append({"name": "rest", "hosts": ["*"], "origins": shared.url, "server": "iis5"})
    with guarding(folder / "gate", *sites) as running:
        yield running


def said(gate: Gate, request: bytes) -> Answer | None:
    """The answer to a client that sends no more after its request; None where the gate only closes."""
    with Client(gate.port) as client:
        client.send(request)
        client.end()
        try:
            return client.answer(request.split(b" ", 1)[0])
        except Cut as cut:
            assert cut.args == (b"",)
            return None


def head(
    *lines: str, server: str, method: str = "POST", target: str = "/a.asp", version: str = "1.1"
) -> bytes:
    """A head with these lines behind its Host, as they are."""
    return f"{method} {target} HTTP/{version}\r\nHost: {server}.test\r\n".encode() + "".join(
        f"{line}\r\n" for line in lines
    ).encode("latin-1")


REFUSED: dict[str, list[tuple[str, bytes]]] = {
    "R1": [("leading-whitespace", b" GET / HTTP/1.1\r\n@\r\n\r\n")],
    "R2": [
        ("tab-in-request-line", b"GET\t/x.ida HTTP/1.1\r\n@\r\n\r\n"),
        ("bad-request-line", b"GET  /x.ida HTTP/1.1\r\n@\r\n\r\n"),
        ("bad-request-line", b"GET /a b HTTP/1.1\r\n@\r\n\r\n"),
    ],
    "R3": [
        ("control-byte", b"GET\x0b/x.ida HTTP/1.1\r\n@\r\n\r\n"),
        ("control-byte", b"GET /x.ida\x0cHTTP/1.1\r\n@\r\n\r\n"),
    ],
    "R4": [("bare-lf", b"GET / HTTP/1.1\n@\n\n"), ("bare-cr", b"GET / HTTP/1.1\r\n@\r\nA: b\rC: d\r\n\r\n")],
    "R5": [("whitespace-line", b"GET / HTTP/1.1\r\n@\r\n \r\nTranslate: f\r\n\r\n")],
    "R6": [("obs-fold", b"GET / HTTP/1.1\r\n@\r\nA: b\r\n c\r\n\r\n")],
    "R7": [("no-version", b"GET /x.ida\r\n\r\n")],
    "R8": [
        ("bad-version", b"GET / HTTP/9.9\r\n@\r\n\r\n"),
        ("bad-version", b"GET / http/1.1\r\n@\r\n\r\n"),
    ],
    "R9": [("host-mismatch", b"GET http://localhost/a.asp HTTP/1.1\r\n@\r\n\r\n")],
    "R11": [("bad-host", b"GET / HTTP/1.1\r\nHost: " + b"/" * 200 + b"\r\n\r\n")],
    "R14": [
        ("space-before-colon", b"GET / HTTP/1.1\r\n@\r\nTranslate : f\r\n\r\n"),
        ("space-before-colon", b"GET / HTTP/1.1\r\n@\r\nTranslate\t: f\r\n\r\n"),
    ],
    "R15": [
        ("nul-byte", b"GET /a.asp HTTP/1.1\r\n@\r\nA: b\x00c\r\n\r\n"),
        ("control-byte", b"GET /a.asp HTTP/1.1\r\n@\r\nA:\x0b b\r\n\r\n"),
        ("bare-lf", b"GET /a.asp HTTP/1.1\r\n@\r\nA:\nb: c\r\n\r\n"),
    ],
    "R16": [("too-many-headers", b"GET / HTTP/1.1\r\n@\r\n" + b"A: b\r\n" * 2000 + b"\r\n")],
    "B2": [("transfer-on-1.0", b"POST / HTTP/1.0\r\n@\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")],
    "B3": [
        (
            "length-and-transfer",
            b"POST / HTTP/1.1\r\n@\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
    ],
    "B4": [
        ("duplicate-length", b"POST / HTTP/1.1\r\n@\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na"),
        ("bad-length", b"POST / HTTP/1.1\r\n@\r\nContent-Length: 1, 1\r\n\r\na"),
        ("bad-length", b"POST / HTTP/1.1\r\n@\r\nContent-Length: +1\r\n\r\na"),
        ("bad-length", b"POST / HTTP/1.1\r\n@\r\nContent-Length: 0x1\r\n\r\na"),
    ],
    "B5": [
        ("get-with-body", b"GET /default.ida HTTP/1.1\r\n@\r\nContent-Length: 3569\r\n\r\n" + b"a" * 3569)
    ],
    "B7": [
        ("bad-chunk", b"POST / HTTP/1.1\r\n@\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\na\r\n0\r\n\r\n"),
        ("bad-chunk", b"POST / HTTP/1.1\r\n@\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n"),
        ("bad-chunk", b"POST / HTTP/1.1\r\n@\r\nTransfer-Encoding: chunked\r\n\r\n1\na\n0\n\n"),
        ("bad-chunk", b"POST / HTTP/1.1\r\n@\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 17 + b"\r\na"),
        ("body-too-long", b"POST / HTTP/1.1\r\n@\r\nTransfer-Encoding: chunked\r\n\r\nfffffff0\r\na"),
    ],
    "B8": [("bad-expectation", b"POST / HTTP/1.1\r\n@\r\nExpect: x\r\nContent-Length: 1\r\n\r\na")],
    "B9": [
        (
            "encoded-body",
            b"POST / HTTP/1.1\r\n@\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\na",
        ),
    ],
    "V-REDIR": [
        ("get-with-body", b"GET / HTTP/1.1\r\n@\r\nContent-Length: 1\r\n\r\na"),
        ("target-too-long", b"GET /" + b"a/" * 4000 + b" HTTP/1.1\r\n@\r\n\r\n"),
        ("head-too-long", b"GET / HTTP/1.1\r\n@\r\nA: " + b"a" * 100_000 + b"\r\n\r\n"),
    ],
}
"""By row, what is refused for which reason; `@` is the line with the Host."""


@EACH
@pytest.mark.parametrize("row", REFUSED)
def test_refused(row: str, server: str, gate: Gate, origin: Origin) -> None:
    for reason, request in REFUSED[row]:
        got = said(gate, request.replace(b"@", f"Host: {server}.test".encode(), 1))
        assert got is not None
        assert gate.event(got.event)["stopgap.reason"] == reason
    assert origin.raw == b""


@EACH
@pytest.mark.parametrize("target", ["/a.asp", "/_vti_bin/shtml.dll/a.htm", "/x.htr", "/up.cer"])
def test_v_aspch_v_fpch_v_xfer_no_chunk_arrives(server: str, target: str, gate: Gate, origin: Origin) -> None:
    """CVE-2002-0079, CVE-2002-0147, CVE-2002-0364, CVE-2003-0822, CVE-2000-0226."""
    assert ask(gate.port, chunked(target, b"a" * 70_000, b"b", host=f"{server}.test")).status == 200
    (request,) = origin.requests
    assert request.values(b"transfer-encoding") == []
    assert request.values(b"content-length") == [b"70001"]
    assert request.body == b"a" * 70_000 + b"b"


@OLD
def test_v_redir_b6_a_short_body_never_arrives(server: str, gate: Gate, origin: Origin) -> None:
    """CVE-2001-0545, CVE-2001-1186: what is declared is what is sent."""
    before = len(gate.events)
    assert said(gate, post("/", b"a" * 3569, host=f"{server}.test")[:-1]) is None
    until(lambda: any(one["stopgap.reason"] == "body-cut" for one in gate.events[before:]))
    assert origin.raw == b""


@EACH
def test_v_redir_a_long_body_is_cut_off_at_its_length(server: str, gate: Gate, origin: Origin) -> None:
    with Client(gate.port) as client:
        client.send(post("/", b"abc", host=f"{server}.test") + b"XXXX")
        assert client.answer().status == 200
    assert [request.body for request in origin.requests] == [b"abc"]
    assert b"XXXX" not in origin.raw


@EACH
def test_v_hdr_the_head_is_written_anew(server: str, gate: Gate, origin: Origin) -> None:
    """CVE-2002-0150: of the client's delimiters none is left."""
    request = head("A:b", "C:  \t d \t", "E:", "", server=server, method="GET")
    assert ask(gate.port, request).status == 200
    lines = origin.requests[0].raw.split(b"\r\n")
    assert lines[0] == b"GET /a.asp HTTP/1.1"
    assert [line for line in lines if line[:1] in b"ACE" and line[1:2] == b":"] == [b"A: b", b"C: d", b"E: "]


@EACH
def test_v_trl_no_trailer_arrives(server: str, gate: Gate, origin: Origin) -> None:
    """CVE-2022-21907: neither the announcement nor the trailers."""
    lines = ("TE: trailers", "Trailer: X-Sum", "Transfer-Encoding: chunked", "")
    request = head(*lines, server=server) + b"3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"
    assert ask(gate.port, request).status == 200
    (got,) = origin.requests
    assert got.body == b"abc"
    assert {b"te", b"trailer", b"x-sum", b"transfer-encoding"}.isdisjoint(name for name, _ in got.fields)
    assert b"X-Sum" not in origin.raw


@EACH
def test_v_h2_no_http2_arrives(server: str, gate: Gate, origin: Origin) -> None:
    """CVE-2016-0150: no preface, no change to h2c."""
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    got = said(gate, preface)
    assert got is not None
    assert gate.event(got.event)["stopgap.reason"] == "bad-version"
    assert origin.raw == b""
    upgrade = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__", "")
    said(gate, head(*upgrade, server=server, method="GET"))
    for request in origin.requests:
        assert {b"upgrade", b"http2-settings"}.isdisjoint(name for name, _ in request.fields)
    assert b"HTTP/2" not in origin.raw


def test_v_h2_is_not_offered(folder: Path, origin: Origin, certificate: tuple[str, str]) -> None:
    cert, key = certificate
    trust = ssl.create_default_context(cafile=cert)
    trust.set_alpn_protocols(["h2", "http/1.1"])
    site = {"hosts": "*", "origins": origin.url, "server": "iis10"}
    with (
        guarding(folder / "tls", site, tls={"cert": cert, "key": key}) as gate,
        Client(gate.port, trust) as client,
    ):
        assert isinstance(client.sock, ssl.SSLSocket)
        assert client.sock.selected_alpn_protocol() == "http/1.1"


def test_v_ipleak_r10_there_is_always_a_host(gate: Gate, origin: Origin) -> None:
    """CVE-2000-0649, CVE-2002-0422: the server never has to say by itself what it is called."""
    assert ask(gate.port, b"GET /private/ HTTP/1.0\r\n\r\n").status == 200
    assert ask(gate.port, b"PROPFIND / HTTP/1.0\r\nHost:\r\n\r\n").status in (200, 400)
    for name in ("", "Host:\r\n", "Host: iis5.test\r\nHost: other.test\r\n"):
        got = said(gate, f"PROPFIND / HTTP/1.1\r\n{name}Content-Length: 0\r\n\r\n".encode())
        assert got is not None
        assert gate.event(got.event)["stopgap.reason"] in ("missing-host", "duplicate-host")
    for request in origin.requests:
        assert request.raw.split(b"\r\n")[0].endswith(b" HTTP/1.1")
        (host,) = request.values(b"host")
        assert host != b""


@EACH
def test_r9_an_absolute_target_arrives_as_a_path(server: str, gate: Gate, origin: Origin) -> None:
    """CVE-2005-2678: only Host names the server."""
    request = get(f"http://{server}.test/a.asp?b", host=f"{server}.test")
    assert ask(gate.port, request).status == 200
    (got,) = origin.requests
    assert (got.target, got.values(b"host")) == (b"/a.asp?b", [f"{server}.test".encode()])


def test_r13_methods_are_taken_in_exact_case(gate: Gate, origin: Origin) -> None:
    got = said(gate, get("/", method="get", host="iis5.test"))
    assert got is not None
    assert gate.event(got.event)["stopgap.reason"] == "bad-method"
    assert origin.raw == b""


@OLD
def test_b1_what_an_old_server_leaves_of_a_body_is_nobodys_request(
    server: str, gate: Gate, origin: Origin
) -> None:
    """IIS 5 reads 48 KB of a body that its script leaves, and takes the rest for the next request."""
    inner = get("/inner.asp", host=f"{server}.test")

    def forgetful(peer: Peer) -> None:
        while (request := peer.request()) is not None:
            peer.send(answer(request.target))
            if len(request.body) > 49_152:
                peer.send(answer(b"the answer to what the body hid"))

    origin.script = forgetful
    with Client(gate.port) as one, Client(gate.port) as other:
        hidden = post("/outer.asp", b"a" * 49_152 + inner, "Content-Type: text/plain", host=f"{server}.test")
        assert one.ask(hidden).body == b"/outer.asp"
        for number in range(5):
            assert one.ask(get(f"/one{number}", host=f"{server}.test")).body == b"/one%d" % number
            assert other.ask(get(f"/other{number}", host=f"{server}.test")).body == b"/other%d" % number
    for peer in origin.peers:
        assert all(not request.body for request in peer.requests[:-1])
        last = peer.requests[-1]
        assert (last.values(b"connection") == [b"close"]) == bool(last.body)


@EACH
def test_b8_the_gate_answers_expect_by_itself(server: str, gate: Gate, origin: Origin) -> None:
    """CVE-2014-0253: the server never waits for a body that does not come."""
    with Client(gate.port) as client:
        client.send(head("Expect: 100-continue", "Content-Length: 3", "", server=server))
        assert client.sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert origin.raw == b""
        client.send(b"abc")
        assert client.answer().status == 200
    (request,) = origin.requests
    assert (request.body, request.values(b"expect")) == (b"abc", [])
