"""Is a filter written as an urlscan.ini, and is what the version lacks told?"""

from stopgap.ruleset.formats.filter import Entry, Filter, FilterRule, Scan, texts
from stopgap.ruleset.formats.model import Note
from stopgap.ruleset.formats.source import Source
from stopgap.ruleset.formats.urlscan_in import Reader
from stopgap.ruleset.formats.urlscan_out import V2, V3, printed
from tests.unit.ruleset.formats.filters import entries

RULE = FilterRule("a", entries("x"), frozenset({Scan.QUERY}))
FULL = Filter(
    detect=True,
    url_sequences=entries(".."),
    query_sequences=entries("<"),
    allowed_urls=entries("/x"),
    allowed_queries=entries("a=b"),
    rules=(RULE,),
    body=1,
    path=2,
    query=3,
)


def test_2_5_has_no_queries_and_rules() -> None:
    exported = printed(FULL, V2, [Note("r", "w", "y")])
    assert [str(note) for note in exported.report] == [
        "r: lost: w: y",
        'urlscan.ini 2.5: lost: query string sequence "<": 2.5 does not look at queries',
        'urlscan.ini 2.5: lost: rule "a": 2.5 has no rules of one\'s own',
        'urlscan.ini 2.5: lost: always allowed "/x": 2.5 has no such list',
        'urlscan.ini 2.5: lost: always allowed "a=b": 2.5 has no such list',
    ]
    assert "RuleList" not in exported.text
    assert "RejectResponseUrl=/~*\n" in exported.text
    reader = Reader(Source("f", exported.text))
    assert reader.version == "2"
    given = reader.filter()
    assert given.detect
    assert (given.body, given.path, given.query) == (1, 2, 3)
    assert (given.high_bit, given.many_dots) == (True, True)


def test_a_segment_becomes_a_sequence() -> None:
    exported = printed(Filter(segments=entries("bin"), body=1, path=1, query=1), V3, [])
    assert [note.what for note in exported.report] == ['segment "bin"']
    assert "[DenyUrlSequences]\n/bin\n" in exported.text


def test_what_a_line_cannot_hold_is_told() -> None:
    given = Filter(url_sequences=entries(";", " a", "b"), body=1, path=1, query=1)
    exported = printed(given, V3, [])
    assert [note.what for note in exported.report] == ['";"', '" a"']
    assert "[DenyUrlSequences]\nb\n" in exported.text


def test_strings_of_3_1_are_escaped() -> None:
    strings = ("a;b", " a ", "[a]", "%41", "%", " ", "a=b", "会計")
    rule = FilterRule("r", entries(*strings), frozenset({Scan.QUERY}))
    text = printed(Filter(rules=(rule,), body=1, path=1, query=1), V3, []).text
    (read,) = Reader(Source("f", text)).filter().rules
    assert texts(read.strings) == list(strings)
    assert Entry("a;b") not in read.strings  # it has a line of the file
