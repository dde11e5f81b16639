"""Are the values of the cookie the same everywhere, and of use to nobody who does not know the origins?"""

from pathlib import Path

import pytest

from stopgap.config import Address, sticky
from stopgap.config.checks import At
from stopgap.config.model import StickyText
from stopgap.errors import ConfigError
from stopgap.tomlfile import parse

AT = At(parse("a.toml", b"key = 1\n"), ("key",))
TWO = (Address("192.0.2.1", 80), Address("192.0.2.2", 80))
VALUES = ("5ddb2de46885904d", "dfa1fe16f5a95301")


def test_values_are_the_same_in_every_process() -> None:
    kept = sticky.kept(StickyText("STOPGAP"), "shop", TWO, AT)
    assert kept.values == VALUES
    assert sticky.kept(StickyText("S"), "shop", TWO[::-1], AT).values == kept.values[::-1]
    assert not set(sticky.kept(StickyText("S"), "other", TWO, AT).values) & set(kept.values)


def test_a_secret_changes_them(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("0123456789abcdef\n")
    file.chmod(0o600)
    kept = sticky.kept(StickyText("S", str(file)), "shop", TWO, AT)
    assert not set(kept.values) & set(VALUES)
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="open to every user"):
        sticky.kept(StickyText("S", str(file)), "shop", TWO, AT)


@pytest.mark.parametrize("name", ["", "a b", "a=b", "a;b", "é", "x" * 65])
def test_a_cookie_is_a_token(name: str) -> None:
    with pytest.raises(ConfigError, match=r"^a\.toml:1: key\.cookie: .* is no name of a cookie"):
        sticky.kept(StickyText(name), "shop", TWO, AT)
