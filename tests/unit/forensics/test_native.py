"""Is the fixed format of IIS read as it is?"""

import pytest

from stopgap.forensics.native import Native, is_line
from stopgap.forensics.request import Broken, Told

LINE = b"192.0.2.7, -, 7/19/01, 4:11:09, W3SVC1, WEB1, 192.0.2.1, 15, 163, 3223, %b, 0, %b, %b, %b,"


@pytest.mark.parametrize(
    ("path", "query", "wanted"),
    [
        (b"/a.asp", b"-", b"/a.asp"),
        (b"/a.asp", b"q=1,2", b"/a.asp?q=1,2"),
        ("/日.asp".encode("cp932"), b"a=b, c", b"/%93%FA.asp?a=b, c"),
    ],
)
def test_lines(path: bytes, query: bytes, wanted: bytes) -> None:
    line = LINE % (b"200", b"GET", path, query)
    assert is_line(line)
    assert Native(b"h")(line) == Told(
        b"GET " + wanted + b" HTTP/1.1\r\nHost: h\r\n\r\n", False, 200, b"192.0.2.7", b"7/19/01"
    )


def test_broken_lines() -> None:
    reader = Native(b"h")
    for line, why in (
        (b"192.0.2.7, -, 7/19/01", "has 3 columns"),
        (LINE % (b"200", b"-", b"-", b"-"), "no method"),
        (LINE % (b"x", b"GET", b"/", b"-"), "status"),
        (b"\0" * 1000, "has 1 columns"),
    ):
        with pytest.raises(Broken, match=why):
            reader(line)
    assert not is_line(b"a, b, c, d")
