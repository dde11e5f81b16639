"""Is every rule that is in the way of another noted, and none that is not?"""

from pathlib import Path

from stopgap.ruleset.overlap import notes
from tests.unit.ruleset.builders import rules_of

RULE = """
[[rule]]
id = "{id}"
title = "T"
match = {match}
block = {block}
pass = ['GET / HTTP/1.0']
{more}
"""


def rule(id: str, match: str, *block: str, more: str = "") -> str:
    return RULE.format(id=id, match=match, block=list(block), more=more)


def noted(folder: Path, *rules: str) -> list[str]:
    return [note.replace(f"{folder}/", "") for note in notes(rules_of(folder, "".join(rules)))]


GENERAL = rule("general", "{ extension = ['ida', 'idq'] }", "GET /a.ida HTTP/1.0", "GET /a.idq HTTP/1.0")
SPECIAL = rule("special", "{ extension = 'ida', query = { contains = 'nnn' } }", "GET /a.ida?nnn HTTP/1.0")


def test_a_rule_behind_one_that_takes_all_it_would(tmp_path: Path) -> None:
    assert noted(tmp_path, GENERAL, SPECIAL) == [
        'ours.toml:10: rule "special": never names its event: all of its block vectors are refused by '
        '"general" before'
    ]
    assert noted(tmp_path, SPECIAL, GENERAL) == []


def test_one_vector_of_its_own_is_enough(tmp_path: Path) -> None:
    match = "{ any = [{ extension = 'ida' }, { method = 'PUT' }] }"
    assert len(noted(tmp_path, GENERAL, rule("special", match, "GET /a.ida HTTP/1.0"))) == 1
    assert noted(tmp_path, GENERAL, rule("special", match, "GET /a.ida HTTP/1.0", "PUT /a HTTP/1.0")) == []


def test_a_rule_that_only_tells_hides_nothing_and_is_not_hidden(tmp_path: Path) -> None:
    telling = SPECIAL + "action = 'detect'\n"
    assert noted(tmp_path, GENERAL, telling) == []
    assert noted(tmp_path, GENERAL + "action = 'detect'\n", SPECIAL) == []
    assert noted(tmp_path, GENERAL + "rate = { over = 3, per = 60 }\n", SPECIAL) == []


def test_rules_for_other_servers_are_not_in_the_way(tmp_path: Path) -> None:
    old = GENERAL + 'servers = ["iis4"]\n'
    assert noted(tmp_path, old, SPECIAL) == []
    assert len(noted(tmp_path, old, SPECIAL + 'servers = ["iis4"]\n')) == 1


def test_rules_that_match_the_same(tmp_path: Path) -> None:
    other = GENERAL.replace('"general"', '"other"').replace("a.ida", "b.ida")
    found = noted(tmp_path, GENERAL, other)
    assert (
        found[0]
        == 'ours.toml:10: rule "other": match: is that of rule "general" (ours.toml:2); make them one'
    )
    assert len(found) == 2
    apart = [GENERAL + 'servers = ["iis4"]\n', other + 'servers = ["iis5"]\n']
    assert noted(tmp_path, *apart) == []


def test_a_rule_that_nothing_wakes(tmp_path: Path) -> None:
    (note,) = noted(tmp_path, rule("always", "{ not = { method = ['GET', 'POST'] } }", "PUT / HTTP/1.0"))
    assert note.endswith(
        "match: no literal wakes it, so it is asked for every request; name one that must occur"
    )
