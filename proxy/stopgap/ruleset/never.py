"""Which texts can a field never hold, however a request is spelled, and what should be written instead?

Each field has a table of what its readings never contain. The wire grammar refuses control bytes in a head
before a rule is asked; a decoded path is UTF-8, in lower case, with `/` for every separator. `\\xHH` in a
value is a byte, as for the core. Regexes are not looked into.
"""

import re
from typing import Final

from stopgap.config.checks import TOKEN
from stopgap.ruleset.match import unescaped

Never = tuple[re.Pattern[bytes], str]

_UTF8 = re.compile(
    rb"[\x80-\xbf]{0,3}"
    rb"(?:[\x00-\x7f]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})*"
    rb"(?:[\xc2-\xf4]|[\xe0-\xf4][\x80-\xbf]|[\xf0-\xf4][\x80-\xbf]{2})?"
)
"""Any part of a valid text: it may begin and end within a character."""

_PERCENT = re.compile(rb"%[0-9A-Fa-f]{2}|%u[0-9A-Fa-f]{4}", re.IGNORECASE)
_REFUSED = "a head with a control byte is refused before the rules"
_CONTROL = (re.compile(rb"[\x00-\x1f\x7f]"), _REFUSED)
_CONTROL_NOT_TAB = (re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]"), _REFUSED)
_SPACE = (re.compile(rb" "), "no target holds a raw space")
_QUERY = (re.compile(rb"\?"), 'what follows "?" is the query; test query')

_IN_PATH: tuple[Never, ...] = (
    (_PERCENT, "a path is tested decoded; write the character itself, or test path.raw"),
    (re.compile(rb"\\"), 'a backslash is read as "/"; write "/"'),
    (re.compile(rb"//"), 'runs of "/" are read as one; write "/"'),
    _QUERY,
)
_IN_NAME: tuple[Never, ...] = (
    (_PERCENT, "names are tested decoded; write the character itself, or test path.raw"),
    (re.compile(rb"[/\\]"), "a name ends at a slash; test path"),
    _QUERY,
)
_IN_EXTENSION: tuple[Never, ...] = (
    (re.compile(rb"\."), 'an extension is what follows the last dot; write it without "."'),
    *_IN_NAME,
)

CONTENTS: Final[dict[str, tuple[Never, ...]]] = {
    "path": _IN_PATH,
    "segment": _IN_NAME,
    "basename": _IN_NAME,
    "extension": _IN_EXTENSION,
    "method": (
        (re.compile(rb"[^A-Z_-]"), "a method of anything but upper-case letters is refused before the rules"),
    ),
    "host": (
        (re.compile(rb"[/\\ @?#]"), "no host holds it"),
        (re.compile(rb"[\x80-\xff]"), "a host is ASCII; write its xn-- name"),
        _CONTROL,
    ),
    "path.raw": (_QUERY, _SPACE, _CONTROL),
    "query.raw": ((re.compile(rb" "), 'no target holds a raw space; test query, where "+" is one'), _CONTROL),
    "target": (_SPACE, _CONTROL),
    "headers": ((re.compile(rb"[^A-Za-z0-9!#$%&'*+.^_`|~-]"), "no header name holds it"),),
    "header": (_CONTROL_NOT_TAB,),
    "cookie": ((re.compile(rb";"), 'a cookie ends at ";"'), _CONTROL_NOT_TAB),
}
"""By field: what its readings never hold, and what to write instead."""

DECODED = frozenset({"path", "segment", "basename", "extension"})
"""What is tested in the readings of the path, which are UTF-8."""

TRIMMED = {
    "equals": re.compile(rb"[ \t].*|.*[ \t]", re.DOTALL),
    "prefix": re.compile(rb"[ \t].*", re.DOTALL),
    "suffix": re.compile(rb".*[ \t]", re.DOTALL),
}
"""By test: texts that are never found because white space around the value of a header is cut off."""

VERSIONS = (b"http/1.0", b"http/1.1")


def text(field: str, test: str, value: str) -> str:
    """Why `test` can never find `value` in `field`; "" when it can."""
    raw = unescaped(value.encode("utf-8", "surrogatepass"))
    for pattern, why in CONTENTS.get(field, ()):
        if pattern.search(raw):
            return why
    if field in DECODED and not _UTF8.fullmatch(raw):
        return "a path is decoded to UTF-8; write the character itself, or test path.raw"
    if field == "path" and test in ("equals", "prefix") and not raw.startswith(b"/"):
        return 'a path starts with "/"'
    if field == "header" and test in TRIMMED and TRIMMED[test].fullmatch(raw):
        return "white space around the value of a header is cut off"
    if field == "version" and not any(_found(test, raw.lower(), version) for version in VERSIONS):
        return "a version other than HTTP/1.0 and HTTP/1.1 is refused before the rules"
    return ""


def name(field: str, written: str) -> str:
    """Why no header or cookie can have this name; "" when one can."""
    if field in ("header", "cookie") and not TOKEN.fullmatch(written):
        return f"no {field} has such a name"
    return ""


def _found(test: str, value: bytes, there: bytes) -> bool:
    tests = {"equals": there == value, "prefix": there.startswith(value), "suffix": there.endswith(value)}
    return tests.get(test, value in there)
