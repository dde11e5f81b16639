"""How do the flows of one site stay within their bytes on disk?

They stand in files that are only appended to, an eighth of the budget each; before a flow would break the
budget, the oldest file goes. Files are named by the time at which they were begun.
While two gates run (an upgrade) each writes files of its own, and both count all of them. What could not be
written whole is cut off again: every file can be read to its end.
"""

import hashlib
import os
import time
from pathlib import Path
from urllib.parse import quote

FOLDER = "evidence"
SUFFIX = ".flow"
PARTS = 8
"""Files that a full ring has."""
MOST_FILES = 64
"""Files of a ring in all: a gate that is started again and again begins one each time."""
LONGEST_NAME = 200
"""Bytes of a folder's name."""


class TooLarge(OSError):
    """A flow has no room in one file."""


def folder(state: str, site: str) -> Path:
    """Where the flows of a site are kept in a state folder."""
    name = "".join(char if char.isalnum() or char in "-_ " else quote(char, safe="") for char in site)
    name = name.replace(".", "%2E")
    if len(name.encode()) > LONGEST_NAME or not name.strip():
        name = hashlib.sha256(site.encode()).hexdigest()[:32]
    return Path(state) / FOLDER / name


def files(place: Path) -> list[Path]:
    """The files of a ring, oldest first; none where there is no ring. Raises `OSError`."""
    try:
        return sorted(path for path in place.iterdir() if path.suffix == SUFFIX)
    except FileNotFoundError:
        return []


class Ring:
    """The files of one site, written by one thread. `budget` may be replaced at any time."""

    def __init__(self, place: Path, budget: int) -> None:
        self.place = place
        self.budget = budget
        self._file: int | None = None
        self._path = Path()
        self._begun = 0

    def put(self, flow: bytes) -> int:
        """Write a flow; the bytes that all take now. Raises `OSError`, and then nothing of it is there."""
        most = self.budget // PARTS
        if len(flow) > most:
            raise TooLarge(0, f"a flow of {len(flow)} bytes is more than an eighth of the budget")
        size = self._size()
        if size is None or size + len(flow) > most:
            self.close()
            size = 0
        total = self._make_room(len(flow))
        file = self._open()
        try:
            if (done := os.write(file, flow)) < len(flow):
                os.ftruncate(file, size)
                raise OSError(0, f"only {done} of {len(flow)} bytes had room")
        except OSError:
            self.close()
            raise
        return total

    def bytes(self) -> int:
        """What all files take. Raises `OSError`."""
        return sum(size for _, size in self._all())

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _size(self) -> int | None:
        """Bytes of the file in use; None if there is none, or if somebody has removed it."""
        if self._file is None:
            return None
        found = os.fstat(self._file)
        return found.st_size if found.st_nlink else None

    def _open(self) -> int:
        if self._file is None:
            for place in (self.place.parent, self.place):
                place.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._begun += 1
            stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
            self._path = self.place / f"{stamp}-{os.getpid()}-{self._begun:06}{SUFFIX}"
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file = os.open(self._path, flags, 0o600)
        return self._file

    def _make_room(self, wanted: int) -> int:
        """Remove the oldest files until so many bytes have room, never the one in use; what all take then."""
        found = self._all()
        total, count = sum(size for _, size in found) + wanted, len(found) + (self._file is None)
        for path, size in found:
            if total <= self.budget and count <= MOST_FILES:
                break
            if self._file is None or path != self._path:
                path.unlink(missing_ok=True)
                total -= size
                count -= 1
        return total

    def _all(self) -> list[tuple[Path, int]]:
        """The files with their sizes, oldest first."""
        found = []
        for path in files(self.place):
            try:
                found.append((path, path.stat().st_size))
            except FileNotFoundError:
                continue
        return found
