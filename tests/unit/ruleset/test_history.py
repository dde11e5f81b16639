"""Are the last rulesets kept, in memory and in files, and is a full disk no more than a warning?"""

import os
from pathlib import Path

import pytest

from stopgap.errors import InputError
from stopgap.ruleset import history, load
from stopgap.ruleset.history import IN_FILES, IN_MEMORY, History, Kept, kept


def one(number: int, text: str = "") -> Kept:
    return Kept(version=f"v{number:04}", time=f"{number:04}", config="c", texts={"c": text or str(number)})


def names(found: list[Kept]) -> list[str]:
    return [each.version for each in found]


def test_the_last_ones_are_kept_in_memory() -> None:
    kept_in_memory = History("", print)
    for number in range(IN_MEMORY + 3):
        kept_in_memory.keep(one(number))
    assert names(kept_in_memory.all()) == [f"v{number:04}" for number in range(3, IN_MEMORY + 3)]


def test_more_of_them_in_files_that_outlive_a_restart(tmp_path: Path) -> None:
    first = History(str(tmp_path), print)
    for number in range(IN_FILES + 3):
        first.keep(one(number))
    again = History(str(tmp_path), print)
    assert names(again.all()) == [f"v{number:04}" for number in range(3, IN_FILES + 3)]
    assert again.find("v0003").texts == {"c": "3"}
    assert len(list((tmp_path / history.FOLDER).iterdir())) == IN_FILES


def test_one_that_comes_again_is_the_newest() -> None:
    known = History("", print)
    for number, time in ((1, "1"), (2, "2"), (1, "3")):
        known.keep(Kept(version=f"v{number}", time=time, config="", texts={"c": str(number)}))
    assert names(known.all()) == ["v2", "v1"]
    assert known.before("v1").version == "v2"
    with pytest.raises(InputError, match="no ruleset before v2 is kept"):
        known.before("v2")


def test_the_same_files_on_another_day_replace_each_other() -> None:
    known = History("", print)
    known.keep(one(1, "same"))
    known.keep(one(2, "same"))
    assert names(known.all()) == ["v0002"]


def test_versions_are_found_by_their_beginning() -> None:
    known = [one(11), one(12), one(2)]
    assert history.chosen(known, "v0002").version == "v0002"
    with pytest.raises(InputError, match='several versions begin with "v001"; kept: v0011, v0012, v0002'):
        history.chosen(known, "v001")
    with pytest.raises(InputError, match='no kept version begins with "x"'):
        history.chosen(known, "x")


def test_a_full_disk_is_one_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    known = History(str(tmp_path), said.append)
    known.keep(one(1))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        known.keep(one(2))
        known.keep(one(3))
    assert said == [
        f"warning: {tmp_path}/rulesets: the ruleset cannot be kept there: No space left on device"
    ]
    assert names(known.all()) == ["v0001", "v0002", "v0003"]
    assert [path.name for path in (tmp_path / "rulesets").iterdir()] == ["v0001.json"]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    said: list[str] = []
    known = History(str(tmp_path / "file"), said.append)
    known.keep(one(1))
    assert len(said) == 1
    assert names(known.all()) == ["v0001"]


def test_what_is_no_ruleset_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "rulesets").mkdir()
    (tmp_path / "rulesets" / "x.json").write_text("{", "utf-8")
    (tmp_path / "rulesets" / "y.json").write_text("[]", "utf-8")
    assert History(str(tmp_path), print).all() == []


def test_what_ships_is_found_wherever_stopgap_is() -> None:
    path = f"{load.PACKS}/code-red.toml"
    made = kept("v", "t", "/etc/stopgap.toml", {path: b"x", "/etc/stopgap.toml": "会".encode()})
    assert made.texts == {"stopgap:packs/code-red.toml": "x", "/etc/stopgap.toml": "会"}
    assert made.files() == {path: b"x", "/etc/stopgap.toml": "会".encode()}
