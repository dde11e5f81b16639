"""Is a filter written as requestFiltering, with the traps written out, and is what IIS lacks told?"""

from stopgap.ruleset.formats.filter import Entry, Filter, FilterRule, Scan
from stopgap.ruleset.formats.source import Source
from stopgap.ruleset.formats.webconfig_in import Reader
from stopgap.ruleset.formats.webconfig_out import printed
from tests.unit.ruleset.formats.filters import entries


def test_what_iis_lacks_is_told() -> None:
    rule = FilterRule("r", entries("a\x01"), frozenset({Scan.QUERY}))
    exported = printed(Filter(detect=True, many_dots=False, rules=(rule,)), [])
    assert [str(note) for note in exported.report] == [
        'web.config: lost: mode "detect": Request Filtering always refuses',
        "web.config: lost: more than one dot in a URL: Request Filtering has no such check",
        "web.config: lost: rule \"r\": 'a\\x01': XML cannot hold it",
    ]
    Reader(Source("f", exported.text)).filter()


def test_traps_are_written_out() -> None:
    rule = FilterRule("r", entries("x"), frozenset({Scan.QUERY}))
    text = printed(Filter(headers=entries("If"), header_limits=((Entry("A"), 9),), rules=(rule,)), []).text
    assert '<add header="If" sizeLimit="0" />' in text
    assert '<add header="A" sizeLimit="9" />' in text
    assert 'denyUnescapedPercent="false"' in text


def test_text_is_quoted() -> None:
    text = printed(Filter(query_sequences=entries("<a b='\"&amp;")), []).text
    given = Reader(Source("f", text)).filter()
    assert [entry.text for entry in given.query_sequences] == ["<a b='\"&amp;"]
