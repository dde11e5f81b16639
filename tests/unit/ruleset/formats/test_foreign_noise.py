"""Does a foreign file with any damage end in an import or an error with its line, never in a traceback?"""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stopgap.errors import FormatError
from stopgap.ruleset import formats
from stopgap.ruleset.formats.settle import settle
from stopgap.ruleset.formats.source import Source

RULES = r"""alert http any any -> any any (msg:"a"; http.uri; content:"/a|2e|b?"; nocase; startswith; sid:1;)
alert tcp $A any -> $B $C (msg:"b"; pcre:"/^[^?]*\/x(a|b)+\.exe$/Ui"; content:!"PUT"; http_method; sid:2;)
drop http any any -> any any (http.user_agent; content:"x"; bsize:1; urilen:>9,raw; reference:cve,1-2; sid:3;)
"""
PATCH = """name: a/b
rules:
  - and:
    - {zones: [URI, ARGS], transform: [lowercase], match: {type: regex, value: '/a[0-9]+|b$'}}
    - zones: [HEADERS]
      variables: [x]
      match: {type: equals, value: 1, not: false}
labels: {classification: [cve.CVE-1-2]}
"""
FILES = {"suricata": RULES, "crowdsec": PATCH}


@st.composite
def damaged(draw: st.DrawFn, text: str) -> str:
    """A file with some pieces cut out, doubled, or put elsewhere."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        noise = draw(
            st.sampled_from(
                ["", text[start:end] * 2, '"', ";", "\\", "|", "{", "[", ":", "\n", "(", "é", "-"]
            )
        )
        text = text[:start] + noise + text[end:]
    return text


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=60)
@given(data=st.data())
def test_damage_is_told(name: str, data: st.DataObject) -> None:
    source = Source("f", data.draw(damaged(FILES[name])))
    try:
        imported = settle(formats.read(name, source), "f")
    except FormatError as error:
        assert re.match(r"f:\d+: ", str(error))
    else:
        assert imported.rules or imported.report
