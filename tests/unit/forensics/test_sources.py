"""Is the format of a file found, and is what cannot be read counted and told, within bounds?"""

import gzip
import json
from contextlib import closing
from pathlib import Path

import pytest

from stopgap.errors import ConfigError
from stopgap.forensics import sources
from stopgap.forensics.lines import LONGEST, Opened
from stopgap.forensics.sources import EVERYTHING, MOST_TOLD, Account, answered, detected, requests

W3C = b"#Software: IIS\r\n#Fields: cs-method cs-uri-stem sc-status\r\nGET /a 200\r\nGET /b 404\r\n"
NCSA = b'192.0.2.7 - - [19/Jul/2001:04:11:09 +0900] "GET /a HTTP/1.0" 200 1\n'
NATIVE = b"192.0.2.7, -, 7/19/01, 4:11:09, W3SVC1, W, 192.0.2.1, 1, 2, 3, 200, 0, GET, /a, -,\r\n"
RAW = b"GET /a HTTP/1.0\r\nHost: h\r\n\r\n"
HAR = json.dumps({"log": {"entries": [{"request": {"method": "GET", "url": "http://h/a"}}, {}]}}).encode()


def read(path: Path, data: bytes, form: str | None = None) -> tuple[list[sources.Seen], Account]:
    path.write_bytes(data)
    account = Account()
    with closing(Opened(str(path))) as opened:
        return list(requests(opened, form, b"h", account)), account


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("form", "text"), [("w3c", W3C), ("ncsa", NCSA), ("iis", NATIVE), ("raw", RAW), ("har", HAR)]
)
def test_formats(tmp_path: Path, form: str, text: bytes, packed: bool) -> None:
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(text) if packed else text)
    opened = Opened(str(path))
    assert detected(opened) == form
    account = Account()
    _, first = next(requests(opened, None, b"h", account))
    opened.close()
    assert first.request.startswith(b"GET /a HTTP/1.")
    assert b"Host: h\r\n" in first.request


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b"\r\n\r\n", bytes(3000), b"noise\nmore noise\n"])
def test_what_stands_before_the_first_line(tmp_path: Path, before: bytes) -> None:
    found, account = read(tmp_path / "log", before + NCSA)
    assert (len(found), account.broken) == (1, before.count(b"noise"))


@pytest.mark.parametrize(
    ("text", "what"),
    [(b"\x7fELF", "in no format"), (b"a\n" * 99, "in no format")],
)
def test_no_format(tmp_path: Path, text: bytes, what: str) -> None:
    with pytest.raises(ConfigError, match=rf"log: is {what}.*--format \(w3c, ncsa, iis, har, raw, flow\)"):
        read(tmp_path / "log", text)


@pytest.mark.parametrize("text", [b"", bytes(500), b"\r\n\r\n"])
def test_the_log_of_a_quiet_night(tmp_path: Path, text: bytes) -> None:
    found, account = read(tmp_path / "log", text)
    assert (found, account.files, account.broken) == ([], 1, 0)


def test_what_each_shows(tmp_path: Path) -> None:
    shown = {text: read(tmp_path / "log", text)[1].shows for text in (W3C, NCSA, NATIVE, RAW, HAR)}
    assert shown == {
        W3C: frozenset(),
        NCSA: {"query", "version"},
        NATIVE: {"query"},
        RAW: EVERYTHING,
        HAR: EVERYTHING,
    }


def test_broken_lines_are_counted_and_the_first_told(tmp_path: Path) -> None:
    lines = [
        b"GET /a 200",
        b"GET",
        b"GET /" + b"a" * LONGEST + b" 200",
        b"\0\0",
        b"GET /%\xff\0x 200",
        b"GET /b",
    ]
    found, account = read(tmp_path / "log", W3C + b"\n".join(lines))
    assert [line for line, _ in found] == [3, 4, 5, 9]
    assert (account.requests, account.broken) == (4, 3)
    assert account.first_broken == [
        f"{tmp_path}/log:6: has 1 columns where #Fields names 3",
        f"{tmp_path}/log:7: is longer than {LONGEST} bytes",
        f"{tmp_path}/log:10: has 2 columns where #Fields names 3",
    ]
    found, account = read(tmp_path / "log", W3C + b"noise\n" * 5000)
    assert (len(found), account.broken, len(account.first_broken)) == (2, 5000, MOST_TOLD)


def test_a_log_without_fields(tmp_path: Path) -> None:
    found, account = read(tmp_path / "log", b"#Software: IIS\r\nGET /a 200\r\n")
    assert (found, account.broken) == ([], 1)
    assert "before any #Fields" in account.first_broken[0]


def test_broken_entries(tmp_path: Path) -> None:
    found, account = read(tmp_path / "x.har", HAR)
    assert (len(found), account.broken) == (1, 1)
    assert account.first_broken[0].startswith(f"{tmp_path}/x.har:2: entry 2 is no request")


def test_gzip_that_breaks_off(tmp_path: Path) -> None:
    packed = gzip.compress(b"".join(b"192.0.2.%d" % (n % 250) + NCSA[9:] for n in range(9_999)))
    found, account = read(tmp_path / "log", packed[: len(packed) // 2])
    assert 0 < len(found) < 9_999
    assert "compressed data breaks off" in account.first_broken[-1]
    assert read(tmp_path / "x", gzip.compress(HAR)[:-9], "har")[1].broken == 1


def test_only_what_was_answered_so(tmp_path: Path) -> None:
    found, account = read(tmp_path / "log", W3C)
    kept = list(answered(found, range(200, 400), account))
    assert ([told.status for _, told in kept], account.left_out) == ([200], 1)
