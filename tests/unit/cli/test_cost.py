"""Does `rules cost` time the rules on the requests that it was given, and show the dearest first?"""

from pathlib import Path

import pytest

from stopgap.cli.cost import HEADINGS, read_requests
from stopgap.errors import ConfigError
from tests.unit.cli.runner import run

SITE = """
[[site]]
name = "a"
origins = "http://192.0.2.1"
hosts = "a.example"
packs = []
rules = "own.toml"
"""
RULE = """
[[rule]]
id = "own"
title = "T"
match = { extension = "own" }
block = 'GET /a.own HTTP/1.0'
pass = 'GET / HTTP/1.0'
[[rule]]
id = "idle"
title = "T"
match = { extension = "idle" }
block = 'GET /a.idle HTTP/1.0'
pass = 'GET /x HTTP/1.0'
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "own.toml").write_text(RULE, "utf-8")
    (tmp_path / "stopgap.toml").write_text(SITE, "utf-8")
    return str(tmp_path / "stopgap.toml")


def rows(out: str) -> dict[str, list[str]]:
    lines = [line.split() for line in out.splitlines()[1:-1]]
    return {(line[2] if line[2].startswith("(") else line[4]): line for line in lines}


def test_the_packs_that_ship() -> None:
    done = run("rules", "cost", "--rounds", "1")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].split("  ")[0] == HEADINGS[0]
    shares = [float(line.split()[0].rstrip("%")) for line in lines[1:-1]]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(100, abs=10)
    assert {"(head)", "(readings)", "(prefilter)", "ida-idq"} <= rows(done.out).keys()
    assert "extension: ida, idq" in done.out


def test_requests_of_a_file(file: str, tmp_path: Path) -> None:
    (tmp_path / "requests").write_text("GET /a.own\nGET /b\nGET /c HTTP/1.0\nGET /d.own HTTP/1.1\n", "utf-8")
    done = run("rules", "cost", "-c", file, "--requests", str(tmp_path / "requests"), "--rounds", "13")
    assert (done.code, done.err) == (0, "")
    found = rows(done.out)
    assert found["own"][2:4] == ["500", "500"]
    assert found["idle"][1:4] == ["0", "0", "0"]
    assert done.out.splitlines()[-1].startswith("4 requests, 13 times: ")


def test_lines_or_heads(tmp_path: Path) -> None:
    path = tmp_path / "requests"
    path.write_bytes(
        b"GET /a\r\nPOST /b HTTP/1.0\n\nGET /c HTTP/1.1\r\nX: y\r\nhost: h\r\n\r\n\n\nPUT /d HTTP/1.1\nX: y\n"
    )
    host = b"Host: vector.test\r\n"
    assert read_requests(str(path)) == [
        b"GET /a HTTP/1.1\r\n" + host + b"\r\n",
        b"POST /b HTTP/1.0\r\n" + host + b"\r\n",
        b"GET /c HTTP/1.1\r\nX: y\r\nhost: h\r\n\r\n",
        b"PUT /d HTTP/1.1\r\n" + host + b"X: y\r\n\r\n",
    ]
    for odd, line in ((b"\x00\xff\x1f", 1), (b"GET /a\nGET /b c\n", 2), (b"GET /a\n\nX: y\n", 3)):
        path.write_bytes(odd)
        with pytest.raises(ConfigError, match=rf"requests:{line}: is neither a request line"):
            read_requests(str(path))
    path.write_bytes(b"\n\n")
    with pytest.raises(ConfigError, match="holds no request"):
        read_requests(str(path))


def test_mistakes(file: str) -> None:
    assert run("rules", "cost", "--requests", "/no/such").err == (
        "--requests: /no/such: cannot be read: No such file or directory\n"
    )
    assert run("rules", "cost", "--rounds", "0").code == 2
    assert run("rules", "cost", "--site", "a").err == "--site: needs --config FILE\n"
    done = run("rules", "cost", "-c", file, "--site", "b")
    assert (done.code, done.err) == (2, '--site: no site is called "b"; known: a\n')
