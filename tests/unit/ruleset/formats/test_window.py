"""Does a pattern find in the whole source what the rule finds in its field?"""

import re
from typing import Any

import pytest

from stopgap.ruleset.formats.window import Spot, Unsayable, number_over, spots
from stopgap.ruleset.match import compile_match


def found(match: dict[str, Any], text: str, source: str = "path") -> bool:
    """Whether one of the patterns of a match of one test fits a source."""
    looks = spots(compile_match(match))
    assert {spot.source for spot in looks} == {source}
    return any(
        re.search(spot.pattern.replace(r"\z", r"\Z").encode(), text.encode("latin-1")) for spot in looks
    )


@pytest.mark.parametrize(
    ("match", "yes", "no"),
    [
        ({"path": "/a/b"}, ["/a/b", r"\a\\B"], ["/a/b/", "/a/bc", "/x/a/b"]),
        ({"path": {"prefix": "/a/"}}, ["/A/b", "//a/"], ["/ab", "/b/a/"]),
        ({"path": {"suffix": ".asp"}}, ["/a.ASP"], ["/a.aspx"]),
        ({"path": {"contains": "/./"}}, ["/a/./b", r"/a\.\b"], ["/a/.b", "/ax/b"]),
        ({"path": {"regex": "^/[^/]+/x/*$"}}, ["/a/x", r"/a\x//"], ["/a/b/x", r"/a\b\x", "/a/x\n"]),
        ({"path": {"length": {"over": 3}}}, ["/abc"], ["/ab"]),
        ({"path": {"length": {"under": 3}}}, ["/a"], ["/ab"]),
        ({"path": {"run": {"over": 3}}}, ["/aaaa"], ["/aaab"]),
        ({"extension": "ida"}, ["/x.ida", "/x.ida/y", "/x.IDA;.htm", "/x.ida. .", "/a.b.ida::$d"], ["/ida"]),
        ({"extension": "ida"}, [], ["/x.idaho", "/x.ida.htm", "/x.idax/ida"]),
        ({"extension": {"prefix": "id"}}, ["/x.ida/y", "/x.idq"], ["/id.x", "/x.aid"]),
        ({"extension": {"suffix": "da"}}, ["/x.ida/y", "/x.da"], ["/x.d/a", "/x.dax"]),
        ({"extension": {"contains": "d"}}, ["/x.ida"], ["/x.i/d", "/xd.i"]),
        ({"extension": {"regex": "^i.a$"}}, ["/x.ida", "/x.i-a/b"], ["/x.i/a", "/x.idaa", "/x.xida"]),
        ({"extension": {"length": {"over": 3}}}, ["/a.html"], ["/a.htm", "/a.htm/long"]),
        (
            {"segment": "system32"},
            ["/a/System32/b", "/system32. ", r"\system32:x"],
            ["/system32x", "/asystem32"],
        ),
        ({"segment": ["..", "a b"]}, ["/x/../y", "/A B"], ["/x/.../y", "/x/..y", "/a-b"]),
        ({"segment": {"regex": "[.]exe"}}, ["/a/x.exe.y"], ["/a.ex/e", "/.ex/e"]),
        ({"segment": {"regex": "^(a|b)$|c"}}, ["/x/a/", "/b;1", "/xcx"], ["/ab", "/x"]),
        ({"segment": {"contains": "cmd"}}, ["/a/xcmdx"], ["/a/c/md"]),
        ({"segment": {"run": {"over": 3}}}, ["/xaaaa"], ["/aa/aa"]),
        ({"basename": "cmd.exe"}, ["/a/CMD.EXE", "/cmd.exe/x", "/cmd.exe;x"], ["/acmd.exe", "/cmd.exe.htm"]),
        ({"basename": "cmd"}, ["/a/cmd", "/cmd. "], ["/cmd/x", "/a/cmdx"]),
        ({"basename": {"prefix": "cmd"}}, ["/a/cmd", "/cmdx.exe/y"], ["/cmdx/y"]),
        ({"depth": {"over": 2}}, ["/a/b/c", r"\a\b//c/"], ["/a/b/", "/abc"]),
        ({"depth": {"under": 2}}, ["/a", "/"], ["/a/b"]),
    ],
)
def test_fields_of_the_path(match: dict[str, Any], yes: list[str], no: list[str]) -> None:
    assert [text for text in yes if not found(match, text)] == []
    assert [text for text in no if found(match, text)] == []


@pytest.mark.parametrize(
    ("match", "source", "yes", "no"),
    [
        ({"method": "POST"}, "method", ["POST"], ["post", "POSTS"]),
        ({"path": {"raw": {"contains": "%5c"}}}, "path.raw", ["/a%5Cb?x"], ["/a?%5c"]),
        ({"path": {"raw": {"suffix": ".."}}}, "path.raw", ["/a..?x", "/a.."], ["/a?x.."]),
        ({"query": {"contains": "ab%"}}, "query", ["xAB%"], ["ab"]),
        ({"header": {"translate": "f"}}, "header:translate", ["F"], ["ff", ""]),
        ({"header": {"x": {"count": {"over": 0}}}}, "header:x", ["a"], [""]),
        ({"headers": "trailer"}, "header:trailer", ["a"], [""]),
        (
            {"cookie": {"a-b": {"contains": "x\\x00"}}},
            "header:cookie",
            ["A-B=ax\0b", "c=d; a-b = x\0"],
            ["a-b=x;c=x\0"],
        ),
        ({"cookie": {"a": {"count": {"over": 0}}}}, "header:cookie", ["a=", "b;A=1"], ["b=a=1", "ba=1"]),
        ({"cookie": {"a": "x"}}, "header:cookie", ["a= X ;b"], ["a=xy"]),
        (
            {"param": {"name": "d", "value": {"contains": ".."}}},
            "query",
            ["a=1&D=x..", "d=..&b"],
            ["ad=..", "d=1&b=.."],
        ),
        ({"param": {"name": {"prefix": "a"}}}, "query", ["ab=1", "x&a"], ["ba=1"]),
        ({"param": {"name": {"suffix": "a"}}}, "query", ["ba=1"], ["ab=a"]),
        ({"param": {"value": "a"}}, "query", ["x=A", "x=a&b"], ["x=ab", "a=x", "a"]),
        ({"param": {"value": {"suffix": "a"}}}, "query", ["x=ba&c"], ["x=b&a"]),
        ({"param": {"value": {"prefix": "a"}}}, "query", ["x=ab"], ["x=ba"]),
        ({"param": {"value": {"regex": "a.c"}}}, "query", ["x=abc"], ["x=a&c"]),
        ({"param": {"name": {"regex": "^a[0-9]*$"}}}, "query", ["x&a1=b", "a"], ["ba=1", "ab=1"]),
        ({"param": {"value": {"regex": "^a|b$"}}}, "query", ["x=ac", "x=cb&d"], ["x=cbd", "x=ca", "a=x"]),
        ({"param": {"value": {"length": {"over": 2}}}}, "query", ["x=abc"], ["x=ab&cd", "xyz"]),
        ({"param": {"count": {"over": 2}}}, "query", ["a&b&c", "a&&b=1&c"], ["a&&b", "&&&a"]),
        ({"body": {"length": {"over": 1999}}}, "length", ["2000", "10000", "02001"], ["1999", "0", "x"]),
    ],
)
def test_other_fields(match: dict[str, Any], source: str, yes: list[str], no: list[str]) -> None:
    assert [text for text in yes if not found(match, text, source)] == []
    assert [text for text in no if found(match, text, source)] == []


@pytest.mark.parametrize("most", [0, 1, 9, 10, 19, 99, 100, 255, 909, 29999, 30000])
def test_numbers(most: int) -> None:
    fits = re.compile(f"\\A{number_over(most)}\\z".replace(r"\z", r"\Z"))
    near = [*range(max(0, most - 30), most + 30), most * 10, most // 10, most + 1000]
    assert [n for n in near if bool(fits.search(str(n))) != (n > most)] == []


@pytest.mark.parametrize(
    ("match", "what"),
    [
        ({"path": {"regex": "a(?:b"}}, "the regex 'a(?:b'"),
        ({"path": {"regex": r"\pL"}}, 'the escape "\\p"'),
        ({"segment": {"regex": "a(^b)"}}, "has a start inside of it"),
        ({"header": {"x": {"count": {"over": 3}}}}, "header count"),
        ({"headers": {"prefix": "x"}}, "headers prefix"),
        ({"headers": "a'b"}, 'the header name "a\'b" is not of letters'),
        ({"header": {"a$b": "x"}}, "the header name 'a$b' is not of letters"),
        ({"param": {"repeat": {"over": 3}}}, "param repeat"),
        ({"param": {"name": {"prefix": "a", "suffix": "b"}}}, "two tests of one parameter's name or value"),
        ({"param": {"value": {"regex": "a(^b)"}}}, "has ends inside of it"),
        ({"param": {"value": {"regex": "^a^b"}}}, "has ends inside of it"),
        ({"path": {"length": {"over": 100000}}}, "path length of 100000"),
    ],
)
def test_what_no_pattern_can_say(match: dict[str, Any], what: str) -> None:
    with pytest.raises(Unsayable) as raised:
        spots(compile_match(match))
    assert what in str(raised.value)


def test_each_value_is_a_spot_of_its_own() -> None:
    looks = spots(compile_match({"method": ["TRACE", "TRACK"]}))
    assert looks == (Spot("method", r"\ATRACE\z", text=b"TRACE"), Spot("method", r"\ATRACK\z", text=b"TRACK"))


def test_what_measures_says_so() -> None:
    measuring: list[dict[str, Any]] = [
        {"path": {"regex": "[a-z]{200}"}},
        {"segment": {"length": {"over": 9}}},
        {"path": {"run": {"over": 9}}},
    ]
    assert all(spots(compile_match(match))[0].sized for match in measuring)
    assert not spots(compile_match({"path": {"regex": "a{2}"}}))[0].sized
