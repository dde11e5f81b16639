"""Which lines does a log hold, however large it is and whatever was done to it?

A log is read in blocks and never held whole. Of a line that is longer than `LONGEST` only the beginning is
kept, so that it is still too long; NULs, which Windows leaves where a log was open in a crash, are cut off at
both ends. What is gzip is unpacked on the way.
"""

import gzip
import io
import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterator

from stopgap.errors import ConfigError

BLOCK = 1 << 20
"""Bytes that are read at once."""
LONGEST = 1 << 18
"""Bytes of the longest line; no request line that a server takes is near it."""
LARGEST = 1 << 28
"""Bytes of the largest file of a format that has to be held whole."""

_GZIP = b"\x1f\x8b"
_PADDING = b"\r\0"

Move = Callable[[int], None]
"""Is told how many more bytes have been read."""


class CutOff(Exception):
    """Compressed data breaks off or is damaged; what came before it was good."""


class Opened:
    """A file, "-" for standard input, that is read once from its beginning to its end."""

    def __init__(self, name: str, move: Move = lambda done: None) -> None:
        """`move` gets the bytes of the file, as it lies on the disk, that were read since its last call.

        Raises `ConfigError`.
        """
        self._move, self._moved = move, 0
        self.name = "standard input" if name == "-" else name
        try:
            file = sys.stdin.fileno() if name == "-" else name
            self._file = open(file, "rb", 0, closefd=name != "-")  # noqa: SIM115 (`close` does it)
            self._sized = size(name) > 0
        except OSError as error:
            raise ConfigError(f"{self.name}: cannot be read: {error.strerror}") from None
        plain = io.BufferedReader(self._file, BLOCK)
        self._stream: io.BufferedReader[io.FileIO] | gzip.GzipFile = plain
        try:
            if plain.peek(len(_GZIP)).startswith(_GZIP):
                self._stream = gzip.GzipFile(fileobj=plain)
        except OSError as error:
            self.close()
            raise ConfigError(f"{self.name}: cannot be read: {error.strerror}") from None

    def beginning(self) -> bytes:
        """The first bytes, some thousand of them; they are still to be read."""
        try:
            return self._stream.peek(BLOCK)
        except (EOFError, OSError, zlib.error):
            return b""

    def lines(self) -> Iterator[bytes]:
        """Every line, without its end. Raises `CutOff` and `ConfigError`."""
        rest = b""
        while block := self._read(BLOCK):
            parts = block.split(b"\n")
            parts[0] = rest + parts[0]
            rest = parts.pop()
            for part in parts:
                yield part.strip(_PADDING)
            if len(rest) > LONGEST:
                rest = rest.lstrip(b"\0")[: LONGEST + 1]
        if rest := rest.strip(_PADDING):
            yield rest

    def whole(self) -> bytes:
        """All of it. Raises `CutOff` and `ConfigError`, also when it is larger than `LARGEST`."""
        blocks = []
        length = 0
        while block := self._read(BLOCK):
            blocks.append(block)
            length += len(block)
            if length > LARGEST:
                raise ConfigError(f"{self.name}: holds more than {LARGEST} bytes; split it")
        return b"".join(blocks)

    def close(self) -> None:
        self._stream.close()
        self._file.close()

    def _read(self, most: int) -> bytes:
        if self._sized:
            here = self._file.tell()
            self._move(here - self._moved)
            self._moved = here
        try:
            return self._stream.read1(most)
        except (EOFError, gzip.BadGzipFile, zlib.error):
            raise CutOff from None
        except OSError as error:
            raise ConfigError(f"{self.name}: cannot be read: {error.strerror}") from None


def size(name: str) -> int:
    """Bytes of a file, 0 for what is none, such as a pipe. Raises `OSError`."""
    found = os.fstat(sys.stdin.fileno()) if name == "-" else os.stat(name)
    return found.st_size if stat.S_ISREG(found.st_mode) else 0
