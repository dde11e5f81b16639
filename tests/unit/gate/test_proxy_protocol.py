"""Is a PROXY header read in one way only, whatever comes, in whatever pieces?"""

import asyncio
import ipaddress
import socket
import ssl
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stopgap.gate import messages, proxy_protocol
from stopgap.gate.proxy_protocol import LONGEST, Header, NotAHeader, parse
from tests.unit.gate.running import Origin, Running, answer, keep_alive, read_all, read_head
from tests.unit.gate.test_tls import make

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LAST = b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
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


PROXIES = messages.Settings(proxy_protocol=["127.0.0.0/8"])


def asked(worker: Running, *pieces: bytes) -> bytes:
    """What comes back for these bytes, each sent when the one before has long been read."""
    with worker.connect() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            client.sendall(piece)
            time.sleep(0.02)
        try:
            return read_all(client)
        except ConnectionResetError:
            return b""


def test_the_worker_takes_exactly_the_header_in_any_pieces() -> None:
    seen = []

    def serve(connection: socket.socket) -> None:
        while head := read_head(connection):
            lines = (line.partition(b": ") for line in head.split(b"\r\n"))
            seen.append([value for name, _, value in lines if name.lower() == b"x-forwarded-for"])
            answer(connection)

    line = text(ipaddress.ip_address("198.51.100.9"), ipaddress.ip_address("192.0.2.1"))
    with Origin(serve) as origin, Running() as worker:
        worker.use(origin.url, settings=PROXIES)
        for header in (line, V4):
            for pieces in ((header + LAST,), (header, LAST), (header[:1], header[1:13], header[13:] + LAST)):
                assert asked(worker, *pieces).endswith(b"ok")
        assert asked(worker, b"PROXY UNKNOWN\r\n" + LAST).endswith(b"ok")
        assert asked(worker, LAST) == asked(worker, line[:-3] + b"\n" + LAST) == b""
        worker.connect().close()
        events = worker.receive(messages.Events).lines
    assert seen == [[b"198.51.100.9"]] * 3 + [[b"192.0.2.7"]] * 3 + [[b"127.0.0.1"]]
    assert {(line[7], line[17]) for line in events} == {("proxy-header", "127.0.0.1")}


def test_reload_turns_it_on_and_off_and_strangers_are_not_asked(tmp_path: Path) -> None:
    header = text(ipaddress.ip_address("198.51.100.9"), ipaddress.ip_address("192.0.2.1"))
    with Origin(keep_alive) as origin, Running() as worker:
        for turn, (networks, plain, proxied) in enumerate(
            (
                ([], True, False),
                (["127.0.0.0/8"], False, True),
                (["192.0.2.0/24"], True, False),
                (["127.0.0.1"], False, True),
                ([], True, False),
            )
        ):
            worker.use(origin.url, version=f"v{turn}", settings=messages.Settings(proxy_protocol=networks))
            assert asked(worker, LAST).endswith(b"ok") == plain, networks
            assert asked(worker, header + LAST).endswith(b"ok") == proxied, networks


def test_tls_begins_behind_the_header(tmp_path: Path) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    offered = messages.Tls(certificates=(make(tmp_path, "first"),))
    settings = messages.Settings(tls=offered, proxy_protocol=["127.0.0.1"])
    with Origin(keep_alive) as origin, Running(tls=True) as worker:
        worker.use(origin.url, settings=settings)
        plain = worker.connect()
        plain.sendall(V4)
        with context.wrap_socket(plain) as client:
            client.sendall(LAST)
            assert read_all(client).endswith(b"ok")
        with pytest.raises(OSError), context.wrap_socket(worker.connect()):
            pass


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
