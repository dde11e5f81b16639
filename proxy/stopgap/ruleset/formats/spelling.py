"""How is a piece of text spelt inside a vector or a match, so that it means itself and nothing else?

`stopgap.ruleset.vectors` gives `{x*3}` and `\\xHH` a meaning, and a match the latter; foreign text may hold
both by chance.
"""

import re
from urllib.parse import quote

from stopgap.ruleset.match import unescaped

_BYTE = re.compile(r"\\x([0-9A-Fa-f]{2})")
_URL = "!$&'()*,-./:;=@_~"


def in_path(text: str) -> str:
    """As part of a path: escaped once, what is not ASCII as UTF-8."""
    return quote(text, safe=_URL)


def in_query(text: str) -> str:
    """As part of a query: escaped once, and no separator of parameters."""
    return quote(text, safe="!$'()*,-./:;@_~")


def as_it_is(text: str) -> str:
    """As bytes on the wire, unescaped: in a header, or in a raw query."""
    plain = {"\\": "\\x5c", "{": "\\x7b", "}": "\\x7d"}
    return "".join(
        plain.get(one) or (one if one.isascii() and one.isprintable() else _bytes(one)) for one in text
    )


def _bytes(one: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in one.encode())


def in_match(text: str) -> str:
    """As a value of a match, where `\\xHH` would be a raw byte."""
    return _BYTE.sub(r"\\x5cx\1", text)


def from_match(value: str) -> str | None:
    """The text that a value of a match means; None when it is no text."""
    try:
        return unescaped(value.encode()).decode()
    except UnicodeDecodeError:
        return None
