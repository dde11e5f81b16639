"""How is a filter written as the <requestFiltering> of a web.config?

`denyUnescapedPercent` is always written out, because its default is not URLScan's; a denied header has a
`sizeLimit` of 0.
"""

from collections.abc import Iterable, Iterator, Mapping
from xml.sax.saxutils import quoteattr

from stopgap.ruleset.formats.filter import Entry, Filter, FilterRule, Listing, Scan, texts
from stopgap.ruleset.formats.model import Exported, Note

HEADING = "<!-- Written by Stopgap. IIS reads a URL in one way only: keep the gate in front of it. -->"


def printed(given: Filter, report: list[Note]) -> Exported:
    """The file, with what is lost in it added to `report`."""
    notes = list(report)
    where = "web.config"
    if given.detect:
        notes.append(Note(where, 'mode "detect"', "Request Filtering always refuses"))
    if not given.many_dots:
        notes.append(Note(where, "more than one dot in a URL", "Request Filtering has no such check"))
    for rule in given.rules:
        for one in texts(rule.strings):
            if not _writable(one):
                notes.append(Note(where, f'rule "{rule.name}": {one!r}', "XML cannot hold it"))
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', HEADING, "<configuration>", "  <system.webServer>"]
    lines += ["    <security>", *("      " + line for line in _filtering(given)), "    </security>"]
    lines += ["  </system.webServer>", "</configuration>"]
    return Exported("\n".join(lines) + "\n", tuple(notes))


def _writable(text: str) -> bool:
    """Whether XML can hold the text; control characters it cannot, not even escaped."""
    return all(one >= " " or one in "\t\n" for one in text)


def _filtering(given: Filter) -> Iterator[str]:
    options = {
        "allowDoubleEscaping": given.double_escape,
        "allowHighBitCharacters": given.high_bit,
        "removeServerHeader": not given.banner,
        "unescapeQueryString": given.unescape_query,
    }
    yield f"<requestFiltering{_attributes(options)}>"
    yield from _indented(_limits(given))
    yield from _indented(_listing("verbs", "verb", given.verbs, ""))
    yield from _indented(_listing("fileExtensions", "fileExtension", given.extensions, "."))
    for name, key, entries in (
        ("hiddenSegments", "segment", given.segments),
        ("denyUrlSequences", "sequence", given.url_sequences),
        ("denyQueryStringSequences", "sequence", given.query_sequences),
        ("alwaysAllowedUrls", "url", given.allowed_urls),
        ("alwaysAllowedQueryStrings", "queryString", given.allowed_queries),
    ):
        yield from _indented(_list(name, key, entries))
    if given.rules:
        yield "  <filteringRules>"
        for rule in given.rules:
            yield from _indented(_indented(_rule(rule)))
        yield "  </filteringRules>"
    yield "</requestFiltering>"


def _limits(given: Filter) -> Iterator[str]:
    limits = {
        "maxAllowedContentLength": given.body,
        "maxUrl": given.path,
        "maxQueryString": given.query,
    }
    yield f"<requestLimits{_attributes({key: value for key, value in limits.items() if value is not None})}>"
    sizes = [*((entry, 0) for entry in given.headers), *given.header_limits]
    if sizes:
        yield "  <headerLimits>"
        for entry, size in sizes:
            yield f"    <add{_attributes({'header': entry.text, 'sizeLimit': size})} />"
        yield "  </headerLimits>"
    yield "</requestLimits>"


def _listing(name: str, key: str, listing: Listing | None, before: str) -> Iterator[str]:
    if listing is None:
        return
    yield f"<{name}{_attributes({'allowUnlisted': not listing.allow})}>"
    for one in texts(listing.entries):
        yield f"  <add{_attributes({key: before + one, 'allowed': listing.allow})} />"
    yield f"</{name}>"


def _list(name: str, key: str, entries: Iterable[Entry]) -> Iterator[str]:
    names = [one for one in texts(tuple(entries)) if _writable(one)]
    if names:
        yield f"<{name}>"
        yield from (f"  <add{_attributes({key: one})} />" for one in names)
        yield f"</{name}>"


def _rule(rule: FilterRule) -> Iterator[str]:
    options: dict[str, str | int] = {
        "name": rule.name,
        "scanUrl": Scan.URL in rule.scans,
        "scanQueryString": Scan.QUERY in rule.scans,
        "scanAllRaw": Scan.RAW in rule.scans,
        "denyUnescapedPercent": rule.percent,
    }
    yield f"<filteringRule{_attributes(options)}>"
    yield from _indented(_list("scanHeaders", "requestHeader", rule.headers))
    yield from _indented(
        _list("appliesTo", "fileExtension", (Entry(f".{one.text}") for one in rule.extensions))
    )
    yield from _indented(_list("denyStrings", "string", rule.strings))
    yield "</filteringRule>"


def _attributes(values: Mapping[str, str | int]) -> str:
    return "".join(f" {key}={quoteattr(_plain(value))}" for key, value in values.items())


def _plain(value: str | int) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return ("  " + line for line in lines)
