"""What does a rule look like as SecRules: chains, absent headers, forms of a path, actions?"""

from stopgap.ruleset.formats import seclang
from stopgap.ruleset.model import Rule
from tests.unit.ruleset.formats.making import rule, site


def lines(one: Rule) -> list[str]:
    return [line.strip() for line in seclang.write(site(), [one]).text.split("\n") if "SecRule " in line]


def test_an_and_is_a_chain() -> None:
    first, second = lines(rule({"method": "PUT", "host": "a"}))
    assert first.endswith(",deny,status:404,log,msg:'ours',t:none,chain\"")
    assert second == r'SecRule REQUEST_HEADERS:Host "@rx \A(?i:a)\z" "t:none"'


def test_a_path_is_looked_at_in_every_form() -> None:
    (line,) = lines(rule({"path": {"contains": "a"}}))
    assert line.endswith('t:none,t:urlDecodeUni,t:urlDecodeUni,t:normalizePathWin,multiMatch"')


def test_a_header_may_also_be_absent() -> None:
    chains = lines(rule({"method": "PUT", "not": {"header": {"x": "a"}}}))
    assert chains[1] == r'SecRule REQUEST_HEADERS:x "!@rx \A(?i:a)\z" "t:none"'
    assert chains[3] == 'SecRule &REQUEST_HEADERS:x "@eq 0" "t:none"'
    ids = [line.partition("id:")[2].split(",")[0] for line in chains if "id:" in line]
    assert int(ids[1]) == int(ids[0]) + 1


def test_what_may_not_fit_is_not_asked_of_each_form() -> None:
    assert "multiMatch" not in lines(rule({"method": "PUT", "not": {"path": "/a"}}))[1]


def test_headers_of_which_one_is_there() -> None:
    (line,) = lines(rule({"headers": ["a", "b"]}))
    assert line.startswith('SecRule REQUEST_HEADERS:a|REQUEST_HEADERS:b "@rx (?s:.)" ')


def test_actions() -> None:
    assert ",pass,log," in lines(rule({"method": "PUT"}, action="detect"))[0]
    assert ",deny,status:403,log," in lines(rule({"method": "PUT"}, status=403))[0]
    assert ",phase:2," in lines(rule({"body": {"contains": "a"}}))[0]


def test_a_form_is_a_body_that_says_so() -> None:
    _, declared = lines(rule({"form": {"name": "a"}}))
    assert declared == 'SecRule REQUEST_HEADERS:Content-Type "@rx (?i:urlencoded)" "t:none"'
    chains = [
        line for line in lines(rule({"method": "PUT", "not": {"form": {"name": "a"}}})) if "id:" not in line
    ]
    assert [chain.split('"')[0] for chain in chains] == [
        "SecRule REQUEST_BODY ",
        "SecRule REQUEST_HEADERS:Content-Type ",
        "SecRule &REQUEST_HEADERS:Content-Type ",
    ]
