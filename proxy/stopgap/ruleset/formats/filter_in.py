"""Which site and which rules mean what a filter of IIS means?

Every list becomes one rule, with a request for each of its entries that the rule must catch and near ones
that it must let through. What the gate refuses by itself needs no rule and is told as kept.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec.structs import replace

from stopgap.ruleset import never
from stopgap.ruleset.formats import spelling
from stopgap.ruleset.formats.filter import (
    HIGH_BIT,
    MANY_DOTS,
    STRAY_PERCENT,
    URL_FIELDS,
    USUAL_HEADERS,
    Entries,
    Entry,
    Filter,
    FilterRule,
    Scan,
    allowed_pattern,
    refused_anyway,
    texts,
)
from stopgap.ruleset.formats.model import Draft, Imported, Note
from stopgap.ruleset.formats.settle import slug
from stopgap.ruleset.formats.source import Source

SHOWN = 12
"""Entries of a list that get a vector each; more would slow every start and show nothing new."""

PASSING = ("/", "/index.htm", "/shop/list.asp?id=7", "/images/logo.gif", "/a/b/readme.txt", "/0", "/q9z")
NAMES = ("htm", "gif", "asp", "txt", "q9z")
BIG_HEAD = 8192
_METHOD = re.compile(r"[A-Z][A-Z_-]*")


class Drafting:
    """The rules and notes of one filter, as they come together."""

    def __init__(self, source: Source, name: str) -> None:
        self.source, self.name = source, name
        self.rules: list[Draft] = []
        self.notes: list[Note] = []

    def kept(self, entry: Entry, what: str, why: str) -> None:
        self.notes.append(Note(self.source.where(entry.line), what, why, lost=False))

    def lost(self, entry: Entry, what: str, why: str) -> None:
        self.notes.append(Note(self.source.where(entry.line), what, why))

    def held(self, field: str, test: str, entries: Entries) -> list[str]:
        """The texts of a list that requests can hold; the others are told as lost."""
        found = []
        for entry in entries:
            if why := never.text(field, test, spelling.in_match(entry.text)):
                self.lost(entry, f'"{entry.text}"', f"{field} never holds it: {why}")
            else:
                found.append(entry)
        return texts(tuple(found))

    def rule(
        self, part: str, title: str, match: dict[str, Any], block: Sequence[str], passing: Sequence[str]
    ) -> None:
        """Add a rule; `part` makes its id, and every id is used once."""
        base = part if part.startswith(f"{self.name}-") else f"{self.name}-{part}"
        name = base = base[:60].rstrip("-._")
        number = 2
        while any(rule["id"] == name for rule in self.rules):
            name, number = f"{base}-{number}", number + 1
        self.rules.append(
            {
                "id": name,
                "title": title,
                "why": f"{self.source.name} forbids it.",
                "match": match,
                "block": list(dict.fromkeys(block)),
                "pass": list(dict.fromkeys(passing)),
            }
        )


def drafted(given: Filter, source: Source, name: str, report: Sequence[Note] = ()) -> Imported:
    """A filter in our words. `name` begins the ids; `report` is what its reader had to tell."""
    draft = Drafting(source, name)
    site: Draft = {}
    if given.detect:
        site["mode"] = "detect"
    _verbs(given, draft, site)
    _extensions(given, draft)
    _sequences(given, draft)
    _segments(given, draft)
    _whole_path(given, draft)
    _headers(given, draft)
    for rule in given.rules:
        _filter_rule(rule, given, draft)
    if limits := _limits(given):
        site["limits"] = limits
    if not given.banner:
        site["scrub"] = {"server": True}
    if exceptions := _allowed_urls(given, draft):
        site["exception"] = exceptions
    _allowed_queries(given, draft)
    notes = sorted((*report, *draft.notes), key=lambda note: int(note.where.rpartition(":")[2]))
    return Imported(rules=tuple(draft.rules), report=tuple(notes), site=site or {"mode": "block"})


def _verbs(given: Filter, draft: Drafting, site: Draft) -> None:
    if given.verbs is None:
        return
    names = []
    for entry in given.verbs.entries:
        text = entry.text if given.verbs.allow else entry.text.upper()
        if not _METHOD.fullmatch(text):
            why = 'the gate takes only methods of upper-case letters (reason "bad-method")'
            (draft.lost if given.verbs.allow else draft.kept)(entry, f'verb "{entry.text}"', why)
        else:
            names.append(text)
    names = list(dict.fromkeys(names))
    if given.verbs.allow:
        site["methods"] = names
    elif names:
        free = [one for one in ("GET", "HEAD", "POST", "OPTIONS", "REPORT") if one not in names]
        draft.rule(
            "verbs",
            "Denied verbs",
            {"method": names},
            [f"{one} /x HTTP/1.0" for one in names[:SHOWN]],
            [f"{one} /x HTTP/1.0" for one in free[:3]],
        )


def _extensions(given: Filter, draft: Drafting) -> None:
    if given.extensions is None:
        return
    names = [one.lower() for one in draft.held("extension", "equals", given.extensions.entries)]
    named = [one for one in names if one]
    free = [one for one in NAMES if one not in named]
    if not given.extensions.allow:
        if named:
            match: dict[str, Any] = {"extension": named}
            block = [f"GET /x.{spelling.in_path(one)} HTTP/1.0" for one in named[:SHOWN]]
            passing = [f"GET /x.{one} HTTP/1.0" for one in free[:2]]
            near = f"GET /{spelling.in_path(named[0])}/x{spelling.in_path(named[0])}?f=x.{named[0]} HTTP/1.0"
            draft.rule("extensions", "Denied extensions", match, block, [*passing, near])
        if "" in names:
            match = {"not": {"path": {"contains": "."}}}
            block, passing = ["GET / HTTP/1.0", "GET /x HTTP/1.0"], ["GET /x.htm HTTP/1.0"]
            draft.rule("no-extension", "URLs without an extension", match, block, passing)
        return
    other = {"not": {"path": {"regex": allowed_pattern(named)}}} if named else {}
    dotted = {"path": {"contains": "."}} if "" in names else {}
    bare = "GET /x/y HTTP/1.0"
    draft.rule(
        "extensions-allowed",
        "Extensions that are not in the list of those allowed",
        {**dotted, **other},
        [*(f"GET /x.{one} HTTP/1.0" for one in free[-2:]), *([] if dotted else [bare])],
        [
            *(f"GET /x.{spelling.in_path(one)} HTTP/1.0" for one in named[:SHOWN]),
            *([bare] if dotted else []),
        ],
    )


def _sequences(given: Filter, draft: Drafting) -> None:
    values = _in_paths(given.url_sequences, "URL sequence", draft)
    if values:
        block = [f"GET /x{spelling.in_path(one)}y HTTP/1.0" for one in values[:SHOWN]]
        match = {"path": {"contains": _literal(values)}}
        draft.rule("url", "Denied URL sequences", match, block, _passing(values))
    _query(draft, "query", "Denied query string sequences", given.query_sequences, given, {})


def _in_paths(entries: Entries, what: str, draft: Drafting) -> list[str]:
    """The strings to look for in a path; those that the gate refuses anyway are told as kept."""
    plain = []
    for entry in entries:
        if reason := refused_anyway(entry.text):
            why = f'the gate refuses every path that holds it (reason "{reason}")'
            draft.kept(entry, f'{what} "{entry.text}"', why)
        else:
            plain.append(entry)
    return [one.lower() for one in draft.held("path", "contains", tuple(plain))]


def _query(
    draft: Drafting, part: str, title: str, entries: Entries, given: Filter, extra: dict[str, Any]
) -> None:
    """A rule on the query, in every reading of it or, where it is not unescaped, as it came."""
    field, spelt = ("query", spelling.in_query) if given.unescape_query else ("query.raw", spelling.as_it_is)
    values = draft.held(field, "contains", entries)
    if values:
        at = _applies(extra)
        block = [f"GET /x{at}?q=a{spelt(one)}b HTTP/1.0" for one in values[:SHOWN]]
        draft.rule(part, title, {**extra, field: {"contains": _literal(values)}}, block, _passing(values, at))


def _segments(given: Filter, draft: Drafting) -> None:
    values = [one.lower() for one in draft.held("segment", "equals", given.segments)]
    if values:
        block = [f"GET /a/{spelling.in_path(one)}/b HTTP/1.0" for one in values[:SHOWN]]
        near = f"GET /a{spelling.in_path(values[0])}/b?c={spelling.in_query(values[0])} HTTP/1.0"
        passing = ["GET /a/b HTTP/1.0", *([near] if f"a{values[0]}" not in values else [])]
        draft.rule("segments", "Hidden segments", {"segment": values}, block, passing)


def _whole_path(given: Filter, draft: Drafting) -> None:
    if not given.high_bit:
        block = ["GET /%E4%BC%9A.htm HTTP/1.0", "GET /x%C3%A9 HTTP/1.0"]
        passing = ["GET /x.htm?q=%E4%BC%9A HTTP/1.0", "GET /~x HTTP/1.0"]
        match = {"path": {"regex": HIGH_BIT}}
        draft.rule("high-bit", "Characters above 0x7F in a URL", match, block, passing)
    if not given.many_dots:
        block = ["GET /x.asp/y.htm HTTP/1.0", "GET /x.y.htm HTTP/1.0", "GET /x%2easp/y.htm HTTP/1.0"]
        passing = ["GET /x/y.htm HTTP/1.0", "GET /x.htm?f=x.y.htm HTTP/1.0"]
        match = {"path": {"regex": MANY_DOTS}}
        draft.rule("dots", "More than one dot in a URL", match, block, passing)


def _headers(given: Filter, draft: Drafting) -> None:
    for entry in given.headers:
        if entry.text.lower() == "host":
            draft.lost(entry, 'denied header "Host"', "every request has one; left out")
    names = [one.lower() for one in draft.held("headers", "equals", given.headers)]
    names = [one for one in names if one != "host"]
    if names:
        draft.rule(
            "headers",
            "Denied headers",
            {"headers": names},
            [_with(one, "x") for one in names[:SHOWN]],
            ["GET /x HTTP/1.0", _with(f"x-not-{names[0]}", "x")],
        )
    for entry, most in given.header_limits:
        header = entry.text.lower()
        draft.rule(
            f"max-{slug(header)}",
            f"{entry.text} longer than {most} bytes",
            {"header": {header: {"length": {"over": most}}}},
            [_with(header, _long(most + 1))],
            ["GET /x HTTP/1.0", _with(header, _long(most))],
        )


def _long(size: int) -> str:
    return "a" * size if size < 60 else f"{{a*{size}}}"


def _with(header: str, value: str) -> str:
    """A request with a header; one that means something to the grammar gets a value that it takes."""
    fixed = {
        "host": f"GET /x HTTP/1.0\nHost: {value}",
        "content-length": "POST /x HTTP/1.0\nHost: vector.test\nContent-Length: 1\n\na",
        "transfer-encoding": "POST /x HTTP/1.1\nHost: vector.test\nTransfer-Encoding: chunked\n\n0\n\n",
    }
    return fixed.get(header) or f"GET /x HTTP/1.0\nHost: vector.test\n{header}: {value}"


def _filter_rule(rule: FilterRule, given: Filter, draft: Drafting) -> None:
    """A rule for each place in which a filtering rule looks, so that a refusal says which."""
    extra = _applies_to(rule, draft)
    base, title, at = slug(rule.name), f"Filtering rule {rule.name}", _applies(extra)
    wide = Scan.RAW in rule.scans
    if Scan.URL in rule.scans:
        _in_path(rule, draft, base, title, extra)
    if Scan.QUERY in rule.scans:
        _query(draft, _part(base, "query"), f"{title}: query", rule.strings, given, extra)
    headers = [*(one.lower() for one in texts(rule.headers)), *(USUAL_HEADERS if wide else ())]
    headers = list(dict.fromkeys(headers)) if wide or Scan.HEADERS in rule.scans else []
    if wide and rule.strings:
        raw = replace(given, unescape_query=False)
        _query(draft, _part(base, "raw"), f"{title}: raw query", rule.strings, raw, extra)
        where = Entry(rule.name, rule.line)
        what = f'rule "{rule.name}" scans all raw headers'
        draft.lost(where, what, f"{len(headers)} usual ones are looked into")
    found = draft.held("header", "contains", rule.strings) if headers else []
    if found:
        match = {**extra, **_any_header(headers, {"contains": _literal(found)})}
        block = [_to(_with(headers[0], f"a{spelling.as_it_is(one)}b"), at) for one in found[:SHOWN]]
        draft.rule(_part(base, "headers"), f"{title}: headers", match, block, _passing(found, at))
    if rule.percent:
        _percent(rule, draft, base, title, extra, headers)


def _part(base: str, place: str) -> str:
    """The id of the part of a filtering rule; the name of one that was exported ends with it already."""
    return base if base.endswith(f"-{place}") else f"{base}-{place}"


def _applies_to(rule: FilterRule, draft: Drafting) -> dict[str, Any]:
    """The part of a match that says for which extensions a filtering rule holds."""
    names = [one.lower() for one in texts(rule.extensions)]
    if "" in names:
        why = "a URL without an extension has none to compare; the rule holds for all"
        draft.lost(Entry("", rule.line), f'AppliesTo "." of rule "{rule.name}"', why)
        return {}
    return {"extension": names} if names else {}


def _in_path(rule: FilterRule, draft: Drafting, base: str, title: str, extra: dict[str, Any]) -> None:
    values = _in_paths(rule.strings, f'URL, rule "{rule.name}":', draft)
    if values:
        at = _applies(extra)
        block = [f"GET /a{spelling.in_path(one)}b/x{at} HTTP/1.0" for one in values[:SHOWN]]
        match = {**extra, "path": {"contains": _literal(values)}}
        draft.rule(_part(base, "url"), f"{title}: URL", match, block, _passing(values, at))


def _percent(
    rule: FilterRule, draft: Drafting, base: str, title: str, extra: dict[str, Any], headers: list[str]
) -> None:
    at = _applies(extra)
    if rule.scans & {Scan.QUERY, Scan.RAW}:
        match = {**extra, "query.raw": {"regex": STRAY_PERCENT}}
        block = [f"GET /x{at}?a={one} HTTP/1.0" for one in ("%zz", "100%", "%u30a2", "%4")]
        passing = [f"GET /x{at}?a=%41%2f HTTP/1.0", f"GET /x{at} HTTP/1.0"]
        draft.rule(_part(base, "percent"), f"{title}: percent sign that is no escape", match, block, passing)
    if headers:
        match = {**extra, **_any_header(headers, {"regex": STRAY_PERCENT})}
        block = [_to(_with(headers[0], "a%zz"), at), _to(_with(headers[0], "100%"), at)]
        draft.rule(
            _part(base, "percent-headers"),
            f"{title}: percent sign in a header that is no escape",
            match,
            block,
            [_to(_with(headers[0], "a%41"), at), f"GET /x{at} HTTP/1.0"],
        )
    if Scan.URL in rule.scans:
        draft.kept(
            Entry("", rule.line),
            f'rule "{rule.name}" denies an unescaped % in the URL',
            'the gate refuses it (reason "bad-escape")',
        )


def _literal(values: Sequence[str]) -> list[str]:
    return [spelling.in_match(one) for one in values]


def _any_header(names: Sequence[str], test: dict[str, Any]) -> dict[str, Any]:
    if len(names) == 1:
        return {"header": {names[0]: test}}
    return {"any": [{"header": {name: test}} for name in names]}


def _applies(extra: dict[str, Any]) -> str:
    """The end of a path to which the rule applies: `.asp`, or nothing."""
    return "." + spelling.in_path(extra["extension"][0]) if extra else ""


def _to(vector: str, at: str) -> str:
    return vector.replace(" /x HTTP/", f" /x{at} HTTP/", 1)


def _passing(values: Sequence[str], at: str = "") -> list[str]:
    """Ordinary requests that hold none of the values."""
    lower = [one.lower() for one in values]
    targets = [f"/q9z{at}", f"/q9z{at}?q=7", *PASSING]
    free = [one for one in targets if not any(value in one.lower() for value in lower)]
    return [f"GET {one} HTTP/1.0" for one in free[:3]]


def _limits(given: Filter) -> dict[str, int]:
    """The limits; that of the whole target never comes before those of its parts."""
    limits = {"path": given.path, "query": given.query, "body": given.body}
    found = {key: value for key, value in limits.items() if value is not None}
    if given.path is not None and given.query is not None:
        found["target"] = given.path + 1 + given.query
        if found["target"] > BIG_HEAD:
            found["head"] = found["target"] + 2 * BIG_HEAD
    return found


def _allowed_queries(given: Filter, draft: Drafting) -> None:
    """A query that is always allowed passes every rule made here; the limits and packs have no such thing."""
    if not given.allowed_queries:
        return
    free = {"not": {"query.raw": _literal(draft.held("query.raw", "equals", given.allowed_queries))}}
    for rule in draft.rules:
        rule["match"] = {"all": [rule["match"], free]}
    for entry in given.allowed_queries:
        why = "passes the rules made here; limits, methods and the packs that ship still hold"
        draft.lost(entry, f'always allowed query "{entry.text}"', why)


def _allowed_urls(given: Filter, draft: Drafting) -> list[Draft]:
    """An always allowed URL is an exception to every rule made here that looks at the URL."""
    by_url = [rule["id"] for rule in draft.rules if set(_fields(rule["match"])) <= URL_FIELDS]
    found: list[Draft] = []
    for entry in given.allowed_urls:
        what = f'always allowed URL "{entry.text}"'
        if refused_anyway(entry.text) or not entry.text.startswith("/"):
            draft.lost(entry, what, "no path that the gate lets through is like this; left out")
            continue
        reason = f"{draft.source.name}, line {entry.line}: always allowed"
        found += [{"rule": rule, "path": entry.text, "reason": reason} for rule in by_url]
        draft.kept(entry, what, "excepted from the rules made here; the packs that ship still judge it")
    return found


def _fields(match: dict[str, Any]) -> Iterator[str]:
    """The fields that a match table tests."""
    for key, value in match.items():
        if key in ("all", "any"):
            for one in value:
                yield from _fields(one)
        elif key == "not":
            yield from _fields(value)
        else:
            yield key
