"""Does `stopgap tune` tell the same each time, write what it proposes, and say in one line what is wrong?"""

import json
from pathlib import Path

import pytest

from tests.unit.cli.runner import run
from tests.unit.forensics import tunable

LINES = [
    *(f"10.0.0.{n} GET /search/b.idq CiRestriction=x{n} 200" for n in range(4)),
    "192.0.2.7 GET /報告/a.asp q=1 200",
    tunable.WORM,
]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "設定.toml").write_text(tunable.SITE, "utf-8")
    tunable.corpus(tmp_path, LINES)
    return tmp_path


def test_for_people(place: Path) -> None:
    done = run("tune", "ex.log", "-c", "設定.toml", "--owner", "佐藤", "--write", "new.toml")
    assert (done.code, done.err) == (1, "new.toml: written\n")
    lines = done.out.splitlines()
    assert lines[:2] == [
        "read      6 requests of 1 file",
        "caught    5 of them would be refused in block mode, 1 pass",
    ]
    assert "    4 requests of 4 clients on 3 days; lets 4 of 4 different ones pass" in lines
    assert "    ex.log:2: GET /search/b.idq?CiRestriction=x0 HTTP/1.1" in lines
    assert "looks like an attack; nothing is proposed:" in lines
    assert lines[-2:] == [
        "effect    4 newly passed, 0 newly refused, 1 still refused",
        "proposed  limits: 0, exceptions: 1; nothing is applied: --write FILE writes them down",
    ]
    assert (place / "設定.toml").read_text("utf-8") == tunable.SITE
    written = (place / "new.toml").read_text("utf-8")
    assert '[[site]]\nname = "会計"\n\n# 4 requests of 4 clients on 3 days\n# ex.log:2: GET ' in written
    assert '[[site.exception]]\nrule = "ida-idq"\npath = "/search/b.idq"\ncompat = "tight"\n' in written
    assert 'owner = "佐藤"' in written
    assert run("tune", "ex.log", "-c", "設定.toml", "--owner", "佐藤").out == done.out


def test_for_programs(place: Path) -> None:
    told = json.loads(run("tune", "ex.log", "-c", "設定.toml", "--json").out)
    assert told["learned"]["caught"] == 5
    assert told["exceptions"][0]["keys"]["rule"] == "ida-idq"
    assert told["looks_like_attack"][0]["name"] == "code-red-1"
    assert told["effect"]["differences"]["newly passed"][0]["requests"] == 4


def test_chosen_clients(place: Path) -> None:
    done = run("tune", "ex.log", "-c", "設定.toml", "--client", "192.0.2.7", "--write", "new.toml")
    assert (done.code, done.err) == (0, "new.toml: not written, there is nothing to propose\n")
    assert "note      5 requests of other clients, or of unknown ones, were left out" in done.out
    assert done.out.splitlines()[-1] == "proposed  nothing"
    assert not (place / "new.toml").exists()


def test_what_is_written_can_be_put_into_the_configuration(place: Path) -> None:
    assert run("tune", "ex.log", "-c", "設定.toml", "--write", "new.toml").code == 1
    piece = (place / "new.toml").read_text("utf-8").partition('name = "会計"\n')[2]
    head, rules = tunable.SITE.split("[[rule]]")
    (place / "next.toml").write_text(f"{head}{piece}[[rule]]{rules}".replace('"detect"', '"block"'), "utf-8")
    assert run("check", "-c", "next.toml").code == 0
    assert run("tune", "ex.log", "-c", "next.toml").code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ex.log",), "--config: is missing"),
        (("no.log", "-c", "設定.toml"), "no.log: cannot be read"),
        (("-", "-c", "設定.toml"), "FILE: standard input cannot be read twice"),
        (("ex.log", "-c", "設定.toml", "--client", "x/y"), '--client: "x/y" is no address'),
        (("ex.log", "-c", "設定.toml", "--client", "203.0.113.9"), "FILE: holds no request of these clients"),
        (("ex.log", "-c", "設定.toml", "--write", "設定.toml"), "--write: 設定.toml: is there already"),
        (("ex.log", "-c", "設定.toml", "--write", "no/new.toml"), "--write: no/new.toml: cannot be written"),
        (("ex.log", "-c", "設定.toml", "--site", "x"), 'no site is called "x"'),
        (("ex.log", "-c", "設定.toml", "--answered", "x"), '--answered: "x" is no status'),
        (("設定.toml", "-c", "設定.toml"), "is in no format that can be told"),
    ],
)
def test_mistakes(place: Path, words: tuple[str, ...], said: str) -> None:
    done = run("tune", *words)
    assert done.code == 2
    assert said in done.err
    assert len(done.err.splitlines()) == 1
