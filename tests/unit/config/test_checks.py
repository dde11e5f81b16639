"""Are single values of the configuration judged right?"""

from collections.abc import Callable

import pytest

from stopgap.config import Address, checks
from stopgap.config.checks import At
from stopgap.errors import ConfigError
from stopgap.tomlfile import parse

AT = At(parse("a.toml", b"key = 1\n"), ("key",))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("0.0.0.0:80", Address("0.0.0.0", 80)),
        ("[::1]:80", Address("::1", 80)),
        (":80", Address("0.0.0.0", 80)),
        ("localhost:0", Address("localhost", 0)),
        ("unix:/run/a.sock", Address("", 0, "/run/a.sock")),
        ("/run/a.sock", Address("", 0, "/run/a.sock")),
    ],
)
def test_address(text: str, address: Address) -> None:
    assert checks.address(text, AT) == address


@pytest.mark.parametrize(
    "text", ["", "80", "a:b", "a:65536", "a:-1", "::1:80", "a:８０", "http://a:80", "a\x00:80"]
)
def test_no_address(text: str) -> None:
    with pytest.raises(ConfigError, match=r"a\.toml:1: key: .* is not an address"):
        checks.address(text, AT)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("http://192.0.2.1", Address("192.0.2.1", 80)),
        ("http://h:8080/", Address("h", 8080)),
        ("http://[2001:db8::1]:81", Address("2001:db8::1", 81)),
        ("HTTP://H", Address("h", 80)),
        ("https://h", Address("h", 443, tls=True)),
        ("https://[::1]:8443/", Address("::1", 8443, tls=True)),
    ],
)
def test_origins(text: str, address: Address) -> None:
    assert checks.origins([text], AT) == (address,)


@pytest.mark.parametrize(
    "text",
    ["", "h", "h:80", "http://", "http://h:0", "http://h:99999", "http://h:x", "http://h/p", "http://h?q", "http://[h",
     "http://u@h", "https://", "ftp://h", "http://h\n", "//h"],
)  # fmt: skip
def test_no_origin(text: str) -> None:
    with pytest.raises(ConfigError, match=r"a\.toml:1: key: .*write http://host:port or https://host:port"):
        checks.origins([text], AT)


def test_origins_must_be_named() -> None:
    with pytest.raises(ConfigError, match="is empty; name the server to protect"):
        checks.origins([], AT)


@pytest.mark.parametrize("text", ["*", "a", "*.A.example", "192.0.2.1", "[::1]", "a_b"])
def test_host(text: str) -> None:
    assert checks.host(text, AT) == text.lower()


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (checks.host, "a:80"),
        (checks.host, "*a"),
        (checks.host, "会計.jp"),
        (checks.host, ""),
        (checks.protocol, "web socket"),
        (checks.network, "192.0.2.0/33"),
        (checks.network, "all"),
    ],
)
def test_refused(check: Callable[[str, At], str], text: str) -> None:
    with pytest.raises(ConfigError, match=r"a\.toml:1: key: "):
        check(text, AT)


def test_codepages() -> None:
    assert checks.codepages([932, 1252, 932], AT) == (932, 1252)
    with pytest.raises(ConfigError, match=r"a\.toml:1: key: 933 is unknown; known: "):
        checks.codepages(933, AT)
    with pytest.raises(ConfigError, match=r"a\.toml:1: key: is empty; known: "):
        checks.codepages([], AT)
