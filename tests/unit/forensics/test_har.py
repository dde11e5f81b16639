"""Are the requests of a HAR file written as HTTP/1.1, headers and bodies with them?"""

import json
from typing import Any

import pytest

from stopgap.errors import ConfigError
from stopgap.forensics.har import entries
from stopgap.forensics.request import Broken, Told


def har(*requests: Any) -> bytes:
    return json.dumps({"log": {"version": "1.2", "entries": list(requests)}}).encode()


def entry(url: str, method: str = "GET", status: int = 200, **more: Any) -> dict[str, Any]:
    asked = {"method": method, "url": url, "httpVersion": "HTTP/1.1", "headers": [], **more}
    return {"request": asked, "response": {"status": status}, "time": 1}


def test_a_request_of_a_browser() -> None:
    headers = [
        {"name": name, "value": value}
        for name, value in (
            (":authority", "www.example.jp"),
            ("User-Agent", "Firefox"),
            ("Connection", "keep-alive"),
            ("Content-Length", "999"),
            ("Content-Type", "text/plain"),
        )
    ]
    posted = {"mimeType": "text/plain", "text": "日"}
    sent = entry(
        "https://www.example.jp/a?b=日#c", "POST", 302, headers=headers, postData=posted, httpVersion="h2"
    )
    assert list(entries("x.har", b"\xef\xbb\xbf" + har(sent))) == [
        Told(
            b"POST /a?b=%E6%97%A5 HTTP/1.1\r\nHost: www.example.jp\r\nUser-Agent: Firefox\r\n"
            b"Content-Type: text/plain\r\nContent-Length: 3\r\n\r\n\xe6\x97\xa5",
            True,
            302,
        )
    ]


def test_half_a_character_is_replaced() -> None:
    """Python's JSON writes what Chrome does: escapes of halves; pairs and escaped backslashes stay."""
    sent = entry("http://h/", "POST", postData={"text": "a\ud800b\udfff \U0001f600 \\ud800"})
    (told,) = entries("x", har(sent))
    assert isinstance(told, Told)
    assert told.request.rpartition(b"\r\n")[2] == "a\ufffdb\ufffd \U0001f600 \\ud800".encode()


def test_parameters_and_hosts() -> None:
    form = {"params": [{"name": "a b", "value": "1"}, {"name": "c"}]}
    host = [{"name": "Host", "value": "kaikei"}]
    first, second = entries(
        "x", har(entry("http://h:8080/", "POST", postData=form, headers=host), entry("http://u@h?q"))
    )
    assert isinstance(first, Told)
    assert first.request == b"POST / HTTP/1.1\r\nHost: kaikei\r\nContent-Length: 8\r\n\r\na+b=1&c="
    assert isinstance(second, Told)
    assert second.request == b"GET /?q HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.mark.parametrize(
    "broken",
    [
        1,
        {},
        entry("data:text/plain,a"),
        entry("http://[::1/"),
        entry("about:blank"),
        entry("http://h/", headers=1),
        {"request": {"method": "GET"}},
    ],
)
def test_entries_that_are_none(broken: Any) -> None:
    first, second = entries("x", har(broken, entry("http://h/")))
    assert isinstance(first, Broken)
    assert isinstance(second, Told)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"{}", b'{"log": {"entries": 1}}', b"\xff\xfe{", b'{"log":' * 100_000]
)
def test_what_is_no_har_file(text: bytes) -> None:
    with pytest.raises(ConfigError, match=r"^x\.har: is no HAR file"):
        list(entries("x.har", text))
