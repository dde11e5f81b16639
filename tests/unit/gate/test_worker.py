"""Does a real worker process do over real sockets what its parts promise?"""

import hashlib
import os
import socket
import ssl
import struct
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from stopgap.gate import health, messages
from stopgap.gate.worker import EVIDENCE_UNSENT, Worker
from tests.unit.gate.running import Origin, Running, answer, keep_alive, read_all, read_head
from tests.unit.gate.test_tls import make

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
LAST = b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
LIMIT = 60 << 10
"""KiB of memory that a worker may use."""


def until(condition: object, seconds: float = 10.0) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def reset(sock: socket.socket) -> None:
    """Close with RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def test_serves_refuses_counts_and_reports() -> None:
    with Origin(keep_alive) as origin, Running() as worker:
        worker.use(origin.url)
        with worker.connect() as client:
            for _ in range(3):
                client.sendall(GET)
                assert client.recv(65536).endswith(b"ok")
            client.sendall(b"GET /default.ida?N HTTP/1.1\r\nHost: h\r\n\r\n")
            assert client.recv(65536).startswith(b"HTTP/1.1 404 ")
        events = worker.receive(messages.Events)
        assert [(line[4], line[9], line[13]) for line in events.lines] == [("test", "ida", b"/default.ida?N")]
        until(lambda: worker.word("origin_connections_reused") == 2)
        assert worker.word("origin_connections_opened") == 1
        assert worker.word("heartbeat") > 0
        worker.send(messages.Ping(7))
        pong = worker.receive(messages.Pong)
        assert (pong.n, pong.origins[0].idle, pong.origins[0].up) == (7, 1, True)
        assert origin.connections == 1


class Reporting:
    """Of a worker what `_report_evidence` uses: a core that has kept some, a supervisor that lags behind."""

    def __init__(self) -> None:
        self.rows: list[tuple[object, ...]] = []
        self.unsent = self._unkept = 0
        self.sent: list[messages.Evidence] = []
        self.gate = SimpleNamespace(version="v", core=SimpleNamespace(evidence=lambda: (self.rows, 2)))
        self.transport = SimpleNamespace(get_write_buffer_size=lambda: self.unsent)
        self.send = self.sent.append


def test_evidence_waits_for_no_supervisor_and_is_counted() -> None:
    fake, report = Reporting(), cast(Any, Worker)._report_evidence
    row = (7, 1, "s", "::1", False, b"GET", 0, "sent", False, False)
    fake.rows = [row]
    event: Any = (7, 0, *[0] * 18)
    report(fake, [event, (7, 3, *[0] * 18)])
    fake.unsent = EVIDENCE_UNSENT + 1
    report(fake, [])
    report(fake, [])
    fake.unsent, fake.rows = 0, []
    report(fake, [])
    first, last = fake.sent
    assert first.kept == [(messages.Captured(*row), event)]
    assert (first.missing, last.missing, last.kept) == (2, 2 + 3 + 3, [])


def test_pipelined_requests_are_answered_in_order() -> None:
    def serve(connection: socket.socket) -> None:
        while head := read_head(connection):
            answer(connection, head.split(b" ")[1])

    requests = b"".join(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % n for n in range(2000))
    with Origin(serve) as origin, Running() as worker:
        worker.use(origin.url)
        got = worker.ask(requests + LAST)
        assert [part.split(b"HTTP")[0] for part in got.split(b"\r\n\r\n/")[1:]] == [
            *(b"%d" % n for n in range(2000)),
            b"a",
        ]


@pytest.mark.parametrize("server", ["iis5", "iis6"])
def test_upload_arrives_whole_and_costs_no_memory(server: str, tmp_path: Path) -> None:
    size = 50 << 20
    chunk = os.urandom(1 << 20)
    got = []

    def serve(connection: socket.socket) -> None:
        head, _, body = read_head(connection).partition(b"\r\n\r\n")
        assert b"Content-Length: %d" % size in head
        digest, received = hashlib.sha256(body), len(body)
        while received < size:
            data = connection.recv(1 << 20)
            assert data
            digest.update(data)
            received += len(data)
        got.append(digest.digest())
        answer(connection)

    sent = hashlib.sha256(chunk * 50).digest()
    with Origin(serve) as origin, Running() as worker:
        settings = messages.Settings(spool=str(tmp_path))
        worker.use(origin.url, server=server, settings=settings, site={"limits": {"body": size}})
        before = worker.resident()
        with worker.connect() as client:
            client.sendall(b"POST /up HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % size)
            for _ in range(50):
                client.sendall(chunk)
            assert client.recv(65536).endswith(b"ok")
        assert got == [sent]
        assert worker.resident() - before < 16 << 10
        assert list(tmp_path.iterdir()) == []


def test_full_disk_is_answered(tmp_path: Path) -> None:
    with Origin(keep_alive) as origin, Running() as worker:
        worker.use(origin.url, server="iis5", settings=messages.Settings(spool=str(tmp_path / "none")))
        worker.complaint = "a held request body could not be spooled"
        got = worker.ask(b"POST /up HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n" + bytes(1000000))
        assert got.startswith(b"HTTP/1.1 503 ")


def test_download_waits_for_the_client() -> None:
    size = 64 << 20

    def serve(connection: socket.socket) -> None:
        while read_head(connection):
            answer(connection, bytes(size))

    with Origin(serve) as origin, Running() as worker:
        worker.use(origin.url)
        with worker.connect() as client:
            client.sendall(LAST)
            before = worker.resident()
            time.sleep(1.5)
            assert worker.resident() - before < 8 << 10
            assert len(read_all(client)) > size


def test_client_that_never_reads_is_cut_off() -> None:
    ended = []

    def serve(connection: socket.socket) -> None:
        read_head(connection)
        try:
            answer(connection, bytes(64 << 20))
        except OSError as error:
            ended.append(error)

    with Origin(serve) as origin, Running() as worker:
        worker.use(origin.url, write=1.0)
        with worker.connect() as client:
            client.sendall(GET)
            until(lambda: ended)


def test_client_that_leaves_frees_the_origin() -> None:
    asked, ended = [], []

    def serve(connection: socket.socket) -> None:
        asked.append(read_head(connection))
        ended.append(connection.recv(1))

    with Origin(serve) as origin, Running() as worker:
        worker.use(origin.url)
        client = worker.connect()
        client.sendall(GET)
        until(lambda: asked)  # a connection that carried no request yet stays, for the next one
        reset(client)
        until(lambda: ended)


def test_half_closed_client_gets_its_answer() -> None:
    def serve(connection: socket.socket) -> None:
        read_head(connection)
        time.sleep(0.3)
        answer(connection)

    with Origin(serve) as origin, Running() as worker:
        worker.use(origin.url)
        with worker.connect() as client:
            client.sendall(GET)
            client.shutdown(socket.SHUT_WR)
            assert read_all(client).endswith(b"ok")


def test_refused_upload_gets_its_answer_and_no_reset() -> None:
    with Origin(keep_alive) as origin, Running() as worker:
        worker.use(origin.url, site={"limits": {"body": 1000}})
        with worker.connect() as client:
            client.sendall(b"POST /up HTTP/1.1\r\nHost: h\r\nContent-Length: 900000\r\n\r\n")
            for _ in range(9):
                client.sendall(bytes(100_000))
                time.sleep(0.01)
            client.shutdown(socket.SHUT_WR)
            assert read_all(client).startswith(b"HTTP/1.1 413 ")


def test_origin_that_refuses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    with Running() as worker:
        worker.use(url)
        assert worker.ask(LAST).startswith(b"HTTP/1.1 502 ")
        until(lambda: worker.word("origin_errors", health.FAILURES.index("origin-refused")) == 1)
        worker.send(messages.Ping(1))
        (state,) = worker.receive(messages.Pong).origins
        assert (state.up, state.error) == (False, "Connection refused")


def test_origin_that_does_not_accept() -> None:
    with socket.socket() as full, Running() as worker:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        held = [socket.socket() for _ in range(2)]
        for sock in held:
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        worker.use(f"http://127.0.0.1:{full.getsockname()[1]}", connect=0.3)
        assert worker.ask(LAST).startswith(b"HTTP/1.1 504 ")
        for sock in held:
            sock.close()


def test_second_origin_serves_while_the_first_is_down() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    with Origin(keep_alive) as origin, Running() as worker:
        worker.use(url, origin.url)
        for _ in range(10):
            assert worker.ask(LAST).endswith(b"ok")


def test_connection_that_the_origin_gave_up_is_retried() -> None:
    def serve(connection: socket.socket) -> None:
        read_head(connection)
        answer(connection)
        if read_head(connection):
            reset(connection.dup())

    with Origin(serve) as origin, Running() as worker:
        worker.use(origin.url)
        with worker.connect() as client:
            for _ in range(10):
                client.sendall(GET)
                assert client.recv(65536).endswith(b"ok")
        assert origin.connections > 1


def test_cap_of_connections_is_kept() -> None:
    def serve(connection: socket.socket) -> None:
        while read_head(connection):
            time.sleep(0.02)
            answer(connection)

    with Origin(serve) as origin, Running() as worker:
        worker.use(origin.url, connections=2)
        clients = [worker.connect() for _ in range(20)]
        for client in clients:
            client.sendall(GET)
        for client in clients:
            assert client.recv(65536).endswith(b"ok")
            client.close()
        assert origin.connections == 2


def test_logins_keep_their_connection() -> None:
    def serve(connection: socket.socket) -> None:
        login = b""
        while head := read_head(connection):
            if b"Authorization: NTLM " in head:
                login = head.split(b"NTLM ")[1].split(b"\r\n")[0]
            if login:
                answer(connection, login)
            else:
                fields = b"WWW-Authenticate: NTLM\r\nContent-Length: 0\r\n"
                connection.sendall(b"HTTP/1.1 401 Unauthorized\r\n" + fields + b"\r\n")

    with Origin(serve) as origin, Running() as worker:
        worker.use(origin.url)
        people = {b"yamada": worker.connect(), b"sato": worker.connect()}
        for name, client in people.items():
            client.sendall(GET)
            assert b"401" in client.recv(65536)
            client.sendall(GET[:-2] + b"Authorization: NTLM " + name + b"\r\n\r\n")
            assert client.recv(65536).endswith(name)
        for _ in range(5):
            for name, client in people.items():
                client.sendall(GET)
                assert client.recv(65536).endswith(name)
        with worker.connect() as stranger:
            stranger.sendall(GET)
            assert b"401" in stranger.recv(65536)
        for client in people.values():
            client.close()
        worker.send(messages.Ping(1))
        until(lambda: _pinned(worker) == 0)


def _pinned(worker: Running) -> int:
    worker.send(messages.Ping(1))
    return worker.receive(messages.Pong).origins[0].pinned


def test_upgraded_connection_is_a_tunnel() -> None:
    def serve(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        while data := connection.recv(65536):
            connection.sendall(data.upper())

    with Origin(serve) as origin, Running() as worker:
        worker.use(origin.url, site={"upgrade": ["websocket"]})
        with worker.connect() as client:
            client.sendall(GET[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            assert client.recv(65536).startswith(b"HTTP/1.1 101 ")
            big = b"x" * (1 << 20)
            client.sendall(b"hello" + big)
            got = b""
            while len(got) < len(big) + 5:
                got += client.recv(1 << 20)
            assert got == b"HELLO" + big.upper()


def test_expected_continue_is_said() -> None:
    def serve(connection: socket.socket) -> None:
        assert b"expect" not in read_head(connection).lower()
        answer(connection)

    with Origin(serve) as origin, Running() as worker:
        worker.use(origin.url, server="iis5")
        with worker.connect() as client:
            client.sendall(
                b"POST /up HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
            )
            assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.sendall(b"12345")
            assert client.recv(65536).endswith(b"ok")


def test_reload_keeps_requests_in_flight_and_idle_connections() -> None:
    def slow(connection: socket.socket) -> None:
        while read_head(connection):
            time.sleep(0.5)
            answer(connection, b"old")

    def fast(connection: socket.socket) -> None:
        while read_head(connection):
            answer(connection, b"new")

    with Origin(slow) as old, Origin(fast) as new, Running() as worker:
        worker.use(old.url)
        with worker.connect() as client:
            client.sendall(GET)
            until(lambda: old.connections)
            worker.use(new.url, version="w")
            assert client.recv(65536).endswith(b"old")
            client.sendall(GET)
            assert client.recv(65536).endswith(b"new")
            worker.use(new.url, version="x")
            client.sendall(GET)
            assert client.recv(65536).endswith(b"new")
        assert (old.connections, new.connections) == (1, 1)


def test_bad_policy_changes_nothing() -> None:
    with Origin(keep_alive) as origin, Running() as worker:
        worker.use(origin.url)
        site = messages.Site(name="s", origins=(origin.url,), counters=(0,))
        worker.send(messages.Activate(version="bad", spec=b'{"rules": 1}', sites=[site]))
        failed = worker.receive(messages.Failed)
        assert failed.version == "bad" and failed.error
        assert worker.ask(LAST).endswith(b"ok")


def test_trusted_peer_speaks_for_others() -> None:
    seen = []

    def serve(connection: socket.socket) -> None:
        while head := read_head(connection):
            lines = (line.partition(b": ") for line in head.split(b"\r\n"))
            seen.append([value for name, _, value in lines if name.lower() == b"x-forwarded-for"])
            answer(connection)

    asked = LAST[:-2] + b"X-Forwarded-For: 203.0.113.9\r\n\r\n"
    with Origin(serve) as origin, Running() as worker:
        worker.use(origin.url)
        worker.ask(asked)
        worker.use(origin.url, version="w", settings=messages.Settings(trusted=["127.0.0.0/8"]))
        worker.ask(asked)
    assert [b", ".join(values) for values in seen] == [b"127.0.0.1", b"203.0.113.9, 127.0.0.1"]


def test_tls_with_a_certificate_changed_by_reload(tmp_path: Path) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    first, second = make(tmp_path, "first"), make(tmp_path, "second")
    with Origin(keep_alive) as origin, Running(tls=True) as worker:
        seen = []
        for number, tls in enumerate((first, second)):
            settings = messages.Settings(tls=messages.Tls(certificates=(tls,)))
            worker.use(origin.url, version=f"v{number}", settings=settings)
            with context.wrap_socket(worker.connect()) as client:
                client.sendall(LAST)
                assert read_all(client).endswith(b"ok")
                assert client.selected_alpn_protocol() == "http/1.1"
                seen.append(client.getpeercert(binary_form=True))
        assert seen[0] != seen[1]


def test_many_clients_cost_little() -> None:
    with Origin(keep_alive) as origin, Running() as worker:
        worker.use(origin.url)
        before = worker.resident()
        clients = [worker.connect() for _ in range(400)]
        for client in clients:
            client.sendall(GET)
            assert client.recv(65536).endswith(b"ok")
        assert worker.resident() < LIMIT
        assert (worker.resident() - before) / 400 < 10
        for client in clients:
            client.close()
        for _ in range(2000):
            assert worker.ask(LAST).endswith(b"ok")
        assert worker.resident() < LIMIT
        assert origin.connections == 1


def test_last_answer_that_nobody_reads_is_given_up() -> None:
    def serve(connection: socket.socket) -> None:
        while read_head(connection):
            answer(connection, bytes(64 << 20), b"Connection: close\r\n")

    with Origin(serve) as origin, Running() as worker:
        worker.use(origin.url, write=1.0)
        with worker.connect() as client:
            client.sendall(LAST)
            until(lambda: _clients(worker) == 1)
            until(lambda: _clients(worker) == 0)


def _clients(worker: Running) -> int:
    worker.send(messages.Ping(1))
    return worker.receive(messages.Pong).clients
