"""Do the packs that ship hold, and do they say what an operator wants to know?"""

import pytest

from stopgap.ruleset import load, vectors
from stopgap.ruleset.lint import lint
from stopgap.ruleset.model import Rule

RULES = [rule for pack in load.packaged() for rule in pack.rules]


def test_every_vector_holds() -> None:
    assert [str(failure) for failure in vectors.run(RULES)] == []


def test_nothing_to_lint() -> None:
    assert lint(RULES) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_is_told_whole(rule: Rule) -> None:
    assert rule.title_ja
    assert rule.why
    assert rule.legit
    assert len(rule.block) >= 3
    assert len(rule.passes) >= 3


def test_the_sixteen_probes_of_nimda() -> None:
    (probe,) = (rule for rule in RULES if rule.id == "nimda-probe")
    assert len(probe.block) == 16


def test_worms_come_before_the_rules_that_would_hide_their_names() -> None:
    order = [rule.id for rule in RULES]
    for worm in ("code-red-1", "code-red-2", "code-green"):
        assert order.index(worm) < order.index("ida-idq")
    for general in ("drive-root", "vdir-traversal", "worm-backdoor", "windows-directory"):
        assert order.index("nimda-probe") < order.index(general)
