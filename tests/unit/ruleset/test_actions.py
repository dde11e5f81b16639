"""What may a rule do when it matches, and from how many matches on?"""

import json
from pathlib import Path

import pytest

from stopgap.errors import InputError
from stopgap.ruleset import actions, spec
from stopgap.ruleset.model import Rate
from tests.unit.ruleset.builders import rules_of

RULE = """\
[[rule]]
id = "one"
title = "T"
match = { extension = "axd" }
KEYS
block = 'GET /a.axd HTTP/1.0'
pass = 'GET / HTTP/1.0'
"""


def given(folder: Path, keys: str) -> dict[str, object]:
    """The rule as the core gets it."""
    rules = rules_of(folder, RULE.replace("KEYS", keys))
    (rule,) = json.loads(spec.join(rules, [], spec.Registry()).json)["rules"]
    return dict(rule)


def test_a_rule_that_only_blocks_says_nothing_of_it(tmp_path: Path) -> None:
    assert not {"action", "strip", "rate"} & given(tmp_path, 'action = "block"').keys()


def test_what_the_core_gets(tmp_path: Path) -> None:
    assert given(tmp_path, 'action = "tarpit"')["action"] == "tarpit"
    stripped = given(tmp_path, 'action = "strip"\nstrip = "Translate"')
    assert (stripped["action"], stripped["strip"]) == ("strip", ["translate"])
    rated = given(tmp_path, 'rate = { over = 20, per = 60, distinct = "param.D", answers = [404, 500] }')
    distinct = {"field": "param", "name": "d"}
    assert rated["rate"] == {"over": 20, "per": 60, "distinct": distinct, "answers": [404, 500]}
    plain = given(tmp_path, "rate = { over = 1, per = 86400, answers = 404 }")
    assert plain["rate"] == {"over": 1, "per": 86400, "distinct": None, "answers": [404]}
    path = given(tmp_path, 'rate = { over = 60, per = 1, distinct = "path" }')["rate"]
    assert path == {"over": 60, "per": 1, "distinct": {"field": "path", "name": None}, "answers": []}


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ('action = "blok"', 'action: "blok" is unknown; did you mean "block"?'),
        (
            'action = "strip"',
            'action: "strip" needs strip = [...], the names of the headers to take out',
        ),
        ('strip = "translate"', 'strip: goes with action = "strip" only, not with "block"'),
        ('action = "strip"\nstrip = "a b"', "strip: 'a b' is not the name of a header"),
        (
            'action = "strip"\nstrip = "Host"',
            'strip: "Host" says where the request goes or ends and can\'t be taken out',
        ),
        (
            'action = "strip"\nstrip = "x"\nrate = { over = 1, per = 1 }',
            'rate: does not go with action = "strip"; a header is taken out at once or not at all',
        ),
        ("rate = { over = 0, per = 1 }", "rate.over: 0 is not between 1 and 1000000"),
        ("rate = { over = 1, per = 86401 }", "rate.per: 86401 is not between 1 and 86400 seconds"),
        ("rate = { over = 1 }", "rate.per: is missing"),
        ("rate = { over = 1, pre = 1 }", 'rate.pre: unknown key; did you mean "per"?'),
        ('rate = { over = "1", per = 1 }', "rate.over: must be a whole number, not text in quotes"),
        (
            'rate = { over = 1, per = 1, distinct = "param" }',
            'rate.distinct: "param" is not a field that can be counted; use param.NAME, form.NAME, '
            "header.NAME, cookie.NAME, path",
        ),
        (
            'rate = { over = 61, per = 1, distinct = "path" }',
            "rate.over: different values are counted as an estimate, up to 60; 61 is more",
        ),
        (
            "rate = { over = 1, per = 1, answers = [99] }",
            "rate.answers: 99 is not the status of an answer (100 to 599)",
        ),
    ],
)
def test_every_mistake_is_told(tmp_path: Path, keys: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        rules_of(tmp_path, RULE.replace("KEYS", keys))
    line = 5 + keys.count("\n")
    assert caught.value.problems == (f'{tmp_path}/ours.toml:{line}: rule "one": {expected}',)


def test_a_label_counts_nothing(tmp_path: Path) -> None:
    text = RULE.replace("KEYS", "rate = { over = 1, per = 1 }").replace(
        'extension = "axd"', 'reason = "body-cut"'
    )
    with pytest.raises(InputError, match="rate: a rule that labels a reason matches nothing"):
        rules_of(tmp_path, text)


def test_a_rate_in_words() -> None:
    assert actions.written(Rate(20, 60)) == "more than 20 matches of one client within 60 s"
    rate = Rate(20, 60, ("param", "d"), (404, 500))
    expected = "more than 20 different param.d of one client within 60 s, answered 404 or 500"
    assert actions.written(rate) == expected
