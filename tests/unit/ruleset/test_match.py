"""Does each way to write a match become the expression that the core expects, and each mistake its words?"""

from typing import Any

import pytest

from stopgap.ruleset.match import FIELDS, MatchError, compile_match, leaves


def leaf(field: str, test: str, *values: str) -> dict[str, Any]:
    return {"field": field, "test": test, "value": list(values)}


MATCHES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"extension": "ida"}, leaf("extension", "equals", "ida")),
    ({"extension": ["ida", "idq"]}, leaf("extension", "equals", "ida", "idq")),
    (
        {"path": {"prefix": "/iisadmpwd/"}, "method": "POST"},
        {"all": [leaf("path", "prefix", "/iisadmpwd/"), leaf("method", "equals", "POST")]},
    ),
    (
        {"path": {"prefix": "/a", "suffix": ["b", "c"]}},
        {"all": [leaf("path", "prefix", "/a"), leaf("path", "suffix", "b", "c")]},
    ),
    ({"path": {"raw": {"contains": "%"}}}, leaf("path.raw", "contains", "%")),
    ({"path.raw": {"contains": "%"}}, leaf("path.raw", "contains", "%")),
    (
        {"query": {"raw": "a", "contains": "b"}},
        {"all": [leaf("query.raw", "equals", "a"), leaf("query", "contains", "b")]},
    ),
    ({"query": {"length": {"over": 200}}}, {"field": "query", "test": "length", "over": 200}),
    ({"segment": {"run": {"over": 99}}}, {"field": "segment", "test": "run", "over": 99}),
    ({"depth": {"over": 5}}, {"field": "depth", "test": "count", "over": 5}),
    ({"depth": {"count": {"under": 5}}}, {"field": "depth", "test": "count", "under": 5}),
    ({"headers": "translate"}, leaf("headers", "equals", "translate")),
    (
        {"header": {"translate": "f", "if": {"length": {"over": 256}}}},
        {
            "all": [
                {"field": "header", "name": "translate", "test": "equals", "value": ["f"]},
                {"field": "header", "name": "if", "test": "length", "over": 256},
            ]
        },
    ),
    (
        {"cookie": {"x-beresource": {"regex": "[@#]"}}},
        {"field": "cookie", "name": "x-beresource", "test": "regex", "value": ["[@#]"]},
    ),
    ({"param": {"count": {"over": 256}}}, {"field": "param", "test": "count", "over": 256}),
    ({"param": {"repeat": {"over": 64}}}, {"field": "param", "test": "repeat", "over": 64}),
    (
        {"form": {"value": {"contains": ".."}, "count": {"over": 1000}}},
        {
            "all": [
                {"field": "form", "test": "count", "over": 1000},
                {"field": "form", "same": [{"on": "value", "test": "contains", "value": [".."]}]},
            ]
        },
    ),
    (
        {"param": {"name": "CiTemplate", "value": {"contains": ".."}}},
        {
            "field": "param",
            "same": [
                {"on": "name", "test": "equals", "value": ["CiTemplate"]},
                {"on": "value", "test": "contains", "value": [".."]},
            ],
        },
    ),
    (
        {"any": [{"extension": "a"}, {"method": "X"}]},
        {"any": [leaf("extension", "equals", "a"), leaf("method", "equals", "X")]},
    ),
    ({"not": {"extension": "a"}}, {"not": leaf("extension", "equals", "a")}),
    ({"reason": "body-cut"}, leaf("reason", "equals", "body-cut")),
    (
        {"body": {"contains": "__VIEWSTATE"}, "version": "HTTP/1.0"},
        {"all": [leaf("body", "contains", "__VIEWSTATE"), leaf("version", "equals", "HTTP/1.0")]},
    ),
]


@pytest.mark.parametrize(("table", "expr"), MATCHES)
def test_matches(table: dict[str, Any], expr: dict[str, Any]) -> None:
    assert compile_match(table) == expr


@pytest.mark.parametrize(
    ("table", "path", "text"),
    [
        ({}, (), "is empty and would match every request"),
        ({"extention": "a"}, ("extention",), 'unknown field; did you mean "extension"?'),
        (
            {"path": {"startswith": "/"}},
            ("path", "startswith"),
            "unknown test; known: contains, equals, length, prefix, regex, run, suffix",
        ),
        ({"path": {"prefixes": "/"}}, ("path", "prefixes"), 'unknown test; did you mean "prefix"?'),
        ({"path": {}}, ("path",), "is an empty table of tests"),
        ({"path": 3}, ("path",), "must be text in quotes or a list of such"),
        ({"path": []}, ("path",), "must be text in quotes or a list of such"),
        (
            {"path": {"length": 3}},
            ("path", "length"),
            "must be { over = n } or { under = n } with a whole number",
        ),
        (
            {"path": {"length": {"over": True}}},
            ("path", "length"),
            "must be { over = n } or { under = n } with a whole number",
        ),
        (
            {"path": {"length": {"over": 1, "under": 9}}},
            ("path", "length"),
            "must be { over = n } or { under = n } with a whole number",
        ),
        ({"depth": 3}, ("depth",), "must be a table of tests, such as { over = 10 }"),
        (
            {"header": "x"},
            ("header",),
            "must be a table of header names, such as { name = { contains = ... } }",
        ),
        (
            {"any": {"path": "/"}},
            ("any",),
            "must be a list of match tables, such as [{ extension = ... }, { path = ... }]",
        ),
        ({"any": [{"pth": "/"}]}, ("any", 0, "pth"), 'unknown field; did you mean "path"?'),
        ({"not": "x"}, ("not",), "must be a match table, such as { extension = ... }"),
        (
            {"form": {"id": "1"}},
            ("form", "id"),
            'unknown key; known: count, name, repeat, value; write name = "id", value = ...',
        ),
        (
            {"param": {"id": "1"}},
            ("param", "id"),
            'unknown key; known: count, name, repeat, value; write name = "id", value = ...',
        ),
        ({"reason": "body-cutt"}, ("reason",), 'no reason is called "body-cutt"; did you mean "body-cut"?'),
        (
            {"reason": "body-cut", "path": "/"},
            ("reason",),
            "stands alone; a rule that labels a reason tests nothing else",
        ),
        (
            {"any": [{"reason": "body-cut"}]},
            ("any", 0, "reason"),
            "stands alone; a rule that labels a reason tests nothing else",
        ),
    ],
)
def test_mistakes(table: dict[str, Any], path: tuple[str | int, ...], text: str) -> None:
    with pytest.raises(MatchError) as caught:
        compile_match(table)
    assert (caught.value.path, caught.value.text) == (path, text)


def test_every_field_is_written_in_some_match() -> None:
    written = {leaf["field"] for table, _ in MATCHES for leaf in leaves(compile_match(table))}
    assert FIELDS.keys() - written == {"host", "target", "basename"}


def test_nesting_has_an_end() -> None:
    table: dict[str, Any] = {"method": "X"}
    for _ in range(100):
        table = {"not": table}
    with pytest.raises(MatchError) as caught:
        compile_match(table)
    assert (caught.value.path, caught.value.text) == (("not",), "is nested too deeply")
