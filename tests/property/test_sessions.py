"""Is a connection the same whatever pieces its bytes come in, and does what goes to the origin say what came?

Read by other parsers than ours: h11 and httptools.
"""

import h11
import httptools
from hypothesis import given
from hypothesis import strategies as st

from stopgap import _core
from tests.conversation import Transcript, bytewise, converse, cut
from tests.policies import guard
from tests.property.requests import Sent, places, sent

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
ADDED = (b"x-forwarded-for", b"x-forwarded-proto", b"via", b"content-length", b"connection")
servers = st.sampled_from(_core.servers())


class Parsed:
    """One request as httptools reads it."""

    def __init__(self, data: bytes) -> None:
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.complete = 0
        parser = httptools.HttpRequestParser(self)
        parser.feed_data(data)
        self.method = parser.get_method()

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete += 1


def parsed_by_h11(data: bytes) -> tuple[h11.Request, bytes]:
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    request = connection.next_event()
    assert isinstance(request, h11.Request)
    body = b""
    while isinstance(event := connection.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert connection.trailing_data[0] == b""
    return request, body


def seen(said: Transcript) -> tuple[object, ...]:
    """What both sides get, without the 100 that depends on whether the body has come already."""
    return said.requests, said.client.replace(CONTINUE, b""), said.closed, said.reasons


streams = st.lists(st.one_of(sent().map(Sent.wire), st.binary(max_size=60)), min_size=1, max_size=4).map(
    b"".join
)


@given(streams, places, servers)
def test_pieces_do_not_matter(stream: bytes, cuts: list[int], server: str) -> None:
    stream += b"\r\n\r\n"  # a line is judged when it ends
    policy = guard(server)
    whole = converse(policy, [stream])
    assert seen(converse(policy, bytewise(stream))) == seen(whole)
    assert seen(converse(policy, cut(stream, cuts))) == seen(whole)


@given(sent(), places, servers)
def test_the_origin_gets_what_was_sent(request: Sent, cuts: list[int], server: str) -> None:
    said = converse(guard(server), cut(request.wire(), cuts))
    assert said.reasons == []
    (forwarded,) = said.requests
    by_h11, body = parsed_by_h11(forwarded)
    assert (by_h11.method, by_h11.target) == (request.method, request.target)
    assert body == (request.body or b"")
    expected = [(b"host", b"vector.test"), *((name.lower(), value) for name, value in request.headers)]
    kept = [(bytes(name), bytes(value)) for name, value in by_h11.headers if name not in ADDED]
    assert kept == expected
    declared = [value for name, value in by_h11.headers if name == b"content-length"]
    length = b"%d" % len(request.body or b"")
    assert declared == [length] or (not request.body and declared == [])  # no body, or one of no bytes
    assert not any(name == b"transfer-encoding" for name, _ in by_h11.headers)


@given(sent().filter(lambda request: request.method not in (b"OPTIONS",)), servers)
def test_httptools_reads_the_same(request: Sent, server: str) -> None:
    (forwarded,) = converse(guard(server), [request.wire()]).requests
    parsed = Parsed(forwarded)
    assert (parsed.method, parsed.target) == (request.method, request.target)
    assert parsed.body == (request.body or b"")
    assert parsed.complete == 1
    mine = [(name, value) for name, value in parsed.headers if name.lower() not in ADDED]
    assert mine == [(b"Host", b"vector.test"), *request.headers]


@given(sent(), servers)
def test_a_well_formed_request_is_never_malformed(request: Sent, server: str) -> None:
    verdict = guard(server).judge(request.wire())
    assert verdict is None or _core.reasons()[verdict[0]][1] not in ("malformed", "failed")


@given(st.lists(sent(), min_size=2, max_size=5), places)
def test_requests_in_a_row_arrive_in_a_row(requests: list[Sent], cuts: list[int]) -> None:
    """HTTP/1.0 without keep-alive ends a connection; only what comes before it counts."""
    stream = b"".join(request.wire() for request in requests)
    said = converse(guard("iis6"), cut(stream, cuts))
    served = next((at for at, one in enumerate(requests, 1) if one.version == b"1.0"), len(requests))
    targets = [parsed_by_h11(one)[0].target for one in said.requests]
    assert targets == [one.target for one in requests[:served]]
