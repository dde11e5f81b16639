"""Does `explain` take every form of a request, judge by the right site, and end with the right code?"""

import contextlib
import json
from pathlib import Path

import pytest

from stopgap.events import flows
from tests.unit.cli.runner import run


@pytest.mark.parametrize(
    ("request_text", "code", "verdict"),
    [
        ("GET / HTTP/1.0", 0, "passes"),
        ("/index.htm", 0, "passes"),
        ("http://kaikei.example.jp/会計/表.htm?q=能#top", 0, "passes"),
        ("https://kaikei.example.jp", 0, "passes"),
        ("http://h?q=1", 0, "passes"),
        (
            "GET /default.ida?{N*224}%u9090=a HTTP/1.0",
            1,
            "refused with 404 (IIS 404.7): extension-denied, denied",
        ),
        ("GET /x.%2569da HTTP/1.0", 1, "refused with 404 (IIS 404.7): extension-denied, denied"),
        ("/a%c0%af..%5cx.IDQ/p.gif", 1, "refused with 404 (IIS 404.7): extension-denied, denied"),
        ("GET /a~1.htm HTTP/1.0", 1, "refused with 404 (IIS 404.5): short-name, ambiguous"),
        ("GET /x.ida", 1, "refused with 400: no-version, malformed"),
        ("nonsense", 1, "refused with 400: bad-method, malformed"),
        ("", 1, "refused with "),
        (r"GET /\x93\xfa HTTP/1.0", 1, "refused with 404 (IIS 404.12): high-bit, ambiguous"),
    ],
)
def test_requests(request_text: str, code: int, verdict: str) -> None:
    done = run("explain", "--", request_text)
    assert (done.code, done.err) == (code, "")
    assert f"verdict   {verdict}" in done.out


@pytest.mark.parametrize(
    ("raw", "verdict"),
    [
        (b"GET /x.ida HTTP/1.1\r\nHost: a\r\n\r\n", "extension-denied"),
        (b"GET /x.ida HTTP/1.1\nHost: a\n", "extension-denied"),
        (b"POST / HTTP/1.1\nHost: a\nContent-Length: 3\n\nab", "body-cut"),
        (b"POST / HTTP/1.1\r\nHost: a\nContent-Length: 3\r\n\r\nab", "bare-lf"),
        (b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n", "nul-byte"),
        (b"\xff\xfe", "refused"),
        (b"", "refused"),
    ],
)
def test_standard_input(raw: bytes, verdict: str) -> None:
    done = run("explain", "-", stdin=raw)
    assert (done.code, done.err) == (1, "")
    assert verdict in done.out


def test_server_and_code_page() -> None:
    request_text = "GET /scripts/..%255c../winnt/x HTTP/1.0"
    old = run("explain", "--server", "iis5", "--codepage", "1252", request_text)
    new = run("explain", "--server", "iis6", "--codepage", "1252", request_text)
    assert "vdir-traversal" in old.out
    assert "vdir-traversal" not in new.out
    assert "server iis6" in new.out


def test_json() -> None:
    done = run("explain", "--json", "/x.ida")
    assert done.code == 1
    assert json.loads(done.out)["verdict"]["reason"] == "extension-denied"


CONFIG = """\
[[site]]
name = "old"
hosts = "old.example"
origins = "http://192.0.2.1"
server = "iis5"
[[site.exception]]
rule = "ida-idq"
path = "/search/*.idq"
reason = "search page"
[[site]]
name = "new"
hosts = "new.example"
origins = "http://192.0.2.2"
server = "iis10"
mode = "detect"
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    file = tmp_path / "設定.toml"
    file.write_text(CONFIG, "utf-8")
    return str(file)


@pytest.mark.parametrize(
    ("args", "code", "shown"),
    [
        (["http://old.example/x.ida"], 1, "site      old: host old.example, server iis5, mode block"),
        (["http://new.example/x.ida"], 0, "site      new: host new.example, server iis10, mode detect"),
        (["http://other.example/"], 1, "unknown-host"),
        (["/x.ida"], 1, "site      old: "),
        (["--site", "new", "/x.ida"], 0, "site      new: "),
        (
            ["--site", "new", "http://old.example/boot.ini"],
            1,
            "the site is in detect mode: it is counted, logged and",
        ),
        (["http://old.example/search/a.idq?q=x"], 0, "excepted: search page"),
    ],
)
def test_a_configuration(config: str, args: list[str], code: int, shown: str) -> None:
    done = run("explain", "--config", config, *args)
    assert (done.code, done.err) == (code, "")
    assert shown in done.out


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (
            ["--server", "iis9", "/"],
            '--server: no server table is called "iis9"; known: iis4, iis5, iis5.1, ',
        ),
        (["--codepage", "933", "/"], "--codepage: 933 is unknown; known: "),
        (["--mode", "x", "/"], '--mode: "x" is unknown; choose one of block, canary, detect'),
        (["--site", "nw", "/"], '--site: no site is called "nw"; known: default'),
        (["--config", "/nowhere.toml", "/"], "/nowhere.toml: cannot be read: No such file or directory"),
        (["http://"], "REQUEST: 'http://' names no host"),
        (["http://[/"], "REQUEST: 'http://[/' is not a URL"),
        (
            ["GET / HTTP/1.0\r\nA: b"],
            'REQUEST: holds a line break; give a raw request on standard input, with "-"',
        ),
        (["GET /{a*999999999} HTTP/1.0"], "REQUEST: unfolds to more than 67108864 bytes"),
    ],
)
def test_mistakes(args: list[str], expected: str) -> None:
    done = run("explain", *args)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(expected)
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--flow", "FILE", "--event", "0" * 16), "holds no request of event 0000000000000000"),
        (("--flow", "FILE.none"), "FILE.none: cannot be read: No such file"),
        (("--flow", "FILE", "/y"), "REQUEST: give either REQUEST or --flow"),
        (("--flow", "FILE", "--write"), "--write: does not go with --flow"),
        (("--flow", ""), "--flow: .: holds no file whose name ends in .flow"),
    ],
)
def test_flow_files_that_cannot_be_explained(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    file = tmp_path / "FILE"
    file.write_bytes(flows.written(b"GET / HTTP/1.0\r\n\r\n", 18, flows.Told("", False, 1.0, {}, "", "", "")))
    assert run("explain", "--flow", str(file)).code == 0
    with contextlib.chdir(tmp_path):
        done = run("explain", *words)
    assert (done.code, done.out) == (2, "")
    assert says in done.err
