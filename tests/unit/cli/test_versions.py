"""Do `rules versions` and `rules diff` find what is kept, and end with the right code?"""

from pathlib import Path

import pytest

from stopgap.ruleset.history import History, Kept
from tests.unit.cli.runner import run
from tests.unit.ruleset.test_diff import ONE, SITE, TWO


@pytest.fixture
def state(tmp_path: Path) -> str:
    """A state folder that keeps two rulesets of files that are no more."""
    history = History(str(tmp_path / "state"), print)
    for version, rules in (("aaaa", ONE), ("abbb", ONE + TWO)):
        texts = {"/gone/stopgap.toml": SITE, "/gone/own.toml": rules}
        history.keep(Kept(version=version, time=f"2026-{version}", config="/gone/stopgap.toml", texts=texts))
    return str(tmp_path / "state")


def test_versions_of_a_folder(state: str) -> None:
    done = run("rules", "versions", "--state", state)
    assert (done.code, done.out) == (0, "aaaa  2026-aaaa\nabbb  2026-abbb\n")
    assert run("rules", "versions", "--state", f"{state}:/run/other").out == done.out


def test_two_versions(state: str) -> None:
    done = run("rules", "diff", "aa", "ab", "--state", state)
    assert (done.code, done.err) == (1, "")
    assert done.out.splitlines()[0] == '+ rule "two" (own): T'
    same = run("rules", "diff", "aa", "aaaa", "--state", state)
    assert (same.code, same.out) == (0, "aa and aaaa are the same\n")


def test_a_version_and_a_file(state: str, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(ONE + TWO, "utf-8")
    (tmp_path / "stopgap.toml").write_text(SITE + 'mode = "detect"\n', "utf-8")
    done = run("rules", "diff", "abbb", str(tmp_path / "stopgap.toml"), "--state", state)
    assert done.code == 1
    assert '~ site "a" mode: block -> detect\n' in done.out


def test_folders_of_packs(tmp_path: Path) -> None:
    (tmp_path / "packs").mkdir()
    (tmp_path / "packs" / "own.toml").write_text(ONE, "utf-8")
    assert run("rules", "diff", str(tmp_path / "packs"), str(tmp_path / "packs" / "own.toml")).code == 0


def test_mistakes(state: str) -> None:
    done = run("rules", "diff", "a", "abbb", "--state", state)
    assert (done.code, done.err) == (2, 'several versions begin with "a"; kept: aaaa, abbb\n')
    none = run("rules", "diff", "missing", "abbb")
    assert (none.code, none.err.split(",")[0]) == (2, "missing: there is no such file or folder")
    for folder in ("/no/such", "/no/such:/nor/this"):
        done = run("rules", "versions", "--state", folder)
        assert (done.code, done.err) == (2, "--state: /no/such: there is no such folder\n")
    assert run("rules", "diff", "no.toml", "abbb", "--state", state).code == 2
    assert run("rules", "diff", "aaaa", "abbb", "--admin", "127.0.0.1:1").code == 3
