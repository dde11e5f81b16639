"""Are modes and exceptions written by the command line as they are by the dashboard?"""

import datetime
from pathlib import Path

import pytest

from stopgap import config
from tests.unit.cli.runner import run

TEXT = '[[site]]\nname = "a" # first\norigins = "http://h"\npacks = ["code-red"]\n'
WHY = ("--reason", "a trial", "--owner", "佐藤")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "stopgap.toml"
    path.write_text(TEXT, "utf-8")
    return path


def test_a_mode(file: Path) -> None:
    done = run("rules", "mode", "detect", "ida-idq", "-c", str(file), *WHY)
    assert done.code == 0
    assert '+ida-idq = "detect" # ' in done.out and "佐藤: detect: a trial" in done.out
    assert done.err == f"{file}: written; `stopgap reload` takes it over\n"
    assert config.load(str(file)).sites[0].modes == {"ida-idq": "detect"}
    assert run("rules", "mode", "canary", "-c", str(file), *WHY).code == 0
    assert config.load(str(file)).sites[0].mode == "canary"


def test_an_exception(file: Path) -> None:
    done = run(
        "rules", "except", "ida-idq", "-c", str(file), "--path", "/検索/*.idq", "--until", "2099-01-31", *WHY
    )
    assert done.code == 0
    (made,) = config.load(str(file)).sites[0].exceptions
    assert (made.path, made.owner, made.until) == ("/検索/*.idq", "佐藤", datetime.date(2099, 1, 31))
    assert run("rules", "except", "ida-idq", "-c", str(file), "--client", "192.0.2.0/24", *WHY).code == 0
    assert config.load(str(file)).sites[0].exceptions[1].clients == ("192.0.2.0/24",)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("mode", "off", "ida-idq"), 'mode: "off" is unknown'),
        (("mode", "detect", "no-rule"), "no-rule"),
        (("mode", "detect", "--site", "b"), '--site: no site is called "b"'),
        (("except", "ida-idq"), "--path: give a path or --client"),
        (("except", "nothing", "--path", "/a"), "nothing"),
        (("except", "ida-idq", "--path", "a"), "site.exception.path"),
        (("except", "ida-idq", "--path", "/a", "--until", "soon"), "--until"),
    ],
)
def test_mistakes_change_nothing(file: Path, words: tuple[str, ...], told: str) -> None:
    done = run("rules", *words, "-c", str(file), *WHY)
    assert (done.code, told in done.err) == (2, True), done.err
    assert file.read_text("utf-8") == TEXT


def test_several_sites_want_a_name(file: Path) -> None:
    file.write_text(TEXT + TEXT.replace('"a"', '"b"').replace("origins", 'hosts = "b"\norigins'), "utf-8")
    assert (
        "--site: is missing; choose one of a, b" in run("rules", "mode", "detect", "-c", str(file), *WHY).err
    )
    assert run("rules", "mode", "detect", "-c", str(file), "--site", "b", *WHY).code == 0
    assert [site.mode for site in config.load(str(file)).sites] == ["block", "detect"]


def test_reason_and_owner_must_be_given(file: Path) -> None:
    assert run("rules", "mode", "detect", "-c", str(file), "--owner", "x").code == 2
    done = run("rules", "mode", "detect", "-c", str(file), "--owner", "x", "--reason", " ")
    assert (done.code, "reason: is missing" in done.err) == (2, True)
