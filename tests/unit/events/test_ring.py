"""Does a ring keep its budget, whoever else writes into it, and is every file whole?"""

import os
import resource
from pathlib import Path

import pytest

from stopgap.events import ring
from stopgap.events.ring import Ring, files, folder
from tests.e2e.scarcity import limited

BUDGET = 8 * 1000


def sizes(place: Path) -> list[int]:
    return [path.stat().st_size for path in files(place)]


def test_the_oldest_file_goes_first(tmp_path: Path) -> None:
    made = Ring(tmp_path / "evidence" / "s", BUDGET)
    assert made.bytes() == 0
    for number in range(200):
        total = made.put(b"%03d" % number * 100)
        assert total == sum(sizes(made.place)) <= BUDGET
    made.close()
    kept = b"".join(path.read_bytes() for path in files(made.place))
    assert kept == b"".join(b"%03d" % number * 100 for number in range(200 - len(kept) // 300, 200))
    assert len(kept) > BUDGET * 3 // 4
    assert (made.place.stat().st_mode & 0o777, files(made.place)[0].stat().st_mode & 0o777) == (0o700, 0o600)


def test_two_rings_in_one_folder_keep_it_together(tmp_path: Path) -> None:
    old, new = Ring(tmp_path, BUDGET), Ring(tmp_path, BUDGET)
    new._begun = 500  # another process would have another id in its names
    for number in range(100):
        for one in (old, new):
            one.put(b"x" * 300)
            assert sum(sizes(tmp_path)) <= BUDGET, number


def test_a_file_that_was_removed_is_followed_by_another(tmp_path: Path) -> None:
    made = Ring(tmp_path, BUDGET)
    made.put(b"a")
    for path in files(tmp_path):
        path.unlink()
    assert made.put(b"b") == 1
    assert [path.read_bytes() for path in files(tmp_path)] == [b"b"]


def test_a_smaller_budget_counts_from_the_next_flow_on(tmp_path: Path) -> None:
    made = Ring(tmp_path, BUDGET)
    for _ in range(30):
        made.put(b"x" * 250)
    made.budget = BUDGET // 4
    assert made.put(b"y" * 250) <= BUDGET // 4


def test_many_small_files_are_too_many(tmp_path: Path) -> None:
    for number in range(ring.MOST_FILES + 10):
        (tmp_path / f"20010719T{number:06}-1-1.flow").write_bytes(b"x")
    Ring(tmp_path, BUDGET).put(b"y")
    assert len(files(tmp_path)) == ring.MOST_FILES


def test_what_is_too_large_for_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ring.TooLarge):
        Ring(tmp_path, BUDGET).put(b"x" * 1001)
    assert files(tmp_path) == []


def test_a_flow_that_has_no_room_leaves_nothing(tmp_path: Path) -> None:
    made = Ring(tmp_path, 1 << 20)
    made.put(b"a" * 3000)
    with limited(os.getpid(), resource.RLIMIT_FSIZE, 4096), pytest.raises(OSError):
        made.put(b"b" * 3000)
    assert made.put(b"c" * 10) == 3010
    assert [path.read_bytes() for path in files(tmp_path)] == [b"a" * 3000, b"c" * 10]


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "evidence").write_text("in the way")
    with pytest.raises(OSError):
        Ring(folder(str(tmp_path), "s"), BUDGET).put(b"x")


@pytest.mark.parametrize(
    ("site", "name"),
    [
        ("default", "default"),
        ("会計 ASP", "会計 ASP"),
        ("a/b", "a%2Fb"),
        ("..", "%2E%2E"),
        ("www.example", "www%2Eexample"),
        ("\\x", "%5Cx"),
    ],
)
def test_the_folder_of_a_site(site: str, name: str) -> None:
    assert folder("/state", site) == Path("/state/evidence", name)


def test_a_name_that_no_file_system_takes() -> None:
    names = {folder("/state", "💾" * 64).name, folder("/state", "💾" * 63).name}
    assert len(names) == 2
    assert all(len(name.encode()) <= ring.LONGEST_NAME for name in names)
