"""Is a rule that does not hold taken out and told, and one that holds left as it is?"""

import pytest

from stopgap.ruleset.formats.model import Draft, Imported, Note
from stopgap.ruleset.formats.settle import settle, slug

GOOD: Draft = {
    "id": "good",
    "title": "T",
    "match": {"extension": ["ida"]},
    "block": ["GET /x.ida HTTP/1.0"],
    "pass": ["GET /x.htm HTTP/1.0"],
}


def test_what_holds_stays() -> None:
    imported = Imported(rules=(GOOD,), report=(Note("f:1", "a", "b", lost=False),), site={"mode": "block"})
    assert settle(imported, "f") == imported


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"match": {"extension": ["a.b"]}}, "match: extension: 'a.b' can never occur there: "),
        ({"match": {"path": {"regex": "("}}}, 'match: regex "(": unclosed group'),
        ({"match": {"paht": "x"}}, "match.paht: unknown field"),
        ({"pass": []}, "pass: is missing; give at least one request that it must let through"),
        ({"block": ["GET /x.htr HTTP/1.0"]}, "block: 'GET /x.htr HTTP/1.0' is not caught by this rule on "),
        ({"pass": ["GET /y.ida HTTP/1.0"]}, "pass: 'GET /y.ida HTTP/1.0' is caught by this rule on "),
        ({"status": 200}, "status: 200 is not the status of a refusal"),
    ],
)
def test_what_does_not_hold_is_told(change: Draft, why: str) -> None:
    bad = {**GOOD, "id": "bad", **change}
    settled = settle(Imported(rules=(bad, GOOD)), "urlscan.ini")
    assert settled.rules == (GOOD,)
    (note,) = settled.report
    assert (note.where, note.what, note.lost) == ("urlscan.ini", 'rule "bad"', True)
    assert note.why.startswith(why)


@pytest.mark.parametrize(
    ("text", "wanted"), [("SQL Injection", "sql-injection"), ("a.b_c", "a.b_c"), ("会計", "x"), ("-A-", "a")]
)
def test_slug(text: str, wanted: str) -> None:
    assert slug(text) == wanted
