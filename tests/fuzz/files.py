"""What else is fuzzed? Whatever reads a file that somebody wrote, and the frames between two processes.

A file is taken, or refused with an error of the house whose lines name it; any other exception is a find.
What was taken can be written and read again. Seeds are the files that the tree has anyway, rule by rule.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from stopgap import config, texts
from stopgap.errors import InputError
from stopgap.gate import messages
from stopgap.gate.messages import Frames
from stopgap.gate.proxy_protocol import LONGEST, Header, NotAHeader, parse
from stopgap.ruleset import formats, load, spec
from stopgap.ruleset.formats import source, toml
from stopgap.ruleset.formats.settle import settle
from tests.unit.ruleset.formats.test_foreign_noise import FILES

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "tests" / "unit" / "ruleset" / "formats" / "samples"
NAME = "fuzz.toml"


def told(error: InputError) -> None:
    """An error names the file, and nothing of what it repeats breaks a line."""
    assert error.problems
    for problem in error.problems:
        assert problem.startswith((NAME, "site", "listen"))
        assert problem.isprintable()


def configuration(data: bytes) -> None:
    """stopgap.toml, up to the specification that the core compiles."""
    with texts.replaced({NAME: data}, alone=False):
        try:
            read = config.load(NAME)
            ruleset = load.load(read)
            spec.compiled(spec.build(read, ruleset))
        except InputError as error:
            told(error)


def pack(data: bytes) -> None:
    """A pack of rules, one by one into a policy."""
    with texts.replaced({NAME: data}, alone=False):
        try:
            load.assemble([load.pack(NAME)], {})
        except InputError as error:
            told(error)


def imported(format: str) -> Callable[[bytes], None]:
    """A foreign file of this format: what comes of it is TOML that reads."""

    def target(data: bytes) -> None:
        try:
            made = settle(formats.read(format, source.decode(data, NAME)), NAME)
        except InputError as error:
            told(error)
            return
        written = toml.written(made).encode()
        with texts.replaced({NAME: written}, alone=False):
            if made.rules and not made.site:
                load.assemble([load.pack(NAME)], {})

    return target


def frames(data: bytes) -> None:
    """The control socket, in both directions: messages or one named error, whole and in pieces; what was read
    is written and read again as the same."""
    for make in (messages.commands, messages.reports):
        (whole, faulty), (cut, broken) = (taken(make(), data, step) for step in (len(data) or 1, 7))
        assert faulty == broken
        assert faulty or whole == cut
        assert taken(make(), b"".join(map(messages.frame, cut)), 64) == (cut, False)


def taken(reader: Frames[Any], data: bytes, step: int) -> tuple[list[Any], bool]:
    """The messages in these bytes, so many bytes at a time, and whether something was none."""
    found: list[Any] = []
    try:
        for start in range(0, len(data), step):
            found += reader.feed(data[start : start + step])
    except msgspec.DecodeError:
        return found, True
    return found, False


def header_of(data: bytes) -> Header | str | None:
    try:
        return parse(data)
    except NotAHeader:
        return "refused"


def proxy_header(data: bytes) -> None:
    """A PROXY header: what is decided of its beginning is decided of all; it names an address or none."""
    whole = header_of(data)
    for end in range(len(data)):
        early = header_of(data[:end])
        assert early is None or early == whole
    if isinstance(whole, Header):
        assert 0 < whole.length <= min(len(data), LONGEST)
        assert not whole.source or ipaddress.ip_address(whole.source)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "config": configuration,
    "pack": pack,
    **{f"import-{name}": imported(name) for name in formats.readable()},
    "frames": frames,
    "proxy-header": proxy_header,
}


def rules() -> Iterator[bytes]:
    """Every rule that ships, as a pack of its own."""
    for path in sorted((ROOT / "rules").glob("*.toml")):
        for piece in re.split(r"(?m)^(?=\[\[rule\]\])", path.read_text("utf-8"))[1:]:
            yield piece.encode()


def configurations() -> Iterator[bytes]:
    for path in (ROOT / "deploy" / "stopgap.toml", *sorted((ROOT / "rules" / "presets").glob("*.toml"))):
        yield path.read_bytes()


def messages_seen() -> Iterator[bytes]:
    site = messages.Site(name="s", origins=("http://192.0.2.1:80",), counters=(0,))
    for message in (
        *(messages.Ready(), messages.Activated("v"), messages.Failed("v", "why"), messages.Pong(3)),
        *(messages.Ping(3), messages.Drain(1.5)),
        messages.Activate(version="v", spec=b"{}", sites=[site], settings=messages.Settings()),
    ):
        yield messages.frame(message)


def proxy_headers() -> Iterator[bytes]:
    """Both versions and both families, a peer that speaks for itself, and a TLV."""
    four, six = "192.0.2.7 192.0.2.1 1 65535", "2001:db8::7 ::ffff:192.0.2.1 0 80"
    for line in (f"TCP4 {four}", f"TCP6 {six}", "UNKNOWN", f"UNKNOWN {six}"):
        yield b"PROXY %s\r\nGET / HTTP/1.0\r\n\r\n" % line.encode()
    signature = b"\r\n\r\n\0\r\nQUIT\n"
    for command, family, rest in (
        (0x20, 0, b""),
        (0x21, 0x11, bytes(12)),
        (0x21, 0x21, bytes(36) + b"\3\0\1a"),
    ):
        yield signature + bytes((command, family)) + len(rest).to_bytes(2, "big") + rest


def foreign(name: str) -> Callable[[], Iterator[bytes]]:
    return lambda: iter((FILES[name].encode(),))


SEEDS: dict[str, Callable[[], Iterator[bytes]]] = {
    "config": configurations,
    "pack": rules,
    "import-urlscan": lambda: (path.read_bytes() for path in sorted(SAMPLES.glob("*.ini"))),
    "import-webconfig": lambda: (path.read_bytes() for path in sorted(SAMPLES.glob("*.config"))),
    **{f"import-{name}": foreign(name) for name in FILES},
    "frames": messages_seen,
    "proxy-header": proxy_headers,
}
