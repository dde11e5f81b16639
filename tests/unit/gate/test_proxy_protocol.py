"""Is a PROXY header read in one way only, whatever comes, in whatever pieces?"""

import asyncio
import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stopgap.gate import proxy_protocol
from stopgap.gate.proxy_protocol import LONGEST, Header, NotAHeader, parse

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def text(source: Address, destination: Address, ports: tuple[int, int] = (56324, 80)) -> bytes:
    return b"PROXY TCP%d %s %s %d %d\r\n" % (
        4 if source.version == 4 else 6,
        str(source).encode(),
        str(destination).encode(),
        *ports,
    )


def binary(rest: bytes, command: int = 0x21, family: int = 0x11) -> bytes:
    return SIGNATURE + bytes((command, family)) + len(rest).to_bytes(2, "big") + rest


V4 = binary(bytes((192, 0, 2, 7, 192, 0, 2, 1)) + b"\xdc\x04\0\x50")
V6_ADDRESSES = ipaddress.ip_address("2001:db8::7").packed + ipaddress.ip_address("2001:db8::1").packed

READ = [
    (b"PROXY TCP4 192.0.2.7 192.0.2.1 56324 80\r\n", "192.0.2.7"),
    (b"PROXY TCP6 2001:db8::7 2001:db8::1 56324 80\r\n", "2001:db8::7"),
    (b"PROXY TCP6 " + b" ".join([b"ffff:" * 7 + b"ffff"] * 2) + b" 65535 65535\r\n", "ffff:" * 7 + "ffff"),
    (b"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n", "192.0.2.7"),
    (b"PROXY UNKNOWN\r\n", ""),
    (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", ""),
    (V4, "192.0.2.7"),
    (binary(V4[16:] + b"\x03\0\x04abcd"), "192.0.2.7"),
    (binary(V4[16:] + bytes(LONGEST - 28)), "192.0.2.7"),
    (binary(V6_ADDRESSES + b"\xdc\x04\0\x50", family=0x21), "2001:db8::7"),
    (binary(b"", command=0x20, family=0), ""),
    (binary(V4[16:], command=0x20), ""),
    (binary(b"", family=0), ""),
    (binary(b"abc", family=0), ""),
]
WRONG = [
    b"GET / HTTP/1.1\r\n",
    b"\x16\x03\x01\x02\0",
    b"proxy TCP4 192.0.2.7 192.0.2.1 1 2\r\n",
    b"PROXY  TCP4 192.0.2.7 192.0.2.1 1 2\r\n",
    b"PROXY TCP4 192.0.2.7 192.0.2.1 1\r\n",
    b"PROXY TCP4 192.0.2.7 192.0.2.1 1 2 \r\n",
    b"PROXY TCP4 192.0.2.7 192.0.2.1 01 2\r\n",
    b"PROXY TCP4 192.0.2.7 192.0.2.1 65536 2\r\n",
    b"PROXY TCP4 192.0.2.7 192.0.2.1 -1 2\r\n",
    b"PROXY TCP4 192.0.2.07 192.0.2.1 1 2\r\n",
    b"PROXY TCP4 192.0.2.256 192.0.2.1 1 2\r\n",
    b"PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n",
    b"PROXY TCP6 192.0.2.7 192.0.2.1 1 2\r\n",
    b"PROXY TCP6 fe80::1%eth0 fe80::2 1 2\r\n",
    b"PROXY TCP4 192.0.2.7 192.0.2.1 1 2\nGET / HTTP/1.1\r\n",
    b"PROXY UDP4 192.0.2.7 192.0.2.1 1 2\r\n",
    b"PROXY UNKNOWNX\r\n",
    b"PROXY UNKNOWN \0\r\n",
    b"PROXY " + b"a" * 101,
    b"PROXY UNKNOWN " + b"a" * 92 + b"\r\n",
    SIGNATURE + b"\x11\x11\0\x0c" + V4[16:],
    SIGNATURE + b"\x22\x11\0\x0c" + V4[16:],
    binary(V4[16:-1]),
    binary(V6_ADDRESSES, family=0x21),
    binary(V4[16:], family=0x12),
    binary(bytes(216), family=0x31),
    SIGNATURE + b"\x21\x11" + (LONGEST - 15).to_bytes(2, "big"),
    SIGNATURE + b"\x20\x00\xff\xff",
]


@pytest.mark.parametrize(("data", "source"), READ)
def test_header(data: bytes, source: str) -> None:
    assert parse(data) == parse(data + b"GET /") == Header(len(data), source)
    assert all(parse(data[:cut]) is None for cut in range(len(data)))


@pytest.mark.parametrize("data", WRONG)
def test_no_header(data: bytes) -> None:
    with pytest.raises(NotAHeader):
        parse(data)


@given(st.ip_addresses(v=4), st.ip_addresses(v=4), st.integers(0, 65535), st.binary(max_size=40))
def test_round_trip_of_ipv4(source: Address, destination: Address, port: int, behind: bytes) -> None:
    line = text(source, destination, (port, 80))
    packed = binary(source.packed + destination.packed + port.to_bytes(2, "big") + b"\0\x50")
    for header in (line, packed):
        assert parse(header + behind) == Header(len(header), str(source))


@given(st.ip_addresses(v=6), st.ip_addresses(v=6), st.binary(max_size=300), st.binary(max_size=40))
def test_round_trip_of_ipv6(source: Address, destination: Address, tlvs: bytes, behind: bytes) -> None:
    expected = str(getattr(source, "ipv4_mapped", None) or source)
    line = text(source, destination)
    packed = binary(source.packed + destination.packed + b"\0\1\0\x50" + tlvs, family=0x21)
    for header in (line, packed):
        assert parse(header + behind) == Header(len(header), expected)


BEGINNINGS = st.sampled_from(
    [
        b"",
        b"PROXY ",
        b"PROXY TCP4 ",
        b"PROXY UNKNOWN",
        SIGNATURE,
        SIGNATURE + b"\x21",
        *(one for one, _ in READ),
    ]
)


def outcome(data: bytes) -> Header | str | None:
    try:
        return parse(data)
    except NotAHeader:
        return "not a header"


@given(BEGINNINGS, st.binary(max_size=120), st.data())
def test_any_bytes_in_any_pieces_give_the_same(begin: bytes, rest: bytes, data: st.DataObject) -> None:
    whole = begin + rest
    said = outcome(whole)
    before = outcome(whole[: data.draw(st.integers(0, len(whole)))])
    assert before is None or before == said
    if isinstance(said, Header):
        assert said.length <= len(whole)
        assert outcome(whole[: said.length]) == said
        assert outcome(whole[: said.length - 1]) is None


def test_half_a_header_is_waited_for_and_never_taken_for_one() -> None:
    async def waits() -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with ours, theirs:
            theirs.sendall(V4[:20])
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await proxy_protocol.header(asyncio.get_running_loop(), ours)
            theirs.sendall(V4[:20])
            theirs.shutdown(socket.SHUT_WR)
            with pytest.raises(NotAHeader):
                await proxy_protocol.header(asyncio.get_running_loop(), ours)

    asyncio.run(waits())
