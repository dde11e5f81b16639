"""Is the command line quick, does it teach, and does it never answer with a traceback?"""

import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from stopgap import __version__, cli

ROOT = Path(__file__).parents[3]


def test_help_teaches_with_examples() -> None:
    done = CliRunner().invoke(cli.main, ["--help"])
    assert done.exit_code == 0
    assert done.stdout.count("  stopgap ") >= 7
    for verb in cli.VERBS:
        assert f"\n  {verb} " in done.stdout


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_is_there(verb: str) -> None:
    done = CliRunner().invoke(cli.main, [verb, "--help"])
    assert done.exit_code == 0
    assert done.stdout.startswith("Usage: ")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from stopgap.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print([name for name in sys.modules if name in "
        "('stopgap._core', 'msgspec', 'rich', 'uvloop', 'prometheus_client')], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def test_version_is_that_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert CliRunner().invoke(cli.main, ["--version"]).stdout == f"stopgap {project['version']}\n"
    assert __version__ == project["version"]


def test_t_is_check() -> None:
    done = CliRunner().invoke(cli.main, ["-t", "--config", "/no/such.toml"])
    assert done.exit_code == 2
    assert done.stderr == "/no/such.toml: cannot be read: No such file or directory\n"


@pytest.mark.parametrize("words", [["sreve"], ["--frobnicate"], ["status", "--jsn"]])
def test_wrong_words_are_one_line(words: list[str]) -> None:
    done = CliRunner().invoke(cli.main, words)
    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.endswith("--help`\n")


@pytest.mark.parametrize("error", [KeyboardInterrupt, click.Abort])
def test_an_interrupt_is_130(error: type[BaseException]) -> None:
    def interrupted() -> None:
        raise error

    assert cli.told(interrupted) == 130


def test_no_words_is_help() -> None:
    done = CliRunner().invoke(cli.main, [])
    assert done.exit_code == 2
    assert "Examples:" in done.stdout
