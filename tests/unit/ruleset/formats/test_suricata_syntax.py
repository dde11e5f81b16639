"""Is a file of rules read as Suricata does, and one with a fault refused with its line and what is right?"""

import pytest

from stopgap.errors import FormatError
from stopgap.ruleset.formats.source import Source
from stopgap.ruleset.formats.suricata_syntax import Option, content, signatures

HEAD = "alert http any any -> any any "


def test_a_file_of_rules() -> None:
    text = f"""
# {HEAD}(sid:1;)

{HEAD}(msg:"a;b \\"c\\" (d)"; content:!"x|3a 20|"; nocase; \\
    sid:2; )
drop tcp $A any -> $B $C (flow: to_server , established; sid:3;)
"""
    first, second = signatures(Source("x.rules", text))
    assert (first.line, first.action, first.header) == (
        4,
        "alert",
        ("http", "any", "any", "->", "any", "any"),
    )
    assert first.options == (
        Option("msg", 'a;b \\"c\\" (d)', quoted=True),
        Option("content", "x|3a 20|", negated=True, quoted=True),
        Option("nocase"),
        Option("sid", "2"),
    )
    assert [str(option) for option in first.options[1:]] == ['content:!"x|3a 20|"', "nocase", "sid:2"]
    assert (second.line, second.header[2:6]) == (6, ("any", "->", "$B", "$C"))
    assert second.first("flow") == "to_server , established"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "x:1: holds no rule; a rule is"),
        ("hello", "x:1: is no rule; write `action protocol"),
        (
            "\nblok http any any -> any any (sid:1;)",
            'x:2: action: "blok" is unknown; it is one of alert, drop',
        ),
        (HEAD + "(sid:1;", 'x:1: the options are not closed; a rule ends in ";)"'),
        (HEAD + "(sid:1)", 'x:1: sid: is not closed; an option ends in ";"'),
        (HEAD + '(content:"a; sid:1;)', 'x:1: content: is not closed; an option ends in ";", a quoted text'),
        (HEAD + "(nocase x; sid:1;)", 'x:1: nocase: "x" does not belong there; write `nocase:value;`'),
        (HEAD + "(;sid:1;)", 'x:1: an option is expected at ";sid:1;"'),
        (
            HEAD + "(nocase;)",
            'x:1: sid: is missing; a rule has one number of its own, such as "sid:1000001;"',
        ),
        (HEAD + "(sid:a;)", "x:1: sid: is missing"),
        (f"{HEAD}(sid:7;)\n{HEAD}(sid:7;)", "x:2: sid: 7 is already the rule of line 1"),
    ],
)
def test_faults(text: str, wrong: str) -> None:
    with pytest.raises(FormatError) as raised:
        signatures(Source("x", text))
    assert str(raised.value).startswith(wrong)


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        ("abc", b"abc"),
        ("|3a 20|b|0D0a|", b": b\r\n"),
        (r"a\;b\"c\\d\:", b'a;b"c\\d:'),
        (r"a\|b", b"a|b"),
        ("é", "é".encode()),
    ],
)
def test_contents(text: str, raw: bytes) -> None:
    assert content(text) == raw


@pytest.mark.parametrize("text", ["a|3", "|3|", "|xy|"])
def test_contents_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"closed|hex"):
        content(text)
