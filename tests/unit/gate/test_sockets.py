"""Are the listening sockets what workers and supervisor need, and is every refusal one clear line?"""

import os
import socket
from pathlib import Path

import pytest

from stopgap.config import Address
from stopgap.gate import sockets

LOOPBACK = Address("127.0.0.1", 0)


def close(rows: list[list[socket.socket]]) -> None:
    for row in rows:
        for sock in row:
            sock.close()


def test_each_worker_has_its_own_socket_for_each_address() -> None:
    rows = sockets.listeners([LOOPBACK, Address("::1", 0)], 2)
    try:
        first, second = ([sockets.bound(sock) for sock in row] for row in rows)
        assert first == second
        assert first[0].port != 0
        assert len({sock.fileno() for row in rows for sock in row}) == 4
        for row in rows:
            for sock in row:
                assert sock.get_inheritable()
                assert not sock.getblocking()
                assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    finally:
        close(rows)


def test_a_shared_port_is_not_taken_from_another_program() -> None:
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as taken:
        address = Address("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(
            sockets.StartError, match=r"127\.0\.0\.1:\d+: the port is in use by another program"
        ):
            sockets.listeners([address], 1)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        (Address("192.0.2.1", 1), "cannot listen on 192.0.2.1:1: this machine does not have that address"),
        (Address("no.such.host.invalid", 1), "is not an address or name of this machine"),
        (Address("", 0, "/tmp/x"), "clients come over TCP"),
    ],
    ids=str,
)
def test_what_cannot_be_had(address: Address, why: str) -> None:
    with pytest.raises(sockets.StartError, match=why):
        sockets.listeners([LOOPBACK, address], 1)


def test_unix_socket_of_a_dead_supervisor_is_replaced(tmp_path: Path) -> None:
    address = Address("", 0, str(tmp_path / "admin.sock"))
    sockets.listener(address).close()
    with sockets.listener(address) as door:
        assert os.stat(address.path).st_mode & 0o777 == 0o660
        sockets.connect(address, 1.0).close()
        assert sockets.bound(door) == address
        with pytest.raises(sockets.StartError, match="in use"):
            sockets.listener(address)


def test_unix_socket_does_not_replace_a_file(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    path.write_text("kept")
    with pytest.raises(sockets.StartError):
        sockets.listener(Address("", 0, str(path)))
    assert path.read_text() == "kept"


def test_connect_refused() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError):
            sockets.connect(Address("127.0.0.1", unused.getsockname()[1]), 1.0)


def test_sockets_of_systemd_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as given:
        monkeypatch.setenv("LISTEN_FDS", "1")
        monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
        monkeypatch.setattr(sockets, "FIRST_INHERITED", os.dup(given.fileno()))
        address = sockets.bound(given)
        rows = sockets.listeners([address], 2)
        try:
            assert [sockets.bound(sock) for row in rows for sock in row] == [address, address]
            assert "LISTEN_FDS" not in os.environ
        finally:
            close(rows)


def test_sockets_of_another_process_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.setenv("LISTEN_PID", "1")
    rows = sockets.listeners([LOOPBACK], 1)
    close(rows)
    assert os.environ["LISTEN_FDS"] == "1"


@pytest.mark.parametrize("workers", [1, 2, 3, 5])
def test_sockets_of_another_supervisor_are_all_used(workers: int) -> None:
    """Somebody may wait in the queue of each; workers beyond their number share them."""
    addresses = [LOOPBACK, Address("::1", 0)]
    old = sockets.listeners(addresses, 3)
    handed = sockets.by_address(addresses, old)
    rows = sockets.listeners(addresses, workers, handed)
    try:
        assert [len(socks) for socks in handed.values()] == [3, 3]
        places = [list(dict.fromkeys(map(sockets.bound, row))) for row in (*old, *rows)]
        assert places == [places[0]] * len(places) and len(places[0]) == 2
        queues = [[os.fstat(sock.fileno()).st_ino for sock in row] for row in rows]
        assert {inode for row in queues for inode in row} == {
            os.fstat(sock.fileno()).st_ino for row in old for sock in row
        }
        assert all(len(set(row)) == len(row) for row in queues)
        assert all(sock.get_inheritable() and not sock.getblocking() for row in rows for sock in row)
    finally:
        close(rows)
        close(old)


def test_the_admin_socket_is_handed_over() -> None:
    with sockets.listener(LOOPBACK) as old, sockets.listener(LOOPBACK, {str(LOOPBACK): old}) as door:
        assert sockets.bound(door) == sockets.bound(old)
    with sockets.listener(LOOPBACK) as old, sockets.listener(LOOPBACK, {"127.0.0.1:1": old}) as door:
        assert sockets.bound(door) != sockets.bound(old)


def test_an_adopted_socket_blocks_in_no_process() -> None:
    """The flag is one for all copies: had `dup` cleared it, a worker that accepts would stand still."""
    (row,) = sockets.listeners([LOOPBACK], 1)
    try:
        adopted = sockets.adopted(os.dup(row[0].fileno()))
        with adopted, adopted.dup():
            assert os.get_blocking(row[0].fileno()) is False
    finally:
        close([row])
