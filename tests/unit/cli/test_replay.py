"""Does `stopgap replay` compare what was asked, and end with the right code?"""

import json
from pathlib import Path

import pytest

from stopgap.ruleset.history import History, Kept
from tests.unit.cli.runner import run
from tests.unit.forensics.sides import REPORTS, SITE, WESTERN

BARE = SITE.replace('"code-red"', "")
"""Without a pack that ships, whose text would have to be kept too."""
LOG = """#Fields: cs-method cs-uri-stem cs-uri-query sc-status
GET /a.asp - 200
GET /report/日.asp y=2001 200
GET /report/日.asp y=2002 404
GET /default.ida NNN 404
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a log in Shift_JIS, the configuration in use and another one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ex.log").write_bytes(LOG.encode("cp932"))
    (tmp_path / "old.toml").write_text(SITE, "utf-8")
    (tmp_path / "new.toml").write_text(SITE + REPORTS, "utf-8")
    return tmp_path


def test_newly_refused(place: Path) -> None:
    done = run("replay", "ex.log", "-c", "new.toml", "--against", "old.toml")
    assert (done.code, done.err) == (1, "")
    lines = done.out.splitlines()
    assert lines[:3] == ["candidate new.toml", "active    old.toml", "read      4 requests of 1 file"]
    assert lines[3].startswith("not shown the version, the Host, User-Agent")
    assert lines[-7:] == [
        "newly refused: 2",
        "  reports: 2",
        "          2  /report/%93%FA.asp",
        "             ex.log:3: GET /report/%93%FA.asp?y=2001 HTTP/1.1",
        "",
        "as before passes 1, refused 1",
        "differs   2 newly refused, 0 newly passed",
    ]


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (("-c", "new.toml", "--against", "old.toml"), 1),
        (("-c", "old.toml", "--against", "new.toml"), 1),
        (("-c", "new.toml", "--against", "new.toml"), 0),
        (("-c", "new.toml", "--against", "old.toml", "--fail-on", "passed"), 0),
        (("-c", "old.toml", "--against", "new.toml", "--fail-on", "refused"), 0),
        (("-c", "new.toml", "--against", "old.toml", "--answered", "200"), 1),
    ],
)
def test_exit_codes(place: Path, flags: tuple[str, ...], code: int) -> None:
    assert run("replay", "ex.log", *flags).code == code


def test_json(place: Path) -> None:
    flags = ("-c", "new.toml", "--against", "old.toml", "--json", "--top", "1", "--answered", "200-299")
    done = run("replay", "ex.log", "ex.log", *flags)
    told = json.loads(done.out)
    assert (told["files"], told["requests"], told["left_out"], told["broken"]) == (2, 4, 4, 0)
    assert told["differences"]["newly refused"] == [
        {
            "by": "reports",
            "requests": 2,
            "paths": 1,
            "most": [
                {
                    "path": "/report/%93%FA.asp",
                    "requests": 2,
                    "example": "ex.log:3",
                    "request": "GET /report/%93%FA.asp?y=2001 HTTP/1.1",
                }
            ],
        }
    ]


def test_against_what_a_gate_kept(place: Path) -> None:
    history = History(str(place / "state"), print)
    for version, text in (("aaaa", BARE + REPORTS), ("abbb", BARE)):
        kept = Kept(
            version=version, time=f"2026-{version}", config="/gone/c.toml", texts={"/gone/c.toml": text}
        )
        history.keep(kept)
    last = run("replay", "ex.log", "-c", "new.toml", "--state", "state")
    assert (last.code, last.out.splitlines()[1]) == (1, "active    version abbb of 2026-abbb")
    (place / "new.toml").write_text(BARE + REPORTS, "utf-8")
    first = run("replay", "ex.log", "-c", "new.toml", "--state", "state", "--against", "aa")
    assert (first.code, first.out.splitlines()[1]) == (0, "active    aa")
    assert run("replay", "ex.log", "-c", "new.toml", "--state", "state", "--against", "a").code == 2


def test_several_sites_and_notes(place: Path) -> None:
    excepted = '[[site.exception]]\nrule = "ida-idq"\nreason = "r"\nclients = "192.0.2.0/24"\n'
    canary = WESTERN + 'mode = "canary"\n'
    (place / "two.toml").write_text(SITE + excepted + canary, "utf-8")
    done = run("replay", "ex.log", "-c", "two.toml", "--against", "two.toml")
    wanted = "ex.log:2: the file names no host, and two.toml has 2 sites; say which one with --site\n"
    assert (done.code, done.err) == (2, wanted)
    done = run("replay", "ex.log", "-c", "two.toml", "--against", "two.toml", "--site", "western")
    assert done.code == 0
    assert "note      exceptions for certain clients are left out" in done.out
    assert 'note      two.toml: site "western": what a canary refuses' in done.out
    wrong = run("replay", "ex.log", "-c", "two.toml", "--against", "old.toml", "--site", "western")
    assert (wrong.code, wrong.err) == (2, '--site: old.toml: no site is called "western"; known: kaikei\n')


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ex.log",), "--config: is missing; give the configuration that is to be tried"),
        (("ex.log", "-c", "no.toml"), "no.toml: cannot be read"),
        (("ex.log", "-c", "new.toml", "--against", "missing"), "missing: there is no such file or folder"),
        (("no.log", "-c", "new.toml", "--against", "old.toml"), "no.log: cannot be read: No such file"),
        ((".", "-c", "new.toml", "--against", "old.toml"), ".: cannot be read: Is a directory"),
        (
            ("empty", "-c", "new.toml", "--against", "old.toml"),
            "FILE: holds no request that could be read; nothing",
        ),
        (
            ("ex.log", "-c", "new.toml", "--against", "old.toml", "--answered", "2xx"),
            '--answered: "2xx" is no status',
        ),
        (
            ("ex.log", "-c", "new.toml", "--against", "old.toml", "--answered", "500"),
            "FILE: holds no request answered",
        ),
        (
            ("ex.log", "-c", "new.toml", "--against", "old.toml", "--format", "iis"),
            "ex.log:1: has 1 columns where",
        ),
        (
            ("ex.log", "-c", "new.toml", "--against", "pack.toml"),
            "--against: pack.toml: has no site that could",
        ),
        (("ex.log", "-c", "pack.toml", "--against", "old.toml"), "pack.toml"),
        (("ex.log", "-c", "new.toml", "--format", "evtx"), "stopgap replay: Invalid value for '--format'"),
        ((), "stopgap replay: Missing argument 'FILE...'"),
    ],
)
def test_mistakes(place: Path, words: tuple[str, ...], said: str) -> None:
    (place / "empty").touch()
    (place / "pack.toml").write_text(REPORTS, "utf-8")
    done = run("replay", *words)
    assert done.code == 2
    assert done.err.startswith(said)


def test_no_gate(place: Path) -> None:
    done = run("replay", "ex.log", "-c", "new.toml", "--admin", "127.0.0.1:1")
    assert done.code == 3
    assert "no gate answers on 127.0.0.1:1: Connection refused; without one, give --against" in done.err
