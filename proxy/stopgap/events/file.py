"""How does a log stay whole, and within its size?

Standard output, or a file that is only ever appended to. A full disk costs lines, never the log: the next one
that finds room begins on a line of its own. A log that rotates is renamed to `LOG.1` before it would outgrow
its size, `LOG.1` to `LOG.2`, and so on; the oldest goes. The new file is made first, so that a rotation which
fails changes nothing: then the log grows on, and no line is lost. While two gates write one log (an upgrade),
a lock lets one of them rotate; the other sees that the file has another name now, and opens the new one.
"""

import contextlib
import fcntl
import os
import stat
import time
from pathlib import Path

from stopgap.config.model import Rotation
from stopgap.events.formats import Record
from stopgap.say import say

STDOUT = 1
COMPLAIN = 60.0
"""Seconds between two lines about one trouble."""
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
MODE = 0o640


class File:
    """A log, used by one thread. `rotation` may be replaced at any time."""

    def __init__(self, target: str, rotation: Rotation | None = None) -> None:
        """`target`: `-` for standard output, or the path of a file. Raises `OSError` for the latter."""
        self.target = target
        self.rotation = rotation
        self._fd: int | None = _open(target)
        self._torn = False
        self._complained: dict[str, float] = {}

    def put(self, record: Record) -> bool:
        """Write one line; False, and a complaint once a minute, when that cannot be done."""
        if self.rotation is not None and self.target != "-":
            self._make_room(self.rotation, len(record.line) + 2)
        if self._fd is None:
            return False
        try:
            self._put_out(self._fd, b"\n" * self._torn + record.line + b"\n")
        except BrokenPipeError:
            self._fd = None
            say("the reader of standard output is gone; events are dropped from here on")
            return False
        except OSError as error:
            self._complain(f"events cannot be written: {error.strerror}")
            return False
        return True

    def reopen(self) -> None:
        """Open the file anew; nothing happens on standard output."""
        if self.target == "-":
            return
        try:
            fresh = _open(self.target)
        except OSError as error:
            say(f"{self.target}: cannot be opened again, the old file stays in use: {error.strerror}")
            return
        self._use(fresh)

    def close(self) -> None:
        if self.target != "-" and self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _use(self, fd: int) -> None:
        if self._fd is not None:
            os.close(self._fd)
        self._fd = fd

    def _put_out(self, fd: int, data: bytes) -> None:
        """Write all of it; `_torn` tells whether the last line was left unfinished."""
        rest = memoryview(data)
        while rest:
            count = os.write(fd, rest)
            self._torn = count < len(rest)
            rest = rest[count:]

    def _make_room(self, rotation: Rotation, size: int) -> None:
        """Rotate if the log would outgrow its size by so many bytes."""
        if self._fd is None:
            return
        try:
            now = os.fstat(self._fd)
            if stat.S_ISREG(now.st_mode) and now.st_size and now.st_size + size > rotation.size:
                self._rotate(self._fd, now, rotation.keep)
        except BlockingIOError:
            return  # another gate rotates it at this moment
        except OSError as error:
            self._complain(f"{self.target}: cannot be rotated, and grows on: {error.strerror}")

    def _rotate(self, fd: int, now: os.stat_result, keep: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            log = os.path.realpath(self.target)
            fresh = _replaced(log, keep) if _same(log, now) else _open(self.target)
        except OSError:
            fcntl.flock(fd, fcntl.LOCK_UN)
            raise
        self._use(fresh)
        self._torn = False

    def _complain(self, text: str) -> None:
        now = time.monotonic()
        if now - self._complained.get(text, -COMPLAIN) >= COMPLAIN:
            self._complained = {text: now}
            say(text)


def kept(target: str, keep: int) -> list[str]:
    """The older files beside a log, the newest first."""
    log = os.path.realpath(target)
    return [path for path in (f"{log}.{number}" for number in range(1, keep + 1)) if os.path.lexists(path)]


def unable(target: str) -> str:
    """Why a log cannot be rotated, "" if it can."""
    folder = Path(os.path.realpath(target)).parent
    if not folder.is_dir():
        return f"{folder}: is no folder; make it, for the user of the gate"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{folder}: no file can be made or renamed there by this user"
    return ""


def _open(target: str) -> int:
    return STDOUT if target == "-" else os.open(target, _APPEND, MODE)


def _same(path: str, now: os.stat_result) -> bool:
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (now.st_dev, now.st_ino)


def _replaced(log: str, keep: int) -> int:
    """Rename the log to `LOG.1` and those before it, and open a new one."""
    new = f"{log}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(new)  # empty: a gate was killed in the middle of this
    fresh = os.open(new, _APPEND | os.O_EXCL, MODE)
    try:
        _shift(log, keep)
        os.replace(log, f"{log}.1")
        os.replace(new, log)
    except OSError:
        os.close(fresh)
        raise
    return fresh


def _shift(log: str, keep: int) -> None:
    """Make `LOG.1` free: rename up to the first gap; what is beyond `keep` goes."""
    gap = next((number for number in range(1, keep) if not os.path.lexists(f"{log}.{number}")), keep)
    for number in range(gap - 1, 0, -1):
        os.replace(f"{log}.{number}", f"{log}.{number + 1}")
    with contextlib.suppress(FileNotFoundError):
        while True:
            keep += 1
            os.unlink(f"{log}.{keep}")
