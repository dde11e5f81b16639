"""Does a worker that drains finish what runs, and lose nobody who is connected?"""

import signal
import socket
import ssl
import time
from contextlib import ExitStack
from pathlib import Path

from stopgap.gate import messages
from tests.unit.gate.running import Origin, Running, answer, keep_alive, read_all, read_head
from tests.unit.gate.test_tls import make
from tests.unit.gate.test_worker import GET, until


def test_drain_finishes_what_runs() -> None:
    def serve(connection: socket.socket) -> None:
        read_head(connection)
        time.sleep(1.0)
        answer(connection)

    with Origin(serve) as origin, Running() as worker:
        worker.use(origin.url)
        with worker.connect() as client, worker.connect() as idle:
            client.sendall(GET)
            until(lambda: origin.connections)
            worker.send(messages.Drain(10.0))
            until(lambda: _refuses(worker))
            assert read_all(client).endswith(b"ok")
            assert read_all(idle) == b""
        worker.receive(messages.Drained)


def _refuses(worker: Running) -> bool:
    try:
        worker.connect().close()
    # Reset: the socket was closed between the client's SYN and its turn.
    except (ConnectionRefusedError, ConnectionResetError):
        return True
    return False


def test_drain_takes_who_waits_in_the_queue() -> None:
    with Origin(keep_alive) as origin, Running() as worker:
        worker.use(origin.url)
        worker.process.send_signal(signal.SIGSTOP)
        with ExitStack() as opened:
            waiting = [opened.enter_context(worker.connect()) for _ in range(20)]
            for client in waiting[:10]:
                client.sendall(GET)
            worker.send(messages.Drain(10.0))
            worker.process.send_signal(signal.SIGCONT)
            for client in waiting[10:]:
                client.sendall(GET)
            answers = [read_all(client) for client in waiting]
        assert all(got.endswith(b"ok") and b"Connection: close" in got for got in answers)
        worker.receive(messages.Drained)


def test_drain_has_an_end() -> None:
    def serve(connection: socket.socket) -> None:
        read_head(connection)
        connection.recv(1)

    with Origin(serve) as origin, Running() as worker:
        worker.use(origin.url)
        with worker.connect() as client:
            client.sendall(GET)
            until(lambda: origin.connections)
            worker.send(messages.Drain(0.5))
            worker.receive(messages.Drained)


def test_drain_finishes_handshakes(tmp_path: Path) -> None:
    """Of those that had begun, and of those that wait in the queue."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with Origin(keep_alive) as origin, Running(tls=True) as worker, ExitStack() as opened:
        offered = messages.Tls(certificates=(make(tmp_path, "one"),))
        worker.use(origin.url, settings=messages.Settings(tls=offered))
        begun = [opened.enter_context(worker.connect()) for _ in range(5)]
        worker.process.send_signal(signal.SIGSTOP)
        queued = [opened.enter_context(worker.connect()) for _ in range(5)]
        worker.send(messages.Drain(10.0))
        worker.process.send_signal(signal.SIGCONT)
        for sock in (*begun, *queued):
            with context.wrap_socket(sock) as client:
                client.sendall(GET)
                got = read_all(client)
                assert got.endswith(b"ok") and b"Connection: close" in got
        worker.receive(messages.Drained)
