"""Does a tree hold what its pattern says, and is a pattern that others read in another way refused?

Python's own engine is the judge: on bytes it agrees with PCRE and Rust in all that the tree can hold.
"""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stopgap.ruleset.formats.pattern import coded, shown
from stopgap.ruleset.formats.regex import RegexError, folds, holds, parse, sample

ATOMS = st.sampled_from(
    [
        "a",
        "B",
        r"\.",
        ".",
        "[a-f]",
        "[^/]",
        r"\d",
        r"\W",
        r"\x41",
        "/",
        r"\?",
        "[[:alpha:]_-]",
        "é",
        " ",
        '"',
        "#",
    ]
)


def _patterns(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    several = st.lists(inner, min_size=1, max_size=4)
    repeats = st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{2,}", "*?"])
    return st.one_of(
        several.map("".join),
        several.map(lambda parts: f"({'|'.join(parts)})"),
        st.builds(lambda one, repeat: f"(?:{one}){repeat}", inner, repeats),
        inner.map(lambda one: f"(?i:{one})"),
        inner.map(lambda one: f"(?-i:{one})"),
    )


PATTERNS = st.builds(
    lambda start, middle, end: start + middle + end,
    st.sampled_from(["", "^", r"\b"]),
    st.recursive(ATOMS, _patterns, max_leaves=8),
    st.sampled_from(["", "$"]),
)
TEXTS = st.text(st.sampled_from('aAbBf/.?_- 1\né"#'), max_size=12).map(str.encode)


def native(pattern: str) -> "re.Pattern[bytes]":
    """The pattern for Python, which wants its classes and flags in its own way."""
    pattern = pattern.replace("[[:alpha:]_-]", "[a-zA-Z_-]").replace(r"\z", r"\Z")
    return re.compile(pattern.encode(), re.IGNORECASE)


@given(PATTERNS, TEXTS)
def test_what_is_written_fits_what_was_read(pattern: str, text: bytes) -> None:
    strict = pattern.removesuffix("$") + r"\Z" if pattern.endswith("$") else pattern
    wanted = native(strict).search(text) is not None
    tree = parse(pattern)
    again = shown(tree)
    again = again.removesuffix("$") + r"\Z" if again.endswith("$") else again.replace("$)", r"\Z)")
    assert (native(again).search(text) is not None) == wanted, again
    assert (re.search(coded(tree).replace(r"\z", r"\Z").encode(), text) is not None) == wanted, coded(tree)


@given(PATTERNS)
def test_what_is_written_reads_back(pattern: str) -> None:
    once = shown(parse(pattern))
    assert shown(parse(once)) == once


@given(PATTERNS)
def test_a_coded_pattern_needs_no_quotes(pattern: str) -> None:
    assert not re.search(
        r"""[\s"'%#$;@/\\](?<!\\)""", re.sub(r"\\(x[0-9a-f]{2}|[AzbB])", "", coded(parse(pattern)))
    )


@given(PATTERNS.filter(lambda pattern: r"\b" not in pattern))
def test_a_sample_fits(pattern: str) -> None:
    assert native(pattern).search(sample(parse(pattern)))


@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        ("(?=a)", 'the group "(?="'),
        ("(?!a)", 'the group "(?!"'),
        ("(?<=a)", 'the group "(?<"'),
        ("(?>a)", 'the group "(?>"'),
        ("(?#a)", 'the group "(?#"'),
        ("(*ANY)", 'the group "(*A"'),
        (r"(a)\1", r'the escape "\1"'),
        (r"\pL", r'the escape "\p"'),
        (r"\Qa\E", r'the escape "\Q"'),
        (r"\ha", r'the escape "\h"'),
        (r"\<a", r'the escape "\<"'),
        ("a++", "a possessive or double repeat"),
        ("a{2}{3}", "a possessive or double repeat"),
        ("é+", "a repeat of a character that is several bytes"),
        ("^*", "a repeat of a place"),
        ("a{", 'a "{" that repeats nothing'),
        ("*a", 'a "*" that repeats nothing'),
        ("a{3,2}", "a repeat beyond 1000 or backwards"),
        ("a{2000}", "a repeat beyond 1000 or backwards"),
        ("[a[b]]", '"[" in a class'),
        ("[a&&b]", '"&&" in a class'),
        ("[[:word:]]", 'the class "[:word:]"'),
        ("[b-a]", "a range that is none"),
        ("[a", "a class that is not closed"),
        ("(a", "a group that is not closed"),
        ("a)", 'a ")" too many'),
        ("a\\", 'the escape "\\"'),
        ("(" * 60 + ")" * 60, "groups nested too deeply"),
    ],
)
def test_what_others_read_in_another_way(pattern: str, what: str) -> None:
    with pytest.raises(RegexError, match=re.escape(what)):
        parse(pattern)


def test_facts_about_a_tree() -> None:
    assert folds(parse("a[B-D].")) and not folds(parse("a", fold=False)) and folds(parse("[aA]1", fold=False))
    assert holds(parse("[^/]"), 0x3F) and not holds(parse(r"\w\?".replace(r"\?", "")), 0x3F)
    assert shown(parse("a$", loose_end=True)) == r"a\x0a?$"
    assert shown(parse("(?i)a.", fold=False, dotall=True)) == "a(?s:.)"
    assert shown(parse("Ab", fold=False)) == "(?-i:Ab)"
