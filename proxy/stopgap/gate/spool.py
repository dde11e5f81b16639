"""Where does a request body wait until it is complete?

In memory up to MEMORY bytes, then in an unnamed temporary file; when all bodies of the worker together
exceed ALL_MEMORY, each is moved to disk from LITTLE bytes on, so that many slow uploads cost disk and not
memory. A `Spool` does no waiting of its own: its `write` and `read` touch the disk and run in a
thread, which `spill` and `pump` see to.
"""

import asyncio
import tempfile
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from stopgap.gate.upstream import Upstream

MEMORY: Final = 256 << 10
"""Bytes of one body that are kept in memory."""
ALL_MEMORY: Final = 8 << 20
"""Bytes of all bodies of a worker that may be in memory before the small ones go to disk as well."""
LITTLE: Final = 16 << 10
OBJECT: Final = 48
"""Bytes that a piece costs beside its own: a body may come in pieces of one byte."""
PIECE: Final = 256 << 10
"""Bytes read back from the file at once."""


class Held:
    """How many bytes all spools of a worker have in memory."""

    __slots__ = ("size",)

    def __init__(self) -> None:
        self.size = 0


class Spool:
    """One held body. Its bytes are in the file first, then in `pieces`; `size` is what those cost,
    `stored` how many bytes the file holds."""

    __slots__ = ("all", "file", "folder", "pieces", "size", "stored")

    def __init__(self, folder: str | None, held: Held) -> None:
        """`folder` is for the file (None: the system's), `held` shared by all spools."""
        self.folder = folder
        self.all = held
        self.pieces: list[bytes] = []
        self.size = 0
        self.stored = 0
        self.file: IO[bytes] | None = None

    def add(self, data: bytes) -> bool:
        """Keep these bytes; True if there are now too many in memory and `spill` is due."""
        cost = len(data) + OBJECT
        self.pieces.append(data)
        self.size += cost
        self.all.size += cost
        return self.heavy

    @property
    def heavy(self) -> bool:
        return self.size > (MEMORY if self.all.size <= ALL_MEMORY else LITTLE)

    def take(self) -> list[bytes]:
        """What is in memory, which the spool no longer holds."""
        self.all.size -= self.size
        pieces, self.pieces, self.size = self.pieces, [], 0
        return pieces

    def write(self, pieces: list[bytes]) -> None:
        """Append to the file. Blocks; raises OSError when the disk is full."""
        if self.file is None:
            self.file = tempfile.TemporaryFile(dir=self.folder, prefix="stopgap-", buffering=0)  # noqa: SIM115
        for piece in pieces:
            self.stored += len(piece)
            view = memoryview(piece)
            while view:
                view = view[self.file.write(view) :]

    def rewind(self) -> None:
        """From here on `read` gives the file from its beginning."""
        if self.file is not None:
            self.file.seek(0)

    def read(self) -> bytes:
        """The next bytes of the file, b"" at its end. Blocks."""
        return self.file.read(PIECE) if self.file is not None else b""

    def close(self) -> None:
        """Forget everything."""
        self.take()
        if self.file is not None:
            self.file.close()
            self.file = None


async def spill(spool: Spool, done: Callable[[OSError | None], None]) -> None:
    """Move to the file what is in memory; `done` hears of the disk's error, if there was one."""
    loop = asyncio.get_running_loop()
    error: OSError | None = None
    try:
        while spool.heavy:
            await loop.run_in_executor(None, spool.write, spool.take())
    except OSError as exc:
        error = exc
    done(error)


async def pump(spool: Spool, upstream: "Upstream", done: Callable[[OSError | None], None]) -> None:
    """Send a held body to the origin, no faster than it reads, and close the spool.

    `done` is called in the same turn as the last write: an answer that comes after it is no early one.
    """
    loop = asyncio.get_running_loop()
    error: OSError | None = None
    try:
        spool.rewind()
        left = spool.stored
        while left and not upstream.closed:
            await upstream.room()
            piece = await loop.run_in_executor(None, spool.read)
            if not piece:
                raise OSError(f"{left} bytes are missing from the file")
            left -= len(piece)
            if not upstream.closed:
                upstream.write(piece)
        if not upstream.closed:
            upstream.transport.writelines(spool.take())
    except OSError as exc:
        error = exc
    spool.close()
    done(error)
