"""How is a filter written as an urlscan.ini, of 3.1 or of 2.5?

What a version does not have is told as lost. A semicolon begins a comment: in the strings of 3.1 it is
written as %3b, elsewhere a text with one cannot be written.
"""

import re
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from stopgap.ruleset.formats.filter import Entries, Entry, Filter, FilterRule, Listing, Scan, texts
from stopgap.ruleset.formats.model import Exported, Note
from stopgap.ruleset.formats.urlscan_in import DETECT

HEADING = "; Written by Stopgap. URLScan reads a URL in one way only: keep the gate in front of it."
_PLAIN = re.compile(r"[^;\[\s=](?:[^;]*[^;\s])?")
_HEX = re.compile(r"%(?=[0-9A-Fa-f]{2})")


class Version(Struct, frozen=True):
    """What a version of URLScan is called, and whether it has query strings, rules and allowed URLs."""

    name: str
    queries: bool


V2 = Version("2.5", queries=False)
V3 = Version("3.1", queries=True)


def printed(given: Filter, version: Version, report: list[Note]) -> Exported:
    """The file, with what is lost in it added to `report`."""
    notes = list(report)
    given = _within(given, version, notes)
    sections: list[tuple[str, list[str]]] = [
        ("Options", list(_options(given, version))),
        ("RequestLimits", list(_limits(given))),
        *_listing("Verbs", given.verbs, ""),
        *_listing("Extensions", given.extensions, "."),
        ("DenyHeaders", [f"{one}:" for one in texts(given.headers)]),
        ("DenyUrlSequences", texts(given.url_sequences)),
    ]
    if version.queries:
        sections += [
            ("AlwaysAllowedUrls", texts(given.allowed_urls)),
            ("AlwaysAllowedQueryStrings", texts(given.allowed_queries)),
            ("DenyQueryStringSequences", [_escaped(one) for one in texts(given.query_sequences)]),
        ]
        for rule in given.rules:
            sections.append((rule.name, list(_rule(rule))))
            if rule.strings:
                sections.append((f"{rule.name} strings", [_escaped(one) for one in texts(rule.strings)]))
    parts = [HEADING, *("\n".join([f"[{name}]", *lines]) for name, lines in sections)]
    return Exported("\n\n".join(parts) + "\n", tuple(notes))


def _within(given: Filter, version: Version, notes: list[Note]) -> Filter:
    """The filter without what the file cannot say."""

    def lost(what: str, why: str) -> None:
        notes.append(Note(f"urlscan.ini {version.name}", what, why))

    for segment in texts(given.segments):
        lost(f'segment "{segment}"', f'written as the sequence "/{segment}", which also begins longer names')
    sequences = (*given.url_sequences, *(Entry(f"/{one}") for one in texts(given.segments)))
    lists: dict[str, Entries] = {
        "url_sequences": sequences,
        "allowed_urls": given.allowed_urls,
        "allowed_queries": given.allowed_queries,
    }
    for key, entries in lists.items():
        for one in texts(entries):
            if not _PLAIN.fullmatch(one):
                lost(f'"{one}"', "a line of the file cannot hold it")
        lists[key] = tuple(one for one in entries if _PLAIN.fullmatch(one.text))
    if not version.queries:
        for one in texts(given.query_sequences):
            lost(f'query string sequence "{one}"', "2.5 does not look at queries")
        for rule in given.rules:
            lost(f'rule "{rule.name}"', "2.5 has no rules of one's own")
        for one in (*texts(given.allowed_urls), *texts(given.allowed_queries)):
            lost(f'always allowed "{one}"', "2.5 has no such list")
    return replace(given, **lists)


def _options(given: Filter, version: Version) -> Iterator[str]:
    yield f"UseAllowVerbs={int(bool(given.verbs and given.verbs.allow))}"
    yield f"UseAllowExtensions={int(bool(given.extensions and given.extensions.allow))}"
    yield "NormalizeUrlBeforeScan=1"
    yield f"VerifyNormalization={int(not given.double_escape)}"
    yield f"AllowHighBitCharacters={int(given.high_bit)}"
    yield f"AllowDotInPath={int(given.many_dots)}"
    yield f"RemoveServerHeader={int(not given.banner)}"
    yield "EnableLogging=1"
    yield "PerProcessLogging=0"
    yield "PerDayLogging=0"
    yield "AllowLateScanning=0"
    yield "UseFastPathReject=0"
    yield f"RejectResponseUrl={DETECT if given.detect else ''}"
    if version.queries:
        yield f"UnescapeQueryString={int(given.unescape_query)}"
        yield f"RuleList={','.join(rule.name for rule in given.rules)}"


def _limits(given: Filter) -> Iterator[str]:
    yield f"MaxAllowedContentLength={given.body}"
    yield f"MaxUrl={given.path}"
    yield f"MaxQueryString={given.query}"
    for header, most in given.header_limits:
        yield f"Max-{header.text}={most}"


def _listing(what: str, listing: Listing | None, before: str) -> Iterator[tuple[str, list[str]]]:
    kind = "Allow" if listing and listing.allow else "Deny"
    yield f"{kind}{what}", [before + one for one in texts(listing.entries if listing else ())]


def _rule(rule: FilterRule) -> Iterator[str]:
    if rule.extensions:
        yield f"AppliesTo={','.join('.' + one for one in texts(rule.extensions))}"
    yield f"DenyDataSection={f'{rule.name} strings' if rule.strings else ''}"
    yield f"ScanURL={int(Scan.URL in rule.scans)}"
    yield f"ScanAllRaw={int(Scan.RAW in rule.scans)}"
    yield f"ScanQueryString={int(Scan.QUERY in rule.scans)}"
    if rule.headers:
        yield f"ScanHeaders={','.join(f'{one}:' for one in texts(rule.headers))}"
    yield f"DenyUnescapedPercent={int(rule.percent)}"


def _escaped(text: str) -> str:
    """A string of 3.1: escaped where a comment, a section or the end of the line would change it."""
    text = _HEX.sub("%25", text).replace(";", "%3b")
    start, end = len(text) - len(text.lstrip()), len(text.rstrip())
    middle = text[start:end]
    middle = middle.replace("[", "%5b", 1) if middle.startswith("[") else middle
    spaces = [f"%{ord(one):02x}" for one in text[:start]], [f"%{ord(one):02x}" for one in text[end:]]
    return "".join(spaces[0]) + middle + ("".join(spaces[1]) if middle else "")
