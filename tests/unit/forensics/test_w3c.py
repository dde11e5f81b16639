"""Is a W3C extended log read by its #Fields, whatever their order, and nothing else?"""

import pytest

from stopgap.forensics.request import Broken, Told
from stopgap.forensics.w3c import W3c

IIS5 = b"#Fields: time c-ip cs-method cs-uri-stem sc-status"
IIS6 = (
    b"#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs-version cs-host "
    b"cs(User-Agent) cs(Cookie) cs(Referer) sc-status sc-substatus"
)


def test_the_fields_of_iis_5() -> None:
    reader = W3c(b"kaikei")
    for directive in (b"#Software: Microsoft Internet Information Services 5.0", b"#Version: 1.0", IIS5):
        assert reader(directive) is None
    told = reader(b"04:11:09 192.0.2.7 GET /default.ida 200")
    assert told == Told(b"GET /default.ida HTTP/1.1\r\nHost: kaikei\r\n\r\n", False, 200, b"192.0.2.7")
    assert reader.shows == frozenset()


def test_the_fields_of_iis_6() -> None:
    reader = W3c(b"unused")
    reader(IIS6)
    cells = (
        b"2003-07-19 04:11:09 192.0.2.1 POST /a.asp q=%%41 80 - 192.0.2.7 HTTP/1.0 h.example %b %b %b 302 0"
    )
    told = reader(cells % (b"Mozilla/4.0+(compatible;+MSIE+6.0)", b"a=1;+b=2+3", b"http://x/?q=1+2"))
    assert told == Told(
        b"POST /a.asp?q=%41 HTTP/1.0\r\nHost: h.example\r\n"
        b"User-Agent: Mozilla/4.0 (compatible; MSIE 6.0)\r\n"
        b"Referer: http://x/?q=1+2\r\nCookie: a=1; b=2+3\r\nContent-Length: 0\r\n\r\n",
        True,
        302,
        b"192.0.2.7",
        b"2003-07-19",
    )
    assert reader.shows == frozenset({"query", "version", "host", "user-agent", "cookie", "referer"})


def test_the_day_of_a_log_whose_lines_have_none() -> None:
    reader = W3c(b"h")
    reader(b"#Date: 2001-07-19 04:11:09")
    reader(IIS5)
    told = reader(b"04:11:09 - GET / 200")
    assert told and (told.client, told.day) == (b"", b"2001-07-19")
    assert reader(b"#Date:") is None


def test_later_fields_hold_from_there_on() -> None:
    reader = W3c(b"h")
    reader(b"#Fields: cs-uri-stem cs-method cs-uri-query")
    assert reader(b"/a GET q") == Told(b"GET /a?q HTTP/1.1\r\nHost: h\r\n\r\n", False, 0)
    reader(b"#fields: cs-method cs-uri-stem")
    assert reader(b"GET /b") == Told(b"GET /b HTTP/1.1\r\nHost: h\r\n\r\n", False, 0)
    assert reader.shows == frozenset()  # what one part of a log does not show, the log does not


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"04:11:09 192.0.2.7 GET /a", "has 4 columns where #Fields names 5"),
        (b"04:11:09 192.0.2.7 GET /a b 200", "has 6 columns"),
        (b"\x16\x03\x01", "has 1 columns"),
        (b"04:11:09 192.0.2.7 - - 400", "no method or no path"),
        (b"04:11:09 192.0.2.7 GET /a two", "status"),
    ],
)
def test_broken_lines(line: bytes, why: str) -> None:
    reader = W3c(b"h")
    reader(IIS5)
    with pytest.raises(Broken, match=why):
        reader(line)
    assert reader(b"04:11:09 192.0.2.7 GET /a 200") is not None


def test_without_fields() -> None:
    reader = W3c(b"h")
    with pytest.raises(Broken, match="before any #Fields"):
        reader(b"04:11:09 192.0.2.7 GET /a 200")
    assert reader.shows is None
    for poor, name in ((b"#Fields: cs-method c-ip", "cs-uri-stem"), (b"#Fields:", "cs-method")):
        reader(poor)
        with pytest.raises(Broken, match=f"names no {name}"):
            reader(b"GET 192.0.2.7" if name != "cs-method" else b"")


def test_bytes_that_nobody_sends() -> None:
    reader = W3c(b"h")
    reader(IIS5)
    told = reader(b"04:11:09 192.0.2.7 GET /\0\x1b[2J" + b"\xff" * 3 + b" 200")
    assert told is not None
    assert told.request.startswith(b"GET /%00%1B[2J%FF%FF%FF HTTP/1.1\r\n")
