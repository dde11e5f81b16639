"""Is a request made of a log as the client may have sent it?"""

import pytest

from stopgap.forensics.request import Broken, made, status_of, target


@pytest.mark.parametrize(
    ("path", "query", "wanted"),
    [
        (b"/a.asp", b"-", b"/a.asp"),
        (b"/a.asp", b"x=1&y=%41", b"/a.asp?x=1&y=%41"),
        ("/会計.asp".encode("cp932"), b"-", b"/%89%EF%8Cv.asp"),
        ("/会計.asp".encode(), b"-", b"/%E4%BC%9A%E8%A8%88.asp"),
        (b"/a?b#c d\0.htm", b"-", b"/a%3Fb%23c%20d%00.htm"),
        (b"/..%5c..\xc1\x1c", b"/c+dir", b"/..%5c..%C1%1C?/c+dir"),
        (b"/<Rejected-By-UrlScan>", b"~/default.ida?NNN", b"/default.ida?NNN"),
        (b"/<Rejected-By-UrlScan>", b"-", b"/<Rejected-By-UrlScan>"),
    ],
)
def test_targets(path: bytes, query: bytes, wanted: bytes) -> None:
    assert target(path, query) == wanted


def test_whole_requests() -> None:
    assert made(b"GET", b"/", b"HTTP/1.0", b"h") == b"GET / HTTP/1.0\r\nHost: h\r\n\r\n"
    posted = made(b"POST", b"/", b"HTTP/1.1", b"h", b"A: 1\r\nB: 2\r\n")
    assert posted == b"POST / HTTP/1.1\r\nHost: h\r\nA: 1\r\nB: 2\r\nContent-Length: 0\r\n\r\n"


def test_statuses() -> None:
    assert (status_of(b"404"), status_of(b"-")) == (404, 0)
    for wrong in (b"", b"4", b"40x", b"4040", b"\0\0\0"):
        with pytest.raises(Broken):
            status_of(wrong)
