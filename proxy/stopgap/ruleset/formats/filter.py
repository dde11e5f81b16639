"""What can URLScan and the Request Filtering of IIS 7 both say?

They are one idea in two files, so both are read into a `Filter` and written from one. `filter_in` makes rules
and settings of it, `filter_out` makes it of rules and settings. Each entry knows its line, for the report.
"""

import re
from enum import StrEnum

from msgspec import Struct


class Entry(Struct, frozen=True):
    """One name or string of a list, and its line in the file that it came from (0: from no file)."""

    text: str
    line: int = 0


Entries = tuple[Entry, ...]


class Listing(Struct, frozen=True):
    """A list of what alone is allowed, or of what is denied."""

    allow: bool
    entries: Entries
    line: int = 0


class Scan(StrEnum):
    """A place in which a filtering rule looks for its strings."""

    URL = "url"
    QUERY = "query"
    HEADERS = "headers"
    RAW = "raw"


class FilterRule(Struct, frozen=True):
    """A section of RuleList, or a filteringRule. `extensions` () means that it holds for all."""

    name: str
    strings: Entries
    scans: frozenset[Scan]
    headers: Entries = ()
    extensions: Entries = ()
    percent: bool = False
    line: int = 0


class Filter(Struct, frozen=True):
    """All of it, defaults filled in. A limit None is not set; extensions are without dot, "" is none.

    `banner` says that answers name the server.
    """

    detect: bool = False
    banner: bool = True
    verbs: Listing | None = None
    extensions: Listing | None = None
    headers: Entries = ()
    url_sequences: Entries = ()
    query_sequences: Entries = ()
    segments: Entries = ()
    body: int | None = None
    path: int | None = None
    query: int | None = None
    header_limits: tuple[tuple[Entry, int], ...] = ()
    high_bit: bool = True
    many_dots: bool = True
    double_escape: bool = False
    unescape_query: bool = True
    allowed_urls: Entries = ()
    allowed_queries: Entries = ()
    rules: tuple[FilterRule, ...] = ()


def texts(entries: Entries) -> list[str]:
    """The texts of a list, each once, in its order."""
    return list(dict.fromkeys(entry.text for entry in entries))


USUAL_HEADERS = (
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "authorization",
    "cache-control",
    "content-type",
    "cookie",
    "from",
    "if-modified-since",
    "if-none-match",
    "origin",
    "pragma",
    "range",
    "referer",
    "soapaction",
    "translate",
    "user-agent",
    "via",
    "x-forwarded-for",
    "x-requested-with",
)
"""Where a rule looks that shall look into all headers; a rule here names each of its headers."""

URL_FIELDS = frozenset({"extension", "path", "segment", "basename"})
"""A rule that tests nothing else looks at the URL only, and an always allowed URL passes it."""

HIGH_BIT = r"[^\x00-\x7f]"
MANY_DOTS = r"\.[^.]*\."
STRAY_PERCENT = r"%([^0-9a-f]|[0-9a-f][^0-9a-f]|[0-9a-f]?$)"
"""A percent sign that begins no escape of two hexadecimal digits."""

_ALLOWED = re.compile(r"\\\.\((.*)\)\(/\[\^\.\]\*\)\?\$")


def allowed_pattern(extensions: list[str]) -> str:
    """The paths whose last dot begins one of these extensions: how URLScan finds the extension of a URL."""
    return rf"\.({'|'.join(map(re.escape, extensions))})(/[^.]*)?$"


def allowed_extensions(pattern: str) -> list[str] | None:
    """The extensions of a pattern that `allowed_pattern` made."""
    found = _ALLOWED.fullmatch(pattern)
    if not found:
        return None
    names = [re.sub(r"\\(.)", r"\1", one) for one in found[1].split("|")]
    return names if allowed_pattern(names) == pattern else None


def refused_anyway(sequence: str) -> str | None:
    """The reason for which the gate itself refuses every path that holds this sequence."""
    for reason, pattern in REFUSED.items():
        if pattern.search(sequence):
            return reason
    return None


REFUSED = {
    "backslash": re.compile(r"\\"),
    "stream": re.compile(r":"),
    "bad-path-character": re.compile(r'[*?"<>|]'),
    "control-in-path": re.compile(r"[\x01-\x1f]"),
    "traversal": re.compile(r"\.\./"),
    "double-escape": re.compile(r"%[0-9A-Fa-f]{2}|%[Uu][0-9A-Fa-f]{4}"),
}
