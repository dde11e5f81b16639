"""Is a request that two servers would cut differently ever forwarded, in whatever pieces, on any site?"""

from hypothesis import given
from hypothesis import strategies as st

from stopgap import _core
from tests.conversation import converse, cut
from tests.policies import guard
from tests.property.requests import places

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: vector.test\r\n\r\n"
CHUNKED_BODY = b"5\r\nhello\r\n0\r\n\r\n"
LENGTHS = (
    *(
        b"Content-Length: 5",
        b"Content-Length: 05",
        b"Content-Length: +5",
        b"Content-Length: -5",
        b"Content-Length: 5, 5",
    ),
    *(
        b"Content-Length: 0x5",
        b"Content-Length: 5 5",
        b"Content-Length:",
        b"Content-Length: 5\t,6",
        b"content-length: 6",
    ),
    *(
        b"Content-Length: 18446744073709551621",
        b"Content-Length: 5.0",
        b"Content-Length: 5e0",
        b"Content-Length: \xb5",
    ),
)
TRANSFERS = (
    *(
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: Chunked ",
        b"transfer-encoding:chunked",
        b"Transfer-Encoding: x",
    ),
    *(
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding: identity",
        b"Transfer-Encoding: gzip, chunked",
    ),
    *(b"Transfer-Encoding: \x0bchunked", b"Transfer-Encoding: chunked\x00", b'Transfer-Encoding: "chunked"'),
    *(b"Transfer-Encoding:", b"Transfer-Encoding: chunked, chunked", b"Transfer-Encoding: ,chunked"),
)
BROKEN = (
    *(
        b"Transfer-Encoding : chunked",
        b"Content-Length : 5",
        b" Content-Length: 5",
        b"\tTransfer-Encoding: chunked",
    ),
    *(
        b" ",
        b"\t",
        b"X: a\r\n b",
        b"X: a\nContent-Length: 5",
        b"X: a\rContent-Length: 5",
        b"X\x00: a",
        b"X: a\x00b",
    ),
    *(b"Content_Length: 5", b"transfer_encoding: chunked"),
    *(b": a", b"X Y: a", b"no colon", b"X: a\x0bb", b"X(: a", b"Host: other.test", b"\xa0X: a", b"X: a\n"),
)
CHUNKS = (
    *(
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"5 \r\nhello\r\n0\r\n\r\n",
        b"5\nhello\r\n0\r\n\r\n",
    ),
    *(
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhelloX\r\n0\r\n\r\n",
        b"5\r\nhell\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"\r\n\r\n",
    ),
    *(
        b"fffffffffffffffff\r\nhello",
        b"100000000\r\nhello\r\n0\r\n\r\n",
        b"5;a=\n\r\nhello\r\n0\r\n\r\n",
        b";5\r\nhello\r\n",
    ),
    *(
        b"5\r\nhello\r\n0\r\n\nX",
        b"5\r\r\nhello\r\n0\r\n\r\n",
        b"G\r\n",
        b"5\r\nhello0\r\n\r\n",
    ),
)
REQUEST_LINES = (
    *(
        b"POST  / HTTP/1.1",
        b"POST /  HTTP/1.1",
        b"POST\t/ HTTP/1.1",
        b" POST / HTTP/1.1",
        b"POST / HTTP/1.1 ",
        b"POST /",
    ),
    *(
        b"POST / HTTP/2.0",
        b"POST / http/1.1",
        b"POST / HTTP/1.10",
        b"POST / HTTP/9.9",
        b"post / HTTP/1.1",
        b"POST /a b HTTP/1.1",
    ),
    *(
        b"POST a HTTP/1.1",
        b"POST http://other.test/ HTTP/1.1",
        b"PO\x00ST / HTTP/1.1",
        b"POST /\x00 HTTP/1.1",
        b"POST",
    ),
    *(
        b"CONNECT vector.test:80 HTTP/1.1",
        b"CONNECT / HTTP/1.1",
        b"CONNECT http://vector.test/ HTTP/1.1",
        b"POST / HTTP/1.1\x0b",
        b"\x00POST / HTTP/1.1",
        b"POST / HTTP/0.9",
        b"POST / HTTP",
    ),
)
servers = st.sampled_from(_core.servers())


def forwarded(stream: bytes, cuts: list[int], server: str) -> list[bytes]:
    return converse(guard(server), cut(stream, cuts)).requests


@given(st.lists(st.sampled_from(LENGTHS), min_size=2, max_size=3), places, servers)
def test_two_lengths(lengths: list[bytes], cuts: list[int], server: str) -> None:
    head = b"\r\n".join([b"POST / HTTP/1.1", b"Host: vector.test", *lengths])
    assert forwarded(head + b"\r\n\r\nhello" + SMUGGLED, cuts, server) == []


@given(st.permutations([b"Content-Length", b"Transfer-Encoding"]), st.data(), places, servers)
def test_length_and_transfer(order: list[bytes], data: st.DataObject, cuts: list[int], server: str) -> None:
    lines = [
        data.draw(st.sampled_from(LENGTHS if name == b"Content-Length" else TRANSFERS), label="line")
        for name in order
    ]
    between = data.draw(st.lists(st.sampled_from([b"X: a", b"Accept: */*"]), max_size=2))
    head = b"\r\n".join([b"POST / HTTP/1.1", b"Host: vector.test", lines[0], *between, lines[1]])
    assert forwarded(head + b"\r\n\r\n" + CHUNKED_BODY + SMUGGLED, cuts, server) == []


@given(st.lists(st.sampled_from(TRANSFERS), min_size=2, max_size=3), places, servers)
def test_two_transfers(transfers: list[bytes], cuts: list[int], server: str) -> None:
    head = b"\r\n".join([b"POST / HTTP/1.1", b"Host: vector.test", *transfers])
    assert forwarded(head + b"\r\n\r\n" + CHUNKED_BODY + SMUGGLED, cuts, server) == []


@given(st.sampled_from(LENGTHS[2:9] + LENGTHS[10:]), places, servers)
def test_odd_length(length: bytes, cuts: list[int], server: str) -> None:
    head = b"\r\n".join([b"POST / HTTP/1.1", b"Host: vector.test", length])
    assert forwarded(head + b"\r\n\r\nhello" + SMUGGLED, cuts, server) == []


@given(places, servers)
def test_leading_zeros_are_not_passed_on(cuts: list[int], server: str) -> None:
    """RFC 9110 allows them, some server reads octal: what is sent is the number as we read it."""
    head = b"POST / HTTP/1.1\r\nHost: vector.test\r\nContent-Length: 010\r\n\r\n"
    (only, after) = forwarded(head + b"0123456789" + SMUGGLED, cuts, server)
    assert b"\r\nContent-Length: 10\r\n" in only
    assert after.startswith(b"GET /smuggled ")


@given(st.sampled_from(TRANSFERS[3:]), places, servers)
def test_odd_transfer(transfer: bytes, cuts: list[int], server: str) -> None:
    head = b"\r\n".join([b"POST / HTTP/1.1", b"Host: vector.test", transfer])
    assert forwarded(head + b"\r\n\r\n" + CHUNKED_BODY + SMUGGLED, cuts, server) == []


@given(st.sampled_from(TRANSFERS), places, servers)
def test_transfer_in_http_1_0(transfer: bytes, cuts: list[int], server: str) -> None:
    head = b"\r\n".join([b"POST / HTTP/1.0", b"Host: vector.test", transfer])
    assert forwarded(head + b"\r\n\r\n" + CHUNKED_BODY + SMUGGLED, cuts, server) == []


@given(st.sampled_from(BROKEN), st.integers(0, 2), places, servers)
def test_broken_header_line(line: bytes, where: int, cuts: list[int], server: str) -> None:
    lines = [b"Host: vector.test", b"Accept: */*"]
    lines.insert(where, line)
    head = b"\r\n".join([b"POST / HTTP/1.1", *lines])
    assert forwarded(head + b"\r\n\r\n" + SMUGGLED, cuts, server) == []


@given(st.sampled_from(REQUEST_LINES), places, servers)
def test_broken_request_line(line: bytes, cuts: list[int], server: str) -> None:
    head = b"\r\n".join([line, b"Host: vector.test", b"Content-Length: 0"])
    assert forwarded(head + b"\r\n\r\n" + SMUGGLED, cuts, server) == []


@given(st.sampled_from(CHUNKS), places, servers)
def test_broken_chunks(body: bytes, cuts: list[int], server: str) -> None:
    head = b"POST / HTTP/1.1\r\nHost: vector.test\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert forwarded(head + body + SMUGGLED, cuts, server) == []


@given(st.sampled_from(LENGTHS[2:9] + TRANSFERS[3:] + BROKEN), places, servers)
def test_a_refusal_of_head_has_no_body(line: bytes, cuts: list[int], server: str) -> None:
    """RFC 9110 9.3.2: a client would take it for the next answer."""
    head = b"\r\n".join([b"HEAD / HTTP/1.1", b"Host: vector.test", line])
    said = converse(guard(server), cut(head + b"\r\n\r\n" + SMUGGLED, cuts))
    assert said.requests == [] and said.closed
    assert said.client.count(b"\r\n\r\n") == 1 and said.client.endswith(b"\r\n\r\n")


@given(
    st.lists(
        st.sampled_from(
            [b"X: y", b"X : y", b"Content-Length: 3", b"Host: other.test", b"y", b"GET / HTTP/1.1"]
        )
    ),
    places,
    servers,
)
def test_no_trailer_is_passed_on(lines: list[bytes], cuts: list[int], server: str) -> None:
    """Fields only end at the empty line behind them and go nowhere; what is no field is refused."""
    head = b"POST / HTTP/1.1\r\nHost: vector.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"
    trailers = b"".join(line + b"\r\n" for line in lines)
    plain = forwarded(head + b"\r\n" + SMUGGLED, [], server)
    fields = not {b"X : y", b"y", b"GET / HTTP/1.1"} & set(lines)
    assert forwarded(head + trailers + b"\r\n" + SMUGGLED, cuts, server) == (plain if fields else [])


@given(st.integers(0, 60), places, servers)
def test_a_bare_lf_or_cr_anywhere_in_the_head(at: int, cuts: list[int], server: str) -> None:
    head = b"POST / HTTP/1.1\r\nHost: vector.test\r\nContent-Length: 0\r\nX: abc\r\n\r\n"
    ends = [place for place in range(len(head)) if head[place : place + 2] == b"\r\n"]
    place = ends[at % (len(ends) - 1)]
    for end in (b"\n", b"\r"):
        assert forwarded(head[:place] + end + head[place + 2 :] + SMUGGLED, cuts, server) == []
