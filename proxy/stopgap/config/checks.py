"""Is one value of the configuration right, and what would be?

Each check takes a value as written and where it stands, and gives the value as the other parts want it,
or raises a `ConfigError` that says what would be right.
"""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from msgspec.structs import fields

from stopgap import _core
from stopgap.config.model import CANARY, CHOICES, Address, SiteText
from stopgap.errors import ConfigError, nearest
from stopgap.tomlfile import Document, KeyPath

_HOST = re.compile(r"\*|(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\]")
TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""The name of a header, a cookie or a protocol (RFC 9110, section 5.6.2)."""
_METHOD = re.compile(r"[A-Z][A-Z_-]{0,31}")
_FIELD = re.compile(r"(param|form|header|cookie)\.(?s:.+)")

FLAGS = {"origins": "origin", "raw_bytes": "raw-bytes", "admin_token_file": "admin-token-file"}
"""Flags that are not called as the key of the file is."""

SITE_KEYS = frozenset(field.encode_name for field in fields(SiteText))


class At:
    """Where in the file the value stands that is being checked; makes the errors."""

    def __init__(self, document: Document, path: KeyPath = ()) -> None:
        self.document, self.path = document, path

    def __truediv__(self, step: str | int) -> "At":
        return At(self.document, (*self.path, step))

    @property
    def key(self) -> str:
        """The key, such as `site.limits.target`."""
        return ".".join(step for step in self.path if isinstance(step, str))

    def wrong(self, text: str) -> ConfigError:
        """The error `file:line: key: text`, or `--flag: text`."""
        if not self.document.file:
            flag = self.key.removeprefix("site.").replace(".", "-")
            return ConfigError(f"--{FLAGS.get(flag, flag)}: {text}")
        return ConfigError(f"{self.document.where(self.path)}: {self.key}: {text}")


def origins(values: Sequence[str], at: At) -> tuple[Address, ...]:
    if not values:
        raise at.wrong("is empty; name the server to protect, such as http://192.0.2.10:80")
    return tuple(_origin(value, at) for value in values)


def _origin(value: str, at: At) -> Address:
    right = "write http://host:port or https://host:port, such as http://192.0.2.10:80"
    try:
        url = urlsplit(value)
        host, port = url.hostname or "", url.port
    except ValueError:
        raise at.wrong(f'"{value}" is not a URL; {right}') from None
    tls = url.scheme == "https"
    if (
        url.scheme not in ("http", "https")
        or not host
        or url.username is not None
        or port == 0
        or not value.isprintable()
    ):
        raise at.wrong(f'"{value}" is not the URL of an origin; {right}')
    if url.path not in ("", "/") or url.query or url.fragment or " " in host:
        raise at.wrong(f'"{value}" has more than host and port; {right}')
    return Address(host, (443 if tls else 80) if port is None else port, tls=tls)


def address(value: str, at: At) -> Address:
    """`host:port`, `[v6]:port`, `:port`, `unix:/path` or `/path`."""
    if value.startswith(("unix:/", "/")):
        return Address("", 0, value.removeprefix("unix:"))
    host, colon, port = value.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    number = int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else -1
    if (
        not colon
        or not 0 <= number <= 65535
        or (":" in host and bare == host)
        or not host.isprintable()
        or "/" in host
    ):
        raise at.wrong(f'"{value}" is not an address; write host:port, such as 0.0.0.0:80 or [::]:80')
    return Address(bare or "0.0.0.0", number)  # noqa: S104 (":80" asks for all interfaces)


def host(value: str, at: At) -> str:
    lower = value.lower()
    if not _HOST.fullmatch(lower):
        raise at.wrong(f'"{value}" is not a host; write a name without port, "*.example.org" or "*"')
    return lower


def protocol(value: str, at: At) -> str:
    if not TOKEN.fullmatch(value):
        raise at.wrong(f'"{value}" is not the name of a protocol, such as "websocket"')
    return value.lower()


def network(value: str, at: At) -> str:
    try:
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError:
        raise at.wrong(f'"{value}" is not an address or network, such as 192.0.2.0/24') from None


def networks(values: str | list[str], at: At) -> tuple[str, ...]:
    return tuple(network(value, at) for value in listed(values))


def choice(key: str, value: object, at: At) -> None:
    """Whether `value` is one of the words that `key` can have."""
    if value is not None and value not in CHOICES[key]:
        raise at.wrong(f'"{value}" is unknown; choose one of {", ".join(CHOICES[key])}')


def modes(given: Mapping[str, Any], at: At) -> dict[str, str]:
    """The modes of [site.modes]; whether the names exist is for who knows the rules."""
    for name, mode in given.items():
        choice("mode", mode, at / name)
    return dict(given)


def canary(given: int | None, modes: Sequence[str], at: At) -> int:
    """The percentage as given; 0, or the usual one where some mode is a canary."""
    if given is None:
        return CANARY if "canary" in modes else 0
    if not 1 <= given <= 99:
        raise at.wrong(f"must be between 1 and 99 (percent of the clients), not {given}")
    return given


def methods(given: str | list[str] | None, at: At) -> tuple[str, ...]:
    if given is None:
        return ()
    named = tuple(dict.fromkeys(listed(given)))
    if not named:
        raise at.wrong('is empty; name the methods, such as ["GET", "HEAD", "POST"], or leave it out for all')
    for value in named:
        if not _METHOD.fullmatch(value):
            raise at.wrong(f'"{value}" is not a method; write it in upper case, such as "GET"')
    return named


def field(value: str, at: At) -> str:
    """`param.q` and the like: one named value of a request."""
    if not _FIELD.fullmatch(value):
        raise at.wrong(f'"{value}" is no field; write param.NAME, form.NAME, header.NAME or cookie.NAME')
    return value


def codepages(value: int | list[int], at: At) -> tuple[int, ...]:
    pages = tuple(dict.fromkeys(value if isinstance(value, list) else [value]))
    unknown = [page for page in pages if page not in _core.codepages()]
    if unknown or not pages:
        what = f"{unknown[0]} is unknown" if unknown else "is empty"
        raise at.wrong(f"{what}; known: {', '.join(map(str, _core.codepages()))}")
    return pages


def limits(given: Mapping[str, Any], server: str, at: At) -> dict[str, int]:
    """The default limits of the server table with what was given laid over them."""
    defaults = _core.limits(server)
    _known(given, defaults, at)
    for key, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int):
            raise (at / key).wrong(f"must be a whole number (bytes, or how many), not {value!r}")
        if value < 1:
            raise (at / key).wrong(f"{value} is out of range; it must be at least 1")
    return {**defaults, **given}


def deadlines(given: Mapping[str, Any], at: At) -> dict[str, float]:
    """The default deadlines with what was given laid over them."""
    defaults = _core.deadlines()
    _known(given, defaults, at)
    for key, value in given.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise (at / key).wrong(f"must be a number (seconds), not {value!r}")
        if not 0 < value <= 86_400 * 365:
            raise (at / key).wrong(f"{value} is out of range; it must be more than 0")
    return {**defaults, **{key: float(value) for key, value in given.items()}}


def _known(given: Mapping[str, Any], defaults: Mapping[str, Any], at: At) -> None:
    for key in given:
        if key in defaults:
            continue
        if key in SITE_KEYS:
            raise (at / key).wrong(f"belongs to the site; write it above [{at.key}]")
        raise (at / key).wrong(f"unknown key{nearest(key, defaults)}")


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
