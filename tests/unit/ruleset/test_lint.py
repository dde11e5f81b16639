"""Is each rule that is well-formed and still wrong told so?"""

from pathlib import Path

import pytest

from stopgap.ruleset.lint import fit_empty, lint
from tests.unit.ruleset.builders import rules_of

RULE = (
    "[[rule]]\nid = 'r'\ntitle = 'T'\nmatch = {match}\nblock = 'GET /a HTTP/1.0'\npass = 'GET / HTTP/1.0'\n"
)
EMPTY = (
    'fits the empty text, and so nearly every request; let it want a byte ("+" for "*"), or write '
    'equals = "" if an empty value is meant'
)
NOTHING = "body: length = { under = 0 } can never hold: nothing is less than 0"


@pytest.mark.parametrize(
    ("match", "what"),
    [
        (
            r"{ path = { contains = '%5c' } }",
            "path: '%5c' can never occur there: a path is tested decoded; write the "
            "character itself, or test path.raw",
        ),
        (
            r"{ path = { contains = 'a\b' } }",
            r"path: 'a\\b' can never occur there: a backslash is read as "
            r'"/"; write "/"',
        ),
        (
            "{ path = { contains = '//' } }",
            'path: \'//\' can never occur there: runs of "/" are read as one; write "/"',
        ),
        (
            "{ path = { suffix = '?a' } }",
            "path: '?a' can never occur there: what follows \"?\" is the query; test query",
        ),
        ("{ path = 'scripts' }", "path: 'scripts' can never occur there: a path starts with \"/\""),
        (
            "{ extension = '.ida' }",
            "extension: '.ida' can never occur there: an extension is what follows the last "
            'dot; write it without "."',
        ),
        (
            "{ extension = ['ida', 'a/b'] }",
            "extension: 'a/b' can never occur there: a name ends at a slash; test path",
        ),
        ("{ segment = 'a/b' }", "segment: 'a/b' can never occur there: a name ends at a slash; test path"),
        (
            "{ basename = '%41.exe' }",
            "basename: '%41.exe' can never occur there: names are tested decoded; write the "
            "character itself, or test path.raw",
        ),
        (
            "{ not = { method = 'get' } }",
            "method: 'get' can never occur there: a method of anything but upper-case "
            "letters is refused before the rules",
        ),
        (
            "{ query = { raw = 'a b' } }",
            "query.raw: 'a b' can never occur there: no target holds a raw space; test "
            'query, where "+" is one',
        ),
        ("{ headers = 'a b' }", "headers: 'a b' can never occur there: no header name holds it"),
        ("{ query = { regex = 'a*' } }", f"query: the regex 'a*' {EMPTY}"),
        ("{ query = { regex = '(?-u)x?' } }", f"query: the regex '(?-u)x?' {EMPTY}"),
        ("{ param = { name = 'a', value = { regex = 'x?' } } }", f"param: the regex 'x?' {EMPTY}"),
        ("{ body = { length = { under = 0 } } }", NOTHING),
        ("{ header = { 'a b' = 'x' } }", "header: 'a b' can never occur there: no header has such a name"),
        (
            r"{ path = { contains = '\xc0\xaf' } }",
            r"path: '\\xc0\\xaf' can never occur there: a path is decoded to UTF-8; write the character "
            "itself, or test path.raw",
        ),
        ("{ query = { contains = '' } }", 'query: contains = "" fits every request'),
    ],
)
def test_matches(tmp_path: Path, match: str, what: str) -> None:
    problems = lint(rules_of(tmp_path, RULE.replace("{match}", match)))
    assert problems == [f'{tmp_path}/ours.toml:4: rule "r": match: {what}']


@pytest.mark.parametrize(
    "match",
    [
        r"{ path = { contains = '\xbd' } }",
        r"{ path = { raw = { contains = '\xe5\x5c' } } }",
        "{ path = { raw = { contains = '%5c' } } }",
        "{ extension = '' }",
        "{ path = { regex = '^/a//b' } }",
        "{ query = { contains = '?%41 //' } }",
        "{ header = { x = 'a b' } }",
        "{ query = { regex = '(?-u)x{2}' } }",
        "{ reason = 'body-cut' }",
    ],
)
def test_nothing_is_said_of_what_may_be(tmp_path: Path, match: str) -> None:
    assert lint(rules_of(tmp_path, RULE.replace("{match}", match))) == []


def test_a_wrong_regex_does_not_hide_one_that_fits_the_empty_text() -> None:
    assert fit_empty({"(a", "b*", "c", "(d"}) == {"b*"}


def test_vectors_are_wanted(tmp_path: Path) -> None:
    text = "[[rule]]\nid = 'r'\ntitle = 'T'\nmatch = { method = 'X' }\n"
    at = f'{tmp_path}/ours.toml:1: rule "r"'
    assert lint(rules_of(tmp_path, text)) == [
        f"{at}: block: is missing; give at least one request that it must catch",
        f"{at}: pass: is missing; give at least one request that it must let through",
    ]


def test_a_vector_that_stands_twice(tmp_path: Path) -> None:
    text = RULE.replace("{match}", "{ method = 'X' }").replace("GET /a ", "GET / ")
    assert lint(rules_of(tmp_path, text)) == [
        f"{tmp_path}/ours.toml:1: rule \"r\": block, pass: the vector 'GET / HTTP/1.0' stands there 2 times"
    ]


def test_compat_is_looked_at(tmp_path: Path) -> None:
    text = RULE.replace("{match}", "{ method = 'X' }") + "compat.tight = { extension = '.idq' }\n"
    (problem,) = lint(rules_of(tmp_path, text))
    assert "compat.tight: extension: '.idq' can never occur there" in problem
