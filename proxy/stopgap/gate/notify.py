"""How does systemd learn what the supervisor is doing?

The protocol of sd_notify(3): datagrams of `KEY=value` lines to the socket that `NOTIFY_SOCKET` names.
Outside systemd nothing is sent.
"""

import contextlib
import os
import socket
import time


def notify(*lines: str, patience: float = 0.0) -> None:
    """Send state lines such as `READY=1`; nothing happens without `NOTIFY_SOCKET`.

    When systemd is behind they are lost, unless there are so many seconds of patience.
    """
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return
    target = "\0" + path[1:] if path.startswith("@") else path
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock,
    ):
        sock.settimeout(patience)
        sock.sendto("\n".join(lines).encode(), target)


def reloading() -> None:
    """Tell systemd that a reload begins; `READY=1` ends it."""
    notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def watchdog_seconds() -> float | None:
    """How often `WATCHDOG=1` must be sent (half of what systemd allows), or None."""
    micros = os.environ.get("WATCHDOG_USEC", "")
    mine = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(micros) / 2e6 if mine and micros.isdecimal() and int(micros) else None
