"""Do the real programs load every export, and refuse with it what the rules refuse in plain spelling?

All rules that ship are exported for a strict site and put into HAProxy, nginx and ModSecurity. Of each rule
that is exported whole, at least one block vector is refused; none of the pass vectors of the packs that are
on by default is.
"""

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from stopgap import config
from stopgap.ruleset import load, vectors
from stopgap.ruleset.formats.model import Exported
from stopgap.ruleset.model import Rule
from tests.e2e import exports
from tests.e2e.exports import PASSED, PROGRAMS
from tests.unit.ruleset.formats.making import rule, shipped, site

NASTY = (
    "a'b",
    'a"b',
    "a b",
    "a\nb",
    "a\r\nb",
    "a%b",
    "a%{b}",
    "a#b",
    "a{b}",
    "a$b",
    "a\\",
    "a;b",
    "a)b",
    "表",
    "\\x00",
)
OWN_GRAMMAR = 400
"""What a program answers by itself, for example nginx to %00."""


def exported(program: str, rules: list[Rule] | None = None) -> Exported:
    where, all_rules = shipped()
    written = importlib.import_module(f"stopgap.ruleset.formats.{program}").write(where, rules or all_rules)
    assert isinstance(written, Exported)
    return written


@pytest.fixture(scope="module", params=PROGRAMS)
def guard(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, int]]:
    """Each program with all rules, and its port."""
    program: str = request.param
    with exports.running(program, tmp_path_factory.mktemp(program), exported(program).text) as port:
        yield program, port


def test_code_red_is_refused_and_a_page_is_not(guard: tuple[str, int]) -> None:
    _, port = guard
    assert exports.status(port, vectors.request("GET /default.ida?{N*224} HTTP/1.0")) == 404
    assert exports.status(port, vectors.request("GET /index.asp HTTP/1.0")) == PASSED


def test_every_exported_rule_refuses(guard: tuple[str, int]) -> None:
    program, port = guard
    lost = {note.where for note in exported(program).report if note.what != "path" and "left out" in note.why}
    silent = [
        one.id
        for one in shipped()[1]
        if f'rule "{one.id}"' not in lost
        and one.action != "detect"
        and all(exports.status(port, vectors.request(vector.text)) == PASSED for vector in one.block)
    ]
    assert silent == []


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_pass_vector_is_refused(program: str, tmp_path: Path) -> None:
    read = config.load(None, {"origins": ["http://127.0.0.1"]})
    ruleset = load.load(read)
    rules = [ruleset.rules[index] for index in ruleset.sites[read.sites[0].name]]
    with exports.running(program, tmp_path, exported(program, rules).text) as port:
        refused = [
            (one.id, vector.text)
            for one in rules
            for vector in one.passes
            if exports.status(port, vectors.request(vector.text)) not in (PASSED, OWN_GRAMMAR, 0)
        ]
    assert refused == []


@pytest.mark.parametrize("program", PROGRAMS)
def test_any_text_loads(program: str, tmp_path: Path) -> None:
    rules = [
        rule({kind: {test: text}, "header": {"x-a": {test: text}}}, f"r{number}-{kind}-{test}", title=text)
        for number, text in enumerate(NASTY)
        for kind in ("path", "segment", "query", "target")
        for test in ("equals", "contains")
    ]
    written = importlib.import_module(f"stopgap.ruleset.formats.{program}").write(site(), rules)
    assert exports.complaint(program, tmp_path, written.text) == ""
    assert {note.what for note in written.report} <= {"path", "query", "header", "target"}


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_is_no_configuration_is_found(program: str, tmp_path: Path) -> None:
    assert exports.complaint(program, tmp_path, exported(program).text + "\n}'\"nonsense") != ""
