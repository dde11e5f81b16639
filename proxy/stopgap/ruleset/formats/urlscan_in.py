"""What does an urlscan.ini of URLScan 2.5 or 3.1 say?

The tables below are the reference: every option with its default and what becomes of it here. An option that
is missing has the default of the version that the file is for: 3.1 where it uses what 2.5 lacks.
"""

import re
from collections.abc import Mapping

from msgspec import Struct

from stopgap.config.checks import TOKEN
from stopgap.errors import nearest
from stopgap.ruleset.formats.filter import Entries, Entry, Filter, FilterRule, Listing, Scan
from stopgap.ruleset.formats.ini import Section, Setting, sections
from stopgap.ruleset.formats.model import Note
from stopgap.ruleset.formats.source import Source


class Option(Struct, frozen=True):
    """An option of [Options]: its default in 3.1, in 2.5 where that differs, whether it is 0 or 1.

    `only` "3" is for options that 2.5 does not have. `told` says what is lost with any value but `plain`.
    """

    default: str
    in_2: str | None = None
    flag: bool = True
    only: str = ""
    plain: str | None = None
    told: str = ""
    lost: bool = True


OPTIONS = {
    "UseAllowVerbs": Option("1"),
    "UseAllowExtensions": Option("1", in_2="0"),
    "NormalizeUrlBeforeScan": Option(
        "1", plain="1", told="every reading of a URL is judged, the normalised ones too"
    ),
    "VerifyNormalization": Option(
        "1",
        plain="1",
        told='a URL escaped twice is refused; except the paths that need it from "double-escape"',
    ),
    "AllowHighBitCharacters": Option("1", in_2="0"),
    "AllowDotInPath": Option("1", in_2="0"),
    "AllowLateScanning": Option("0", plain="0", told="the gate judges before the server sees anything"),
    "UseFastPathReject": Option("0", plain="0", told="a refusal never costs the server anything", lost=False),
    "RejectResponseUrl": Option("", flag=False),
    "UnescapeQueryString": Option("1", only="3"),
    "RuleList": Option("", flag=False, only="3"),
    "EnableLogging": Option("1", plain="1", told="every refusal is an event; `log` says where events go"),
    "PerProcessLogging": Option("0", plain="0", told="all workers write one stream of events"),
    "PerDayLogging": Option(
        "1", plain="0", told="events are one stream; the journal or logrotate splits it by day"
    ),
    "LogLongUrls": Option("0", plain="0", told="an event shows the first 2048 bytes of a target"),
    "LoggingDirectory": Option("", flag=False, plain="", told="events go where the key `log` says"),
    "RemoveServerHeader": Option(
        "0", plain="0", told="`scrub` takes X-Powered-By and its like out of answers as well", lost=False
    ),
    "AlternateServerName": Option(
        "", flag=False, plain="", told="an answer names the server itself, or with `scrub` none"
    ),
}

DETECT = "/~*"
"""The RejectResponseUrl that means: log, do not refuse."""
DEFAULT_REJECT = "/<rejected-by-urlscan>"

LISTS_OF_3 = ("AlwaysAllowedUrls", "AlwaysAllowedQueryStrings", "DenyQueryStringSequences")
LISTS = (
    *("AllowVerbs", "DenyVerbs", "DenyHeaders", "AllowExtensions", "DenyExtensions", "DenyUrlSequences"),
    *LISTS_OF_3,
)
SECTIONS = ("Options", "RequestLimits", *LISTS)
"""All sections but those of rules and their strings; 2.5 does not have `LISTS_OF_3`."""

LIMITS = {"maxallowedcontentlength": 30_000_000, "maxurl": 260, "maxquerystring": 4096}
"""The limits that are not of a header, and their defaults."""

RULE_FLAGS = ("ScanURL", "ScanAllRaw", "ScanQueryString", "DenyUnescapedPercent")
RULE_KEYS = {key.lower(): key for key in ("AppliesTo", "DenyDataSection", "ScanHeaders", *RULE_FLAGS)}

MOST = 4_294_967_295
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")


class Reader:
    """One file on its way to a filter."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.sections = sections(source)
        self.report: list[Note] = []
        self.options = self._options()
        newer = [name for name in LISTS_OF_3 if name.lower() in self.sections]
        newer += [name for name, option in OPTIONS.items() if option.only and name in self.options]
        self.version = "3" if newer else "2"

    def note(self, line: int, what: str, why: str, lost: bool = True) -> None:
        self.report.append(Note(self.source.where(line), what, why, lost))

    def filter(self) -> Filter:
        """All that the file says; what is lost or kept by other means is in `report` afterwards."""
        if not self.sections:
            raise self.source.wrong(1, "is empty; URLScan without its file refuses every request")
        reject = self.options.get("RejectResponseUrl")
        if reject and reject.value and reject.value.lower() not in (DETECT, DEFAULT_REJECT):
            why = "a refusal is answered with a small page that names the event"
            self.note(reject.line, f"RejectResponseUrl={reject.value}", why)
        rules = self._rules()
        limits, header_limits = self._limits()
        verbs, extensions = self._choice("Verbs"), self._choice("Extensions")
        return Filter(
            detect=reject is not None and reject.value == DETECT,
            banner=not self._flag("RemoveServerHeader"),
            verbs=verbs,
            extensions=extensions,
            headers=tuple(self._colon(entry, "DenyHeaders") for entry in self._list("DenyHeaders")),
            url_sequences=self._list("DenyUrlSequences"),
            query_sequences=tuple(map(self._unescaped, self._list("DenyQueryStringSequences"))),
            body=limits["maxallowedcontentlength"],
            path=limits["maxurl"],
            query=limits["maxquerystring"],
            header_limits=header_limits,
            high_bit=self._flag("AllowHighBitCharacters"),
            many_dots=self._flag("AllowDotInPath"),
            double_escape=not self._flag("VerifyNormalization"),
            unescape_query=self._flag("UnescapeQueryString"),
            allowed_urls=tuple(map(self._slash, self._list("AlwaysAllowedUrls"))),
            allowed_queries=self._list("AlwaysAllowedQueryStrings"),
            rules=rules,
        )

    def _options(self) -> dict[str, Setting]:
        known = {name.lower(): name for name in OPTIONS}
        found: dict[str, Setting] = {}
        section = self.sections.get("options")
        for setting in section.settings(self.source) if section else ():
            name = known.get(setting.key.lower())
            if name is None:
                raise self.source.wrong(
                    setting.line, f"[Options] {setting.key}: unknown option{nearest(setting.key, OPTIONS)}"
                )
            option = OPTIONS[name]
            if option.flag and setting.value not in ("0", "1"):
                raise self.source.wrong(
                    setting.line, f'[Options] {name}: must be 0 or 1, not "{setting.value}"'
                )
            found[name] = setting
            if option.told and setting.value != option.plain:
                self.note(setting.line, f"{name}={setting.value}", option.told, option.lost)
        return found

    def _flag(self, name: str) -> bool:
        setting, option = self.options.get(name), OPTIONS[name]
        if setting:
            return setting.value == "1"
        if option.in_2 is None or option.in_2 == option.default:
            return option.default == "1"
        value = option.in_2 if self.version == "2" else option.default
        release = "2.5" if self.version == "2" else "3.1"
        section = self.sections.get("options")
        line = section.line if section else 1
        self.note(line, f"{name} is missing", f"taken as {value}, the default of {release}", lost=False)
        return value == "1"

    def _list(self, name: str) -> Entries:
        section = self.sections.get(name.lower())
        return section.entries if section else ()

    def _choice(self, what: str) -> Listing:
        """[AllowVerbs] or [DenyVerbs], and the same of extensions, as the option says."""
        option = f"UseAllow{what}"
        allow = self._flag(option)
        used, unused = (f"Allow{what}", f"Deny{what}") if allow else (f"Deny{what}", f"Allow{what}")
        section, other = self.sections.get(used.lower()), self.sections.get(unused.lower())
        if other and other.entries:
            self.note(other.line, f"[{unused}]", f"has no effect with {option}={int(allow)}", lost=False)
        if allow and not (section and section.entries):
            line = section.line if section else self.options[option].line if option in self.options else 1
            what = "is empty, so that URLScan refuses every request"
            raise self.source.wrong(line, f"[{used}]: {what}; list what is allowed, or write {option}=0")
        entries = section.entries if section else ()
        if what == "Extensions":
            entries = tuple(self._dot(entry, used) for entry in entries)
        return Listing(allow, entries, section.line if section else 0)

    def _dot(self, entry: Entry, section: str) -> Entry:
        if not entry.text.startswith("."):
            raise self.source.wrong(
                entry.line, f'[{section}]: "{entry.text}" begins with no dot; write ".{entry.text}"'
            )
        return Entry(entry.text[1:], entry.line)

    def _colon(self, entry: Entry, section: str) -> Entry:
        name = entry.text.removesuffix(":")
        if name == entry.text or not TOKEN.fullmatch(name):
            raise self.source.wrong(
                entry.line, f'[{section}]: "{entry.text}" is not a header; write "{name}:"'
            )
        return Entry(name, entry.line)

    def _header(self, setting: Setting) -> Entry:
        name = setting.key[4:]
        if not TOKEN.fullmatch(name):
            what = f'[RequestLimits] {setting.key}: "{name}" is not the name of a header; write "Max-Cookie"'
            raise self.source.wrong(setting.line, f"{what} for Cookie")
        return Entry(name, setting.line)

    def _slash(self, entry: Entry) -> Entry:
        if not entry.text.startswith("/"):
            raise self.source.wrong(
                entry.line, f'[AlwaysAllowedUrls]: "{entry.text}" begins with no slash; write "/{entry.text}"'
            )
        return entry

    def _unescaped(self, entry: Entry) -> Entry:
        """`%3b` in a string stands for a semicolon, which begins a comment; `%89%EF` for bytes of a page."""
        for encoding in ("utf-8", f"cp{self.source.codepage or 1252}"):
            try:
                raw = entry.text.encode(encoding)
                return Entry(
                    _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), raw).decode(encoding), entry.line
                )
            except UnicodeError:
                continue
        return entry

    def _limits(self) -> tuple[dict[str, int | None], tuple[tuple[Entry, int], ...]]:
        limits: dict[str, int | None] = dict(LIMITS)
        headers: list[tuple[Entry, int]] = []
        section = self.sections.get("requestlimits")
        for setting in section.settings(self.source) if section else ():
            key = setting.key.lower()
            number = self._number(setting)
            if key in LIMITS and number:
                limits[key] = number
            elif key in LIMITS:
                limits[key] = None
                why = "0 is defined for headers only; the limit of the site's server holds"
                self.note(setting.line, f"{setting.key}=0", why)
            elif key.startswith("max-") and len(key) > 4:
                name = self._header(setting)
                if number:
                    headers.append((name, number))
                else:
                    self.note(setting.line, f"{setting.key}=0", "0 sets no limit", lost=False)
            else:
                known = ["MaxAllowedContentLength", "MaxUrl", "MaxQueryString", "Max-<header>"]
                raise self.source.wrong(
                    setting.line, f"[RequestLimits] {setting.key}: unknown limit{nearest(setting.key, known)}"
                )
        return limits, tuple(headers)

    def _number(self, setting: Setting) -> int:
        text = setting.value
        if not (text.isascii() and text.isdigit()) or int(text) > MOST:
            raise self.source.wrong(
                setting.line, f'[RequestLimits] {setting.key}: must be a whole number of bytes, not "{text}"'
            )
        return int(text)

    def _rules(self) -> tuple[FilterRule, ...]:
        listed = self.options.get("RuleList")
        names = [one.strip() for one in listed.value.split(",")] if listed else []
        used = {name.lower() for name in SECTIONS}
        found = []
        for name in dict.fromkeys(one for one in names if one):
            section = self.sections.get(name.lower())
            if section is None or listed is None:
                raise self.source.wrong(
                    listed.line if listed else 1,
                    f"[Options] RuleList: no section is called [{name}]{nearest(name, self.sections)}",
                )
            rule, data = self._rule(section)
            used |= {name.lower(), data.lower()}
            found.append(rule)
        for key, section in self.sections.items():
            if key not in used:
                hint = nearest(section.name, SECTIONS).partition("; known:")[0]
                what = "is neither a section of URLScan nor named by RuleList or a DenyDataSection"
                raise self.source.wrong(section.line, f"[{section.name}]: {what}{hint}")
        return tuple(found)

    def _rule(self, section: Section) -> tuple[FilterRule, str]:
        """A rule section, and the name of the section with its strings."""
        given: dict[str, Setting] = {}
        for setting in section.settings(self.source):
            if setting.key.lower() not in RULE_KEYS:
                hint = nearest(setting.key, RULE_KEYS.values())
                raise self.source.wrong(setting.line, f"[{section.name}] {setting.key}: unknown key{hint}")
            given[setting.key.lower()] = setting
        flags = {key: self._rule_flag(section, given, key.lower()) for key in RULE_FLAGS}
        data = given["denydatasection"].value if "denydatasection" in given else ""
        strings: Entries = ()
        if data:
            there = self.sections.get(data.lower())
            if there is None:
                what = f"no section is called [{data}]{nearest(data, self.sections)}"
                line = given["denydatasection"].line
                raise self.source.wrong(line, f"[{section.name}] DenyDataSection: {what}")
            strings = tuple(map(self._unescaped, there.entries))
        headers = tuple(
            self._colon(entry, f"{section.name}] [ScanHeaders") for entry in self._names(given, "scanheaders")
        )
        scans = {
            Scan.URL: flags["ScanURL"],
            Scan.QUERY: flags["ScanQueryString"],
            Scan.RAW: flags["ScanAllRaw"],
            Scan.HEADERS: bool(headers),
        }
        extensions = tuple(
            self._dot(one, f"{section.name}] [AppliesTo") for one in self._names(given, "appliesto")
        )
        if not any(scans.values()) or not (strings or flags["DenyUnescapedPercent"]):
            self.note(section.line, f"[{section.name}]", "looks for nothing, or nowhere", lost=False)
        return (
            FilterRule(
                name=section.name,
                strings=strings,
                scans=frozenset(scan for scan, on in scans.items() if on),
                headers=headers,
                extensions=extensions,
                percent=flags["DenyUnescapedPercent"],
                line=section.line,
            ),
            data,
        )

    def _rule_flag(self, section: Section, given: Mapping[str, Setting], key: str) -> bool:
        setting = given.get(key)
        if setting and setting.value not in ("0", "1"):
            raise self.source.wrong(
                setting.line, f'[{section.name}] {setting.key}: must be 0 or 1, not "{setting.value}"'
            )
        return setting is not None and setting.value == "1"

    def _names(self, given: Mapping[str, Setting], key: str) -> Entries:
        setting = given.get(key)
        names = [one.strip() for one in setting.value.split(",")] if setting else []
        return tuple(Entry(one, setting.line) for one in names if one and setting)
