"""Are elements found with their lines, and is nothing expanded, fetched or followed without end?"""

import pytest

from stopgap.errors import FormatError
from stopgap.ruleset.formats.source import Source, decode
from stopgap.ruleset.formats.xmlfile import parsed


def test_elements_and_lines() -> None:
    root = parsed(Source("f", '<a>\n<b x="1"/>\n<!-- c -->\n<b\n x="&lt;"/></a>'))
    assert (root.name, root.line) == ("a", 1)
    assert [(one.attributes["x"], one.line) for one in root.named("b")] == [("1", 2), ("<", 4)]


def test_the_declared_encoding_does_not_matter_any_more() -> None:
    text = '<?xml version="1.0" encoding="Shift_JIS"?><a x="会計"/>'
    assert parsed(decode(text.encode("cp932"), "f")).attributes["x"] == "会計"


LAUGHS = "".join(f'<!ENTITY b{n} "{f"&b{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "text",
    [
        f'<!DOCTYPE a [<!ENTITY b0 "x">{LAUGHS}]><a>&b9;</a>',
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
        '<!DOCTYPE a SYSTEM "http://192.0.2.1/a.dtd"><a/>',
        "<!DOCTYPE a><a/>",
        "<a>&b;</a>",
        "<a>",
        "<a/><b/>",
        "a",
        "",
        "<a>" * 4000,
        "<a \x01='1'/>",
    ],
)
def test_what_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match=r"^f:\d+: "):
        parsed(Source("f", text))
