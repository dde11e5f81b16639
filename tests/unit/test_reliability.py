"""Does every promise of docs/reliability.md stand beside a command that exists, in both languages?"""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = {"en": ROOT / "docs" / "reliability.md", "ja": ROOT / "docs" / "ja" / "reliability.md"}
FAMILIES = ("Clients", "Desync", "Origins", "TLS", "Logins", "Itself", "Soak", "Fuzz")


def rows(page: Path) -> list[list[str]]:
    """The cells of every line of a table of promises; tables of figures are made by their commands."""
    text = re.sub(r"<!-- (make \w+): begin -->.*?<!-- \1: end -->", "", page.read_text("utf-8"), flags=re.S)
    lines = re.findall(r"^\| *(.*?) *\|$", text, re.M)
    cells = [re.split(r" *\| *", line) for line in lines]
    return [row for row in cells if row[0] not in ("Promise", "約束") and not row[0].startswith("---")]


def commands(page: Path) -> list[str]:
    return [command for row in rows(page) for command in re.findall(r"`([^`]+)`", row[1])]


def test_every_family_has_a_section() -> None:
    heads = re.findall(r"^## (.*)$", PAGES["en"].read_text("utf-8"), re.M)
    assert [head for head in heads if head in FAMILIES] == list(FAMILIES)


@pytest.mark.parametrize("page", PAGES.values(), ids=list(PAGES))
def test_every_promise_has_a_command_and_a_figure(page: Path) -> None:
    assert [row for row in rows(page) if len(row) != 3 or "`" not in row[1] or not row[2]] == []


def test_both_languages_show_the_same_commands() -> None:
    assert commands(PAGES["en"]) == commands(PAGES["ja"])


def test_commands_are_of_a_kind_that_is_looked_up() -> None:
    kinds = ("pytest ", "make ", "python -m tests.", "cargo test", "stopgap ")
    assert [command for command in commands(PAGES["en"]) if not command.startswith(kinds)] == []


def test_tests_that_are_named_exist() -> None:
    nodes = sorted({command.split()[1] for command in commands(PAGES["en"]) if command.startswith("pytest ")})
    assert [node for node in nodes if not (ROOT / node.partition("::")[0]).exists()] == []
    named = [node for node in nodes if "::" in node]
    if not named:
        return
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", *named],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_make_targets_that_are_named_exist() -> None:
    targets = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    named = {command.split()[1] for command in commands(PAGES["en"]) if command.startswith("make ")}
    assert named <= targets


def test_modules_that_are_named_exist() -> None:
    named = {command.split()[2] for command in commands(PAGES["en"]) if command.startswith("python -m ")}
    assert [name for name in named if importlib.util.find_spec(name) is None] == []
