"""Are sizes counted by folder, and the percentile the one that all but a thousandth stay within?"""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stopgap.forensics.sizes import MOST_PREFIXES, OTHERS, Sizes, folder, percentile, rounded, sizes


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (b"/kaikei/a.asp?x=/y/", "/kaikei/"),
        (b"/a.asp", "/"),
        (b"/", "/"),
        (b"", "/"),
        (b"/%93%FA/a", "/%93%FA/"),
        (b"/\x93\xfa/a", "/\\x93\\xfa/"),
        (b"/\x1b/a", "/"),
    ],
)
def test_folders(target: bytes, name: str) -> None:
    assert folder(target) == name


def test_the_numbers_of_a_request() -> None:
    target = b"/ab/c%20d?q=%41"
    request = b"GET %b HTTP/1.1\r\nHost: h\r\nA: bcd\r\n\r\nbody" % target
    line = {"target": 15, "path": 9, "segment": 5, "segments": 2, "query": 5, "escapes": 2}
    assert sizes(request, target, False) == line
    whole = {"head": len(request) - 4, "header": 7, "headers": 2, "body": 4}
    assert sizes(request, target, True) == {**line, **whole}


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=3000))
def test_a_percentile(numbers: list[int]) -> None:
    found = percentile(Counter(numbers))
    over = sum(number > found for number in numbers)
    assert over * 1000 <= len(numbers)
    assert sum(number >= found for number in numbers) * 1000 > len(numbers)


@given(st.integers(0, 10**9))
def test_rounding(number: int) -> None:
    found = rounded(number)
    assert number <= found <= number * 1.1 + 1
    assert len(str(found).rstrip("0")) <= 2


def test_folders_are_bounded() -> None:
    seen = Sizes()
    for number in range(MOST_PREFIXES + 50):
        seen.add(b"GET /f%d/a HTTP/1.1\r\n\r\n" % number, False, True)
    assert len(list(seen.measured("path"))) == MOST_PREFIXES + 1
    assert {one.prefix: one.requests for one in seen.measured("path")}[OTHERS] == 50
    assert seen.overall("path").total() == MOST_PREFIXES + 50
    assert seen.largest["path"] == len("/f249/a")
