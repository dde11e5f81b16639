"""Which rules of Suricata and Snort are rules of ours, exactly?

A rule is imported when every one of its options is a test of one part of the request that our language has,
or says nothing about what is caught. Otherwise it is left out whole, and the option that it is left out for
is told.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from stopgap.errors import InputError, printable
from stopgap.ruleset.formats import meaning
from stopgap.ruleset.formats.meaning import Inexact, Piece, Table
from stopgap.ruleset.formats.model import Draft, Imported, Note
from stopgap.ruleset.formats.regex import Group, RegexError, parse
from stopgap.ruleset.formats.samples import Unshown, with_vectors
from stopgap.ruleset.formats.source import Source
from stopgap.ruleset.formats.suricata_syntax import Option, Signature, content, signatures

TITLE = "Imported from rules of Suricata or Snort"

SILENT = frozenset(
    {"msg", "reference", "sid", "rev", "gid", "classtype", "priority", "metadata", "target", "fast_pattern"}
)
"""Options that say nothing about what is caught."""

_PLACE = "the place of a text is kept only where it is the start or the end of its buffer"
_MEMORY = "it remembers what came before; a rule here sees one request"
_RESPONSE = "it looks at the response"
_PACKET = "it looks at packets, and a proxy has none"
WHY: dict[str, str] = {
    **dict.fromkeys(("offset", "depth", "distance", "within", "isdataat"), _PLACE),
    **dict.fromkeys(("flowbits", "xbits", "flowint", "hostbits"), _MEMORY),
    **dict.fromkeys(("threshold", "detection_filter"), "it counts; `rate` in the rule can do that, by hand"),
    **dict.fromkeys(
        ("byte_test", "byte_jump", "byte_extract", "byte_math"), "no rule here computes with bytes"
    ),
    **dict.fromkeys(
        ("http.stat_code", "http.stat_msg", "http.response_body", "http.response_line"), _RESPONSE
    ),
    **dict.fromkeys(
        ("http_stat_code", "http_stat_msg", "file_data", "file.data", "http_server_body"), _RESPONSE
    ),
    **dict.fromkeys(("dsize", "flags", "ttl", "seq", "ack", "window", "itype", "stream_size"), _PACKET),
}
FLOW = frozenset({"established", "to_server", "from_client", "stateless", "only_stream", "no_frag"})

CLASSES = {
    "high": "attempted-admin attempted-user successful-admin successful-user web-application-attack "
    "trojan-activity shellcode-detect exploit-kit command-and-control",
    "low": "policy-violation misc-activity not-suspicious protocol-command-decode network-scan unknown",
}
PRIORITIES = {"1": "high", "2": "medium", "3": "low", "4": "low"}


@dataclass
class Look:
    """One content or pcre as it is read: the options after it change it."""

    option: Option
    buffer: str | None
    nocase: bool = False
    starts: bool = False
    ends: bool = False
    size: tuple[int, int | None] | None = None

    @property
    def table(self) -> Table:
        """What it means. Raises `Inexact`."""
        if self.buffer is None:
            raise Inexact("it looks into the bytes of the connection, not into one part of a request")
        table = meaning.BUFFERS[self.buffer](self.piece)
        return {"not": table} if self.option.negated else table

    @property
    def piece(self) -> Piece:
        if self.option.name == "pcre":
            return Piece(regex=_regex(self.option), size=self.size)
        text = content(self.option.value or "") if self.option.quoted else b""
        return Piece(text, self.nocase, self.starts, self.ends, size=self.size)


def read(source: Source) -> Imported:
    """The rules of a file. Raises `FormatError` where it is no such file."""
    rules: list[Draft] = []
    report: list[Note] = []
    for one in signatures(source):
        _checked(source, one)
        try:
            rules.append(with_vectors(_draft(one)))
        except _Left as left:
            why = f"{left.why}; the rule is left out"
            report.append(Note(source.where(one.line), f"sid {one.first('sid')}: {left.what}", why))
        except (Unshown, InputError) as error:
            why = f"{error}; the rule is left out"
            report.append(Note(source.where(one.line), f"sid {one.first('sid')}", why))
    return Imported(tuple(rules), tuple(report), title=TITLE)


class _Left(Exception):
    """A rule is left out for one of its options."""

    def __init__(self, what: object, why: str) -> None:
        super().__init__(why)
        self.what, self.why = str(what), why


def _checked(source: Source, one: Signature) -> None:
    """Raise what is wrong with the texts of a rule, whether it is kept or not."""
    for option in one.options:
        if option.name in ("content", "uricontent", "pcre"):
            if not option.quoted or not option.value:
                raise source.wrong(one.line, f"{option.name}: must be a text in quotes that is not empty")
            try:
                if option.name != "pcre":
                    content(option.value)
                elif not _REGEX.fullmatch(option.value):
                    raise ValueError('must be "/regex/flags"')
            except ValueError as error:
                raise source.wrong(one.line, f"{option.name}: {option.value!r}: {error}") from None


def _draft(one: Signature) -> Draft:
    """The rule without its vectors. Raises `_Left`."""
    _placed(one)
    tables: list[Table] = []
    for look in _looks(one):
        try:
            tables.append(look.table)
        except (Inexact, RegexError) as error:
            raise _Left(look.option, str(error)) from None
    if not tables:
        raise _Left("its options", "nothing of a request is looked at")
    sid = one.first("sid")
    return {
        "id": f"sid-{sid}",
        "title": printable(one.first("msg") or f"SID {sid}"),
        "refs": [f"SID {sid}", *_references(one)],
        "severity": _severity(one),
        "match": meaning.every(tables),
    }


def _placed(one: Signature) -> None:
    """Whether the rule looks at requests, wherever they come from."""
    protocol, *ends = one.header
    if one.action in ("pass", "log"):
        raise _Left(one.action, "it refuses nothing; an exception of the site can let a request through")
    if protocol not in ("http", "http1", "tcp", "ip"):
        raise _Left(protocol, "only rules for http are read")
    for word in ends:
        if not re.fullmatch(r"any|!?\$\w+|->", word):
            raise _Left(word, "the addresses of a rule are its site's; without them it would catch more")


def _looks(one: Signature) -> list[Look]:
    """The contents and regexes of a rule with what belongs to each."""
    looks: list[Look] = []
    sticky: str | None = None
    for option in one.options:
        name = meaning.OLD.get(option.name, option.name)
        if name in meaning.BUFFERS and option.value is None:
            sticky = name
        elif name in ("content", "uricontent"):
            looks.append(Look(option, "http.uri" if name == "uricontent" else sticky))
        elif name == "pcre":
            _, buffer = _split(option)
            looks.append(Look(option, buffer or sticky))
        elif name == "urilen":
            looks.append(_urilen(option))
        elif name == "bsize" and sticky:
            looks.append(Look(Option("bsize", option.value), sticky, size=_size(option)))
        elif name in meaning.MODIFIERS and looks:
            looks[-1].buffer = meaning.MODIFIERS[name]
        elif name in MARKS and looks:
            MARKS[name](looks[-1], option)
        elif name == "flow":
            _flow(option)
        elif name not in SILENT and (name, option.value) != ("app-layer-protocol", "http"):
            raise _Left(option, WHY.get(name, "this option is not known here"))
    return _joined(looks)


def _joined(looks: Sequence[Look]) -> list[Look]:
    """A size belongs to the text before it in the same buffer, if that stands alone there."""
    joined: list[Look] = []
    for look in looks:
        before = joined[-1] if joined else None
        fits = before and before.buffer == look.buffer and before.size is None and not before.option.negated
        if look.option.name == "bsize" and before and fits:
            before.size = look.size
            length = len(before.piece.text)
            if look.size == (length, length) and length:
                before.starts, before.ends, before.size = True, True, None
        else:
            joined.append(look)
    return joined


def _nocase(look: Look, option: Option) -> None:
    look.nocase = True


def _starts(look: Look, option: Option) -> None:
    look.starts = True


def _ends(look: Look, option: Option) -> None:
    look.ends = True


def _depth(look: Look, option: Option) -> None:
    if option.value != str(len(look.piece.text)):
        raise _Left(option, _PLACE)
    look.starts = True


def _offset(look: Look, option: Option) -> None:
    if option.value != "0":
        raise _Left(option, _PLACE)


MARKS: dict[str, Callable[[Look, Option], None]] = {
    "nocase": _nocase,
    "startswith": _starts,
    "endswith": _ends,
    "depth": _depth,
    "offset": _offset,
}
"""Options that change the text before them."""

_REGEX = re.compile(r"/(.*)/([A-Za-z]*)", re.DOTALL)


def _split(option: Option) -> tuple[str, str | None]:
    """The flags of a regex that are none of a buffer, and the buffer that one names."""
    found = _REGEX.fullmatch(option.value or "")
    flags = found[2] if found else ""
    named = [meaning.REGEX_FLAGS[flag] for flag in flags if flag in meaning.REGEX_FLAGS]
    if len(named) > 1:
        raise _Left(option, "it names two buffers")
    return "".join(flag for flag in flags if flag not in meaning.REGEX_FLAGS), named[0] if named else None


def _regex(option: Option) -> Group:
    found = _REGEX.fullmatch(option.value or "")
    pattern = found[1].replace("\\/", "/") if found else ""
    flags, _ = _split(option)
    for flag in flags:
        if flag not in "isEAO":
            raise Inexact(f'the flag "{flag}" of the regex cannot be kept')
    if "A" in flags:
        pattern = f"^(?:{pattern})"
    return parse(pattern, "i" in flags, "s" in flags, loose_end="E" not in flags)


def _urilen(option: Option) -> Look:
    size, _, kind = (option.value or "").partition(",")
    if kind.strip() != "raw":
        raise _Left(
            option, 'the length of the decoded URI is that of nothing here; with ",raw" it could be kept'
        )
    return Look(Option("urilen", option.value), "http.uri.raw", size=_size(Option("urilen", size)))


_BOUNDS = re.compile(r"\s*(?:([<>])?\s*(\d{1,9})|(\d{1,9})\s*<>\s*(\d{1,9}))\s*")


def _size(option: Option) -> tuple[int, int | None]:
    """`7`, `<7`, `>7` or `7<>9`, as the least and the most."""
    found = _BOUNDS.fullmatch(option.value or "")
    if not found:
        raise _Left(option, "is no size; write n, <n, >n or n<>m")
    if found[3]:
        return int(found[3]) + 1, int(found[4]) - 1
    number = int(found[2])
    return {"<": (0, number - 1), ">": (number + 1, None)}.get(found[1], (number, number))


def _flow(option: Option) -> None:
    words = {word.strip() for word in (option.value or "").split(",")}
    if words & {"to_client", "from_server"}:
        raise _Left(option, _RESPONSE)
    if not words <= FLOW:
        raise _Left(option, "a proxy does not see this of a connection")


def _severity(one: Signature) -> str:
    if (priority := one.first("priority")) in PRIORITIES:
        return PRIORITIES[priority or ""]
    named = one.first("classtype") or ""
    return next((severity for severity, names in CLASSES.items() if named in names.split()), "medium")


_SYSTEMS = {"cve": "CVE-{}", "bugtraq": "BID {}", "url": "http://{}", "nessus": "Nessus {}", "msb": "{}"}


def _references(one: Signature) -> Iterable[str]:
    for option in one.options:
        if option.name == "reference" and option.value:
            system, _, number = option.value.partition(",")
            known = _SYSTEMS.get(system.strip().lower(), f"{system.strip()} {{}}")
            yield printable(known.format(number.strip().removeprefix("CVE-")))
