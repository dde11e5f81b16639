"""Is every ambiguous request refused, or one and the same for nginx, Apache httpd and a recorder?

A small run of the suite, its own reading of what was published about desync, and whether it sees a desync.
"""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.desync.drive import Answer, Said, judge, run
from tests.desync.reading import Meaning, Readings, readings
from tests.desync.requests import NAMES, cases
from tests.desync.servers import Server

COUNT = 2000
HEAD = b"POST /case HTTP/1.1\r\nHost: any.test\r\n"
MARKER = b"GET /marker HTTP/1.1\r\nHost: any.test\r\n\r\n"
POST, GET = Meaning(b"POST", b"/case", b"hello"), Meaning(b"GET", b"/marker", b"")


@pytest.mark.timeout(300)
def test_two_thousand_requests(tmp_path: Path) -> None:
    outcome = run(tmp_path, list(cases(20010719, COUNT)))
    assert outcome.faults == []
    total: Counter[str] = Counter()
    for counts in outcome.counts.values():
        total += counts
    assert total.total() == COUNT
    assert set(outcome.counts) == set(NAMES)
    assert total["refused"] > COUNT / 4 and total["arrived"] > COUNT / 8, total


def test_a_seed_gives_the_same_cases() -> None:
    assert list(cases(7, 100)) == list(cases(7, 100)) != list(cases(8, 100))


def test_families_have_something_odd_in_them() -> None:
    """Each draws at least ten different requests."""
    drawn: dict[str, set[bytes]] = {name: set() for name in NAMES}
    for case in cases(1, 2500):
        drawn[case.family].add(case.bytes.replace(b"%d" % case.number, b"N"))
    assert {name for name, streams in drawn.items() if len(streams) < 10} == set()


@pytest.mark.parametrize(
    ("stream", "read"),
    [
        (HEAD + b"Content-Length: 5\r\n\r\nhello" + MARKER, Readings((POST, GET), "open")),
        (
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
            Readings((POST,), "open"),
        ),
        (HEAD + b"Content-Length: 5\r\n\r\nhelloGET", Readings((POST,), "open")),
        (HEAD + b"Content-Length: 5\r\nConnection: Close\r\n\r\nhello" + MARKER, Readings((POST,), "over")),
        (HEAD + b"Content-Length: 50\r\n\r\n" + b"x" * 49, Readings((), "open")),
        (HEAD + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", Readings((), "bad")),
        (HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Readings((), "bad")),
        (HEAD + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n", Readings((), "bad")),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5;\nhello\r\n0\r\n\r\n", Readings((), "bad")),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nGET / HTTP/1.1\r\n\r\n", Readings((), "bad")),
        (HEAD + b"Content_Length: 5\r\n\r\nhello", Readings((), "bad")),
        (HEAD + b"X: y\n\r\n", Readings((), "bad")),
        (
            HEAD.replace(b"/case", b"http://any.test/case") + b"Content-Length: 5\r\n\r\nhello",
            Readings((POST,), "open"),
        ),
        (HEAD.replace(b"/case", b"http://other.test/case") + b"\r\n", Readings((), "bad")),
        (b"GET /marker\r\n", Readings((), "bad")),
        (b"\r\n" + MARKER, Readings((GET,), "open")),
    ],
)
def test_the_reading_of_the_test(stream: bytes, read: Readings) -> None:
    assert readings(stream) == read


def test_a_desync_is_seen() -> None:
    """A body that one server takes for a request, an answer behind a refusal, and so on."""
    (case,) = cases(1, 1)
    fine, own = Answer(204, False, False), Answer(400, True, True)
    last = replace(fine, last=True)
    both, bad = Readings((POST, GET), "over"), Readings((), "bad")

    def wrong(read: Readings, said: Said, *understood: Meaning) -> int:
        server = Server("nginx", "", {case.number: list(understood)})
        return len(list(judge(case, read, {"nginx": said}, {"nginx": server})))

    whole = Said((fine, last), b"", True)
    assert wrong(both, whole, POST, GET) == 0
    assert wrong(bad, Said((own,), b"", True)) == 0
    assert wrong(both, whole, POST) == 1
    assert wrong(both, whole, replace(POST, body=b"hell"), GET) == 1
    assert wrong(both, whole, POST, GET, replace(GET, target=b"/smuggled")) == 1
    assert wrong(bad, Said((own,), b"", False)) == 1
    assert wrong(bad, Said((own,), b"HTTP/1.1 204", True)) == 1
    assert wrong(bad, Said((own,), b"", True), GET) == 1
    assert wrong(bad, Said((fine,), b"", True), GET) == 2
    assert wrong(bad, Said((own, fine), b"", True), GET) == 3
