"""Does a real worker take in who shows himself, and tell of who does not?"""

import ipaddress
import itertools
import resource
import socket
import ssl
import time
from pathlib import Path

import pytest

from stopgap.gate import messages
from tests.e2e.scarcity import descriptors, limited
from tests.unit.gate.running import Origin, Running, answer, keep_alive, read_all, read_head
from tests.unit.gate.test_proxy_protocol import V4, text
from tests.unit.gate.test_tls import make
from tests.unit.gate.test_worker import until

LAST = b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


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


def test_who_offers_no_tls_is_told_of(tmp_path: Path) -> None:
    """HTTP without TLS, a version of the nineties, no certificate; who only leaves is nothing."""
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    certificate = make(tmp_path, "first")
    offered = messages.Tls(certificates=(certificate,), client_ca=certificate.cert, require=True)
    with Origin(keep_alive) as origin, Running(tls=True) as worker:
        worker.use(origin.url, settings=messages.Settings(tls=offered))
        worker.connect().close()
        with worker.connect() as half:
            half.sendall(b"\x16\x03\x01")
        assert asked(worker, LAST) == b""
        for context in (old, blind):
            with pytest.raises(OSError), context.wrap_socket(worker.connect()) as client:
                client.sendall(LAST)
                assert client.recv(100) == b""
                raise ConnectionResetError
        lines = worker.receive(messages.Events).lines
        while sum(max(1, line[3]) for line in lines) < 3:
            lines = [*lines, *worker.receive(messages.Events).lines]
        assert {(line[7], line[17]) for line in lines} == {("client-tls", "127.0.0.1")}
        worker.complaint = "3 TLS handshakes of clients failed: "
        until(lambda: worker.word("connections_opened") == worker.word("connections_closed") == 5)


def test_a_header_that_does_not_come_is_told_of() -> None:
    with Origin(keep_alive) as origin, Running() as worker:
        worker.use(origin.url, settings=PROXIES)
        began = time.monotonic()
        assert asked(worker, V4[:20]) == b""
        assert 9 < time.monotonic() - began < 13
        assert [line[7] for line in worker.receive(messages.Events).lines] == ["proxy-header"]


def test_a_drain_does_not_wait_for_a_header() -> None:
    with Origin(keep_alive) as origin, Running() as worker, worker.connect() as silent:
        worker.use(origin.url, settings=PROXIES)
        silent.sendall(V4[:20])
        assert asked(worker, V4 + LAST).endswith(b"ok")
        began = time.monotonic()
        worker.send(messages.Drain(20.0))
        worker.receive(messages.Drained)
        assert time.monotonic() - began < 5


def test_without_descriptors_it_waits_and_goes_on() -> None:
    with Origin(keep_alive) as origin, Running() as worker:
        worker.use(origin.url, settings=PROXIES)
        assert asked(worker, V4 + LAST).endswith(b"ok")
        pid = worker.process.pid
        free = next(number for number in itertools.count() if number not in descriptors(pid))
        with limited(pid, resource.RLIMIT_NOFILE, free), worker.connect() as waits:
            waits.sendall(V4 + LAST)
            waits.settimeout(1.0)
            with pytest.raises(TimeoutError):
                waits.recv(1)
            began = time.process_time()
        assert asked(worker, V4 + LAST).endswith(b"ok")
        assert time.process_time() - began < 1
