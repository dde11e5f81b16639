"""Does a rule that goes out to Suricata come back the same?

"The same" is what the core says: on generated requests, plain and escaped, the rule and what its signatures
became either both match or neither does.
"""

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stopgap.ruleset import load, spec, vectors
from stopgap.ruleset.explain import read as explained
from stopgap.ruleset.formats import suricata
from stopgap.ruleset.formats.model import Imported
from stopgap.ruleset.formats.source import Source
from stopgap.ruleset.formats.toml import written
from stopgap.ruleset.model import Rule
from stopgap.tomlfile import parse
from tests.unit.ruleset.formats.making import rule, shipped, site

WORDS = st.text(st.sampled_from("abAB1.-_;é"), min_size=1, max_size=3)
TESTS = st.sampled_from(["equals", "prefix", "suffix", "contains"])
REGEXES = st.sampled_from(["^a", "b$", "^/?a[0-9]*b", "a.b", "[^a]b$", r"(a|b)\.", "^(/a|b)", "1{2,}"])


def _tests(words: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    texts = st.builds(lambda test, text: {test: text}, TESTS, words)
    return texts | REGEXES.map(lambda regex: {"regex": regex})


LEAVES = st.one_of(
    st.sampled_from(["GET", "POST", "HEAD"]).map(lambda name: {"method": name}),
    _tests(WORDS.map(lambda word: f"/{word}")).map(lambda tests: {"path": tests}),
    _tests(WORDS).map(lambda tests: {"query": tests}),
    _tests(WORDS.filter(str.isascii)).map(lambda tests: {"path": {"raw": tests}}),
    _tests(WORDS.filter(str.isascii)).map(lambda tests: {"target": tests}),
    _tests(WORDS.filter(str.isascii)).map(lambda tests: {"header": {"x-a": tests}}),
    st.just({"headers": "x-a"}),
    _tests(WORDS).map(lambda tests: {"body": tests}),
    st.sampled_from([{"over": 4}, {"under": 4}]).map(lambda bound: {"target": {"length": bound}}),
)
MATCHES = st.one_of(
    LEAVES,
    st.lists(LEAVES, min_size=2, max_size=2).map(lambda parts: {"any": parts}),
    st.lists(LEAVES, min_size=2, max_size=2).map(lambda parts: {"all": parts}),
    st.builds(lambda one, other: {"all": [one], "not": other}, LEAVES, LEAVES),
)
IMPOSSIBLE = "no request could be made that it catches"
"""Two different methods, for example."""
PIECES = st.text(st.sampled_from("abAB1./-_;"), max_size=5) | st.sampled_from(["%61", "%2E", "a%2fb", "b+a"])
REQUESTS = st.builds(
    lambda method, path, query, header, body: (
        f"{method} /{path}{query} HTTP/1.1\nhost: h\n{header}content-length: {len(body)}\n\n{body}"
    ),
    st.sampled_from(["GET", "POST", "HEAD"]),
    PIECES,
    PIECES.map(lambda text: f"?{text}") | st.sampled_from(["", "?"]),
    PIECES.map(lambda text: f"x-a: {text}\n") | st.just(""),
    st.text(st.sampled_from("ab1.;"), max_size=4),
)


def back(text: str) -> list[Rule]:
    """What comes of the text of an export."""
    imported = suricata.read(Source("out.rules", text))
    assert [str(note) for note in imported.report if IMPOSSIBLE not in note.why] == []
    return list(load.pack_of(parse("in.toml", written(Imported(rules=imported.rules)).encode())).rules)


@settings(max_examples=60)
@given(MATCHES, st.lists(REQUESTS, min_size=8, max_size=8))
def test_out_and_in_again(match: dict[str, Any], requests: list[str]) -> None:
    one = rule(match)
    text = suricata.write(site(), [one]).text
    assume("\nalert " in text)  # else the rule contradicts itself
    returned = back(text)
    assume(returned)
    rules = [one, *returned]
    where = vectors.bench_site("iis5", 1252, range(len(rules)))
    policy = spec.compiled(spec.join(rules, [where], spec.Registry()))
    for request in [
        *requests,
        *(vector.text for other in returned for vector in (*other.block, *other.passes)),
    ]:
        hits = {found.rule for found in explained(policy.explain(vectors.request(request), 0)).findings}
        assert (one.id in hits) == bool(hits & {other.id for other in returned}), request


def test_the_numbers_and_references_of_a_signature() -> None:
    text = suricata.write(
        site(), [rule({"any": [{"method": "A"}, {"path": "/b"}]}, refs=["CVE-2001-0500", "MS01-033"])]
    ).text
    first, second = (line for line in text.split("\n") if line.startswith("alert "))
    assert "reference:cve,2001-0500; sid:1240832000; rev:1;)" in first and "sid:1240832001;" in second
    assert 'msg:"ours"; flow:established,to_server; http.uri; content:"/b"; nocase; pcre:' in second


def test_several_values_are_one_regex_and_several_headers_several_signatures() -> None:
    text = suricata.write(site(), [rule({"method": ["A", "B"], "headers": ["x", "y"]})]).text
    assert text.count(r'http.method; pcre:"/(?:\AA\z|\AB\z)/";') == text.count("\nalert ") == 2


def test_what_may_not_be_there_is_negated() -> None:
    text = suricata.write(site(), [rule({"method": "A", "not": {"path": ["/b", "/c"]}})]).text
    assert 'http.uri; pcre:!"/(?:' in text and text.count("\nalert ") == 1


@pytest.mark.parametrize("text", ['a"b', "a;b", "a\\b", "a|b", "a:b", "a$b", "é", "a\nb"])
def test_no_text_breaks_a_signature(text: str) -> None:
    assert len(back(suricata.write(site(), [rule({"query": {"contains": text}})]).text)) == 1


def test_every_signature_that_goes_out_can_be_read() -> None:
    where, rules = shipped()
    exported = suricata.write(where, rules).text
    imported = suricata.read(Source("out.rules", exported))
    assert len(imported.rules) + len(imported.report) >= exported.count("\nalert ")
    assert len(imported.rules) > 90


def test_a_form_is_a_body_that_says_so() -> None:
    text = suricata.write(site(), [rule({"form": {"count": {"over": 9}}})]).text
    declared = r'pcre:"/\A(?i:content\x2dtype)\x3a[^\x0a]*(?i:urlencoded)/"'
    assert f"http.request_header; {declared}; http.request_body; pcre:" in text
