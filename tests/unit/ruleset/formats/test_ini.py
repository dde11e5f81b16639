"""Which lines does an .ini file have once comments are gone, and what in it is refused?"""

import pytest

from stopgap.errors import FormatError
from stopgap.ruleset.formats.filter import Entry
from stopgap.ruleset.formats.ini import Setting, sections
from stopgap.ruleset.formats.source import Source


def test_sections_entries_and_comments() -> None:
    found = sections(Source("f", "; head\n\n[ One ] ; the first\n a ; b\nc=d = e;f\n[two]\n"))
    assert list(found) == ["one", "two"]
    one = found["one"]
    assert (one.name, one.line) == ("One", 3)
    assert one.entries == (Entry("a", 4), Entry("c=d = e", 5))
    assert found["two"].entries == ()


def test_settings() -> None:
    source = Source("f", "[o]\nKey = a=b\nempty=\n")
    assert list(sections(source)["o"].settings(source)) == [Setting("Key", "a=b", 2), Setting("empty", "", 3)]


@pytest.mark.parametrize("text", ["[o]\n=x\n", "[o]\nx\n", "[o]\nA=1\na=2\n"])
def test_settings_that_are_wrong(text: str) -> None:
    source = Source("f", text)
    with pytest.raises(FormatError):
        list(sections(source)["o"].settings(source))


@pytest.mark.parametrize("text", ["x\n", "[a\n", "[]\n", "[a] x\n", "[a]\n[A]\n"])
def test_sections_that_are_wrong(text: str) -> None:
    with pytest.raises(FormatError):
        sections(Source("f", text))
