"""Is what the pages say true: do their commands run, do their tables and links hold, in both languages?

A block marked `console run` is a conversation: every line after `$ ` is run, from the top of the
checkout and with the demo at the addresses that the pages name; the lines under it must come in that
order, `...` stands for any others, and `[exit N]` says that it ends with N. A command that ends with `&`
runs on, once it has said its lines, until the page is through.
"""

import json
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from stopgap import _core
from stopgap.cli import VERBS, command_of
from stopgap.events.schema import Event
from stopgap.ruleset import load, pages
from tests.unit import doc_tables

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")]
LISTEN, ADMIN = "127.0.0.1:8080", "127.0.0.1:9901"  # as the pages write them
OTHERS = tuple(
    f"127.0.0.1:{port}" for port in (8081, 8082, 8083, 8084, 8085, 8086, 8087, 9902, 9903, 9904, 9905)
)
"""Of what the pages start themselves."""
STOPGAP = Path(sys.executable).with_name("stopgap")


@dataclass(frozen=True)
class Said:
    """A command of a page and what the page shows under it."""

    command: str
    output: tuple[str, ...]


def said(page: Path) -> Iterator[Said]:
    for block in re.findall(r"^```console run\n(.*?)^```", page.read_text("utf-8"), re.S | re.M):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, *output = part.splitlines()
            yield Said(command, tuple(output))


def address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture(scope="module")
def demo() -> Iterator[dict[str, str]]:
    """A running demo; gives its addresses by those that the pages write."""
    places = {written: address() for written in (LISTEN, ADMIN, *OTHERS)}
    command = [
        str(STOPGAP),
        "serve",
        "--demo",
        "--workers",
        "1",
        "--listen",
        places[LISTEN],
        "--admin",
        places[ADMIN],
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        assert "serves on" in process.stderr.readline()
        yield places
        process.terminate()
        assert process.wait(30) == 0


@pytest.fixture
def running() -> Iterator[list[subprocess.Popen[str]]]:
    """What a page has started and is still running."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in reversed(started):
        process.terminate()
    for process in started:
        process.communicate(timeout=60)


@pytest.mark.timeout(400)  # the walk-through makes a storm of a million requests
@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(said(page))], ids=lambda page: str(page.relative_to(ROOT))
)
def test_commands_do_what_the_pages_say(
    page: Path, demo: dict[str, str], running: list[subprocess.Popen[str]]
) -> None:
    for told in said(page):
        run(told, demo, running)


def run(told: Said, demo: dict[str, str], running: list[subprocess.Popen[str]]) -> None:
    command = told.command.replace(".venv/bin/stopgap", shlex.quote(str(STOPGAP)))
    command = command.replace(".venv/bin/python", shlex.quote(sys.executable))
    if "--admin" not in command and "--config" not in command:
        for verb in ("status", "reload", "rollback", "drain", "rules versions"):
            command = re.sub(rf"(/stopgap {verb})\b", rf"\1 --admin {demo[ADMIN]}", command)
    for written, real in demo.items():
        command = command.replace(written, real)
        command = re.sub(rf"\b{written.partition(':')[2]}\b", real.partition(":")[2], command)
    if command.endswith(" &"):
        running.append(start(command.removesuffix(" &"), [swapped(line, demo) for line in told.output]))
        return
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    expected = list(told.output)
    wanted = 0
    if expected and (ends := re.fullmatch(r"\[exit (\d+)\]", expected[-1])):
        wanted = int(ends[1])
        expected.pop()
    assert done.returncode == wanted, f"$ {told.command}\n{done.stdout}{done.stderr}"
    assert covers(expected, done.stdout.splitlines()), f"$ {told.command}\n{done.stdout}"


def swapped(line: str, places: dict[str, str]) -> str:
    """A line of a page with the real addresses."""
    for written, real in places.items():
        line = line.replace(written, real)
    return line


def start(command: str, expected: list[str]) -> subprocess.Popen[str]:
    """Start a command that runs on; it has said what the page says when this returns."""
    process = subprocess.Popen(
        ["bash", "-c", f"exec {command}"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if covers(expected, lines):
            return process
    raise AssertionError(f"ended with {process.wait()}: {lines}")


def covers(pattern: list[str], lines: list[str]) -> bool:
    """Whether the lines follow the pattern, in which `...` stands for any number of lines."""
    if not pattern:
        return not lines
    if pattern[0] == "...":
        return any(covers(pattern[1:], lines[start:]) for start in range(len(lines) + 1))
    return bool(lines) and pattern[0].rstrip() == lines[0].rstrip() and covers(pattern[1:], lines[1:])


@pytest.mark.parametrize(("name", "page"), list(doc_tables.PLACES.items()))
def test_tables_are_those_of_the_program(name: str, page: str) -> None:
    wanted = doc_tables.text(doc_tables.TABLES[name]())
    assert doc_tables.shown(doc_tables.DOCS / page, name) == wanted, "run: make docs"
    japanese = doc_tables.shown(doc_tables.DOCS / "ja" / page, name)
    wanted = doc_tables.text(doc_tables.IN_JAPANESE[name]())
    kept, first = (-2, 2) if name in doc_tables.TRANSLATED else (None, 0)
    assert [row.split(" | ")[:kept] for row in japanese.splitlines()[first:]] == [
        row.split(" | ")[:kept] for row in wanted.splitlines()[first:]
    ]


def test_pages_of_rules_and_reasons_are_those_of_the_packs() -> None:
    made = pages.made(load.packaged())
    there = {
        f"{part}/{path.name}" for part in ("rules", "reasons") for path in (ROOT / "docs" / part).iterdir()
    }
    assert there == made.keys(), "run: make docs"
    stale = [path for path, text in made.items() if (ROOT / "docs" / path).read_text("utf-8") != text]
    assert stale == [], "run: make docs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^(`{3,}).*?^\1$", "", page.read_text("utf-8"), flags=re.S | re.M)
    for link in re.findall(r"\]\(([^)#][^)]*)\)", text):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path
        assert target.exists(), link
        if anchor:
            heads = re.findall(r"^#+ (.*)$", target.read_text("utf-8"), re.M)
            assert anchor in [re.sub(r"[^\w\- ]", "", head).lower().replace(" ", "-") for head in heads], link


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_both_languages_have_the_same_shape(page: Path) -> None:
    def shape(path: Path) -> list[tuple[int, int]]:
        text = path.read_text("utf-8")
        parts = re.split(r"^(#+) ", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M), flags=re.M)
        return [(len(level), body.count("\n|")) for level, body in zip(parts[1::2], parts[2::2], strict=True)]

    assert shape(page) == shape(page.parent / "ja" / page.name)


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_both_languages_show_the_same_commands(page: Path) -> None:
    def commands(path: Path) -> list[str]:
        return re.findall(r"^\$ .*$", path.read_text("utf-8"), re.M)

    assert commands(page) == commands(page.parent / "ja" / page.name)


def test_readings_page_names_every_server() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    assert all(f"`{server}`" in text for server in _core.servers())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    assert set(re.findall(r"(?:`|^)make ([a-z]+)", page.read_text("utf-8"), re.M)) <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_verbs_and_flags_exist(page: Path) -> None:
    joined = page.read_text("utf-8").replace("\\\n", " ")
    for verb, rest in re.findall(r"(?:`|^|/bin/|\s)stopgap ([a-z]+)\b([^`\n]*)", joined):
        if verb not in VERBS:
            continue
        command = command_of(verb)
        commands = [command, *getattr(command, "commands", {}).values()]
        known = {"--help", *(flag for each in commands for option in each.params for flag in option.opts)}
        assert set(re.findall(r"(?<!\S)--[a-z-]+", rest)) <= known, f"stopgap {verb}{rest}"


@pytest.mark.parametrize("page", [ROOT / "docs/operating.md", ROOT / "docs/ja/operating.md"], ids=str)
def test_event_example_is_an_event(page: Path) -> None:
    (example,) = re.findall(r"^```json\n(.*?)^```", page.read_text("utf-8"), re.S | re.M)
    told = json.loads(example)
    assert msgspec.json.decode(msgspec.json.encode(msgspec.convert(told, Event))) == told
