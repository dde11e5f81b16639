"""Does the core know every reading that some IIS may have, and refuse every spelling of what it guards?

The oracle (tests/oracle) says how each server in each state reads a path. The core must have that reading
among its own or refuse the path (coverage), and must refuse whatever the oracle says reaches a guarded
extension or file (soundness). Nothing is asserted about how the core gets there.
"""

import re
from collections.abc import Iterator
from functools import cache

import pytest
from hypothesis import assume, example, given, note
from hypothesis import strategies as st

from stopgap import _core
from tests.oracle.model import SERVERS, World, origin_form, read, worlds
from tests.oracle.pages import SEVERED, UNKNOWN, pages
from tests.oracle.spellings import OPERATORS, Resource, compose, reaching
from tests.policies import guard, request
from tests.property.requests import DEVICE

PAGES = sorted(set(pages()) & set(_core.codepages()))
SERVER_NAMES = [*SERVERS, "any"]
GUARDED = (
    (b"/default.ida", Resource("extension", "ida")),
    (b"/scripts/x.idq", Resource("extension", "idq")),
    (b"/a/null.printer", Resource("extension", "printer")),
    (b"/scripts/root.exe", Resource("segment", "root.exe")),
    (b"/scripts/../../winnt/system32/cmd.exe", Resource("segment", "cmd.exe")),
    (b"/iisadmpwd/aexp.htm", Resource("folder", "iisadmpwd")),
    (b"/msadc/sensepost.exe", Resource("segment", "sensepost.exe")),
)

servers = st.sampled_from(SERVER_NAMES)
page_numbers = st.sampled_from(PAGES)
compositions = st.lists(st.sampled_from(sorted(OPERATORS)), min_size=1, max_size=4)

PIECES = (
    *(
        b"a",
        b"x.ida",
        b".",
        b"..",
        b"/",
        b"\\",
        b"%",
        b"%2f",
        b"%5c",
        b"%2e",
        b"%25",
        b"%u",
        b"%uff0f",
        b"%00",
    ),
    *(
        b"%c0",
        b"%af",
        b"%c1",
        b"%1c",
        b"%e0",
        b"%80",
        b"%81",
        b"%95",
        b"%5C",
        b"5c",
        b"2e",
        b"u002e",
        b"%c2%a5",
    ),
    *(
        b"%e8%a1%a8",
        b"%95%5c",
        b"\x95\\",
        b"\xc0\xaf",
        b"%1u",
        b"%3p",
        b";",
        b":",
        b" ",
        b"%20",
        b"~1",
        b"%f0",
    ),
    *(
        "表".encode("cp932"),
        "ソ.html".encode(),
        b"%82%a0",
        b"%bb",
        b"%a3%af",
        b"%3f",
        b"%2525",
        b"%%35",
        b"%7f",
    ),
    *(b"%c3%8c", b"%c3%4c", b"%c4%b1", b"%c4%31", b"%f1", b"da", b"%d0%b0", b"\xf0", b"%fc", b"%a5"),
)
structured = st.lists(st.sampled_from(PIECES), max_size=8).map(lambda parts: b"/" + b"".join(parts))
raw = st.binary(max_size=16).map(lambda data: b"/" + data.replace(b"?", b"%"))
escaped = st.binary(max_size=10).map(lambda data: b"/" + b"".join(b"%%%02x" % byte for byte in data))
paths = st.one_of(structured, raw, escaped)


def normal(path: str) -> str:
    """Separators `/` and collapsed, ASCII letters small: what the comparison does not look at."""
    small = "".join(c.lower() if c.isascii() else c for c in path.replace("\\", "/"))
    return re.sub("/+", "/", small)


def skeleton(path: str) -> str:
    """The ASCII of a path, and where something else stands."""
    return re.sub(r"[^\x00-\x7f]+", UNKNOWN, path)


def missing(path: bytes, server: str, page: int) -> Iterator[tuple[str, str]]:
    """Readings of the oracle that the core neither has nor refuses: (path, the world it comes from)."""
    known = _core.readings(path, server, [page])
    if any(anomalies for *_, anomalies in known):
        return
    exact = {normal(decoded.decode("utf-8", "surrogateescape")) for decoded, *_ in known}
    rough = {skeleton(decoded) for decoded in exact}
    for name in SERVERS if server == "any" else (server,):
        for world in worlds(name, page):
            reading = read(path, world)
            if reading is None:
                continue
            vague = any(mark in reading.path for mark in (UNKNOWN, SEVERED))
            if normal(reading.path) not in exact and not (vague and skeleton(reading.path) in rough):
                yield reading.path, str(world)


def worlds_that_reach(target: bytes, resource: Resource, server: str, page: int) -> Iterator[World]:
    """As the oracle's `reaching`, for `any` server too."""
    for name in SERVERS if server == "any" else (server,):
        yield from reaching(target, resource, name, page)


@given(paths, servers, page_numbers)
@example(b"/%95%5c.html", "iis5", 932)
@example(b"/%e8%a1%a8.html", "iis6", 932)
@example(b"/%e8%a1%a8.html", "iis5", 1252)
@example(b"/%c2%a5", "iis4", 932)
def test_every_reading_is_known_or_refused(path: bytes, server: str, page: int) -> None:
    lost = list(missing(path, server, page))
    assert not lost, f"{path!r} on {server}/{page}: {lost[0]}"


@given(st.sampled_from(GUARDED), compositions, st.data(), servers, page_numbers)
def test_every_spelling_is_known_or_refused(
    guarded: tuple[bytes, Resource], names: list[str], data: st.DataObject, server: str, page: int
) -> None:
    path = compose(guarded[0], names, lambda n: data.draw(st.integers(0, n - 1)))
    assume(path is not None)
    assert path is not None
    lost = list(missing(origin_form(path), server, page))
    assert not lost, f"{path!r} on {server}/{page}: {lost[0]}"


@given(st.sampled_from(GUARDED), compositions, st.data(), servers, page_numbers)
def test_no_spelling_reaches_what_is_guarded(
    guarded: tuple[bytes, Resource], names: list[str], data: st.DataObject, server: str, page: int
) -> None:
    start, resource = guarded
    target = compose(start, names, lambda n: data.draw(st.integers(0, n - 1)))
    assume(target is not None)
    assert target is not None
    note(repr(target))
    if guard(server, page).judge(request(target)) is None:
        reached = list(worlds_that_reach(target, resource, server, page))
        assert not reached, f"{target!r} on {server}/{page} reaches {resource}: {reached[0]}"


HIDDEN = st.tuples(
    st.lists(st.sampled_from(PIECES), max_size=3), st.lists(st.sampled_from(PIECES), max_size=3)
)


@given(st.sampled_from(GUARDED), HIDDEN, compositions, st.data(), servers, page_numbers)
def test_no_garbage_hides_what_is_guarded(
    guarded: tuple[bytes, Resource],
    around: tuple[list[bytes], list[bytes]],
    names: list[str],
    data: st.DataObject,
    server: str,
    page: int,
) -> None:
    """Odd bytes before and behind the name, which a reader may pair with the bytes of the name."""
    start, resource = guarded
    folder, slash, name = start.rpartition(b"/")
    path = folder + slash + b"".join(around[0]) + name + b"".join(around[1])
    target = compose(path.replace(b"?", b""), names[:1], lambda n: data.draw(st.integers(0, n - 1)))
    assume(target is not None)
    assert target is not None
    note(repr(target))
    if guard(server, page).judge(request(target)) is None:
        reached = list(worlds_that_reach(target, resource, server, page))
        assert not reached, f"{target!r} on {server}/{page} reaches {resource}: {reached[0]}"


@pytest.mark.parametrize("name", sorted(OPERATORS))
@pytest.mark.parametrize("server", SERVER_NAMES)
def test_every_single_spelling(name: str, server: str) -> None:
    """Depth one, all spellings of each operator: no luck involved."""
    open_ways = [
        (target, page)
        for start, resource in GUARDED
        for target in OPERATORS[name].spell(start)
        for page in (932, 1252)
        if guard(server, page).judge(request(target)) is None
        and any(worlds_that_reach(target, resource, server, page))
    ]
    assert not open_ways


PLAIN = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", min_size=1, max_size=12)


@given(st.lists(PLAIN, min_size=1, max_size=5), servers, page_numbers)
def test_a_plain_path_has_one_reading(segments: list[str], server: str, page: int) -> None:
    text = "/" + "/".join(segments) + ".html"
    assume(not DEVICE.search(text))
    path = text.encode()
    (reading,) = _core.readings(path, server, [page])
    assert reading[0] == path.lower() and not reading[3]
    assert guard(server, page).judge(request(path)) is None


TAILS = (b"", b"/", b".html", b"/index.html", b"/a.asp", b"-2.pdf")


@cache
def letters(page: int) -> str:
    """The letters above ASCII that a page holds."""
    text = ""
    for lead in range(0x80, 0x100):
        for trail in range(0x40, 0xFF) if lead in pages()[page].leads else (None,):
            raw = bytes([lead] if trail is None else [lead, trail])
            text += pages()[page].character(raw)
    return "".join(sorted({character for character in text if character.isalpha()}))


@given(st.data(), page_numbers, servers)
def test_utf8_names_pass(data: st.DataObject, page: int, server: str) -> None:
    """A name in the site's own language, as browsers write it, on every server."""
    name = data.draw(st.text(letters(page) + "abcdefghij", min_size=1, max_size=10), label="name")
    tail = data.draw(st.sampled_from(TAILS), label="tail")
    path = b"/" + b"".join(b"%%%02X" % byte for byte in name.encode()) + tail
    verdict = guard(server, page).judge(request(path))
    assert verdict is None, (path, _core.reasons()[verdict[0]][0])


def japanese(text: str) -> bool:
    """In code page 932, and double-byte throughout: what a Japanese file name is made of."""
    try:
        return len(text.encode("cp932")) == 2 * len(text)
    except UnicodeEncodeError:
        return False


KANJI = st.text(
    st.one_of(
        st.characters(min_codepoint=0x3041, max_codepoint=0x30FA),
        st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA0),
    ),
    min_size=1,
    max_size=8,
).filter(japanese)


@given(
    KANJI,
    st.sampled_from(["cp932", "utf-8"]),
    st.sampled_from(TAILS),
    servers,
    st.sampled_from([(932,), (1252, 932)]),
)
@example("表示ソース能力", "cp932", b".html", "iis5", (932,))
@example("表", "utf-8", b"/", "iis5", (932,))
@example("ポスト", "cp932", b"", "iis5", (932,))
@example("会計", "utf-8", b"", "iis10", (1252, 932))
def test_japanese_names_pass(
    name: str, encoding: str, tail: bytes, server: str, codepages: tuple[int, ...]
) -> None:
    """Promise 2: 表 is 95 5C, ポ is 83 7C; neither is a backslash or a pipe on a Japanese server.

    Shift_JIS names are for a site with that page alone: 禁価 is 8B D6 89 BF, whose middle is UTF-8 for a
    character that page 1252 takes for a colon.
    """
    assume(encoding == "utf-8" or codepages == (932,))
    path = b"/" + b"".join(b"%%%02X" % byte for byte in name.encode(encoding)) + tail
    verdict = guard(server, *codepages).judge(request(path))
    assert verdict is None, (path, _core.reasons()[verdict[0]][0])
