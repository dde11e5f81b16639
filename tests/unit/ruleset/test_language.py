"""Can the language say what the holes of IIS look like on the wire, and does the core read it so?"""

from pathlib import Path

from stopgap.ruleset import load, vectors
from stopgap.ruleset.lint import lint
from stopgap.ruleset.match import FIELDS, leaves

PACK = load.pack(str(Path(__file__).with_name("catalogue.toml")))


def test_every_example_holds() -> None:
    assert [str(failure) for failure in vectors.run(PACK.rules)] == []


def test_nothing_to_lint() -> None:
    assert lint(PACK.rules) == []


def test_every_field_is_used() -> None:
    assert {leaf["field"] for rule in PACK.rules for leaf in leaves(rule.match)} == FIELDS.keys() - {"reason"}


def test_every_test_is_used() -> None:
    used = {leaf["test"] for rule in PACK.rules for leaf in leaves(rule.match)}
    assert used == {"equals", "prefix", "suffix", "contains", "regex", "length", "count", "run", "repeat"}
