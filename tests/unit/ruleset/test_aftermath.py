"""Do the steps after an exploit that was answered name the rule, the site and the advisory's places?"""

import msgspec

from stopgap.ruleset.aftermath import BY_REFERENCE, DOUBT, steps
from stopgap.ruleset.load import packaged

RULES = {rule.id: rule for pack in packaged() for rule in pack.rules}


def told(rule: str, status: int) -> list[str]:
    return list(steps("00000000000000ab", "kaikei", status, rule, RULES.get(rule)))


def test_a_worm_of_2001() -> None:
    first, close, fix, mapping, traces, last = told("ida-idq", 200)
    assert first.startswith("The origin answered 200:")
    assert 'of site "kaikei" put code-red = "block" or only ida-idq = "block", then' in close
    assert "--event 00000000000000ab" in close
    assert "CVE-2001-0500, MS01-033" in fix
    assert (mapping, traces) == BY_REFERENCE["MS01-033"]
    assert last == DOUBT


def test_a_server_that_broke_is_told_apart() -> None:
    assert told("proxylogon", 500)[0].startswith("The origin answered 500: something broke")
    assert not set(told("proxylogon", 200)) & set(BY_REFERENCE["MS01-033"])


def test_a_rule_that_is_gone_has_the_steps_that_hold_for_all() -> None:
    assert len(told("never-was", 200)) == 3


def test_a_rule_that_only_detects_is_changed_itself() -> None:
    rule = msgspec.structs.replace(RULES["ida-idq"], action="detect", file="own.toml")
    assert "give rule ida-idq in own.toml another action" in list(steps("ab", "s", 200, "ida-idq", rule))[1]


def test_every_reference_is_one_of_a_rule() -> None:
    assert set(BY_REFERENCE) <= {reference for rule in RULES.values() for reference in rule.refs}
