"""In which ways can a path be written so that IIS still reads the same? The evasion generators.

An operator takes the bytes of a path and yields spellings of it. None of them claims that a server is
fooled: `reaching` asks the oracle, world by world. Operators compose, so that a percent sign written by one
is written again by the next (double and triple encoding, nibbles, overlong escapes of escapes).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from tests.oracle.model import Reading, World, origin_form, read, worlds
from tests.oracle.pages import pages


@dataclass(frozen=True)
class Operator:
    """A way to write a path anew; `last` ones change the target around the path and end a composition."""

    name: str
    spell: Callable[[bytes], Iterable[bytes]]
    last: bool = False


@dataclass(frozen=True)
class Resource:
    """What must not be reached: an extension (a script map), a segment (a file), a top folder."""

    kind: str
    name: str

    def reached(self, reading: Reading | None) -> bool:
        if reading is None:
            return False
        if self.kind == "extension":
            return self.name in reading.extensions
        if self.kind == "folder":
            return reading.depth > 1 and self.name in reading.tops
        return self.name in reading.names or (
            short_name(self.name) in reading.names and short_name(self.name) != self.name
        )


def short_name(name: str) -> str:
    """The first 8.3 alias that NTFS gives a long name (X12); the name itself when it is short."""
    stem, dot, extension = name.rpartition(".")
    if not dot or (len(stem) <= 8 and len(extension) <= 3 and "." not in stem):
        return name
    return f"{stem.replace('.', '')[:6]}~1.{extension[:3]}"


def reaching(target: bytes, resource: Resource, server: str, page: int) -> Iterator[World]:
    """The worlds of one server and page in which a target reaches the resource, by the oracle."""
    path = origin_form(target)
    for world in worlds(server, page):
        if resource.reached(read(path, world)):
            yield world


def each_byte(
    write: Callable[[int], Iterable[bytes]], among: bytes = b""
) -> Callable[[bytes], Iterator[bytes]]:
    """An operator that writes one byte of the path in another way (any byte but a leading slash)."""

    def spell(path: bytes) -> Iterator[bytes]:
        for at in range(1, len(path)):
            if not among or path[at] in among:
                for written in write(path[at]):
                    yield path[:at] + written + path[at + 1 :]

    return spell


def every_byte(write: Callable[[int], bytes], among: bytes = b"") -> Callable[[bytes], Iterator[bytes]]:
    """An operator that writes all bytes of the path after the leading slash in another way."""

    def spell(path: bytes) -> Iterator[bytes]:
        yield path[:1] + b"".join(write(c) if not among or c in among else bytes([c]) for c in path[1:])

    return spell


def percent(byte: int) -> bytes:
    return b"%%%02x" % byte


def nibbles(byte: int) -> Iterator[bytes]:
    """The digits of an escape escaped themselves (P4, Nimda 13 to 15)."""
    first, second = b"%02x" % byte
    yield b"%%%%%02x%c" % (first, second)  # %%35c
    yield b"%%%c%%%02x" % (first, second)  # %5%63
    yield b"%%%%%02x%%%02x" % (first, second)  # %%35%63
    yield b"%%25%%%02x%%%02x" % (first, second)  # %25%35%63


def overlong(byte: int) -> Iterator[bytes]:
    """Two and three bytes of UTF-8 for one of ASCII, the continuation's high bits right and wrong (U1)."""
    if byte >= 0x80:
        return
    high, low = 0xC0 | byte >> 6, byte & 0x3F
    for mark in (0x80, 0xC0, 0x40, 0x00):
        yield percent(high) + percent(low | mark)
        yield percent(0xE0) + percent(byte >> 6 | 0x80) + percent(low | mark)
    yield bytes([high, low | 0x80])


def arithmetic(byte: int) -> Iterator[bytes]:
    """Letters beyond F as digits (P5): `%1u` is a dot, `%3p` is I."""
    for digit in "ghijklmnopqrstuvwxyz":
        value = ord(digit) - ord("a") + 10
        rest = byte - 16 * value
        if byte - value >= 0 and (byte - value) % 16 == 0 and (byte - value) // 16 < 10:
            yield b"%%%d%s" % ((byte - value) // 16, digit.encode())
        if rest % 256 < 16:
            yield b"%%%s%x" % (digit.encode(), rest % 256)


@cache
def lookalikes(byte: int) -> tuple[str, ...]:
    """Characters that some page squeezes into this one (U5, U6)."""
    found = [c for page in pages().values() for c, code in page.folds.items() if code == byte]
    return tuple(dict.fromkeys(found))


def percent_u_lookalike(byte: int) -> Iterator[bytes]:
    for character in lookalikes(byte):
        yield b"%%u%04x" % ord(character)


def utf8_lookalike(byte: int) -> Iterator[bytes]:
    for character in lookalikes(byte):
        yield b"".join(percent(part) for part in character.encode())
        yield character.encode()


def full_width(byte: int) -> Iterator[bytes]:
    if 0x21 <= byte <= 0x7E:
        yield b"%%u%04X" % (byte + 0xFEE0)
        yield b"".join(percent(part) for part in chr(byte + 0xFEE0).encode())


def swap_case(byte: int) -> bytes:
    return bytes([byte]).swapcase()


def separators(*forms: bytes, first: bool = False) -> Callable[[bytes], Iterator[bytes]]:
    """An operator that writes one separator in another way; the first slash only where that is legal."""

    def spell(path: bytes) -> Iterator[bytes]:
        for at, byte in enumerate(path):
            if byte == ord("/") and (at or first):
                for form in forms:
                    yield path[:at] + form + path[at + 1 :]

    return spell


DOT_SEGMENTS = (
    *(b"/./", b"/%2e/", b"/x/../", b"/x/%2e%2e/", b"/x/.%2e/", b"/x\\..\\", b"/x/%252e%252e/"),
    *(b"/x/..%5c", b"/x/%c0%ae./", b"/x/y/../../"),
)


def append(*tails: bytes) -> Callable[[bytes], Iterator[bytes]]:
    """An operator that writes something behind one segment that holds a dot, or behind the path."""

    def spell(path: bytes) -> Iterator[bytes]:
        segments = path.split(b"/")
        for at, segment in enumerate(segments):
            if b"." in segment or at + 1 == len(segments):
                for tail in tails:
                    yield b"/".join([*segments[:at], segment + tail, *segments[at + 1 :]])

    return spell


def insert_path_info(path: bytes) -> Iterator[bytes]:
    """The path becomes path-info of itself: the script map fires on the first part (X9)."""
    yield path + b"/p.gif"
    yield path + b"/a/b.html"
    yield path + b"%2fp.gif"
    yield path + b"/"


def empty_stem(path: bytes) -> Iterator[bytes]:
    """Only the extension of the last segment (X10)."""
    folder, slash, name = path.rpartition(b"/")
    dot = name.rfind(b".")
    if dot > 0:
        yield folder + slash + name[dot:]


def device(path: bytes) -> Iterator[bytes]:
    """The stem of the last segment becomes a DOS device (X13)."""
    folder, slash, name = path.rpartition(b"/")
    for stem in (b"aux", b"con", b"NUL", b"com1", b"lpt9", b"prn"):
        yield folder + slash + stem + name[name.rfind(b".") :] if b"." in name else folder + slash + stem


def shorten(path: bytes) -> Iterator[bytes]:
    """The last segment as its 8.3 name (X12)."""
    folder, slash, name = path.rpartition(b"/")
    short = short_name(name.decode("latin-1")).encode("latin-1")
    if short != name:
        yield folder + slash + short


def absolute(path: bytes) -> Iterator[bytes]:
    yield b"http://vector.test" + path
    yield b"HTTP://vector.test" + path


def queries(path: bytes) -> Iterator[bytes]:
    for query in (b"?", b"?a=b", b"?x.gif", b"?/x.html", b"?" + b"N" * 224 + b"%u9090=a", b"?%", b"??"):
        yield path + query


OPERATORS: dict[str, Operator] = {
    operator.name: operator
    for operator in (
        Operator("percent", each_byte(lambda byte: (percent(byte),))),
        Operator("percent-upper", each_byte(lambda byte: (b"%%%02X" % byte,))),
        Operator("percent-all", every_byte(percent)),
        Operator("percent-percents", every_byte(percent, b"%")),
        Operator("percent-letters", every_byte(percent, bytes(range(0x61, 0x7B)))),
        Operator("percent-u", each_byte(lambda byte: (b"%%u%04x" % byte, b"%%U%04X" % byte))),
        Operator("percent-u-all", every_byte(lambda byte: b"%%u%04x" % byte)),
        Operator("percent-u-lookalike", each_byte(percent_u_lookalike)),
        Operator("utf8-lookalike", each_byte(utf8_lookalike)),
        Operator("full-width", each_byte(full_width)),
        Operator("double-percent", each_byte(lambda byte: (b"%%25%02x" % byte,))),
        Operator("triple-percent", each_byte(lambda byte: (b"%%2525%02x" % byte,))),
        Operator("nibbles", each_byte(nibbles)),
        Operator("overlong", each_byte(overlong)),
        Operator("arithmetic", each_byte(arithmetic)),
        Operator("upper", every_byte(lambda byte: bytes([byte]).upper())),
        Operator("case", each_byte(lambda byte: (swap_case(byte),))),
        Operator("slashes", separators(b"//", b"///", b"/%2f", first=True)),
        Operator("slash-escapes", separators(b"%2f", b"%252f", b"%u002f", b"%c0%af", b"%e0%80%af")),
        Operator("backslash", separators(b"\\", b"%5c", b"%255c", b"%u005c", b"%c1%9c", b"%c1%1c")),
        Operator("backslashes", separators(b"/\\", b"/%5c", b"/\\/", first=True)),
        Operator("dot-segments", separators(*DOT_SEGMENTS, first=True)),
        Operator("path-info", insert_path_info),
        Operator("semicolon", append(b";x.gif", b";", b"%3bx.gif", b";.jpg/x")),
        Operator("stream", append(b"::$DATA", b":x", b":x.gif", b"%3a%3a$DATA", b"::$DATA/x")),
        Operator("trailing", append(b".", b"..", b"%20", b"%2e", b"%20%20.", b"%u002e", b"%252e", b"./x")),
        Operator("nul", append(b"%00", b"%00.gif", b"%u0000.html", b"%2500.gif", b"%00/x.gif")),
        Operator("lead-byte", append(b"%81", b"%e0", b"%81.gif", b"%fc")),
        Operator("empty-stem", empty_stem),
        Operator("device-name", device),
        Operator("short-name", shorten),
        Operator("absolute-form", absolute, last=True),
        Operator("query", queries, last=True),
    )
}


def compose(path: bytes, names: Iterable[str], choose: Callable[[int], int], most: int = 400) -> bytes | None:
    """Apply operators one after the other; `choose(n)` picks among the n spellings of a step.

    Those that are `last` come last. None: a step has no spelling, or the path grew over `most` bytes.
    """
    for operator in sorted((OPERATORS[name] for name in names), key=lambda operator: operator.last):
        written = list(operator.spell(path))
        if not written:
            return None
        path = written[choose(len(written))]
        if len(path) > most:
            return None
    return path
