"""Are raw requests told apart, bodies included?"""

import pytest

from stopgap.forensics.raw import is_request, requests
from stopgap.forensics.request import Told

ONE = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
FORM = b"POST /f HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\na=\r\n\r\n"
CHUNKED = b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"


def test_one_after_another() -> None:
    found = list(requests(b"\r\n" + ONE + FORM + CHUNKED + b"\r\n\r\n" + ONE, b"h"))
    assert [told.request for _, told in found] == [ONE, FORM, CHUNKED, ONE]
    assert [line for line, _ in found] == [2, 5, 11, 21]
    assert all(told.named for _, told in found)


def test_one_that_was_saved_with_line_feeds() -> None:
    text = (ONE + FORM.replace(b"a=\r\n\r\n", b"a=bcde")).replace(b"\r\n", b"\n")
    first, second = requests(text, b"h")
    assert first == (1, Told(ONE, True, 0))
    assert second[1].request.endswith(b"Content-Length: 6\r\n\r\na=bcde")


def test_request_lines_alone() -> None:
    found = list(requests(b"GET /a HTTP/1.1\nPOST /b HTTP/1.0\n\n\nGET /c HTTP/1.0\r\n", b"h"))
    assert found == [
        (1, Told(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n", False, 0)),
        (2, Told(b"POST /b HTTP/1.0\r\nHost: h\r\nContent-Length: 0\r\n\r\n", False, 0)),
        (5, Told(b"GET /c HTTP/1.0\r\nHost: h\r\n\r\n", False, 0)),
    ]


def test_what_is_cut_off_or_hostile_is_a_request_all_the_same() -> None:
    assert [told.request for _, told in requests(FORM[:-3], b"h")] == [FORM[:-3]]
    assert [told.request for _, told in requests(CHUNKED[:-3], b"h")] == [CHUNKED[:-3]]
    assert [told for _, told in requests(b"GET /a HTTP/1.0\nA: b", b"h")] == [
        Told(b"GET /a HTTP/1.0\r\nA: b\r\n\r\n", False, 0)
    ]
    (noise,) = requests(b"\x16\x03\0\xff", b"h")
    assert noise[1].request == b"\x16\x03\0\xff\r\n\r\n"
    assert list(requests(b"\r\n\n", b"h")) == []


@pytest.mark.parametrize(
    ("text", "is_one"), [(ONE, True), (b"\r\n" + ONE, True), (b"#Fields:", False), (b"", False)]
)
def test_which_files_look_like_it(text: bytes, is_one: bool) -> None:
    assert is_request(text) == is_one
