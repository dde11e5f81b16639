"""How does Suricata alert on what our rules refuse?

Every case of a rule is a signature for Suricata 7 and newer, with a regex for each test and, where a text is
looked for, that text as a content for the prefilter. A field of the path or query is a window in `http.uri`.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import chain, product

from stopgap.config import Site
from stopgap.ruleset.formats.clauses import Test
from stopgap.ruleset.formats.defence import Said, said
from stopgap.ruleset.formats.model import Exported, Note
from stopgap.ruleset.formats.regex import ALL
from stopgap.ruleset.formats.window import Spot, Window, Windows, named
from stopgap.ruleset.model import Rule

FIRST = 1_000_000_000
MOST_SIGNATURES = 1000
HEAD = f"""\
# Stopgap's rules as signatures for Suricata 7 and newer, which alert and refuse nothing. Their numbers
# are {FIRST} and above; the message is the id of the rule.
"""

_READ = "decoded once by the personality that Suricata is set to; it has none of IIS 4 and 5, nor code pages"
_ALERTS = "it alerts"
READS = {
    "http.method": "",
    "http.protocol": "",
    "http.uri.raw": "",
    "http.uri": _READ,
    "http.request_body": "as far as Suricata's request-body-limit; nothing is decoded",
    "form": "of a body that is declared a form, also what it must not hold; nothing is decoded",
    "http.cookie": "",
    "header": "what a header must not hold is asked only where the header is there",
}
ACTS = {"block": _ALERTS, "drop": _ALERTS, "tarpit": _ALERTS, "detect": ""}

_FORM = r"\A(?i:content\x2dtype)\x3a[^\x0a]*(?i:urlencoded)"
_HARMLESS = re.compile(r"[A-Za-z0-9._/=-]+")
_NAMED = ALL - frozenset(b"/\\?")
_CUT = r"[\x00\x2f\x3a\x3b\x3f\x5c]"
_NAME_ENDS = rf"(?:[\x2e\x20]*(?:\z|{_CUT}))"
_SEGMENT = r"\A(?:[^\x3f]*[\x2f\x5c])?"


def _header(name: str) -> Window:
    return Window(f"header:{name}", rf"\A{named(name)}\x3a\x20?", whole=False)


def _cookie(name: str) -> Window:
    before = rf"\A(?:(?s:.)*\x3b)?[\x09\x20]*{named(name)}[\x09\x20]*\x3d[\x09\x20]*"
    return Window("http.cookie", before, ALL - frozenset(b";"), r"[\x09\x20]*(?:\x3b|\z)", whole=False)


BUFFERS = Windows(
    fields={
        "method": Window("http.method", folds=False),
        "version": Window("http.protocol"),
        "host": _header("host"),
        "target": Window("http.uri.raw"),
        "path.raw": Window("http.uri.raw", r"\A", ALL - frozenset(b"?"), r"(?:\x3f|\z)", whole=False),
        "query.raw": Window("http.uri.raw", r"\A[^\x3f]*\x3f", whole=False),
        "path": Window("http.uri", r"\A", ALL - frozenset(b"?"), r"(?:\x3f|\z)", whole=False),
        "segment": Window("http.uri", _SEGMENT, _NAMED, _NAME_ENDS, whole=False),
        "basename": Window("http.uri", _SEGMENT, _NAMED, _NAME_ENDS, whole=False),
        "extension": Window(
            "http.uri", r"\A[^\x3f]*\x2e", _NAMED - frozenset(b".:;\0"), _NAME_ENDS, whole=False
        ),
        "query": Window("http.uri", r"\A[^\x3f]*\x3f", whole=False),
        "body": Window("http.request_body"),
        "length": _header("content-length"),
        "depth": Window("http.uri"),
        "param": Window("http.uri", r"\A[^\x3f]*\x3f(?:(?s:.)*&)?", whole=False),
        "form": Window("form", r"\A(?:(?s:.)*&)?", whole=False),
    },
    header=_header,
    cookie=_cookie,
)


def write(site: Site, rules: Sequence[Rule]) -> Exported:
    """The rules as signatures."""
    kept, notes = said(site, rules, READS, ACTS, BUFFERS)
    parts = []
    for one in kept:
        lines = list(_lines(one))
        if len(lines) > MOST_SIGNATURES:
            notes.append(
                Note(f'rule "{one.rule.id}"', "the rule", f"is left out: {len(lines)} cases are too many")
            )
        else:
            parts.append(f"\n{one.comment}\n" + "".join(f"{line}\n" for line in lines))
    return Exported(HEAD + "".join(parts), tuple(notes))


def _lines(one: Said) -> Iterator[str]:
    asks = [[*chain.from_iterable(choice)] for case in one.cases for choice in product(*map(_ways, case))]
    for place, ask in enumerate(asks):
        number = FIRST + one.number * MOST_SIGNATURES + place
        tests = " ".join(ask)
        end = f"sid:{number}; rev:1;"
        yield (
            f'alert http any any -> any any (msg:"{one.rule.id}"; flow:established,to_server; {tests} '
            f"{''.join(_references(one.rule))}{end})"
        )


def _ways(test: Test) -> list[list[str]]:
    """How a test may hold: one buffer or another, or, where none may fit, all of them."""
    looks: dict[str, list[Spot]] = {}
    for spot in test.spots:
        looks.setdefault(spot.source, []).append(spot)
    if test.holds:
        return [
            [f'{_buffer(source)}; {_content(found)}pcre:"/{_either(found)}/";']
            for source, found in looks.items()
        ]
    return [[f'{_buffer(source)}; pcre:!"/{_either(found)}/";' for source, found in looks.items()]]


def _buffer(source: str) -> str:
    if source == "form":
        return f'http.request_header; pcre:"/{_FORM}/"; http.request_body'
    return "http.request_header" if source.startswith("header:") else source


def _content(found: Sequence[Spot]) -> str:
    """For the prefilter: the one text that is in whatever the regex fits."""
    text = found[0].text.decode("latin-1")
    if len(found) > 1 or not _HARMLESS.fullmatch(text) or found[0].source.startswith("header:"):
        return ""
    return f'content:"{text}"; nocase; '


def _either(found: Sequence[Spot]) -> str:
    patterns = [spot.pattern for spot in found]
    return patterns[0] if len(patterns) == 1 else f"(?:{'|'.join(patterns)})"


def _references(rule: Rule) -> Iterator[str]:
    for name in rule.refs:
        system, _, number = name.partition("-")
        if system == "CVE" and number.replace("-", "").isdigit():
            yield f"reference:cve,{number}; "
