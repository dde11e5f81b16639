"""Can a text in a rule mean anything to a program whose configuration it is written into?

It cannot, because no text is written there: only patterns of letters, digits, escapes and signs of a regex
that none of the three parsers looks at. The real programs load the worst of them in
`tests/e2e/test_exports.py`.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stopgap.config import Site
from stopgap.ruleset.formats import haproxy, nginx, seclang
from stopgap.ruleset.formats.model import Exported
from stopgap.ruleset.model import Rule
from tests.unit.ruleset.formats.making import rule, shipped, site

PATTERN = r"(?:[A-Za-z0-9_()|?*+.:,=!<>\[\]^&/ {}-]|\\x[0-9a-f]{2}|\\[Azb1B])*"
HAPROXY = rf"    (?:#.*|acl [\w-]+ [\w.,()%-]+ -m reg '{PATTERN}'|http-request [a-z_0-9 -]+ if [!\w -]+)"
NGINX = (
    rf"#.*|\}}|map (?:\$\w+|\"[$\w:]+\") \$\w+ \{{|    default (?:0|\"\");|"
    rf"    \"~{PATTERN}\" (?:1|\"[\w.-]+ \");"
    r'|map "[$\w]*" \$\w+ \{|    default ""; "~\\A\(\?<\w+>\[\^ \]\+\)" "?\$\w+ ?"?;'
    r'|map \$request_uri \$stopgap_raw \{ default ""; "~\\A\(\?<stopgap_path>\[\^\?\]\*\)" \$stopgap_path; \}'
)
SECLANG = rf"#.*| *SecRule [&|\w:-]+ \"(?:!?@rx {PATTERN}|@eq 0)\" \"[\w:,.'-]+\""
WRITERS: dict[str, tuple[Callable[[Site, Sequence[Rule]], Exported], str]] = {
    "haproxy": (haproxy.write, HAPROXY),
    "nginx": (nginx.write, NGINX),
    "seclang": (seclang.write, SECLANG),
}
NASTY = st.text(st.sampled_from("ab\"' \n\r\t\\#{}$%;,()|!@/.?*+[]^&=é表\0\x7f"), min_size=1, max_size=8)


def wrong_lines(writer: str, *rules: Rule) -> list[str]:
    write, grammar = WRITERS[writer]
    text = write(site(), rules).text
    return [line for line in text.split("\n") if line and not re.fullmatch(grammar, line) and line[0] != "#"]


@pytest.mark.parametrize("writer", WRITERS)
@given(text=NASTY, test=st.sampled_from(["equals", "prefix", "suffix", "contains"]), title=NASTY)
def test_any_text_is_harmless(writer: str, text: str, test: str, title: str) -> None:
    matches: list[dict[str, Any]] = [
        {"path": {test: text}},
        {"segment": {test: text}},
        {"query": {test: text}},
        {"header": {"x-a": {test: text}}},
        {"param": {"name": {test: text}, "value": {test: text}}},
        {"not": {"path": {test: text}}, "method": "GET"},
    ]
    rules = [rule(match, f"r{number}", title=title) for number, match in enumerate(matches)]
    assert wrong_lines(writer, *rules) == []


@pytest.mark.parametrize("writer", WRITERS)
def test_every_shipped_rule_is_harmless(writer: str) -> None:
    assert wrong_lines(writer, *shipped()[1]) == []
