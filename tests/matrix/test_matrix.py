"""Does a run of the matrix with fewer spellings find every one refused, and would it see one that is not?"""

import re
from random import Random

import pytest

from stopgap.ruleset import load
from stopgap.ruleset.model import Rule
from stopgap.tomlfile import parse
from tests.matrix.__main__ import WRITTEN, matrix
from tests.matrix.cells import COLUMNS, Matrix, pairs
from tests.oracle.spellings import OPERATORS

RULES = load.assemble(load.packaged(), {}).rules
FEW = 4
PAIRS = 40


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_spelling_is_refused(rule: Rule) -> None:
    drawn = Random(rule.id).sample(list(pairs()), PAIRS)
    for operators in [*((operator,) for operator in OPERATORS), *drawn]:
        cell = matrix().cell(rule, operators, FEW if len(operators) == 1 else 1)
        assert cell.passed == []


def test_columns_hold_every_operator_once() -> None:
    shown = [operator for operators in COLUMNS.values() for operator in operators]
    assert sorted(shown) == sorted(OPERATORS)


LEAKY = """
[[rule]]
id = "raw"
title = "a rule that looks at bytes as they came"
match = { path = { raw = { contains = ".ida" } } }
block = "GET /x.ida HTTP/1.0"
pass = "GET / HTTP/1.0"
"""


def test_a_rule_on_raw_paths_is_seen_to_leak() -> None:
    leaky = Matrix(load.pack_of(parse("leaky.toml", LEAKY.encode())).rules)
    assert leaky.cell(leaky.rules[0], ["percent"], FEW).passed


@pytest.mark.parametrize("language", WRITTEN)
def test_the_page_has_a_row_for_each_rule(language: str) -> None:
    page = WRITTEN[language].read_text("utf-8")
    rows = re.findall(r"^\| `([a-z0-9.-]+)` \|", page.split("\n## ")[1], re.M)
    assert rows == [rule.id for rule in RULES], "run: make matrix"
    assert "passed**" not in page
