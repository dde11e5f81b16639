"""Filters and requests for the properties of this folder, and what URLScan itself says of a request.

`refused` is the reference manual as code: naive, one reading only. It is asked about requests that nobody can
read in two ways, so that the gate must agree wherever its own grammar has nothing against them.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from stopgap import _core, config
from stopgap.ruleset import load, spec
from stopgap.ruleset.formats import toml
from stopgap.ruleset.formats.filter import Entry, Filter, FilterRule, Listing, Scan
from stopgap.ruleset.formats.model import Imported
from stopgap.ruleset.model import Rule

SITE = {"name": "s", "origins": "http://o", "server": "iis5", "codepage": 1252, "packs": []}

unshrunk = settings(
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""For properties that write and load files: making a failing example small would take minutes."""


def entries(*texts: str) -> tuple[Entry, ...]:
    return tuple(map(Entry, texts))


def some(*texts: str) -> st.SearchStrategy[tuple[Entry, ...]]:
    return st.lists(st.sampled_from(texts), unique=True).map(lambda chosen: entries(*chosen))


def listings(*texts: str) -> st.SearchStrategy[Listing]:
    allow = st.lists(st.sampled_from(texts), unique=True, min_size=1)
    return st.one_of(
        allow.map(lambda chosen: Listing(True, entries(*chosen))),
        some(*texts).map(lambda chosen: Listing(False, chosen)),
    )


@st.composite
def filter_rules(draw: st.DrawFn, name: str) -> FilterRule:
    scans = draw(st.sets(st.sampled_from([Scan.URL, Scan.QUERY, Scan.HEADERS]), min_size=1))
    percent = draw(st.booleans())
    strings = draw(some("--", ";", "xp_", "/*", "~", "a b"))
    return FilterRule(
        name=name,
        strings=strings if percent or strings else entries("xp_"),
        scans=frozenset(scans),
        headers=draw(some("referer")) or entries("cookie") if Scan.HEADERS in scans else (),
        extensions=draw(some("asp", "htm")),
        percent=percent,
    )


LITTLE = Filter(
    verbs=Listing(False, ()), extensions=Listing(False, ()), body=30_000_000, path=260, query=2048
)
FIELDS = tuple(name for name in Filter.__struct_fields__ if getattr(LITTLE, name) is not None)


@st.composite
def filters(draw: st.DrawFn) -> Filter:
    """A filter with all that it can have, or with one or two things, so that they are seen by themselves."""
    whole = draw(whole_filters())
    if draw(st.booleans()):
        return whole
    kept = draw(st.sets(st.sampled_from(FIELDS), max_size=2))
    return replace(LITTLE, **{name: getattr(whole, name) for name in kept})


@st.composite
def whole_filters(draw: st.DrawFn) -> Filter:
    """A filter that every version of every format can say."""
    return Filter(
        banner=draw(st.booleans()),
        verbs=draw(listings("GET", "HEAD", "POST", "PROPFIND")),
        extensions=draw(listings("ida", "htm", "asp", "")),
        headers=draw(some("translate", "if")),
        url_sequences=draw(some("..", "./", "~", "&", "in", "\\", ":", "%", "../")),
        query_sequences=draw(some("<", ";", "--", "xp_")),
        body=draw(st.sampled_from([5, 30_000_000])),
        path=draw(st.sampled_from([12, 260])),
        query=draw(st.sampled_from([6, 2048])),
        header_limits=draw(st.sampled_from([(), ((Entry("user-agent"), 4),)])),
        high_bit=draw(st.booleans()),
        unescape_query=True,
        allowed_urls=draw(some("/x.ida", "/a/~in.htm")),
        allowed_queries=draw(some("a=xp_", "--")),
        rules=tuple(draw(filter_rules(f"rule{n}")) for n in range(draw(st.integers(0, 2)))),
    )


@dataclass(frozen=True)
class Asked:
    """A request that can be read in one way only, with its parts as everybody reads them."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def wire(self) -> bytes:
        target = _spelt(self.path) + ("?" + self.query if self.query else "")
        length = f"Content-Length: {len(self.body)}\r\n" if self.body else ""
        fields = "".join(f"{name}: {value}\r\n" for name, value in self.headers)
        head = f"{self.method} {target} HTTP/1.0\r\nHost: o\r\n{fields}{length}\r\n"
        return head.encode() + self.body


def _spelt(path: str) -> str:
    return "".join(
        one if one.isascii() and one != "%" else "".join(f"%{b:02X}" for b in one.encode()) for one in path
    )


SEGMENTS = (
    "a",
    "in",
    "x.ida",
    "x.htm",
    "y.asp",
    "b..c",
    "~u",
    "a&b",
    "x.IDA",
    "c.d",
    "é",
    "100%",
    "xp_",
    "--",
)
QUERIES = ("", "a=1", "a=xp_", "--", "q=a;b", "q=<", "q=%3C", "q=100%", "q=%3b--", "a+b=a+b", "XP_", "a=%41")
HEADERS = (
    ("Translate", "f"),
    ("User-Agent", "abcd"),
    ("User-Agent", "abcde"),
    ("Referer", "xp_"),
    ("Cookie", "a;b%"),
)


@st.composite
def requests(draw: st.DrawFn) -> Asked:
    method = draw(st.sampled_from(["GET", "GET", "POST", "PROPFIND"]))
    names = draw(st.lists(st.sampled_from(SEGMENTS), max_size=3))
    path = "/" + "/".join(names)
    return Asked(
        method=method,
        path=draw(st.sampled_from([path, path, "/x.ida", "/a/~in.htm"])),
        query=draw(st.sampled_from(QUERIES)),
        headers=tuple(draw(st.lists(st.sampled_from(HEADERS), max_size=2, unique_by=lambda one: one[0]))),
        body=draw(st.sampled_from([b"", b"abc", b"abcdefgh"])) if method != "GET" else b"",
    )


def refused(given: Filter, asked: Asked) -> bool:
    """Whether URLScan refuses it; limits and allowed verbs hold for an allowed query too, as is told."""
    if over(given, asked):
        return True
    verbs = given.verbs or Listing(False, ())
    listed = asked.method in _of(verbs.entries)
    if verbs.allow and not listed:
        return True
    if asked.query in [entry.text for entry in given.allowed_queries]:
        return False
    if listed and not verbs.allow:
        return True
    free = asked.path.lower() in _of(given.allowed_urls)
    headers = {name.lower(): value for name, value in asked.headers}
    limits = {entry.text.lower(): most for entry, most in given.header_limits}
    queries = _queries(asked.query)
    return (
        (not free and _url_refused(given, asked.path))
        or any(one in text.lower() for one in _of(given.query_sequences) for text in queries)
        or any(name in headers for name in _of(given.headers))
        or any(len(value) > limits.get(name, 99) for name, value in headers.items())
        or any(_rule_refuses(rule, asked, headers, queries, free) for rule in given.rules)
    )


def over(given: Filter, asked: Asked) -> bool:
    return (
        len(_spelt(asked.path)) > (given.path or 0)
        or len(asked.query) > (given.query or 0)
        or len(asked.body) > (given.body or 0)
    )


def _of(given: tuple[Entry, ...]) -> list[str]:
    return [entry.text if entry.text.isupper() else entry.text.lower() for entry in given]


def _queries(query: str) -> list[str]:
    plain = re.sub(r"%([0-9A-Fa-f]{2})", lambda found: chr(int(found[1], 16)), query.replace("+", " "))
    return [query, plain]


def extension_of(path: str) -> str:
    """After the last dot, up to the next slash; "" when there is no dot."""
    return path.lower().rpartition(".")[2].partition("/")[0] if "." in path else ""


def _url_refused(given: Filter, path: str) -> bool:
    listed = given.extensions is not None and extension_of(path) in _of(given.extensions.entries)
    return (
        (given.extensions is not None and listed != given.extensions.allow)
        or any(one in path.lower() for one in _of(given.url_sequences))
        or (not given.high_bit and not path.isascii())
    )


def _rule_refuses(
    rule: FilterRule, asked: Asked, headers: dict[str, str], queries: list[str], free: bool
) -> bool:
    if rule.extensions and extension_of(asked.path) not in _of(rule.extensions):
        return False
    named = [headers[name] for name in _of(rule.headers) if name in headers]
    places = [asked.path] if Scan.URL in rule.scans and not free else []
    places += queries if Scan.QUERY in rule.scans else []
    places += named if Scan.HEADERS in rule.scans else []
    raw = [asked.query] if Scan.QUERY in rule.scans else []
    raw += named if Scan.HEADERS in rule.scans else []
    stray = rule.percent and any(re.search(r"%(?![0-9A-Fa-f]{2})", text) for text in raw)
    return stray or any(one in text.lower() for one in _of(rule.strings) for text in places)


def gate(imported: Imported, folder: Path) -> tuple[_core.Policy, config.Site, tuple[Rule, ...]]:
    """What a site with these settings and rules does, as it is and as an export sees it."""
    file = folder / "stopgap.toml"
    file.write_text(toml.written(replace(imported, site={**SITE, **imported.site})), "utf-8")
    read = config.load(str(file))
    packs = [load.pack_of(read.document)] if imported.rules else []
    ruleset = load.assemble(packs, {"s": [str(file)]})
    return spec.compiled(spec.build(read, ruleset, spec.Registry())), read.sites[0], ruleset.rules
