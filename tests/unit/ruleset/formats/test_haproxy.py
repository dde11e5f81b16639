"""What does a rule look like as lines of HAProxy: acls, conditions, actions?"""

from typing import Any

from stopgap.ruleset.formats import haproxy
from tests.unit.ruleset.formats.making import rule, site


def lines(match: dict[str, Any], **more: Any) -> list[str]:
    text = haproxy.write(site(), [rule(match, **more)]).text
    return [line.strip() for line in text.split("\n") if line.startswith("    ") and "#" not in line]


def test_an_acl_a_test_and_a_condition_a_case() -> None:
    *acls, one, other = lines({"method": ["PUT", "COPY"], "any": [{"host": "a"}, {"not": {"host": "b"}}]})
    names = [acl.split()[1] for acl in acls]
    assert [name.rpartition("-")[2] for name in names] == ["1", "1", "2", "3"]
    assert one == f"http-request deny deny_status 404 if {names[0]} {names[2]}"
    assert other == f"http-request deny deny_status 404 if {names[0]} !{names[3]}"


def test_a_path_is_looked_at_twice() -> None:
    first, second, _ = lines({"path": "/a"})
    assert " path,url_dec -m reg " in first and " path,regsub(%u00,%,ig),url_dec,url_dec -m reg " in second


def test_actions() -> None:
    acts = {
        "block": "deny deny_status 404",
        "drop": "reject",
        "tarpit": "tarpit deny_status 404",
    }
    for action, words in acts.items():
        assert lines({"method": "PUT"}, action=action)[-1].startswith(f"http-request {words} if ")
    assert lines({"method": "PUT"}, action="strip", strip=["if"])[-1].startswith(
        "http-request del-header if if "
    )
    assert " deny_status 403 " in lines({"method": "PUT"}, status=451)[-1]
