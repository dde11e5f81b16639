"""Which filter of IIS comes nearest to a site and its rules, and what of them has no place in it?

A rule is recognised by the shape of its match, wherever it comes from. One of a shape that no filter knows is
told as lost, with its place; so is every setting that has no counterpart.
"""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from stopgap import _core
from stopgap.config import Site
from stopgap.ruleset.formats import spelling
from stopgap.ruleset.formats.filter import (
    HIGH_BIT,
    MANY_DOTS,
    STRAY_PERCENT,
    URL_FIELDS,
    Entries,
    Entry,
    Filter,
    FilterRule,
    Listing,
    Scan,
    allowed_extensions,
    texts,
)
from stopgap.ruleset.formats.model import Note
from stopgap.ruleset.match import leaves
from stopgap.ruleset.model import Expr, Rule

GUARDED = ("../", "\\", ":")
"""What the gate refuses in every path without a rule; a filter needs it said."""

SAID = frozenset(
    {
        "target-too-long",
        "path-too-long",
        "query-too-long",
        "body-too-long",
        "double-escape",
        "traversal",
        "backslash",
        "stream",
    }
)
"""Reasons of the gate itself that the filter has as well: as a limit, an option or a sequence."""

Shape = Callable[[Filter, Rule, Expr], Filter | None]
"""The filter with what an expression of this shape adds; None when it has another shape."""


class Unrecognised(Exception):
    """A rule that the filter cannot say; the text says why."""


def recovered(site: Site, rules: Sequence[Rule]) -> tuple[Filter, list[Note]]:
    """The filter of a site, and a note for all that is not in it."""
    given = Filter(
        detect=site.mode == "detect",
        banner=not site.scrub.server,
        path=site.limits["path"],
        query=site.limits["query"],
        body=site.limits["body"],
    )
    report: list[Note] = []
    queries: dict[str, tuple[str, ...]] = {}
    for rule in rules:
        if rule.servers and site.server not in ("any", *rule.servers):
            continue
        match, free = _without_queries(rule.match)
        try:
            given = _added(given, site, rule, match)
        except Unrecognised as error:
            report.append(Note(rule.where(), rule.title, str(error)))
        else:
            queries[rule.id] = free
            if rule.action in ("drop", "tarpit"):
                report.append(Note(rule.where(), f'action "{rule.action}"', "refused like any other"))
    report += _settings(site)
    given, more = _allowed(given, site, rules, queries)
    given = _verbs(given, site)
    sequences = (*given.url_sequences, *map(Entry, GUARDED))
    return replace(given, url_sequences=_unique(sequences)), [*report, *more]


def _added(given: Filter, site: Site, rule: Rule, match: Expr) -> Filter:
    """The filter with one more rule. Raises `Unrecognised`."""
    if rule.rate is not None:
        raise Unrecognised("counts requests, which the filter cannot")
    if rule.action in ("detect", "strip"):
        raise Unrecognised(f'only has the action "{rule.action}"; the filter would refuse')
    mode = site.modes.get(rule.id, site.modes.get(rule.pack, site.mode))
    if mode != site.mode:
        raise Unrecognised(f'is in mode "{mode}", the site in "{site.mode}"; left out')
    if match.get("field") == "reason":
        if set(match["value"]) <= SAID:
            return given
        raise Unrecognised("labels what the grammar of the gate refuses; the filter has no such check")
    for shape in SHAPES:
        result = shape(given, rule, match)
        if result is not None:
            return result
    raise Unrecognised("no setting of the filter has this shape")


def _without_queries(match: Expr) -> tuple[Expr, tuple[str, ...]]:
    """A match, and apart from it the queries that it lets pass."""
    parts = match.get("all", ())
    if len(parts) == 2 and (free := parts[1].get("not")) and _is(free, "query.raw", "equals"):
        return parts[0], tuple(_texts(free))
    return match, ()


def _is(expr: Expr, field: str, test: str) -> bool:
    return expr.get("field") == field and expr.get("test") == test


def _texts(expr: Expr) -> list[str]:
    """The values of a text test. Raises `Unrecognised` for bytes that are no text."""
    found = []
    for value in expr["value"]:
        text = spelling.from_match(value)
        if text is None:
            raise Unrecognised(f"{value!r} is no text")
        found.append(text)
    return found


def _entries(expr: Expr) -> Entries:
    return tuple(map(Entry, _texts(expr)))


def _unique(entries: Entries) -> Entries:
    return tuple(map(Entry, texts(entries)))


def _denied_extensions(given: Filter, rule: Rule, expr: Expr) -> Filter | None:
    if _is(expr, "extension", "equals"):
        return _with_extensions(given, Listing(False, _entries(expr)))
    bare = expr.get("not", {})
    if _is(bare, "path", "contains") and bare["value"] == ["."]:
        return _with_extensions(given, Listing(False, (Entry(""),)))
    return None


def _allow_list(given: Filter, rule: Rule, expr: Expr) -> Filter | None:
    parts = expr.get("all", [expr])
    pattern = parts[-1].get("not", {})
    dotted = parts[:-1]
    if not _is(pattern, "path", "regex") or len(pattern["value"]) != 1 or len(dotted) > 1:
        return None
    if dotted and not (_is(dotted[0], "path", "contains") and dotted[0]["value"] == ["."]):
        return None
    names = allowed_extensions(pattern["value"][0])
    if names is None:
        return None
    return _with_extensions(given, Listing(True, tuple(map(Entry, [*names, *([""] if dotted else [])]))))


def _with_extensions(given: Filter, listing: Listing) -> Filter:
    """Join two lists: what either denies is denied, what is allowed must be allowed by both."""
    had = given.extensions
    if had is None:
        return replace(given, extensions=listing)
    if had.allow == listing.allow:
        names = texts((*had.entries, *listing.entries))
        if had.allow:
            names = [one for one in texts(had.entries) if one in texts(listing.entries)]
        return replace(given, extensions=Listing(had.allow, tuple(map(Entry, names))))
    allowed, denied = (had, listing) if had.allow else (listing, had)
    names = [one for one in texts(allowed.entries) if one not in texts(denied.entries)]
    return replace(given, extensions=Listing(True, tuple(map(Entry, names))))


def _lists(given: Filter, rule: Rule, expr: Expr) -> Filter | None:
    """The tests that are one list of the filter."""
    if _is(expr, "path", "contains"):
        return replace(given, url_sequences=_unique((*given.url_sequences, *_entries(expr))))
    if _is(expr, "query", "contains"):
        return replace(given, query_sequences=_unique((*given.query_sequences, *_entries(expr))))
    if _is(expr, "headers", "equals"):
        return replace(given, headers=_unique((*given.headers, *_entries(expr))))
    if _is(expr, "segment", "equals"):
        return replace(given, segments=_unique((*given.segments, *_entries(expr))))
    if _is(expr, "basename", "equals") and all("." in value for value in expr["value"]):
        return replace(given, segments=_unique((*given.segments, *_entries(expr))))
    if _is(expr, "method", "equals"):
        had = given.verbs.entries if given.verbs else ()
        return replace(given, verbs=Listing(False, _unique((*had, *_entries(expr)))))
    if _is(expr, "header", "length") and "over" in expr:
        return replace(given, header_limits=(*given.header_limits, (Entry(expr["name"]), expr["over"])))
    return None


def _flags(given: Filter, rule: Rule, expr: Expr) -> Filter | None:
    if _is(expr, "path", "regex"):
        if expr["value"] == [HIGH_BIT]:
            return replace(given, high_bit=False)
        if expr["value"] == [MANY_DOTS]:
            return replace(given, many_dots=False)
    return None


def _filter_rule(given: Filter, rule: Rule, expr: Expr) -> Filter | None:
    """Strings in one place, for some extensions or for all."""
    parts = expr.get("all", [expr])
    extensions: Entries = ()
    if len(parts) == 2 and _is(parts[0], "extension", "equals"):
        extensions = _entries(parts[0])
        parts = parts[1:]
    if len(parts) != 1:
        return None
    found = _scan(parts[0])
    if found is None:
        return None
    made = replace(found, name=rule.id, extensions=extensions)
    return replace(given, rules=(*given.rules, made))


def _scan(expr: Expr) -> FilterRule | None:
    """A filtering rule without name and extensions."""
    for field, scan in (("query", Scan.QUERY), ("path", Scan.URL)):
        if _is(expr, field, "contains"):
            return FilterRule("", _entries(expr), frozenset({scan}))
    if _is(expr, "query.raw", "regex") and expr["value"] == [STRAY_PERCENT]:
        return FilterRule("", (), frozenset({Scan.QUERY}), percent=True)
    headers = expr.get("any", [expr])
    if not all(one.get("field") == "header" for one in headers):
        return None
    test, value = headers[0]["test"], headers[0].get("value")
    if any((one["test"], one.get("value")) != (test, value) for one in headers):
        return None
    names = tuple(Entry(one["name"]) for one in headers)
    if test == "contains":
        return FilterRule("", _entries(headers[0]), frozenset({Scan.HEADERS}), names)
    if test == "regex" and value == [STRAY_PERCENT]:
        return FilterRule("", (), frozenset({Scan.HEADERS}), names, percent=True)
    return None


def _each(given: Filter, rule: Rule, expr: Expr) -> Filter | None:
    """Alternatives, each of which is of a known shape."""
    for one in expr.get("any", ()):
        found = next((result for shape in SHAPES if (result := shape(given, rule, one)) is not None), None)
        if found is None:
            return None
        given = found
    return given if "any" in expr else None


SHAPES: tuple[Shape, ...] = (_denied_extensions, _allow_list, _lists, _flags, _filter_rule, _each)


def _verbs(given: Filter, site: Site) -> Filter:
    """The methods of the site, without those that a rule denies."""
    if not site.methods:
        return given
    denied = texts(given.verbs.entries) if given.verbs else []
    names = [one for one in site.methods if one not in denied]
    return replace(given, verbs=Listing(True, tuple(map(Entry, names))))


def _settings(site: Site) -> list[Note]:
    """What a site says that a filter cannot."""
    where = f'site "{site.name}"'
    notes = []
    if site.mode == "canary":
        notes.append(Note(where, 'mode "canary"', "the filter refuses for all clients"))
    if site.scrub.server:
        notes.append(Note(where, "scrub.server", "the filter takes out Server and no more", lost=False))
    if site.scrub.addresses:
        notes.append(Note(where, "scrub.addresses", "the filter leaves answers as they are"))
    usual = _core.limits(site.server)
    for key, value in site.limits.items():
        parts = site.limits["path"] + 1 + site.limits["query"]
        if key in ("path", "query", "body", "head") or value == usual[key]:
            continue
        if key != "target" or value < parts:
            notes.append(Note(where, f"limits.{key} = {value}", "the filter has no such limit"))
    return notes


def _allowed(
    given: Filter, site: Site, rules: Sequence[Rule], queries: dict[str, tuple[str, ...]]
) -> tuple[Filter, list[Note]]:
    """The URLs that are excepted from every rule on URLs, and the queries that pass every rule."""
    notes = []
    by_url = {rule.id for rule in rules if rule.id in queries and looks_at_url(rule.match)}
    excepted: dict[str, set[str]] = {}
    for one in site.exceptions:
        where = one.where or f'site "{site.name}"'
        if one.path is None or "*" in one.path or one.clients or one.fields or one.until:
            notes.append(Note(where, f'exception to "{one.rule}"', "the filter has no such exception"))
        else:
            excepted.setdefault(one.path, set()).add(one.rule)
    urls = []
    for path, names in excepted.items():
        if by_url and by_url <= names:
            urls.append(Entry(path))
        else:
            missing = ", ".join(sorted(by_url - names)[:3]) or "no rule on URLs"
            why = f"the filter allows a URL for all of its rules; not excepted: {missing}"
            notes.append(Note(f'site "{site.name}"', f'exception for "{path}"', why))
    sets = {free for free in queries.values() if free}
    free = next(iter(sets)) if len(sets) == 1 and all(queries.values()) else ()
    if sets and not free:
        what, why = "queries that some rules let pass", "the filter can only let them pass all"
        notes.append(Note(f'site "{site.name}"', what, why))
    return replace(given, allowed_urls=tuple(urls), allowed_queries=tuple(map(Entry, free))), notes


def looks_at_url(match: Expr) -> bool:
    """Whether a rule looks at nothing but the URL."""
    inner, _ = _without_queries(match)
    return {leaf["field"] for leaf in leaves(inner)} <= URL_FIELDS
