"""Does a report say what was compared, read and found, the most frequent first, and no more than asked?"""

from stopgap.forensics.replay import (
    NEWLY_PASSED,
    NEWLY_REFUSED,
    PASSES,
    REFUSED,
    REFUSED_OTHERWISE,
    Differences,
    Place,
)
from stopgap.forensics.report import Report, render, report
from stopgap.forensics.sources import Account

FOUND = Differences(
    fates={(PASSES, PASSES): 1000, (PASSES, REFUSED): 9, (REFUSED, REFUSED): 5, (REFUSED, PASSES): 1},
    places={
        (NEWLY_REFUSED, "few", "/c"): Place("/c", 1, "a.log:7", "GET /c HTTP/1.0"),
        (NEWLY_REFUSED, "many", "/a"): Place("/a", 3, "a.log:1", "GET /a HTTP/1.0"),
        (NEWLY_REFUSED, "many", "/b"): Place("/b", 5, "a.log:2", "GET /b HTTP/1.0"),
        (NEWLY_PASSED, "old", "/d"): Place("/d", 1, "b.log:3", "GET /d HTTP/1.0"),
        (REFUSED_OTHERWISE, "old -> new", "/e"): Place("/e", 2, "b.log:4", "GET /e HTTP/1.0"),
    },
)


def told(found: Differences, top: int = 10, account: Account | None = None) -> Report:
    return report(("new.toml", "version aa"), account or Account(files=2, requests=1015), found, [], [], top)


def text(one: Report) -> str:
    return "\n".join(line.plain for line in render(one))


def test_counts_add_up() -> None:
    one = told(FOUND)
    assert (one.of(NEWLY_REFUSED), one.of(NEWLY_PASSED)) == (9, 1)
    assert one.unchanged == {PASSES: 1000, REFUSED: 3, "detected": 0}
    differing = sum(one.of(kind) for kind in one.differences)
    assert differing + sum(one.unchanged.values()) == one.requests == 1015


def test_the_most_frequent_first() -> None:
    refused = told(FOUND).differences[NEWLY_REFUSED]
    assert [(row.by, row.requests, [place.path for place in row.most]) for row in refused] == [
        ("many", 8, ["/b", "/a"]),
        ("few", 1, ["/c"]),
    ]


def test_text() -> None:
    assert text(told(FOUND, top=1)).splitlines() == [
        "candidate new.toml",
        "active    version aa",
        "read      1,015 requests of 2 files",
        "",
        "newly refused: 9",
        "  many: 8",
        "          5  /b",
        "             a.log:2: GET /b HTTP/1.0",
        "             and 1 more paths; --top shows them",
        "  few: 1",
        "          1  /c",
        "             a.log:7: GET /c HTTP/1.0",
        "",
        "newly passed: 1",
        "  old: 1",
        "          1  /d",
        "             b.log:3: GET /d HTTP/1.0",
        "",
        "refused for another reason: 2",
        "  old -> new: 2",
        "          2  /e",
        "             b.log:4: GET /e HTTP/1.0",
        "",
        "as before passes 1,000, refused 3",
        "differs   9 newly refused, 1 newly passed",
    ]


def test_what_was_not_read_and_is_not_shown() -> None:
    account = Account(1, 5, 2, 12, [f"a.log:{n}: has 1 columns" for n in range(10)], frozenset({"query"}))
    one = report(("n", "a"), account, Differences(), ["r1", "r2", "r3", "r4", "r5", "r6"], ["a note"], 10)
    lines = text(one).splitlines()
    assert lines[2] == "read      3 requests of 1 file, 2 left out by --answered"
    assert lines[3] == "broken    12 lines could not be read:"
    assert lines[14:18] == [
        "          and 2 more",
        "not shown the version, the Host, User-Agent, the Referer, cookies, all other headers, bodies: "
        "the files do not hold them",
        "          6 rules ask for them and could not speak fully: r1, r2, r3, r4, r5 ...",
        "note      a note",
    ]
    assert lines[-1] == "differs   0 newly refused, 0 newly passed"
