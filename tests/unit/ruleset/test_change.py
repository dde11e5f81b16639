"""Is a change written whole, with who wanted it, or not at all?"""

import datetime
from pathlib import Path

import pytest

from stopgap import config
from stopgap.errors import ConfigError, InputError
from stopgap.ruleset import change
from stopgap.ruleset.change import Why

TODAY = datetime.date(2026, 11, 28)
TEXT = '[[site]]\nname = "a"\norigins = "http://h"\npacks = ["code-red"]\n'
WHY = Why(" a trial ", "佐藤")


def test_who_and_why_stand_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "stopgap.toml"
    file.write_text(TEXT, "utf-8")
    text = change.mode(TEXT, "a", "ida-idq", "detect", WHY, TODAY)
    assert 'ida-idq = "detect" # 2026-11-28 佐藤: detect: a trial\n' in text
    text = change.exception(text, "a", {"rule": "ida-idq", "path": "/q/*.idq"}, WHY, TODAY)
    change.write(str(file), text)
    (site,) = config.load(str(file)).sites
    assert site.modes == {"ida-idq": "detect"}
    assert (site.exceptions[0].reason, site.exceptions[0].owner, site.exceptions[0].until) == (
        "a trial",
        "佐藤",
        TODAY,
    )


@pytest.mark.parametrize(
    ("why", "problem"),
    [
        (Why("", "x"), "reason: is missing"),
        (Why("x", "  "), "owner: is missing"),
        (Why("a\x1b[2J", "x"), "reason: must be one line"),
        (Why("x", "y" * 201), "owner: must be one line of at most 200 characters"),
    ],
)
def test_it_says_why_and_whose_it_is(why: Why, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        change.mode(TEXT, "a", "", "detect", why, TODAY)
    with pytest.raises(ConfigError, match=problem):
        change.exception(TEXT, "a", {"rule": "ida-idq", "path": "/a"}, why, TODAY)


def test_what_check_would_refuse_is_not_written(tmp_path: Path) -> None:
    file = tmp_path / "stopgap.toml"
    file.write_text(TEXT, "utf-8")
    for text in (TEXT + "[site.modes]\nnothing = 'detect'\n", TEXT + "more = 1\n", "site = 1\n"):
        with pytest.raises(InputError):
            change.write(str(file), text)
    assert file.read_text("utf-8") == TEXT


def test_the_difference() -> None:
    assert change.difference("f", "", "\u202e\x9b\t1\r\n")[-1] == "+\\u202e\\x9b     1"
    assert change.difference("f", "a\nb\n", "a\nc\n") == [
        "--- f",
        "+++ f",
        "@@ -1,2 +1,2 @@",
        " a",
        "-b",
        "+c",
    ]
