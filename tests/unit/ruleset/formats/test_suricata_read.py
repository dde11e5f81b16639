"""What becomes of each option of a rule: a match that means the same, or a line of the report?"""

from typing import Any

import pytest

from stopgap.errors import FormatError
from stopgap.ruleset.formats.model import Imported
from stopgap.ruleset.formats.settle import settle
from stopgap.ruleset.formats.source import Source
from stopgap.ruleset.formats.suricata import read

NO_QUERY = {"not": {"target": {"contains": "?"}}}


def imported(options: str, head: str = "alert http any any -> any any") -> Imported:
    return read(Source("x", f"{head} ({options} sid:7;)"))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (
            'content:".ida"; http_uri; nocase;',
            {"any": [{"path": {"contains": ".ida"}}, {"query": {"contains": ".ida"}}]},
        ),
        (
            'uricontent:".ida?"; nocase;',
            {
                "any": [
                    {"path": {"suffix": ".ida"}, "target": {"contains": "?"}},
                    {"query": {"contains": ".ida?"}},
                ]
            },
        ),
        (
            'http.uri; content:"/x.idq?ci"; nocase; startswith;',
            {"path": {"equals": "/x.idq"}, "query": {"prefix": "ci"}},
        ),
        ('http.uri; content:"/scripts/"; nocase; depth:9; offset:0;', {"path": {"prefix": "/scripts/"}}),
        (
            'http.uri; content:".htr"; nocase; endswith;',
            {"any": [{"path": {"suffix": ".htr"}, **NO_QUERY}, {"query": {"suffix": ".htr"}}]},
        ),
        ('http.uri.raw; content:"%5C"; nocase;', {"target": {"contains": "%5C"}}),
        ('http.uri.raw; content:"%5C";', {"target": {"regex": "(?-i:%5C)"}}),
        ("urilen:>600,raw;", {"target": {"length": {"over": 600}}}),
        (
            "urilen:10<>13,raw;",
            {"all": [{"target": {"length": {"over": 10}}}, {"target": {"length": {"under": 13}}}]},
        ),
        ('http.method; content:"post"; nocase; bsize:4;', {"method": {"equals": "POST"}}),
        ('content:"PUT"; http_method;', {"method": {"contains": "PUT"}}),
        (
            'http.user_agent; content:"Nimda"; nocase; bsize:5;',
            {"header": {"user-agent": {"equals": "Nimda"}}},
        ),
        ('http.user_agent; content:!"1.0";', {"not": {"header": {"user-agent": {"contains": "1.0"}}}}),
        (
            'http.header; content:"|0d 0a|Translate|3a 20|f|0d 0a|"; nocase;',
            {"header": {"translate": {"equals": "f"}}},
        ),
        ('http.header_names; content:"|0d 0a|If|0d 0a|"; nocase;', {"headers": "If"}),
        (
            'http.request_header; content:"If|3a 20|<"; nocase; startswith;',
            {"header": {"if": {"prefix": "<"}}},
        ),
        ('http.cookie; content:"a=1";nocase;', {"header": {"cookie": {"contains": "a=1"}}}),
        ('http.request_body; content:"<!--#"; startswith;', {"body": {"prefix": "<!--#"}}),
        ('http.host; content:"a.test"; startswith;', {"host": {"regex": r"^a\.test"}}),
        (
            r'pcre:"/\/winnt\/(repair|system)/Ui";',
            {
                "any": [
                    {"path": {"regex": "/winnt/(?:repair|system)"}},
                    {"query": {"regex": "/winnt/(?:repair|system)"}},
                ]
            },
        ),
        (r'http.uri; pcre:"/^[^?]*\/[a-z]+\.exe\?/i"; http.method; content:"GET";', None),
        (r'http.uri; pcre:"/^[^?]*\?[^&]*cmd/i";', {"query": {"regex": "^[^&]*cmd"}}),
        (r'http.uri; pcre:"/^\/a[0-9]+$/iE";', {"path": {"regex": "^/a[0-9]+$"}, **NO_QUERY}),
        (r'pcre:"/^Mozilla\/[45]/V";', {"header": {"user-agent": {"regex": "(?-i:^Mozilla/[45])"}}}),
        (r'pcre:"/abc/PiA";', {"body": {"regex": "^abc"}}),
    ],
)
def test_what_can_be_kept(options: str, match: dict[str, Any] | None) -> None:
    found = settle(imported(options), "x")
    if match is None:
        assert "may reach over" in str(found.report[0])
        return
    assert [str(note) for note in found.report] == []
    assert found.rules[0]["match"] == match


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ('content:"abc";', 'content:"abc": it looks into the bytes of the connection'),
        (
            'http.uri; content:"/Admin";',
            'content:"/Admin": http.uri is tested without case; with nocase, /i or',
        ),
        ('http.uri; content:"/..%c0%af"; nocase;', "sid 7: path: '/..%c0%af' can never occur there"),
        ('http.uri; content:"a"; bsize:7;', "the size of http.uri is not that of anything here"),
        ("urilen:7;", "urilen:7: the length of the decoded URI is that of nothing here"),
        ('http.uri; content:"/a"; content:"/b"; distance:0;', "distance:0: the place of a text is kept only"),
        ('http.uri; content:"/a"; nocase; depth:10;', "depth:10: the place of a text"),
        ('http.uri; content:"/a"; nocase; offset:3;', "offset:3: the place of a text"),
        ('http.uri; content:"/a"; nocase; flowbits:set,x;', "flowbits:set,x: it remembers what came before"),
        ('http.uri; content:"/a"; nocase; threshold:type limit;', "threshold:type limit: it counts"),
        ('http.uri; content:"/a"; nocase; byte_test:1,>,2,3;', "byte_test:1,>,2,3: no rule here computes"),
        ('http.uri; content:"/a"; nocase; flow:from_server;', "flow:from_server: it looks at the response"),
        ('http.stat_code; content:"200";', "http.stat_code: it looks at the response"),
        ('http.uri; content:"/a"; nocase; frobnicate:1;', "frobnicate:1: this option is not known here"),
        ('http.uri; content:"/a"; nocase; dsize:>9;', "dsize:>9: it looks at packets"),
        ('http.header; content:"User-Agent|3a| x"; nocase;', "without |0d 0a| before it"),
        ('http.header; content:"x"; nocase;', "only one header, `Name: value`, can be kept"),
        ('http.host; content:"Evil";', "http.host has small letters alone"),
        ('http.request_body; content:"Cmd";', "body is tested without case"),
        (r'pcre:"/a(?=b)/Ui";', 'the group "(?="'),
        (r'pcre:"/a.b/Ui";', 'it may reach over the "?"'),
        (r'pcre:"/\.\.%c0%af/Ui";', "an escape never occurs where all is decoded"),
        (r'pcre:"/a|(b%u[0-9]{4})/Ui";', "an escape never occurs where all is decoded"),
        (r'pcre:"/ab/UiR";', 'the flag "R" of the regex cannot be kept'),
        (r'pcre:"/ab/UPi";', "it names two buffers"),
        ('msg:"a";', "its options: nothing of a request is looked at"),
        (
            'http.method; content:"GET"; bsize:3; http.method; content:"PUT"; bsize:3;',
            "no request could be made that it catches",
        ),
    ],
)
def test_what_is_left_out_with_its_option(options: str, what: str) -> None:
    found = imported(options)
    assert found.rules == ()
    (note,) = found.report
    assert str(note).startswith("x:1: lost: sid 7") and what in str(note)
    assert str(note).endswith("; the rule is left out")


@pytest.mark.parametrize(
    ("head", "what"),
    [
        ("pass http any any -> any any", "pass: it refuses nothing"),
        ("alert dns any any -> any any", "dns: only rules for http are read"),
        ("alert http 192.0.2.0/24 any -> any any", "192.0.2.0/24: the addresses of a rule are its site's"),
        ("alert http any any -> any 8080", "8080: the addresses"),
        ("alert http any any <> any any", "<>: the addresses"),
    ],
)
def test_what_is_left_out_for_its_head(head: str, what: str) -> None:
    found = imported('http.uri; content:"/a"; nocase;', head)
    assert found.rules == () and what in str(found.report[0])


def test_what_a_rule_says_about_itself() -> None:
    options = (
        'msg:"a \\"b\\""; reference:cve,2001-0500; reference:cve,CVE-2000-0071; reference:url,a.test/x; '
        'classtype:attempted-admin; rev:3; metadata:x y; fast_pattern; http.uri; content:"/a"; nocase;'
    )
    (rule,) = imported(options).rules
    assert (rule["id"], rule["severity"]) == ("sid-7", "high")
    assert rule["refs"] == ["SID 7", "CVE-2001-0500", "CVE-2000-0071", "http://a.test/x"]
    assert imported(options.replace("rev", "priority")).rules[0]["severity"] == "low"


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ("content:abc;", "x:1: content: must be a text in quotes that is not empty"),
        ('content:"a|zz|"; dsize:1;', "x:1: content: 'a|zz|': between two \"|\" stand bytes"),
        ('pcre:"abc";', "x:1: pcre: 'abc': must be \"/regex/flags\""),
    ],
)
def test_a_fault_refuses_the_file_whole(options: str, wrong: str) -> None:
    with pytest.raises(FormatError) as raised:
        imported(options)
    assert str(raised.value).startswith(wrong)


def test_vectors_are_near_and_hold() -> None:
    (rule,) = imported(
        'http.uri; content:"/x.idq"; nocase; startswith; http.method; content:"PUT"; bsize:3;'
    ).rules
    assert rule["block"] == ["PUT /x.idq HTTP/1.1"]
    assert rule["pass"][:2] == ["PUT / HTTP/1.1", "GET /x.idq HTTP/1.1"]
