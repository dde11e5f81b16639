"""Does a file give all of its lines, whatever was done to it, and never more than is bounded?"""

import gzip
from contextlib import closing
from pathlib import Path

import pytest

from stopgap.errors import ConfigError
from stopgap.forensics import lines
from stopgap.forensics.lines import BLOCK, LONGEST, CutOff, Opened


def read(path: Path, data: bytes) -> list[bytes]:
    path.write_bytes(data)
    moves: list[int] = []
    with closing(Opened(str(path), moves.append)) as opened:
        found = list(opened.lines())
    assert sum(moves) == len(data)
    return found


def test_lines_of_every_ending(tmp_path: Path) -> None:
    assert read(tmp_path / "log", b"a\r\nb\n\nc") == [b"a", b"b", b"", b"c"]
    assert read(tmp_path / "log", b"") == []


def test_lines_across_blocks(tmp_path: Path) -> None:
    wanted = [b"%d " % number + b"x" * 1000 for number in range(3 * BLOCK // 1000)]
    assert read(tmp_path / "log", b"\n".join(wanted)) == wanted


def test_nuls_of_a_crash_are_no_line(tmp_path: Path) -> None:
    assert read(tmp_path / "log", b"a\n" + bytes(65536) + b"b\nc\0\n" + bytes(70000)) == [b"a", b"b", b"c"]
    assert read(tmp_path / "log", b"a\n" + bytes(3 * BLOCK) + b"b\n") == [b"a", b"b"]


def test_a_huge_line_is_cut_and_does_not_hide_the_next(tmp_path: Path) -> None:
    first, last = read(tmp_path / "log", b"x" * (5 * BLOCK) + b"\nb\n")
    assert last == b"b"
    assert LONGEST < len(first) <= LONGEST + 1 + BLOCK


def test_gzip(tmp_path: Path) -> None:
    many = b"".join(b"line %d\n" % number for number in range(100_000))
    assert read(tmp_path / "log.gz", gzip.compress(many)) == many.splitlines()
    # Two files, packed one after the other, are one log.
    assert read(tmp_path / "log.gz", gzip.compress(b"a\n") + gzip.compress(b"b\n")) == [b"a", b"b"]


def test_gzip_that_breaks_off_gives_what_came_before(tmp_path: Path) -> None:
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(b"".join(b"%d\n" % (number * number) for number in range(9_000)))[:-2000])
    opened = Opened(str(path))
    found = []
    with pytest.raises(CutOff):
        for line in opened.lines():
            found.append(line)
    opened.close()
    assert found
    assert found == [b"%d" % (number * number) for number in range(len(found))]


def test_damaged_gzip_is_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "log.gz"
    data = gzip.compress(b"".join(b"%d\n" % (number * number) for number in range(9_000)))
    path.write_bytes(data[:200] + bytes(500) + data[700:])
    opened = Opened(str(path))
    opened.beginning()
    with pytest.raises(CutOff):
        list(opened.lines())
    opened.close()


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="/no/such: cannot be read: No such file"):
        Opened("/no/such")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        Opened(str(tmp_path))


def test_whole_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "big.har.gz"
    path.write_bytes(gzip.compress(bytes(3 * BLOCK)))
    with closing(Opened(str(path))) as opened:
        assert len(opened.whole()) == 3 * BLOCK
    monkeypatch.setattr(lines, "LARGEST", 2 * BLOCK)
    with (
        closing(Opened(str(path))) as opened,
        pytest.raises(ConfigError, match="holds more than 2097152 bytes"),
    ):
        opened.whole()
