"""How would one given IIS read one path? The second opinion that the core is tested against.

Written from the catalogue (1.2 to 1.4) and from nothing else, for reading rather than for speed: one
server, one code page, one state of patches and registry (a `World`) gives one reading, or the answer 400.
The order of things: percent escapes, UTF-8 or the code page, best fit, on unpatched servers the percent
escapes once more, then separators, dot segments, and what Windows makes of the name.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import product
from string import ascii_lowercase, ascii_uppercase

from tests.oracle.pages import SEVERED, UNKNOWN, Item, Page, pages

SLASH, DOT, PERCENT, BACKSLASH = b"/.%\\"
SMALL = str.maketrans(ascii_uppercase + "\\", ascii_lowercase + "/")


@dataclass(frozen=True)
class Server:
    """What is known of one version; each fact with its row in the catalogue."""

    name: str
    bad_escape: str  # P5 arithmetic (unpatched) or literal; P6 literal; P6 refused (400)
    double: tuple[bool, ...] = (False,)  # P3, MS01-026; again in WebDAV
    overlong: tuple[bool, ...] = (False,)  # U1, MS00-078; again in WebDAV (CVE-2009-1535)
    mixes: bool = False  # U1: UTF-8 and ANSI in one path, as Snort models IIS 4 and 5
    longest: int = 4  # U2: bytes of a UTF-8 sequence
    ansi: tuple[bool, ...] = (False, True)  # U5: names go through the ANSI page (6+: for ISAPI only)
    strips: bool = False  # X5 trailing dots and spaces
    streams: bool = False  # X6
    semicolon: bool = False  # X7
    severs: bool = False  # U7: a lead byte at the end of a name is dropped
    controls: bool = False  # X14, X15: controls pass, NUL ends the name


SERVERS = {
    server.name: server
    for server in (
        Server(
            "iis4", "arithmetic", double=(False, True), overlong=(False, True), mixes=True, longest=3,
            ansi=(True,), strips=True, streams=True, severs=True, controls=True,
        ),
        Server(
            "iis5", "literal", double=(False, True), overlong=(False, True), mixes=True, longest=3,
            ansi=(True,), strips=True, streams=True, semicolon=True, severs=True, controls=True,
        ),
        Server(
            "iis5.1", "literal", overlong=(False, True), mixes=True, longest=3,
            ansi=(True,), strips=True, streams=True, semicolon=True, controls=True,
        ),
        Server("iis6", "literal", overlong=(False, True), semicolon=True),
        Server("iis7", "refused"),
        Server("iis8", "refused"),
        Server("iis10", "refused"),
    )
}  # fmt: skip


@dataclass(frozen=True)
class World:
    """One server in one state: what a filter in front of it cannot know."""

    server: Server
    page: Page
    double: bool  # escapes are decoded twice
    overlong: bool  # overlong UTF-8 and unchecked continuation bytes pass
    utf8: str  # "never", "whole" path or not at all, or "each" sequence by itself
    bad_escape: str  # "arithmetic", "literal", "refused"
    percent_u: bool  # PercentUAllowed
    ansi: bool  # characters are squeezed into the page


@dataclass(frozen=True)
class Reading:
    """What a server would act on. Separators are `/`, ASCII letters small."""

    path: str  # decoded, separators collapsed, dot segments kept
    segments: tuple[str, ...]  # after dot segments
    names: frozenset[str]  # what Windows or a script map may take for a segment's name
    extensions: frozenset[str]  # of every segment (X9), without the dot
    tops: frozenset[str]  # the same of the first segment
    climbs: bool  # dot segments leave the root

    @property
    def depth(self) -> int:
        return len(self.segments)


@cache
def worlds(server: str, page: int) -> tuple[World, ...]:
    """Every state that a server with this code page may be in."""
    facts = SERVERS[server]
    modes = ("never", "whole", "each") if facts.mixes else ("never", "whole")
    escapes = ("arithmetic", "literal") if facts.bad_escape == "arithmetic" else (facts.bad_escape,)
    states = product(facts.double, facts.overlong, modes, escapes, (False, True), facts.ansi)
    return tuple(World(facts, pages()[page], *state) for state in states)


def read(path: bytes, world: World) -> Reading | None:
    """The reading of a path (no query) in one world; None when that server answers 400."""
    items = unescape(list(path), world)
    if items is None:
        return None
    text = fit(characters(items, world), world)
    if world.double:
        if climbs(segments_of(text)):  # X3: checked between the passes
            return None
        second = unescape(text, world)
        if second is None:
            return None
        text = fit(world.page.read(second), world)
    if not world.server.controls and any(isinstance(item, int) and item < 0x20 for item in text):
        return None
    return resolve(tuple(text), world.server)


def unescape(items: Sequence[Item], world: World) -> list[Item] | None:
    """One pass over %HH, %uHHHH and what is neither (P1 to P6); None: refused."""
    out: list[Item] = []
    at = 0
    while at < len(items):
        item = items[at]
        if item != PERCENT:
            out.append(item)
            at += 1
            continue
        width, value = escape(items[at : at + 6], world)
        if not width:
            return None
        out.append(value)
        at += width
    return out


def escape(items: Sequence[Item], world: World) -> tuple[int, Item]:
    """What a percent sign and the five items after it are: how many it takes (0: refused) and the value."""
    text = "".join(chr(item) if isinstance(item, int) and item < 0x80 else UNKNOWN for item in items)
    if world.percent_u and text[1:2] in ("u", "U") and len(text) == 6 and hexadecimal(text[2:]):
        code = int(text[2:], 16)
        return 6, code if code < 0x80 else chr(code)
    if len(text) >= 3 and hexadecimal(text[1:3]):
        return 3, int(text[1:3], 16)
    if world.bad_escape == "arithmetic" and len(text) >= 3 and text[1:3].isascii() and text[1:3].isalnum():
        return 3, (16 * nibble(text[1]) + nibble(text[2])) % 256
    return (0 if world.bad_escape == "refused" else 1), PERCENT


def hexadecimal(text: str) -> bool:
    return all(character in "0123456789abcdefABCDEF" for character in text)


def nibble(character: str) -> int:
    """P5: `%3p` is I, `%1u` is a dot; any letter is taken for a digit."""
    return ord(character) - 48 if character.isdigit() else (ord(character) & 0xDF) - 65 + 10


def characters(items: list[Item], world: World) -> list[Item]:
    """Bytes above ASCII as UTF-8 or as the code page reads them (U1, U4)."""
    if world.utf8 == "never":
        return world.page.read(items)
    out: list[Item] = []
    at = 0
    while at < len(items):
        item = items[at]
        if isinstance(item, str) or item < 0x80:
            width, value = 1, item
        else:
            width, value = sequence(items[at : at + 4], world)
            if not width and world.utf8 == "whole":
                return world.page.read(items)
            if not width:
                width, value = world.page.step(items, at)
        out.append(value)
        at += width
    return out


def sequence(items: Sequence[Item], world: World) -> tuple[int, Item]:
    """A UTF-8 sequence at the start of the items: its length (0: none) and its value."""
    raw = bytes(item for item in items if isinstance(item, int))
    lead = raw[0]
    length = 2 if 0xC0 <= lead < 0xE0 else 3 if 0xE0 <= lead < 0xF0 else 4 if 0xF0 <= lead < 0xF5 else 0
    if (
        not length
        or length > world.server.longest
        or not all(isinstance(item, int) for item in items[:length])
    ):
        return 0, 0
    raw = raw[:length]
    if len(raw) < length:
        return 0, 0
    if not world.overlong:
        try:
            return length, raw.decode("utf-8")
        except UnicodeDecodeError:
            return 0, 0
    code = lead & (0xFF >> (length + 1))
    for byte in raw[1:]:
        code = code << 6 | byte & 0x3F
    return length, code if code < 0x80 else chr(code) if code < 0x110000 else UNKNOWN


def fit(items: list[Item], world: World) -> list[Item]:
    """Characters above ASCII squeezed into the page, where this server does that (U5)."""
    if not world.ansi:
        return items
    return [item if isinstance(item, int) else world.page.squeeze(item) for item in items]


def spell(items: Sequence[Item]) -> str:
    """Items as text: separators are `/` (X1), collapsed (X2), ASCII letters small (X11)."""
    text = "".join(chr(item) if isinstance(item, int) else item for item in items)
    return re.sub("//+", "/", text.translate(SMALL))


def segments_of(items: Sequence[Item]) -> list[str]:
    return [segment for segment in spell(items).split("/") if segment]


def walk(segments: Sequence[str]) -> tuple[tuple[str, ...], bool]:
    """Dot segments resolved, and whether they left the root on the way (X3)."""
    kept: list[str] = []
    left = False
    for segment in segments:
        if segment == "..":
            left = left or not kept
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    return tuple(kept), left


def climbs(segments: Sequence[str]) -> bool:
    return walk(segments)[1]


@lru_cache(1024)  # most worlds of a server read alike
def resolve(items: tuple[Item, ...], server: Server) -> Reading:
    """What the decoded path leads to."""
    segments, left = walk(segments_of(items))
    cut = items[: items.index(0)] if server.controls and 0 in items else items
    reached = {*segments, *walk(segments_of(cut))[0]}
    names = frozenset(name for segment in reached for name in forms(segment, server))
    extensions = frozenset(name.rpartition(".")[2] for name in names if "." in name)
    tops = frozenset(forms(segments[0], server)) if segments else frozenset()
    return Reading(spell(items), segments, names, extensions, tops, left)


def forms(segment: str, server: Server) -> Iterator[str]:
    """A segment, and what is left of it without `:` (X6), `;` (X7), end dots, spaces (X5), lead byte (U7)."""
    seen = [segment]
    for name in seen:
        shorter = [name.rstrip(". ")] if server.strips else []
        shorter += [name.partition(":")[0]] if server.streams else []
        shorter += [name.partition(";")[0]] if server.semicolon else []
        shorter += [name.rstrip(SEVERED)] if server.severs else []
        seen += [form for form in dict.fromkeys(shorter) if form and form not in seen]
    yield from seen


def origin_form(target: bytes) -> bytes:
    """The path of a request target: before the first raw `?` (X18), after an absolute form's authority."""
    path = target.partition(b"?")[0]
    if path.startswith(b"/"):
        return path
    scheme, separator, rest = path.partition(b"://")
    if not separator or scheme.lower() not in (b"http", b"https"):
        return path
    return b"/" + rest.partition(b"/")[2]
