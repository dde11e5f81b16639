"""Does an explanation say how the request was read, what was found where, and why it is refused?"""

import io
import json
from typing import Any

import pytest

from stopgap import _core
from stopgap.cli.terminal import console
from stopgap.ruleset import load, spec, vectors
from stopgap.ruleset.explain import Explanation, read, render, shown

RULES = [rule for pack in load.packaged() for rule in pack.rules]
SITE = {**vectors.bench_site("iis5", 932, range(len(RULES))), "mode": "detect"}
POLICY = spec.compiled(spec.join(RULES, [SITE], spec.Registry()))


def explained(text: str) -> Explanation:
    return read(POLICY.explain(vectors.request(text), 0))


def lines(text: str, exceptions: tuple[str, ...] = ()) -> list[str]:
    out = io.StringIO()
    console(out).print(render(explained(text), {rule.id: rule for rule in RULES}, exceptions), end="")
    return out.getvalue().splitlines()


def test_a_refused_request() -> None:
    seen = lines("GET /x.%2569da?a=b HTTP/1.0")
    assert seen[0] == "request   GET /x.%2569da?a=b"
    assert seen[1] == "site      iis5-932: host vector.test, server iis5, mode detect"
    assert any(line.startswith("reading ") and "/x.ida" in line for line in seen)
    assert any(line.startswith("query 0") and "a=b" in line for line in seen)
    assert any("extension-denied, rule ida-idq" in line and "extension ida" in line for line in seen)
    assert any(line.startswith("found     double-escape, rule double-decoding") for line in seen)
    assert "verdict   refused with 404 (IIS 404.7): extension-denied, denied" in seen
    assert "rule      ida-idq: Index Server extensions: Code Red and whatever follows it" in seen
    assert any(line.startswith("refs      CVE-2001-0500, MS01-033") for line in seen)
    assert seen[-1] == "mode      the site is in detect mode: it is counted, logged and forwarded"


def trial(action: str, **site: Any) -> list[str]:
    """The lines about a request that a rule with this action matches."""
    match = {"field": "path", "test": "prefix", "value": ["/trial"]}
    strip = {"strip": ["Translate"]} if action == "strip" else {}
    rule = {"id": "trial", "counter": 0, "match": match, "action": action, **strip}
    keys = {**vectors.bench_site("iis5", 932, [0]), "counter": 0, "mode": "block", **site}
    policy = _core.Policy(json.dumps({"rules": [rule], "sites": [keys]}).encode())
    out = io.StringIO()
    console(out).print(render(read(policy.explain(vectors.request("GET /trial HTTP/1.0"), 0)), {}), end="")
    return [" ".join(line.split()) for line in out.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("action", "site", "fate", "mode"),
    [
        ("block", {}, "refused with 404 (IIS 404.5)", None),
        ("drop", {}, "closed without an answer", None),
        ("tarpit", {}, "refused with 404 (IIS 404.5) when the tarpit's deadline is over", None),
        ("strip", {}, "forwarded without the rule's headers", None),
        ("detect", {}, "counted, logged and forwarded", "the rule only ever detects"),
        (
            *("block", {"mode": "detect"}, "refused with 404 (IIS 404.5)"),
            "the site is in detect mode: it is counted, logged and forwarded",
        ),
        (
            *("drop", {"modes": {"trial": "detect"}}, "closed without an answer"),
            "this rule or reason is in detect mode: it is counted, logged and forwarded",
        ),
        (
            *("block", {"mode": "canary", "canary": 10}, "refused with 404 (IIS 404.5)"),
            "the site is in canary mode: so it is for the site's share of the clients; for others it is"
            " counted, logged and forwarded",
        ),
        (
            *("block", {"mode": "detect", "modes": {"trial": "block"}}, "refused with 404 (IIS 404.5)"),
            "this rule or reason is in block mode on a site that does not block",
        ),
    ],
)
def test_an_action_in_a_mode(action: str, site: dict[str, Any], fate: str, mode: str | None) -> None:
    seen = trial(action, **site)
    assert f"verdict {fate}: url-denied, denied" in seen
    assert [line for line in seen if line.startswith("mode ")] == ([f"mode {mode}"] if mode else [])


def test_what_is_carried_out_comes_before_what_is_detected() -> None:
    site = {**SITE, "mode": "block", "modes": {"ida-idq": "detect"}}
    policy = spec.compiled(spec.join(RULES, [site], spec.Registry()))
    seen = read(policy.explain(vectors.request("GET /x%5cy.ida HTTP/1.0"), 0))
    assert seen.verdict and (seen.verdict.reason, seen.verdict.mode) == ("backslash", "block")
    assert {(one.rule, one.mode) for one in seen.findings if one.rule == "ida-idq"} == {("ida-idq", "detect")}


def test_a_refused_head_does_not_hide_what_is_wrong_with_the_body() -> None:
    (vector, *_) = next(rule.block for rule in RULES if rule.id == "rds-shell")
    seen = explained(vector.text)
    assert seen.verdict
    assert seen.verdict.rule == "rds"
    assert "rds-shell" in [finding.rule for finding in seen.findings]


def test_a_request_that_passes() -> None:
    assert lines("GET / HTTP/1.0")[-1] == "verdict   passes"


def test_a_request_that_cannot_be_parsed() -> None:
    seen = lines("GET  / HTTP/1.0")
    assert seen[0] == "request   (cannot be parsed)"
    assert "verdict   refused with 400: bad-request-line, malformed" in seen
    assert seen[-1] == "mode      the site is in detect mode: it is refused even so"


def test_an_attack_cannot_paint_the_terminal() -> None:
    seen = "\n".join(lines(r"GET /%1b[31m%0aa HTTP/1.0"))
    assert "\x1b" not in seen
    assert r"\x1b[31m\na" in seen


def test_long_text_is_cut_in_the_middle() -> None:
    text = shown("a" * 5000 + "b" * 10)
    assert len(text) < 500
    assert "(5010 characters)" in text
    assert text.endswith("b" * 10)


def test_exceptions_are_named() -> None:
    excepted: dict[str, Any] = {"id": "a", "rule": "ida-idq", "path": "/s/*.idq", "clients": [], "when": None}
    policy = spec.compiled(spec.join(RULES, [{**SITE, "exceptions": [excepted]}], spec.Registry()))
    seen = read(policy.explain(vectors.request("GET /s/a.idq HTTP/1.0"), 0))
    assert seen.verdict is None
    out = io.StringIO()
    console(out).print(render(seen, {}, ("search page (web team)",)), end="")
    assert "excepted: search page (web team)" in out.getvalue()
