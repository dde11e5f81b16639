"""What does the <requestFiltering> of a web.config or an applicationHost.config say?

`ELEMENTS` is the reference: every element with its attributes. A <location> counts when it is the whole
server or the site that was asked for; what it says is laid over what stands outside. Two things differ from
URLScan: `denyUnescapedPercent` is true by default, and a header's `sizeLimit` of 0 denies the header.
"""

from collections.abc import Iterator

from msgspec import Struct

from stopgap.errors import nearest
from stopgap.ruleset.formats.filter import Entries, Entry, Filter, FilterRule, Listing, Scan
from stopgap.ruleset.formats.model import Note
from stopgap.ruleset.formats.source import Source
from stopgap.ruleset.formats.xmlfile import Element, parsed


class Shape(Struct, frozen=True):
    """What an element may have: attributes with their defaults, child elements, and the key of its <add>."""

    attributes: dict[str, str] = {}
    children: tuple[str, ...] = ()
    key: str = ""
    also: dict[str, str] = {}


ELEMENTS = {
    "requestFiltering": Shape(
        {
            "allowDoubleEscaping": "false",
            "allowHighBitCharacters": "true",
            "unescapeQueryString": "true",
            "removeServerHeader": "false",
        },
        (
            "requestLimits",
            "fileExtensions",
            "verbs",
            "hiddenSegments",
            "denyUrlSequences",
            "denyQueryStringSequences",
            "alwaysAllowedUrls",
            "alwaysAllowedQueryStrings",
            "filteringRules",
        ),
    ),
    "requestLimits": Shape(
        {"maxAllowedContentLength": "30000000", "maxUrl": "4096", "maxQueryString": "2048"}, ("headerLimits",)
    ),
    "headerLimits": Shape(key="header", also={"sizeLimit": ""}),
    "fileExtensions": Shape(
        {"allowUnlisted": "true", "applyToWebDAV": "true"}, key="fileExtension", also={"allowed": ""}
    ),
    "verbs": Shape({"allowUnlisted": "true", "applyToWebDAV": "true"}, key="verb", also={"allowed": ""}),
    "hiddenSegments": Shape({"applyToWebDAV": "true"}, key="segment"),
    "denyUrlSequences": Shape(key="sequence"),
    "denyQueryStringSequences": Shape(key="sequence"),
    "alwaysAllowedUrls": Shape(key="url"),
    "alwaysAllowedQueryStrings": Shape(key="queryString"),
    "filteringRules": Shape(children=("filteringRule",)),
    "filteringRule": Shape(
        {
            "name": "",
            "scanUrl": "false",
            "scanQueryString": "false",
            "scanAllRaw": "false",
            "denyUnescapedPercent": "true",
        },
        ("scanHeaders", "appliesTo", "denyStrings"),
    ),
    "scanHeaders": Shape(key="requestHeader"),
    "appliesTo": Shape(key="fileExtension"),
    "denyStrings": Shape(key="string"),
}

NUMBERS = frozenset({"maxAllowedContentLength", "maxUrl", "maxQueryString", "sizeLimit"})
TEXTS = frozenset({"name"})
MOST = 4_294_967_295
LOCKS = frozenset(
    {"lockItem", "lockAttributes", "lockElements", "lockAllAttributesExcept", "lockAllElementsExcept"}
)
WHOLE = ("", ".")
"""Paths of a <location> that mean all of it."""


class Reader:
    """One file on its way to a filter. What is lost or kept by other means is in `report` afterwards."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.report: list[Note] = []
        self.values = {name: dict(shape.attributes) for name, shape in ELEMENTS.items()}
        self.lists: dict[str, dict[str, Element]] = {
            name: {} for name, shape in ELEMENTS.items() if shape.key
        }
        self.rules: dict[str, Element] = {}
        self.lines: dict[str, int] = {}

    def note(self, line: int, what: str, why: str, lost: bool = True) -> None:
        self.report.append(Note(self.source.where(line), what, why, lost))

    def filter(self) -> Filter:
        root = parsed(self.source)
        if root.name != "configuration":
            raise self.source.wrong(root.line, f"<{root.name}>: the file must begin with <configuration>")
        found = list(self._filterings(root))
        if not found:
            raise self.source.wrong(root.line, "<configuration>: has no <requestFiltering> to import")
        for element in found:
            self._laid_over(element)
        limits = {key: self._limit(key) for key in ELEMENTS["requestLimits"].attributes}
        headers, header_limits = self._header_limits()
        options = self.values["requestFiltering"]
        return Filter(
            verbs=self._listing("verbs"),
            extensions=self._listing("fileExtensions"),
            headers=headers,
            url_sequences=self._entries("denyUrlSequences"),
            query_sequences=self._entries("denyQueryStringSequences"),
            segments=self._entries("hiddenSegments"),
            body=limits["maxAllowedContentLength"],
            path=limits["maxUrl"],
            query=limits["maxQueryString"],
            header_limits=header_limits,
            high_bit=options["allowHighBitCharacters"] == "true",
            banner=options["removeServerHeader"] != "true",
            double_escape=options["allowDoubleEscaping"] == "true",
            unescape_query=options["unescapeQueryString"] == "true",
            allowed_urls=self._slashed(self._entries("alwaysAllowedUrls")),
            allowed_queries=self._entries("alwaysAllowedQueryStrings"),
            rules=tuple(self._rule(rule) for rule in self.rules.values()),
        )

    def _filterings(self, parent: Element) -> Iterator[Element]:
        """Every <requestFiltering> that counts, the general one before that of a location."""
        later: list[Element] = []
        for child in parent.children:
            if child.name == "system.webServer":
                yield from self._security(child)
            elif child.name == "location":
                path = child.attributes.get("path", "")
                if path in WHOLE or path.lower() == (self.source.site or "").lower():
                    later += self._filterings(child)
                elif any(True for _ in _inside(child, "requestFiltering")):
                    why = f'holds for this path only; to import it, name it: --site "{path}"'
                    self.note(child.line, f'<location path="{path}">', why)
            else:
                self.note(child.line, f"<{child.name}>", "is not about requests to refuse", lost=False)
        yield from later

    def _security(self, server: Element) -> Iterator[Element]:
        for child in server.children:
            if child.name != "security":
                self.note(child.line, f"<{child.name}>", "is not about requests to refuse", lost=False)
                continue
            for inner in child.children:
                if inner.name == "requestFiltering":
                    yield inner
                else:
                    self.note(inner.line, f"<{inner.name}>", "only <requestFiltering> is imported")

    def _laid_over(self, element: Element) -> None:
        """Take over an element and all in it. Raises `FormatError` for what it may not have."""
        shape = ELEMENTS[element.name]
        self.lines[element.name] = element.line
        self._attributes(element, {**shape.attributes})
        self.values[element.name] |= self._lowered(element)
        for name, value in element.attributes.items():
            self._told(element, name, value)
        for child in element.children:
            if child.name in shape.children and child.name != "filteringRule":
                self._laid_over(child)
            elif child.name == "filteringRule":
                self._attributes(child, ELEMENTS["filteringRule"].attributes)
                name = child.attributes.get("name", "")
                if not name:
                    raise self.source.wrong(child.line, "<filteringRule>: name: is missing")
                self.rules[name.lower()] = child
            elif shape.key or shape.children == ("filteringRule",):
                kept: dict[str, Element] = self.lists[element.name] if shape.key else self.rules
                self._changed(element, child, kept)
            else:
                self._unknown(child, shape.children, element)

    def _changed(self, parent: Element, child: Element, kept: dict[str, Element]) -> None:
        """<add>, <remove> or <clear> in a list."""
        shape = ELEMENTS[parent.name]
        key = shape.key or "name"
        if child.name == "clear":
            self._attributes(child, {})
            kept.clear()
        elif child.name == "remove":
            self._attributes(child, {key: ""})
            kept.pop(child.attributes.get(key, "").lower(), None)
        elif child.name == "add" and shape.key:
            self._attributes(child, {key: "", **shape.also})
            for needed in (key, *shape.also):
                if not child.attributes.get(needed):
                    raise self.source.wrong(child.line, f"<{parent.name}><add>: {needed}: is missing")
            kept[child.attributes[key].lower()] = child
        else:
            self._unknown(child, [*shape.children, "add", "remove", "clear"], parent)

    def _unknown(self, child: Element, known: "list[str] | tuple[str, ...]", parent: Element) -> None:
        hint = nearest(child.name, known)
        raise self.source.wrong(child.line, f"<{parent.name}>: <{child.name}> does not belong there{hint}")

    def _attributes(self, element: Element, known: dict[str, str]) -> None:
        for name, value in element.attributes.items():
            if name in LOCKS:
                self.note(element.line, f"<{element.name}> {name}", "is about editing the file", lost=False)
                continue
            if name == "configSource":
                text = (
                    f'<{element.name}> configSource: what it says stands in "{value}"; put that in its place'
                )
                raise self.source.wrong(element.line, text)
            if name not in known:
                text = f"<{element.name}> {name}: unknown attribute{nearest(name, known)}"
                raise self.source.wrong(element.line, text)
            if name in NUMBERS and (not (value.isascii() and value.isdigit()) or int(value) > MOST):
                text = f'<{element.name}> {name}: must be a whole number of bytes, not "{value}"'
                raise self.source.wrong(element.line, text)
            flag = known[name] in ("true", "false") or name == "allowed"
            if flag and value.lower() not in ("true", "false"):
                text = f'<{element.name}> {name}: must be true or false, not "{value}"'
                raise self.source.wrong(element.line, text)

    def _lowered(self, element: Element) -> dict[str, str]:
        return {name: value if name in TEXTS else value.lower() for name, value in element.attributes.items()}

    def _told(self, element: Element, name: str, value: str) -> None:
        """What a setting other than the usual one means here."""
        for attribute, usual, why, lost in (
            (
                "allowDoubleEscaping",
                "false",
                'a URL escaped twice is refused; except its path from "double-escape"',
                True,
            ),
            ("removeServerHeader", "false", "`scrub` takes X-Powered-By and its like out as well", False),
            ("applyToWebDAV", "true", "the rule holds for WebDAV as well", True),
        ):
            if name == attribute and value.lower() != usual:
                self.note(element.line, f'<{element.name} {name}="{value}">', why, lost)

    def _limit(self, key: str) -> int:
        value = int(self.values["requestLimits"][key])
        if value == 0:
            self.note(self.lines["requestLimits"], f"<requestLimits> {key} 0", "the smallest limit is 1")
        return max(value, 1)

    def _entries(self, name: str) -> Entries:
        key = ELEMENTS[name].key
        return tuple(Entry(one.attributes[key], one.line) for one in self.lists[name].values())

    def _header_limits(self) -> tuple[Entries, tuple[tuple[Entry, int], ...]]:
        """Headers that are denied (a limit of 0), and limits of the others."""
        denied, limited = [], []
        for one in self.lists["headerLimits"].values():
            entry, size = Entry(one.attributes["header"], one.line), int(one.attributes["sizeLimit"])
            if size:
                limited.append((entry, size))
            else:
                denied.append(entry)
        return tuple(denied), tuple(limited)

    def _listing(self, name: str) -> Listing:
        """What alone is allowed, or what is denied; the other entries say what holds anyway."""
        allow = self.values[name]["allowUnlisted"] == "false"
        key = ELEMENTS[name].key
        entries = []
        for one in self.lists[name].values():
            if (one.attributes["allowed"].lower() == "true") == allow:
                text = one.attributes[key]
                if name == "fileExtensions":
                    text = self._dotless(text, one)
                entries.append(Entry(text, one.line))
            else:
                what = f'{key} "{one.attributes[key]}" allowed="{one.attributes["allowed"]}"'
                self.note(
                    one.line, what, f'holds anyway with allowUnlisted="{str(not allow).lower()}"', lost=False
                )
        if allow and not entries:
            text = f"<{name}>: allows nothing, so that every request is refused; add what is allowed"
            raise self.source.wrong(1, text)
        return Listing(allow, tuple(entries))

    def _dotless(self, text: str, element: Element) -> str:
        if not text.startswith("."):
            what = f'fileExtension: "{text}" begins with no dot; write ".{text}"'
            raise self.source.wrong(element.line, f"<{element.name}> {what}")
        return text[1:]

    def _slashed(self, entries: Entries) -> Entries:
        for entry in entries:
            if not entry.text.startswith("/"):
                text = f'<alwaysAllowedUrls><add>: url: "{entry.text}" begins with no slash'
                raise self.source.wrong(entry.line, f'{text}; write "/{entry.text}"')
        return entries

    def _rule(self, element: Element) -> FilterRule:
        values = {**ELEMENTS["filteringRule"].attributes, **element.attributes}
        inner: dict[str, Entries] = {}
        for child in element.children:
            if child.name not in ELEMENTS["filteringRule"].children:
                self._unknown(child, ELEMENTS["filteringRule"].children, element)
            kept: dict[str, Element] = {}
            for one in child.children:
                self._changed(child, one, kept)
            key = ELEMENTS[child.name].key
            inner[child.name] = tuple(Entry(one.attributes[key], one.line) for one in kept.values())
        headers = inner.get("scanHeaders", ())
        extensions = tuple(
            Entry(self._dotless(one.text, Element("appliesTo", {}, one.line)), one.line)
            for one in inner.get("appliesTo", ())
        )
        scans = {
            Scan.URL: values["scanUrl"].lower() == "true",
            Scan.QUERY: values["scanQueryString"].lower() == "true",
            Scan.RAW: values["scanAllRaw"].lower() == "true",
            Scan.HEADERS: bool(headers),
        }
        percent = values["denyUnescapedPercent"].lower() == "true"
        strings = inner.get("denyStrings", ())
        if not any(scans.values()) or not (strings or percent):
            what = f'<filteringRule name="{values["name"]}">'
            self.note(element.line, what, "looks for nothing, or nowhere", lost=False)
        return FilterRule(
            name=values["name"],
            strings=strings,
            scans=frozenset(scan for scan, on in scans.items() if on),
            headers=headers,
            extensions=extensions,
            percent=percent,
            line=element.line,
        )


def _inside(element: Element, name: str) -> Iterator[Element]:
    """Every element of this name, however deep."""
    for child in element.children:
        if child.name == name:
            yield child
        yield from _inside(child, name)
