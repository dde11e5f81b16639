"""Does a syslog server get each event once and whole, and does a bad one cost its own events only?"""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stopgap.config.model import Address, Syslog
from stopgap.events.formats import Record
from stopgap.events.output import Away
from stopgap.gate import syslog
from stopgap.gate.syslog import Sender, worded
from tests.e2e.origins import free_port

TIME = "2026-11-24T00:00:00.000Z"
MESSAGE = re.compile(rb"<(\d+)>1 (\S+) (\S+) stopgap (\d+) (\S+) - (.*)", re.S)


def record(text: str = "{}", alert: bool = True) -> Record:
    return Record(text.encode(), TIME, "refused", alert)


@contextmanager
def sending(server: Syslog | None) -> Iterator[Sender]:
    sender = Sender(server)
    yield sender
    sender.close()


@contextmanager
def listening(
    kind: socket.SocketKind, family: socket.AddressFamily = socket.AF_INET
) -> Iterator[socket.socket]:
    with socket.socket(family, kind) as server:
        server.settimeout(20)
        server.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        if kind == socket.SOCK_STREAM:
            server.listen()
        yield server


def at(kind: str, server: socket.socket) -> Syslog:
    return Syslog(kind, Address(*server.getsockname()[:2]))


def frames(sock: socket.socket, count: int) -> list[bytes]:
    """The messages that an octet-counting server reads."""
    found = []
    with sock.makefile("rb") as stream:
        for _ in range(count):
            digits = b""
            while (byte := stream.read(1)) != b" ":
                assert byte.isdigit()
                digits += byte
            found.append(stream.read(int(digits)))
    return found


def test_a_message() -> None:
    parts = MESSAGE.fullmatch(worded(record("本"), "gate"))
    assert parts
    assert parts.groups()[:3] == (b"132", TIME.encode(), b"gate")
    assert (parts[5], parts[6].decode()) == (b"refused", "本")
    quiet = MESSAGE.fullmatch(worded(record(alert=False), "gate"))
    assert quiet and quiet[1] == b"133"


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_one_datagram_an_event(family: socket.AddressFamily) -> None:
    with listening(socket.SOCK_DGRAM, family) as server, sending(at("udp", server)) as sender:
        for text in ("one", "two"):
            assert sender.put(record(text))
        assert [server.recv(9999)[-3:] for _ in range(2)] == [b"one", b"two"]


def test_a_socket_of_this_machine(tmp_path: Path) -> None:
    path = tmp_path / "記録"
    with sending(Syslog("unix", Address("", 0, str(path)))) as sender:
        with pytest.raises(Away):
            sender.put(record())
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
            server.bind(str(path))
            assert sender.put(record("x" * 4096))
            assert server.recv(9999).endswith(b"x" * 4096)
        with pytest.raises(Away):
            sender.put(record())


def test_octets_are_counted_over_tcp() -> None:
    with listening(socket.SOCK_STREAM) as server, sending(at("tcp", server)) as sender:
        for text in ("本", "two 2"):
            assert sender.put(record(text))
        connection, _ = server.accept()
        with connection:
            connection.settimeout(20)
            assert [one.rpartition(b" - ")[2].decode() for one in frames(connection, 2)] == ["本", "two 2"]


def test_a_server_that_begins_anew_gets_what_comes_then(capsys: pytest.CaptureFixture[str]) -> None:
    with listening(socket.SOCK_STREAM) as server, sending(at("tcp", server)) as sender:
        assert sender.put(record("one"))
        server.accept()[0].close()
        place = server.getsockname()
        server.close()
        with pytest.raises(Away):
            while True:  # until the end of the connection has come
                sender.put(record("two"))
        with socket.create_server(place) as again:
            again.settimeout(20)
            assert sender.put(record("two"))
            connection, _ = again.accept()
            with connection:
                connection.settimeout(20)
                assert frames(connection, 1)[0].endswith(b" - two")
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert said[0].startswith(f"stopgap: syslog tcp://127.0.0.1:{place[1]}: takes no events: Connection re")
    assert said[1] == f"stopgap: syslog tcp://127.0.0.1:{place[1]}: takes events again"


def test_a_machine_without_a_server_is_away(capsys: pytest.CaptureFixture[str]) -> None:
    place = Address("127.0.0.1", free_port())
    with sending(Syslog("udp", place)) as sender:
        for _ in range(3):
            with pytest.raises(Away):
                sender.put(record())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.settimeout(20)
            server.bind((place.host, place.port))
            assert sender.put(record("again"))
            assert server.recv(9999).endswith(b"again")
    assert capsys.readouterr().err.count("takes no events") == 1


def test_a_slow_reader_gets_every_message_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syslog, "STALL", 0.02)
    text = "x" * 4000
    with listening(socket.SOCK_STREAM) as server, sending(at("tcp", server)) as sender:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        count = stalled = 0
        while stalled < 3:
            try:
                sender.put(record(f"{count:06} {text}"))
                count += 1
            except Away:
                stalled += 1
        connection, _ = server.accept()
        got: list[bytes] = []
        reader = threading.Thread(target=lambda: got.extend(frames(connection, count + 3)))
        with connection:
            connection.settimeout(20)
            reader.start()
            for number in range(count, count + 3):
                while True:
                    try:
                        assert sender.put(record(f"{number:06} {text}"))
                    except Away:
                        continue
                    break
            reader.join(20)
    assert [int(one.rpartition(b" - ")[2][:6]) for one in got] == list(range(count + 3))


def test_another_server_and_none() -> None:
    with listening(socket.SOCK_DGRAM) as first, listening(socket.SOCK_DGRAM) as second:
        with sending(at("udp", first)) as sender:
            sender.put(record("one"))
            sender.server = at("udp", second)
            sender.put(record("two"))
            sender.server = None
            assert not sender.put(record("three"))
        assert (first.recv(9999)[-3:], second.recv(9999)[-3:]) == (b"one", b"two")


def test_names_of_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, shown in (("gate-1", b"gate-1"), ("門 1", b"1"), ("", b"-"), ("g" * 999, b"g" * 255)):
        monkeypatch.setattr(socket, "gethostname", lambda name=name: name)
        with listening(socket.SOCK_DGRAM) as server, sending(at("udp", server)) as sender:
            sender.put(record())
            parts = MESSAGE.fullmatch(server.recv(9999))
            assert parts and parts[3] == shown
