"""Is systemd told what sd_notify(3) defines, and nobody when there is no systemd?"""

import os
import socket
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from stopgap.gate import notify


@pytest.mark.parametrize("abstract", [False, True])
def test_lines_arrive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool) -> None:
    name = f"@stopgap-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(name.replace("@", "\0"))
        systemd.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        notify.notify("READY=1", "STATUS=serving")
        assert systemd.recv(100) == b"READY=1\nSTATUS=serving"
        notify.reloading()
        assert systemd.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")


def test_a_reader_that_is_behind_is_waited_for_only_with_patience(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(name)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        for _ in range(1000):
            notify.notify("WATCHDOG=1")
        late = threading.Timer(0.2, lambda: systemd.recv(100))
        late.start()
        notify.notify("MAINPID=7", patience=30.0)
        late.join()
        systemd.setblocking(False)
        heard = []
        with suppress(BlockingIOError):
            while True:
                heard.append(systemd.recv(100))
        assert heard[-1] == b"MAINPID=7"
        assert len(heard) < 1000


@pytest.mark.parametrize("name", ["", "/no/such/socket", "relative"])
def test_nobody_listens(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    notify.notify("READY=1")


@pytest.mark.parametrize(
    ("micros", "pid", "seconds"),
    [("30000000", "ours", 15.0), ("30000000", "1", None), ("0", None, None), ("", None, None)],
)
def test_watchdog(
    monkeypatch: pytest.MonkeyPatch, micros: str, pid: str | None, seconds: float | None
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", micros)
    if pid is None:
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
    else:
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()) if pid == "ours" else pid)
    assert notify.watchdog_seconds() == seconds
