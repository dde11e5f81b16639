"""Is output plain without a terminal, whatever its encoding, and does a mistake end in lines and code 2?"""

import io

import pytest

from stopgap.cli.terminal import console, counted, print_table, wrong_input
from stopgap.errors import ConfigError


def test_no_colour_without_a_terminal() -> None:
    out = io.StringIO()
    console(out).print("[bold]x[/] :smile: " + "y" * 300, style="red")
    assert out.getvalue() == "[bold]x[/] :smile: " + "y" * 300 + "\n"


def test_what_the_encoding_lacks_is_escaped() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    console(out).print("会計")
    out.flush()
    assert raw.getvalue() == b"\\u4f1a\\u8a08\n"


def test_wrong_input(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        wrong_input(ConfigError("a: one", "b: two"))
    assert ended.value.code == 2
    assert capsys.readouterr() == ("", "a: one\nb: two\n")


def test_columns_stand_below_each_other_in_japanese_too(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([("n", "site", "mode"), ("12", "会計システム", "block"), ("3", "b", "detect")], numbers=1)
    assert capsys.readouterr().out.splitlines() == [
        " n  site          mode",
        "12  会計システム  block",
        " 3  b             detect",
    ]


def test_one_and_many() -> None:
    assert (counted(1, "rule"), counted(0, "rule"), counted(2, "rule")) == ("1 rule", "0 rules", "2 rules")
