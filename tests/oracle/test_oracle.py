"""Does the oracle read as the catalogue says that IIS reads? The catalogue's own examples, row by row."""

import pytest

from tests.oracle.model import SERVERS, Reading, origin_form, read, worlds
from tests.oracle.spellings import OPERATORS, Resource, reaching, short_name

CMD = Resource("segment", "cmd.exe")
IDA = Resource("extension", "ida")

NIMDA = [
    b"/scripts/..%255c../winnt/system32/cmd.exe",
    b"/_vti_bin/..%255c../..%255c../..%255c../winnt/system32/cmd.exe",
    b"/_mem_bin/..%255c../..%255c../..%255c../winnt/system32/cmd.exe",
    b"/msadc/..%255c../..%255c../..%255c/..%c1%1c../..%c1%1c../..%c1%1c../winnt/system32/cmd.exe",
    b"/scripts/..%c1%1c../winnt/system32/cmd.exe",
    b"/scripts/..%c0%2f../winnt/system32/cmd.exe",
    b"/scripts/..%c0%af../winnt/system32/cmd.exe",
    b"/scripts/..%c1%9c../winnt/system32/cmd.exe",
    b"/scripts/..%%35%63../winnt/system32/cmd.exe",
    b"/scripts/..%%35c../winnt/system32/cmd.exe",
    b"/scripts/..%25%35%63../winnt/system32/cmd.exe",
    b"/scripts/..%252f../winnt/system32/cmd.exe",
]


def every_reading(path: bytes, server: str, page: int) -> set[Reading | None]:
    return {read(path, world) for world in worlds(server, page)}


def decoded(path: bytes, server: str, page: int = 1252) -> set[str]:
    return {reading.path for reading in every_reading(path, server, page) if reading}


@pytest.mark.parametrize("path", NIMDA)
def test_nimda_climbs_out_of_the_root(path: bytes) -> None:
    """2.3, the wire forms that need a hole: some unpatched IIS 4 and 5 leaves the root with each of them."""
    for server in ("iis4", "iis5"):
        found = [reading for reading in every_reading(path, server, 1252) if reading and reading.climbs]
        assert any("cmd.exe" in reading.names for reading in found), server


@pytest.mark.parametrize("path", NIMDA)
def test_nimda_stays_inside_on_later_servers(path: bytes) -> None:
    for server in ("iis7", "iis8", "iis10"):
        assert not any(reading.climbs for reading in every_reading(path, server, 1252) if reading)


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        (b"/scripts/root.exe", ("scripts", "root.exe")),
        (b"/MSADC/root.exe", ("msadc", "root.exe")),
        (b"/c/winnt/system32/cmd.exe", ("c", "winnt", "system32", "cmd.exe")),
        (b"/d/winnt/system32/cmd.exe", ("d", "winnt", "system32", "cmd.exe")),
    ],
)
def test_nimda_s_plain_probes_have_one_reading(path: bytes, segments: tuple[str, ...]) -> None:
    for server in SERVERS:
        (reading,) = every_reading(path, server, 1252)
        assert reading is not None and reading.segments == segments


@pytest.mark.parametrize(
    ("row", "server", "page", "path", "expected"),
    [
        ("P1", "iis10", 1252, b"/a%2fb%5Cc", "/a/b/c"),
        ("P2", "iis6", 1252, b"/x%u002eida", "/x.ida"),
        ("P2", "iis5", 1252, b"/x%U002Eida", "/x.ida"),
        ("P3", "iis5", 1252, b"/x%252eida", "/x.ida"),
        ("P4", "iis4", 1252, b"/x%%32%65ida", "/x.ida"),
        ("P4", "iis5", 1252, b"/x%%32eida", "/x.ida"),
        ("P4", "iis5", 1252, b"/x%25%32%65ida", "/x.ida"),
        ("P5", "iis4", 1252, b"/x.%3pda", "/x.ida"),
        ("P5", "iis4", 1252, b"/x%1uida", "/x.ida"),
        ("P6", "iis5.1", 1252, b"/100%.txt", "/100%.txt"),
        ("U1", "iis5", 1252, b"/a%c0%afb%c0%2fc", "/a/b/c"),
        ("U1", "iis5", 1252, b"/a%c1%9cb%c1%1cc", "/a/b/c"),
        ("U1", "iis5", 1252, b"/x%c0%aeida", "/x.ida"),
        ("U1", "iis4", 1252, b"/a%e0%80%afb", "/a/b"),
        ("U1", "iis6", 1252, b"/a%c0%afb", "/a/b"),
        ("U3", "iis5", 932, "/表.html".encode("cp932"), "/表.html"),
        ("U4", "iis6", 932, b"/%95%5c.html", "/表.html"),
        ("U4", "iis6", 932, b"/%e8%a1%a8.html", "/表.html"),
        ("U5", "iis5", 932, b"/a%c2%a5b", "/a/b"),
        ("U5", "iis5", 949, b"/a%e2%82%a9b", "/a/b"),
        ("U5", "iis5", 1252, b"/x.%c4%b1da", "/x.ida"),
        ("U5", "iis5", 1252, b"/a%u2215b%u2216c", "/a/b/c"),
        ("U5", "iis5", 1252, b"/x%uff052eida", "/x.ida"),
        ("U6", "iis5", 1252, b"/x.%uff49%uff44%uff41", "/x.ida"),
        ("X1", "iis10", 1252, b"/a\\b", "/a/b"),
        ("X2", "iis5", 1252, b"//a/\\b%2f/c", "/a/b/c"),
        ("X11", "iis5", 1252, b"/X.IDA", "/x.ida"),
    ],
)
def test_decoding(row: str, server: str, page: int, path: bytes, expected: str) -> None:
    assert expected in decoded(path, server, page), row


@pytest.mark.parametrize(
    ("row", "server", "page", "path", "expected"),
    [
        ("P3", "iis5.1", 1252, b"/x%252eida", "/x.ida"),
        ("P5", "iis5", 1252, b"/x.%3pda", "/x.ida"),
        ("U1", "iis7", 1252, b"/a%c0%afb", "/a/b"),
        ("U6", "iis5", 932, b"/x.%uff49%uff44%uff41", "/x.ida"),
        ("U3", "iis5", 932, "/表.html".encode("cp932"), "/•/.html"),
        ("P9", "iis5", 1252, b"/a+b", "/a b"),
    ],
)
def test_what_a_server_does_not_do(row: str, server: str, page: int, path: bytes, expected: str) -> None:
    assert expected not in decoded(path, server, page), row


@pytest.mark.parametrize("path", [b"/100%.txt", b"/x%zz", b"/x%", b"/x%0"])
def test_later_servers_refuse_a_bad_escape(path: bytes) -> None:
    assert every_reading(path, "iis7", 1252) == {None}


@pytest.mark.parametrize("path", [b"/x%00.ida", b"/x%0a.ida", b"/x%1f"])
def test_later_servers_refuse_controls(path: bytes) -> None:
    for server in ("iis6", "iis7", "iis8", "iis10"):
        assert every_reading(path, server, 1252) == {None}


@pytest.mark.parametrize(
    ("row", "server", "page", "path"),
    [
        ("X5", "iis4", 1252, b"/x.ida."),
        ("X5", "iis5", 1252, b"/x.ida%20%2e"),
        ("X6", "iis4", 1252, b"/x.ida::$DATA"),
        ("X6", "iis5.1", 1252, b"/x.ida:$i30:$INDEX_ALLOCATION/a"),
        ("X7", "iis6", 1252, b"/x.ida;.jpg"),
        ("X9", "iis10", 1252, b"/x.ida/foo.gif"),
        ("X10", "iis5", 1252, b"/.ida"),
        ("X14", "iis5", 1252, b"/x.ida%00.gif"),
        ("U7", "iis5", 932, b"/x.ida%81"),
    ],
)
def test_extensions(row: str, server: str, page: int, path: bytes) -> None:
    assert any(reaching(path, IDA, server, page)), row


@pytest.mark.parametrize(
    ("server", "page", "path"),
    [
        ("iis10", 1252, b"/x.ida;.jpg"),
        ("iis5", 1252, b"/florida"),
        ("iis5", 1252, b"/x.idaho"),
        ("iis5", 1252, b"/idaho.asp?f=x.ida"),
        ("iis5", 1252, b"/x.ida/../y"),
        ("iis5", 1252, b"/x.ida%81"),
        ("iis5.1", 932, b"/x.ida%81"),
    ],
)
def test_what_is_no_hit(server: str, page: int, path: bytes) -> None:
    assert not any(reaching(path, IDA, server, page))


def test_depth_and_dot_segments() -> None:
    (reading,) = every_reading(b"/a/./b//c/../d", "iis5", 1252)
    assert reading is not None
    assert (reading.path, reading.segments, reading.depth, reading.climbs) == (
        "/a/./b/c/../d",
        ("a", "b", "d"),
        3,
        False,
    )


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/a%3fb?c?d", b"/a%3fb"),
        (b"http://h:80/a/b?c", b"/a/b"),
        (b"HTTPS://h", b"/"),
        (b"*", b"*"),
    ],
)
def test_origin_form(target: bytes, path: bytes) -> None:
    assert origin_form(target) == path


@pytest.mark.parametrize(
    ("name", "short"),
    [("cmd.exe", "cmd.exe"), ("sensepost.exe", "sensep~1.exe"), ("global.asax", "global~1.asa"), ("x", "x")],
)
def test_short_names(name: str, short: str) -> None:
    assert short_name(name) == short


WHERE = {  # an operator, and where the oracle must find that it works on /scripts/default.ida
    "percent": {"iis4", "iis5", "iis5.1", "iis6", "iis7", "iis8", "iis10"},
    "percent-u-all": {"iis4", "iis5", "iis5.1", "iis6", "iis7", "iis8", "iis10"},
    "semicolon": {"iis5", "iis5.1", "iis6"},
    "stream": {"iis4", "iis5", "iis5.1"},
    "trailing": {"iis4", "iis5", "iis5.1"},
    "nul": {"iis4", "iis5", "iis5.1"},
    "path-info": {"iis4", "iis5", "iis5.1", "iis6", "iis7", "iis8", "iis10"},
}


@pytest.mark.parametrize("name", WHERE)
def test_where_an_operator_works(name: str) -> None:
    spellings = list(OPERATORS[name].spell(b"/scripts/default.ida"))
    works = {server for server in SERVERS for path in spellings if any(reaching(path, IDA, server, 1252))}
    assert works == WHERE[name]


@pytest.mark.parametrize("name", OPERATORS)
def test_every_operator_works_somewhere(name: str) -> None:
    """An operator that never reaches anything tests nothing."""
    resource = Resource("segment", "sensepost.exe") if name == "short-name" else IDA
    start = b"/scripts/sensepost.exe" if name == "short-name" else b"/scripts/default.%69da"
    spellings = list(OPERATORS[name].spell(start))
    assert any(
        any(reaching(path, resource, server, page))
        for path in spellings
        for server in SERVERS
        for page in (932, 1252)
    )
