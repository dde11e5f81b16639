"""A foreign file: which text does it hold, and how is a mistake in it told?

The encoding is never guessed. A byte order mark or an XML declaration says it; without one the file is UTF-8,
or in the code page that the operator names. What does not fit is refused with the line.
"""

import re
from pathlib import Path

from msgspec import Struct

from stopgap.errors import FormatError
from stopgap.tomlfile import LARGEST

MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_DECLARED = re.compile(rb"""\s*<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")


class Source(Struct, frozen=True):
    """The text of a foreign file, line ends as LF; the code page and the site that the operator named."""

    file: str
    text: str
    codepage: int | None = None
    site: str | None = None

    @property
    def name(self) -> str:
        """The file without its folders."""
        return Path(self.file).name

    @property
    def lines(self) -> list[str]:
        return self.text.split("\n")

    def where(self, line: int) -> str:
        """`file:line`, the start of every error and note."""
        return f"{self.file}:{line}"

    def wrong(self, line: int, text: str) -> FormatError:
        """The error `file:line: text`; the text names the key and what would be right."""
        return FormatError(f"{self.where(line)}: {text}")


def load(file: str, codepage: int | None = None) -> Source:
    """Read a file. Raises `FormatError`."""
    try:
        with Path(file).open("rb") as stream:
            raw = stream.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise FormatError(f"{file}: cannot be read: {why}") from None
    return decode(raw, file, codepage)


def decode(raw: bytes, file: str, codepage: int | None = None) -> Source:
    """The text of a file's bytes. Raises `FormatError`."""
    if len(raw) > LARGEST:
        raise FormatError(f"{file}: is longer than the {LARGEST} bytes that are read")
    mark, encoding, hint = b"", "utf-8", "save it as UTF-8, or name its code page, such as --codepage 932"
    if codepage is not None:
        encoding, hint = f"cp{codepage}", "name the code page that it was saved in, or save it as UTF-8"
    if declared := _DECLARED.match(raw[:1024]):
        encoding, hint = declared[1].decode(), "save it in the encoding that its first line declares"
    for start, name in MARKS:
        if raw.startswith(start):
            mark, encoding, hint = start, name, "save it again"
    body = raw[len(mark) :]
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        line = body.count("\n".encode(encoding), 0, error.start) + 1
        raise FormatError(f"{file}:{line}: is not {encoding} text; {hint}") from None
    except LookupError:
        raise FormatError(f'{file}:1: encoding "{encoding}" is unknown; save it as UTF-8') from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise FormatError(f"{file}:{line}: holds a NUL; a file in UTF-16 must begin with a byte order mark")
    return Source(file, text, codepage)
