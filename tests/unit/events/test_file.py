"""Does a log stay within its size, and is no line ever lost by a rotation?"""

import multiprocessing
import os
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stopgap.config.model import Rotation
from stopgap.events.file import File, kept, unable
from stopgap.events.formats import Record


def record(number: int, length: int = 99) -> Record:
    return Record(f"{number}".encode().ljust(length, b"."), "", "", alert=True)


def numbers(*paths: Path | str) -> list[int]:
    """The numbers in some logs, in their order."""
    return [int(line.rstrip(b".")) for path in paths for line in Path(path).read_bytes().splitlines() if line]


def logs(log: Path) -> list[str]:
    """All of a log's files, the oldest first."""
    return [*reversed(kept(str(log), 99)), str(log)]


def test_a_log_within_its_size_and_number(tmp_path: Path) -> None:
    log = tmp_path / "記録"
    one = File(str(log), Rotation(1000, 3))
    for number in range(95):
        assert one.put(record(number))
    one.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["記録", "記録.1", "記録.2", "記録.3"]
    assert all(path.stat().st_size <= 1000 for path in tmp_path.iterdir())
    found = numbers(*logs(log))
    assert found == list(range(95 - len(found), 95))
    assert len(found) >= 3 * 9


def test_a_line_that_is_longer_than_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    one = File(str(log), Rotation(1000, 9))
    for number in range(4):
        one.put(record(number, 5000))
    one.close()
    assert [len(numbers(path)) for path in logs(log)] == [1, 1, 1, 1]


def test_another_size_and_number_from_now_on(tmp_path: Path) -> None:
    log = tmp_path / "log"
    one = File(str(log))
    for number in range(50):
        one.put(record(number))
    assert logs(log) == [str(log)]
    one.rotation = Rotation(1000, 5)
    for number in range(50, 150):
        one.put(record(number))
    assert len(logs(log)) == 6
    one.rotation = Rotation(1000, 2)
    for number in range(150, 170):
        one.put(record(number))
    assert len(logs(log)) == 3
    one.close()


def test_a_link_is_followed(tmp_path: Path) -> None:
    real, link = tmp_path / "disk", tmp_path / "log"
    real.mkdir()
    link.symlink_to(real / "log")
    one = File(str(link), Rotation(1000, 9))
    for number in range(30):
        one.put(record(number))
    one.close()
    assert link.is_symlink()
    assert kept(str(link), 9) == [f"{real}/log.{number}" for number in range(1, len(kept(str(link), 9)) + 1)]
    assert numbers(*logs(link)) == list(range(30))


def test_a_log_that_was_moved_away_is_not_rotated(tmp_path: Path) -> None:
    log, moved = tmp_path / "log", tmp_path / "moved"
    one = File(str(log), Rotation(1000, 9))
    for number in range(9):
        one.put(record(number))
    log.rename(moved)
    for number in range(9, 12):
        one.put(record(number))
    one.close()
    assert numbers(moved, *logs(log)) == list(range(12))
    assert kept(str(log), 9) == []


def test_a_log_is_opened_anew(tmp_path: Path) -> None:
    log, moved = tmp_path / "log", tmp_path / "moved"
    one = File(str(log), Rotation(100_000, 1))
    one.put(record(1))
    log.rename(moved)
    one.reopen()
    one.put(record(2))
    one.close()
    assert (numbers(moved), numbers(log)) == ([1], [2])


@pytest.mark.parametrize("step", ["os.open", "os.replace"])
def test_a_rotation_that_fails_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], step: str
) -> None:
    log = tmp_path / "log"
    one = File(str(log), Rotation(1000, 3))
    for number in range(25):
        one.put(record(number))
    before = len(logs(log))

    def fails(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(f"stopgap.events.file.{step}", fails)
        for number in range(25, 60):
            assert one.put(record(number))
    assert len(logs(log)) == before
    assert numbers(*logs(log)) == list(range(60))
    said = capsys.readouterr().err
    assert said == f"stopgap: {log}: cannot be rotated, and grows on: Permission denied\n"
    one.put(record(60))
    one.close()
    assert numbers(log) == [60]
    assert numbers(*logs(log)) == list(range(61))


@contextmanager
def full_at(size: int) -> Iterator[None]:
    """A limit on the size of files stands for a disk without room."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_costs_lines_and_no_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "log"
    one = File(str(log), Rotation(1000, 9))
    with full_at(550):
        done = [number for number in range(10) if one.put(record(number))]
    assert done == [0, 1, 2, 3, 4]
    for number in range(10, 30):
        assert one.put(record(number))
    one.close()
    assert "events cannot be written: File too large" in capsys.readouterr().err
    whole = [line for path in logs(log) for line in Path(path).read_bytes().splitlines() if len(line) == 99]
    assert [int(line.rstrip(b".")) for line in whole] == [*range(5), *range(10, 30)]


def _write(log: str, first: int) -> None:
    one = File(log, Rotation(2000, 99))
    for number in range(first, first + 300):
        assert one.put(record(number))
    one.close()


def test_two_gates_may_write_and_rotate_one_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    spawn = multiprocessing.get_context("spawn")
    other = spawn.Process(target=_write, args=(str(log), 300))
    other.start()
    threads = [threading.Thread(target=_write, args=(str(log), first)) for first in (0, 600)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.join()
    assert other.exitcode == 0
    assert sorted(numbers(*logs(log))) == list(range(900))
    assert not (tmp_path / "log.new").exists()


def test_special_files_are_not_rotated(tmp_path: Path) -> None:
    one = File("/dev/null", Rotation(100, 1))
    assert all(one.put(record(number)) for number in range(5))
    one.close()


def test_where_no_file_can_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert unable(str(tmp_path / "log")) == ""
    assert (
        unable(str(tmp_path / "none" / "log"))
        == f"{tmp_path}/none: is no folder; make it, for the user of the gate"
    )
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert unable(str(tmp_path / "log")) == f"{tmp_path}: no file can be made or renamed there by this user"


def test_what_a_killed_gate_left_is_no_trouble(tmp_path: Path) -> None:
    log = tmp_path / "log"
    (tmp_path / "log.new").touch()
    one = File(str(log), Rotation(1000, 9))
    for number in range(20):
        one.put(record(number))
    one.close()
    assert numbers(*logs(log)) == list(range(20))
    assert os.listdir(tmp_path).count("log.new") == 0
