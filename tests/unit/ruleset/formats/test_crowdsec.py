"""What becomes of each zone, transform and match of a patch: a match of ours, or a line of the report?"""

from typing import Any

import pytest

from stopgap.errors import FormatError
from stopgap.ruleset.formats.crowdsec import ZONES, read
from stopgap.ruleset.formats.model import Imported
from stopgap.ruleset.formats.settle import settle
from stopgap.ruleset.formats.source import Source

LOWER = "transform: [lowercase], "


def imported(*rules: str) -> Imported:
    lines = "".join(f"  - {rule}\n" for rule in rules)
    return read(Source("x", f"name: a/vpatch-1\nrules:\n{lines}"))


@pytest.mark.parametrize(
    ("rule", "match"),
    [
        (
            f"{{zones: [URI], {LOWER}match: {{type: contains, value: /aht/}}}}",
            {"path": {"contains": "/aht/"}},
        ),
        ("{zones: [URI], match: {type: startsWith, value: /1}}", {"path": {"prefix": "/1"}}),
        (
            "{zones: [URI], transform: [urldecode, lowercase], match: {type: regex, value: '\\.id[aq]$'}}",
            {"path": {"regex": r"\.id[aq]$"}},
        ),
        (
            "{zones: [URI], transform: [length], match: {type: gt, value: 99}}",
            {"path": {"length": {"over": 99}}},
        ),
        ("{zones: [URI_FULL], match: {type: endsWith, value: Ab}}", {"target": {"regex": "(?-i:Ab$)"}}),
        ("{zones: [METHOD], match: {type: equals, value: TRACK}}", {"method": {"equals": "TRACK"}}),
        (f"{{zones: [METHOD], {LOWER}match: {{type: equals, value: put}}}}", {"method": {"equals": "PUT"}}),
        (
            "{zones: [PROTOCOL], match: {type: equals, value: HTTP/1.0}}",
            {"version": {"regex": r"(?-i:^HTTP/1\.0$)"}},
        ),
        (
            f"{{zones: [HEADERS], variables: [Translate, If], {LOWER}match: {{type: equals, value: f}}}}",
            {"any": [{"header": {"translate": {"equals": "f"}}}, {"header": {"if": {"equals": "f"}}}]},
        ),
        (
            "{zones: [HEADERS], variables: [x], transform: [count], match: {type: gte, value: 3}}",
            {"header": {"x": {"count": {"over": 2}}}},
        ),
        (
            f"{{zones: [HEADERS_NAMES], {LOWER}match: {{type: equals, value: if}}}}",
            {"headers": {"equals": "if"}},
        ),
        (
            "{zones: [COOKIES], variables: [a], transform: [length], match: {type: gte, value: 7}}",
            {"cookie": {"a": {"length": {"over": 6}}}},
        ),
        (
            f"{{zones: [ARGS, BODY_ARGS], variables: [Cmd], {LOWER}match: {{type: contains, value: 'dir'}}}}",
            {
                "any": [
                    {"param": {"name": ["cmd"], "value": {"contains": "dir"}}},
                    {"form": {"name": ["cmd"], "value": {"contains": "dir"}}},
                ]
            },
        ),
        ("{zones: [ARGS], match: {type: contains, value: '../'}}", {"param": {"value": {"contains": "../"}}}),
        (
            f"{{zones: [ARGS_NAMES], {LOWER}match: {{type: equals, value: q}}}}",
            {"param": {"name": {"equals": "q"}}},
        ),
        (
            f"{{zones: [RAW_BODY], {LOWER}match: {{type: contains, value: <!--#}}}}",
            {"body": {"contains": "<!--#"}},
        ),
        (
            "{and: [{zones: [METHOD], match: {type: equals, value: PUT}}, "
            "{zones: [URI], match: {type: equals, value: /1, not: true}}]}",
            {"method": {"equals": "PUT"}, "not": {"path": {"equals": "/1"}}},
        ),
        (
            "{or: [{zones: [URI], match: {type: equals, value: /1}}, "
            "{zones: [URI], match: {type: equals, value: /2}}]}",
            {"any": [{"path": {"equals": "/1"}}, {"path": {"equals": "/2"}}]},
        ),
    ],
)
def test_what_can_be_kept(rule: str, match: dict[str, Any]) -> None:
    found = settle(imported(rule), "x")
    assert [str(note) for note in found.report] == []
    assert found.rules[0]["match"] == match


def test_one_of_several_rules_is_enough() -> None:
    one = "{zones: [URI], match: {type: equals, value: /1}}"
    other = one.replace("/1", "/2")
    assert imported(one, other).rules[0]["match"] == {
        "any": [{"path": {"equals": "/1"}}, {"path": {"equals": "/2"}}]
    }


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        ("{zones: [URI], match: {type: contains, value: Ab}}", "URI: path is tested without case"),
        (
            f"{{zones: [URI], {LOWER}match: {{type: contains, value: Ab}}}}",
            "URI: after lowercase there is no 'Ab'",
        ),
        (
            "{zones: [URI], transform: [b64decode], match: {type: contains, value: '1'}}",
            "the transform b64decode",
        ),
        (
            "{zones: [URI_FULL], transform: [urldecode], match: {type: contains, value: '1'}}",
            "the transform urldecode",
        ),
        ("{zones: [HEADERS], match: {type: contains, value: '1'}}", "all headers together are no field here"),
        (
            "{zones: [COOKIES_NAMES], match: {type: contains, value: '1'}}",
            "the names of cookies are no field here",
        ),
        ("{zones: [FILENAMES], match: {type: contains, value: '1'}}", "the names of uploaded files"),
        ("{zones: [ARGS], match: {type: libinjectionSQL, value: 'x'}}", "libinjectionSQL is no test here"),
        ("{zones: [URI], match: {type: regex, value: '(?=1)'}}", 'the group "(?="'),
        ("{zones: [ARGS], transform: [length], match: {type: lt, value: 3}}", "a length below a number"),
        (
            "{zones: [ARGS], match: {type: equals, value: '1', not: true}}",
            "`not` on what may be there many times",
        ),
        (f"{{zones: [URI], {LOWER}match: {{type: contains, value: '%2e'}}}}", "can never occur there"),
        (f"{{zones: [URI], {LOWER}match: {{type: regex, value: '(a|%2e)'}}}}", "an escape never occurs"),
    ],
)
def test_what_is_left_out_with_its_place(rule: str, what: str) -> None:
    found = imported("{zones: [METHOD], match: {type: equals, value: PUT}}", rule)
    assert found.rules == ()
    (note,) = found.report
    assert str(note).startswith(("x:4: lost: a/vpatch-1: ", "x:1: lost: a/vpatch-1: ")) and what in str(note)
    assert str(note).endswith("; the patch is left out")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "x:1: holds no patch; a patch has a name and rules"),
        ("rules: []", "x:1: name: is missing"),
        ("name: a", "x:1: rules: is missing"),
        ("name: a\nrules: []", "x:2: rules: must be a list that is not empty"),
        ("name: a\nrulez: []", 'x:2: patch.rulez: unknown key; did you mean "rules"'),
        ("name: a\nrules:\n - {zones: [URI]}", "x:3: rules.match: is missing; a rule has zones and a match"),
        (
            "name: a\nrules:\n - {zones: [URL], match: {type: gt, value: 1}}",
            'x:3: rules.zones: "URL" is unknown; it is',
        ),
        (
            "name: a\nrules:\n - {zones: [URI], match: {type: has, value: 1}}",
            'x:3: rules.match.type: "has" is unknown',
        ),
        (
            "name: a\nrules:\n - {zones: [URI], match: {type: gt, value: x}}",
            "x:3: rules.match.value: must be a whole",
        ),
        ("name: a\nrules:\n - {zones: [URI], match: {type: gt}}", "x:3: rules.match.value: is missing"),
        ("name: a\nrules:\n - {and: [], zones: [URI]}", "x:3: rules.and: stands alone"),
        (
            "name: a\nrules:\n - {zones: [URI], transform: [upper], match: {type: equals, value: x}}",
            'x:3: rules.transform: "upper" is unknown',
        ),
        (
            "name: a\nrules:\n - {zones: [URI], match: {type: equals, value: x, not: 3}}",
            "x:3: rules.match.not: must be true or false",
        ),
        (
            "name: a\nrules:\n - {zones: [URI], match: {type: equals, value: /1}}\n---\n"
            "name: A\nrules:\n - {zones: [URI], match: {type: equals, value: /1}}",
            "x:5: name: is already that of line 1",
        ),
    ],
)
def test_a_fault_refuses_the_file_whole(text: str, wrong: str) -> None:
    with pytest.raises(FormatError) as raised:
        read(Source("x", text))
    assert str(raised.value).startswith(wrong)


def test_labels() -> None:
    text = (
        "name: a/b\ndescription: d\nreferences: [http://a.test]\nrules:\n"
        "  - {zones: [URI], match: {type: equals, value: /1}}\n"
        "labels: {label: L, classification: [cve.CVE-2001-0500, attack.T1190, cwe.CWE-22], confidence: 3}\n"
    )
    found = read(Source("x", text))
    (rule,) = found.rules
    assert (rule["id"], rule["title"], rule["severity"]) == ("a-b", "L", "high")
    assert rule["refs"] == ["CVE-2001-0500", "attack T1190", "CWE-22", "http://a.test"]
    assert [str(note) for note in found.report] == [
        "x:1: kept: a/b: labels.confidence: says nothing about what is caught, and has no place in a rule"
    ]


def test_every_zone_is_tried() -> None:
    tried = {"URI", "URI_FULL", "METHOD", "PROTOCOL", "HEADERS", "HEADERS_NAMES", "COOKIES", "COOKIES_NAMES"}
    assert tried | {"ARGS", "ARGS_NAMES", "BODY_ARGS", "BODY_ARGS_NAMES", "RAW_BODY", "FILENAMES"} == set(
        ZONES
    )
