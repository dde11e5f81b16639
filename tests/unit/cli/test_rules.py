"""Do `rules list`, `show` and `test` tell what there is, and end with the right code?"""

from pathlib import Path

import pytest

from stopgap.ruleset import load
from tests.unit.cli.runner import run

SHIPPED = [rule for pack in load.packaged() for rule in pack.rules]

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
    assert ["code-red-1", "critical", "iis4", "iis5", "code-red"] in [line.split()[:5] for line in lines]
    assert len(lines) == 1 + len(SHIPPED)


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
    assert done.out.startswith(f"{len(SHIPPED)} rules, ")
    assert done.out.endswith(" vectors: all hold\n")


def test_test_files_and_folders(tmp_path: Path) -> None:
    file = write(tmp_path, RULE.replace('id = "htr"', 'id = "two"'), "二.toml")
    write(tmp_path, RULE, "one.toml")
    assert run("rules", "test", file).out.splitlines()[-1] == "1 rule, 2 vectors: all hold"
    assert run("rules", "test", str(tmp_path)).out.splitlines()[-1] == "2 rules, 4 vectors: all hold"
    assert run("rules", "test", file, file).out.splitlines()[-1] == "1 rule, 2 vectors: all hold"


def test_test_notes_what_deserves_a_look(tmp_path: Path) -> None:
    write(tmp_path, RULE + RULE.replace('id = "htr"', 'id = "two"'), "ours.toml")
    done = run("rules", "test", str(tmp_path))
    assert done.code == 0
    assert 'rule "two": match: is that of rule "htr"' in done.out
    assert done.out.startswith("note: ")


def test_test_finds_what_does_not_hold(tmp_path: Path) -> None:
    file = write(tmp_path, RULE.replace("aaaaaaaaaa", "a"), "ours.toml")
    done = run("rules", "test", file)
    assert (done.code, done.err) == (1, "")
    assert done.out == (
        f"{file}:7: rule \"htr\": pass: 'GET /?a HTTP/1.0' is caught by this rule on iis4, code page 1252; "
        "verdict: refused: extension-denied (htr)\n1 rule, 2 vectors: 1 problem\n"
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
