"""Is only what was asked for written into a configuration, every comment left where it stands?"""

import datetime
import os
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest

from stopgap.config import edit
from stopgap.errors import ConfigError, InputError

EXCEPTION = {
    "rule": "ida-idq",
    "path": "/検索/q.idq",
    "fields": ["param.q"],
    "until": datetime.date(2027, 2, 22),
}
TEXT = """\
# top
listen = "127.0.0.1:0" # here

[[site]]
name = "a"   # first
origins = "http://h"

[site.limits]
path = 260  # deep

# about exceptions
[[site.exception]]
rule = "x"
reason = "y"
# of the exception

# the second
[[site]]
name = "b"
origins = "http://h"
limits.query = 3

# rules of its own
[[rule]]
id = "r"
"""
OTHERS = [
    TEXT,
    TEXT.rstrip(),
    TEXT.replace("\n", "\r\n"),
    "\ufeff" + TEXT,
    '[[site]]\nname = "b"\norigins = "h"\nexception = [{ rule = "x" }] # inline\n[[site]]\nname = "a"\n',
    'site = [{ name = "a", origins = "h" }, { name = "b" }] # inline\n',
    '[[site]]\n"name" = \'a\'\n[site.modes]\n"x" = "detect"\n[[site]]\nname = "b"\n[site.limits]\nhead = 5\n',
]


def parsed(text: str) -> dict[str, list[dict[str, object]]]:
    return tomllib.loads(text.removeprefix("\ufeff"))


def site_of(text: str, name: str) -> dict[str, Any]:
    return next(site for site in parsed(text)["site"] if site["name"] == name)


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]


@pytest.mark.parametrize("name", ["a", "b"])
@pytest.mark.parametrize("text", OTHERS)
def test_an_exception_is_added_and_nothing_else_changes(text: str, name: str) -> None:
    edited = edit.with_exception(text, name, EXCEPTION)
    before, after = site_of(text, name), site_of(edited, name)
    assert after.pop("exception") == [*before.pop("exception", []), EXCEPTION]
    assert after == before
    assert [site for site in parsed(edited)["site"] if site["name"] != name] == [
        site for site in parsed(text)["site"] if site["name"] != name
    ]
    if "inline" not in text:
        kept = iter(lines(edited))
        assert all(line in kept for line in lines(text))  # all lines are there, in their order
    assert ("\r\n" in text) == ("\r\n" in edited)
    assert edited.replace("\r\n", "").count("\r") == 0
    assert text[:1] == "\ufeff" or edited[:1] != "\ufeff"


@pytest.mark.parametrize("name", ["a", "b"])
@pytest.mark.parametrize("text", OTHERS)
def test_a_limit_is_set_and_nothing_else_changes(text: str, name: str) -> None:
    edited = edit.with_limit(text, name, "path", 999)
    before, after = site_of(text, name), site_of(edited, name)
    assert after.pop("limits") == {**before.pop("limits", {}), "path": 999}
    assert after == before


@pytest.mark.parametrize("name", ["a", "b"])
@pytest.mark.parametrize("text", [text for text in OTHERS if not text.startswith("site = [")])
def test_a_mode_is_set_with_its_history_and_nothing_else_changes(text: str, name: str) -> None:
    for key in ("", "ida-idq"):
        edited = text
        for day, mode in enumerate(("detect", "block", "canary", "detect"), 1):
            edited = edit.with_mode(edited, name, key, mode, f"{day} sato: {mode}: why")
        before, after = site_of(text, name), site_of(edited, name)
        if key:
            assert after.pop("modes") == {**before.pop("modes", {}), key: "detect"}
        else:
            assert (after.pop("mode"), before.pop("mode", "block")) == ("detect", "block")
        assert after == before
        assert "# 4 sato: detect: why; 3 sato: canary: why; 2 sato: block: why" in edited
        assert "1 sato" not in edited
        assert ("\r\n" in text) == ("\r\n" in edited)


def test_a_mode_where_modes_stand_on_one_line() -> None:
    text = '[[site]]\nname = "a"\nmode = "block" # since ever\nmodes = { x = "detect" }\n'
    edited = edit.with_mode(text, "a", "y", "block", "N")
    assert parsed(edited)["site"][0]["modes"] == {"x": "detect", "y": "block"}
    assert edited.endswith("} # y: N\n")
    assert 'mode = "detect" # N; since ever\n' in edit.with_mode(text, "a", "", "detect", "N")


def test_a_site_on_one_line_has_no_room_for_a_history() -> None:
    text = 'site = [{ name = "a", origins = "h" }]\n'
    with pytest.raises(InputError, match="no room for who changed it"):
        edit.with_mode(text, "a", "x", "detect", "N")


def test_comments_stay_above_what_they_are_about() -> None:
    edited = edit.with_exception(TEXT, "a", {"rule": "r"})
    assert '# of the exception\n\n[[site.exception]]\nrule = "r"\n\n# the second\n[[site]]\n' in edited
    assert edit.with_limit(TEXT, "a", "path", 9).replace("path = 9 ", "path = 260 ") == TEXT


@pytest.mark.parametrize("text", ["", "[[site]]\n", "a =", 'site = "a"\n', TEXT])
def test_what_cannot_be_changed(text: str) -> None:
    with pytest.raises(InputError, match="cannot be changed"):
        edit.with_exception(text, "other", EXCEPTION)


def test_as_it_stands_in_a_file() -> None:
    assert edit.shown("exception", {"rule": "r"}) == '[[site.exception]]\nrule = "r"\n'
    assert edit.shown("limits", {"path": 3}) == "[site.limits]\npath = 3\n"


def test_a_file_is_replaced_with_its_mode_and_through_its_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.toml", tmp_path / "link.toml"
    real.write_text("old", "utf-8")
    real.chmod(0o640)
    link.symlink_to(real)
    edit.replace(str(link), "新\r\n")
    assert real.read_bytes() == "新\r\n".encode()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert link.is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.toml", "real.toml"]


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    (tmp_path / "a.toml").write_text("old", "utf-8")
    monkeypatch.setattr("os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        edit.replace(str(tmp_path / "a.toml"), "new")
    assert [(file.name, file.read_text("utf-8")) for file in tmp_path.iterdir()] == [("a.toml", "old")]


def test_a_file_that_cannot_be_replaced_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "stopgap.toml"
    file.write_text("old", "utf-8")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ConfigError, match="cannot be written: No space left"):
        edit.replace(str(file), "new")
    assert [path.read_text("utf-8") for path in tmp_path.iterdir()] == ["old"]
