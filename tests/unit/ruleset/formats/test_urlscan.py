"""What does a whole urlscan.ini become, and what does a gate with it say of requests?"""

from pathlib import Path

import pytest

from stopgap.ruleset.formats import urlscan, urlscan25
from stopgap.ruleset.formats.settle import settle
from stopgap.ruleset.formats.source import Source, load
from tests.unit.ruleset.formats import filters

SAMPLES = Path(__file__).with_name("samples")
OLD = load(str(SAMPLES / "urlscan-2.5.ini"))
NEW = load(str(SAMPLES / "urlscan-3.1.ini"))


def test_a_file_of_2_5() -> None:
    made = settle(urlscan.read(OLD), OLD.file)
    assert made.site == {
        "mode": "detect",
        "methods": ["GET", "HEAD"],
        "limits": {"path": 260, "query": 4096, "body": 30_000_000, "target": 4357},
    }
    assert [rule["id"] for rule in made.rules] == [
        "urlscan-extensions-allowed",
        "urlscan-url",
        "urlscan-high-bit",
        "urlscan-dots",
        "urlscan-headers",
    ]
    assert [str(note).partition("2.5.ini:")[2] for note in made.report] == [
        '18: lost: verb "get": the gate takes only methods of upper-case letters (reason "bad-method")',
        '27: lost: denied header "Host": every request has one; left out',
        '30: lost: "//": path never holds it: runs of "/" are read as one; write "/"',
    ]


@pytest.mark.parametrize(
    ("target", "refused"),
    [
        ("/", False),
        ("/a.htm", False),
        ("/a.ASP?x=y.exe", False),
        ("/a.exe", True),
        ("/a.htm.asp", True),
        ("/a.asp/b", False),
        ("/%C3%A9.htm", True),
        ("/~u/", True),
        ("/" + "a" * 260, True),
    ],
)
def test_a_gate_of_2_5(tmp_path: Path, target: str, refused: bool) -> None:
    made = urlscan.read(Source("u.ini", OLD.text.replace("Host:\n", "").replace("/~*", "")))
    policy, *_ = filters.gate(made, tmp_path)
    wire = f"GET {target} HTTP/1.0\r\nHost: o\r\n\r\n".encode()
    assert (policy.judge(wire, 0) is not None) == refused


@pytest.mark.parametrize(
    ("request_text", "refused"),
    [
        ("GET /a.asp?q=xp_cmdshell HTTP/1.0", True),
        ("GET /a.asp?q=%78p_cmdshell HTTP/1.0", True),
        ("GET /a.htm?q=xp_cmdshell HTTP/1.0", False),
        ("GET /a.asp?q=100%25 HTTP/1.0", False),
        ("GET /a.asp?q=100% HTTP/1.0", True),
        ("GET /a.htm?q=100% HTTP/1.0", False),
        ("GET /a.idq HTTP/1.0", True),
        ("GET /search/query.idq HTTP/1.0", False),
        ("GET /search/query.htr HTTP/1.0", True),
        ("PROPFIND / HTTP/1.0", True),
        ("GET /a.htm HTTP/1.0\r\nTranslate: f", True),
        ("GET /a.asp HTTP/1.0\r\nCookie: a=b--", True),
        ("GET /a.htm HTTP/1.0\r\nUser-Agent: libwww-perl/5", True),
        ("GET /a.htm HTTP/1.0\r\nReferer: libwww-perl/5", False),
    ],
)
def test_a_gate_of_3_1(tmp_path: Path, request_text: str, refused: bool) -> None:
    policy, site, rules = filters.gate(urlscan.read(NEW), tmp_path)
    line, _, rest = request_text.partition("\r\n")
    fields = f"{rest}\r\n" if rest else ""
    wire = f"{line}\r\nHost: o\r\n{fields}\r\n".encode()
    assert (policy.judge(wire, 0) is not None) == refused
    again, *_ = filters.gate(urlscan.read(Source("u.ini", urlscan.write(site, rules).text)), tmp_path)
    assert (again.judge(wire, 0) is not None) == refused


def test_2_5_is_written_too(tmp_path: Path) -> None:
    _, site, rules = filters.gate(urlscan.read(NEW), tmp_path)
    exported = urlscan25.write(site, rules)
    assert "[DenyExtensions]\n.ida\n" in exported.text
    assert "DenyQueryStringSequences" not in exported.text
    assert any(note.what == 'query string sequence "<"' for note in exported.report)
