"""Do `rules list`, `show` and `test` tell what there is, and end with the right code?"""

from pathlib import Path

import pytest

from stopgap.cli.rules import written
from tests.unit.cli.runner import run

RULE = """\
[[rule]]
id = "htr"
title = "改行"
servers = ["iis4"]
match = { any = [{ extension = "htr" }, { not = { query = { length = { over = 9 } } } }] }
block = 'GET /a.htr HTTP/1.0'
pass = 'GET /?aaaaaaaaaa HTTP/1.0'
"""


def write(folder: Path, text: str, name: str) -> str:
    (folder / name).write_text(text, "utf-8")
    return str(folder / name)


def test_list() -> None:
    done = run("rules", "list")
    lines = done.out.splitlines()
    assert (done.code, done.err) == (0, "")
    assert lines[0].split() == ["RULE", "SEVERITY", "SERVERS", "PACK", "TITLE"]
    assert lines[1].split()[:5] == ["code-red-1", "critical", "iis4", "iis5", "code-red"]
    assert len(lines) == 24


def test_list_of_a_configuration(tmp_path: Path) -> None:
    write(tmp_path, RULE, "ours.toml")
    site = '[[site]]\nname = "a"\norigins = "http://h"\npacks = []\nrules = "ours.toml"\n'
    done = run("rules", "list", "--config", write(tmp_path, site, "stopgap.toml"))
    assert done.code == 0
    assert done.out.splitlines()[1].split() == ["htr", "medium", "iis4", "ours", "改行"]


def test_show() -> None:
    done = run("rules", "show", "ida-idq")
    assert (done.code, done.err) == (0, "")
    for line in (
        "rule      ida-idq",
        "servers   iis4 iis5",
        "match     extension equals 'ida' or 'idq'",
        "woken by  extension: ida, idq",
        "block     GET /default.ida HTTP/1.0",
        "pass      GET /florida HTTP/1.0",
    ):
        assert line in done.out.splitlines()


def test_show_a_rule_that_labels() -> None:
    assert "match     reason equals 'body-cut'" in run("rules", "show", "cut-body").out


def test_show_a_rule_that_is_not_there() -> None:
    done = run("rules", "show", "ida-idx")
    assert (done.code, done.out) == (2, "")
    assert done.err == 'no rule is called "ida-idx"; did you mean "ida-idq"?\n'


def test_test_what_ships() -> None:
    done = run("rules", "test")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("23 rules, ")
    assert done.out.endswith(" vectors: all hold\n")


def test_test_files_and_folders(tmp_path: Path) -> None:
    file = write(tmp_path, RULE.replace('id = "htr"', 'id = "two"'), "二.toml")
    write(tmp_path, RULE, "one.toml")
    assert run("rules", "test", file).out == "1 rules, 2 vectors: all hold\n"
    assert run("rules", "test", str(tmp_path)).out == "2 rules, 4 vectors: all hold\n"
    assert run("rules", "test", file, file).out == "1 rules, 2 vectors: all hold\n"


def test_test_finds_what_does_not_hold(tmp_path: Path) -> None:
    file = write(tmp_path, RULE.replace("aaaaaaaaaa", "a"), "ours.toml")
    done = run("rules", "test", file)
    assert (done.code, done.err) == (1, "")
    assert done.out == (
        f"{file}:7: rule \"htr\": pass: 'GET /?a HTTP/1.0' is caught by this rule on iis4, code page 1252; "
        "verdict: refused: extension-denied (htr)\n1 rules, 2 vectors: 1 problems\n"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "ours.toml: is empty; a pack holds at least one [[rule]]"),
        ("[[rule]]\nid = 'a'\n", 'ours.toml:1: rule "a": title: is missing'),
        ("[[rule]\n", "ours.toml:1, column "),
        (RULE + RULE, 'ours.toml:8: rule "htr": id: is already used at '),
    ],
)
def test_mistakes(tmp_path: Path, text: str, expected: str) -> None:
    done = run("rules", "test", write(tmp_path, text, "ours.toml"))
    assert (done.code, done.out) == (2, "")
    assert done.err.replace(f"{tmp_path}/", "").startswith(expected)
    assert done.err.count("\n") == 1


def test_an_empty_folder(tmp_path: Path) -> None:
    done = run("rules", "test", str(tmp_path))
    assert (done.code, done.err) == (2, f"{tmp_path}: holds no pack (*.toml)\n")


def test_written() -> None:
    leaf = {"field": "header", "name": "if", "test": "length", "over": 3}
    same = {"field": "param", "same": [{"on": "name", "test": "equals", "value": ["a"]}]}
    assert written({"all": [leaf, {"not": {"any": [same, leaf]}}]}) == (
        "(header if length over 3 and not (one param whose name equals 'a' or header if length over 3))"
    )
