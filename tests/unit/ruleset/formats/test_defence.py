"""Does every rule end in the export or in the report, and does its number stay?"""

import zlib
from typing import Any

from stopgap.ruleset.formats.defence import NUMBERS, said
from stopgap.ruleset.model import Rule
from tests.unit.ruleset.formats.making import rule, shipped, site

READS = {"path": "dots are lost", "method": ""}
ACTS = {"block": "", "drop": "answered"}


def report(*rules: Rule, **settings: Any) -> list[str]:
    return [str(note) for note in said(site(**settings), list(rules), READS, ACTS)[1]]


def test_what_is_lost_is_told_by_rule() -> None:
    assert report(rule({"path": "/a"}), rule({"method": "PUT"}, "plain")) == [
        'rule "ours": lost: path: dots are lost'
    ]
    assert report(rule({"method": "PUT"}, action="drop")) == ['rule "ours": lost: action drop: answered']
    compat = {"tight": {"method": "GET"}}
    assert report(rule({"method": "PUT"}, compat=compat)) == [
        'rule "ours": lost: compat: exceptions and their conditions stay with Stopgap'
    ]


def test_what_is_left_out_is_told_with_its_cause() -> None:
    assert report(rule({"query": "a"})) == [
        'rule "ours": lost: the rule: is left out: query cannot be looked at'
    ]
    assert report(rule({"any": [{"method": "PUT"}, {"query": "a"}]})) == [
        'rule "ours": lost: a case of its match: is left out: query cannot be looked at'
    ]
    assert report(rule({"method": "PUT"}, action="tarpit")) == [
        'rule "ours": lost: the rule: is left out: its action is tarpit'
    ]
    assert report(rule({"method": "PUT"}, rate={"over": 1, "per": 2})) == [
        'rule "ours": lost: the rule: is left out: it counts the requests of a client'
    ]


def test_a_rule_for_another_server_is_not_the_sites() -> None:
    one = rule({"method": "PUT"}, servers=["iis4"])
    assert said(site(server="iis6"), [one], READS, ACTS) == ([], [])
    assert (
        len(said(site(server="iis4"), [one], READS, ACTS)[0]) == len(said(site(), [one], READS, ACTS)[0]) == 1
    )


def test_every_shipped_rule_is_said_or_told() -> None:
    where, rules = shipped()
    kept, notes = said(where, rules, READS, ACTS)
    told = {note.where for note in notes if note.what == "the rule"}
    assert {f'rule "{one.rule.id}"' for one in kept} | told == {f'rule "{one.id}"' for one in rules}
    assert len({one.number for one in kept}) == len(kept)


def test_a_number_stays_whatever_else_is_there() -> None:
    one, other = rule({"method": "PUT"}), rule({"method": "COPY"}, "other")
    assert (
        said(site(), [other, one], READS, ACTS)[0][1].number == said(site(), [one], READS, ACTS)[0][0].number
    )


def test_no_title_ends_its_comment() -> None:
    kept, _ = said(site(), [rule({"method": "PUT"}, title="a\nSecRuleEngine Off\\")], READS, ACTS)
    assert kept[0].comment == "# ours: a/nSecRuleEngine Off/"


def test_two_ids_never_share_a_number() -> None:
    rules = [rule({"method": "PUT"}, f"r{number}") for number in range(2000)]
    assert len({zlib.crc32(one.id.encode()) % NUMBERS for one in rules}) < len(rules)
    assert len({one.number for one in said(site(), rules, READS, ACTS)[0]}) == len(rules)
