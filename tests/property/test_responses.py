"""Does the client get the answer that the origin gave, however it was framed and cut? h11 is the client."""

from dataclasses import dataclass

import h11
from hypothesis import given
from hypothesis import strategies as st

from tests.client import heard
from tests.conversation import Transcript, converse, cut
from tests.policies import guard
from tests.property.requests import places, slices

INTERIM = b"HTTP/1.1 102 Processing\r\n\r\n"


@dataclass(frozen=True)
class Answer:
    """An answer as an origin gives it."""

    status: int
    framing: str  # "length", "chunked", "close", "none"
    body: bytes
    sizes: tuple[int, ...]
    interim: int
    version: bytes
    method: bytes
    client: bytes  # the version that the client speaks

    @property
    def bodiless(self) -> bool:
        return self.method == b"HEAD" or self.status in (204, 304)

    def wire(self) -> bytes:
        lines = [
            b"HTTP/%s %d Reason" % (self.version, self.status),
            b"Server: Microsoft-IIS/5.0",
            b"X-A: 1",
            b"x-a: 2",
        ]
        if self.framing == "length":
            lines.append(b"Content-Length: %d" % len(self.body))
        if self.framing == "chunked":
            lines.append(b"Transfer-Encoding: chunked")
        body = self.body
        if self.framing == "chunked":
            pieces = slices(self.body, self.sizes)
            body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        head = b"\r\n".join(lines) + b"\r\n\r\n"
        return INTERIM * self.interim + head + (b"" if self.bodiless else body)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    version = draw(st.sampled_from([b"1.1", b"1.1", b"1.0"]))
    framing = draw(
        st.sampled_from(["length", "chunked", "close"] if version == b"1.1" else ["length", "close"])
    )
    status = draw(st.sampled_from([200, 200, 206, 404, 500, 204, 304, 302]))
    method = draw(st.sampled_from([b"GET", b"GET", b"POST", b"HEAD"]))
    if status == 204 and framing == "chunked":
        framing = "length"
    body = b"" if status == 204 else draw(st.binary(max_size=800))
    sizes = tuple(draw(st.lists(st.integers(1, 120), min_size=1, max_size=4)))
    return Answer(
        status,
        framing,
        body,
        sizes,
        draw(st.integers(0, 2)),
        version,
        method,
        draw(st.sampled_from([b"1.1", b"1.1", b"1.0"])),
    )


def asked(answer: Answer) -> bytes:
    """The request that the answer is for."""
    length = b"Content-Length: 0\r\n" if answer.method == b"POST" else b""
    return b"%s / HTTP/%s\r\nHost: vector.test\r\n%s\r\n" % (answer.method, answer.client, length)


@given(answers(), places, st.sampled_from(["iis4", "iis5", "iis6", "any"]))
def test_the_client_gets_the_answer(answer: Answer, cuts: list[int], server: str) -> None:
    said = converse(guard(server), [asked(answer)], [cut(answer.wire(), cuts)])
    status, body, headers, more = heard(said, answer.method)
    assert status == answer.status
    assert body == (b"" if answer.bodiless else answer.body)
    assert not more
    assert not (answer.client == b"1.0" and any(name == b"transfer-encoding" for name, _ in headers))
    assert [value for name, value in headers if name == b"x-a"] == [b"1", b"2"]


@given(answers(), answers(), places)
def test_answers_do_not_mix(first: Answer, second: Answer, cuts: list[int]) -> None:
    """Two requests in a row: what the client gets first is the first answer, and then the second."""
    policy = guard("iis6")
    alone = converse(policy, [asked(first)], [cut(first.wire(), cuts)])
    both = converse(
        policy, [asked(first) + asked(second)], [cut(first.wire(), cuts), cut(second.wire(), cuts)]
    )
    assert both.client.startswith(alone.client)
    rest = both.client[len(alone.client) :]
    if len(both.requests) == 1:
        assert both.closed and not rest
    else:
        status, body, _, more = heard(Transcript(client=rest, closed=both.closed), second.method)
        assert (status, body, more) == (second.status, b"" if second.bodiless else second.body, False)


@given(answers(), st.integers(0, 400), st.sampled_from(["iis5", "iis6"]))
def test_an_answer_cut_short_is_never_complete(answer: Answer, place: int, server: str) -> None:
    """The origin dies in the middle: the client must notice (a 502, or a connection that ends early)."""
    whole = answer.wire()
    unmarked = answer.framing == "close" or (answer.framing == "chunked" and answer.client == b"1.0")
    if unmarked or answer.bodiless or place >= len(whole):
        return  # an end that only the end of the connection marks cannot be told from a cut
    said = converse(guard(server), [asked(answer)], [[whole[:place]]])
    assert said.retired or said.closed
    try:
        status, _, _, _ = heard(said, answer.method)
    except h11.RemoteProtocolError:
        return  # the connection ends in the middle, and the client sees it
    assert status == 502
