"""Does `Policy.timed` say which rule takes the time?"""

import time

from stopgap import _core
from tests.policies import extension, rule, site, specification

HEAVY = {"field": "query", "test": "regex", "value": ["z[a-y]*(ab|b|a){20,60}q"]}
FORM = {"all": [extension("aspx"), {"field": "form", "name": "a", "test": "equals", "value": ["evil"]}]}
RULES = [
    rule("asp", extension("asp")),
    rule("heavy", HEAVY),
    rule("form", FORM),
    rule("asleep", extension("ida")),
]
POLICY = _core.Policy(specification([site("any", limits={"query": 4000, "target": 5000})], RULES))
LONG = b"GET /a.asp?q=z" + b"ab" * 1500 + b" HTTP/1.1\r\nHost: h\r\n\r\n"
POST = b"POST /a.aspx HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\na=evil"


def test_each_rule_has_its_own_share() -> None:
    began = time.perf_counter_ns()
    rows = POLICY.timed([LONG, POST], 50)
    taken = time.perf_counter_ns() - began
    assert [name for name, *_ in rows] == [
        "(head)",
        "(readings)",
        "(prefilter)",
        "asp",
        "heavy",
        "form",
        "asleep",
    ]
    spent = {name: nanoseconds for name, nanoseconds, _, _ in rows}
    seen = {name: (woken, matched) for name, _, woken, matched in rows}
    assert seen["(head)"] == seen["(readings)"] == (100, 0)
    assert seen["(prefilter)"] == (150, 0)  # again with the body of the form
    assert seen["asp"] == (50, 50)
    assert seen["heavy"] == (50, 0)
    assert seen["form"] == (50, 50)  # woken by the body alone
    assert seen["asleep"] == (0, 0)
    assert spent["heavy"] > 5 * spent["asp"]
    assert spent["asleep"] == 0
    assert taken / 10 < sum(spent.values()) < taken


def test_what_cannot_be_read_costs_its_head() -> None:
    rows = {name: (woken, matched) for name, _, woken, matched in POLICY.timed([b"\x00\r\n\r\n", b"GET"], 3)}
    assert rows.pop("(head)") == (6, 0)
    assert set(rows.values()) == {(0, 0)}
