"""Is every line of an urlscan.ini read as the reference says, and every mistake refused with its line?"""

from pathlib import Path

import pytest

from stopgap.errors import FormatError
from stopgap.ruleset.formats.filter import Entry, Filter, Scan, texts
from stopgap.ruleset.formats.source import Source, load
from stopgap.ruleset.formats.urlscan_in import Reader

SAMPLES = Path(__file__).with_name("samples")
LEAST = "[Options]\nUseAllowVerbs=0\nUseAllowExtensions=0\nAllowDotInPath=1\nAllowHighBitCharacters=1\n"


def read(text: str, codepage: int | None = None) -> tuple[Filter, list[str]]:
    reader = Reader(Source("u.ini", text, codepage))
    return reader.filter(), list(map(str, reader.report))


def test_every_option_and_section_of_3_1() -> None:
    reader = Reader(load(str(SAMPLES / "urlscan-3.1.ini")))
    given = reader.filter()
    assert given.verbs
    assert (given.verbs.allow, texts(given.verbs.entries)) == (True, ["GET", "HEAD", "POST"])
    assert given.extensions
    assert (given.extensions.allow, texts(given.extensions.entries)[:2]) == (False, ["ida", "idq"])
    assert given.headers == (Entry("Translate", 39), Entry("If", 40), Entry("Lock-Token", 41))
    assert texts(given.url_sequences) == ["..", "./", "\\", ":", "%", "&"]
    assert texts(given.query_sequences) == ["<", ";"]
    assert (given.body, given.path, given.query) == (2_000_000, 400, 1024)
    assert given.header_limits == ((Entry("User-Agent", 27), 300),)
    assert texts(given.allowed_urls) == ["/search/query.idq"]
    injection, agents = given.rules
    assert injection.scans == {Scan.QUERY, Scan.HEADERS}
    assert texts(injection.strings) == ["--", ";", "/*", "xp_cmdshell"]
    assert (texts(injection.headers), texts(injection.extensions)) == (["Cookie"], ["asp", "aspx"])
    assert injection.percent
    assert agents.scans == {Scan.HEADERS}
    assert not agents.percent


@pytest.mark.parametrize(
    ("line", "report"),
    [
        ("VerifyNormalization=0", "u.ini:6: lost: VerifyNormalization=0: a URL escaped twice is refused; "),
        ("NormalizeUrlBeforeScan=0", "u.ini:6: lost: NormalizeUrlBeforeScan=0: every reading of a URL is "),
        ("AllowLateScanning=1", "u.ini:6: lost: AllowLateScanning=1: the gate judges before"),
        ("UseFastPathReject=1", "u.ini:6: kept: UseFastPathReject=1: a refusal never costs the server"),
        ("EnableLogging=0", "u.ini:6: lost: EnableLogging=0: every refusal is an event"),
        ("PerProcessLogging=1", "u.ini:6: lost: PerProcessLogging=1: all workers write one stream"),
        ("PerDayLogging=1", "u.ini:6: lost: PerDayLogging=1: events are one stream"),
        ("LogLongUrls=1", "u.ini:6: lost: LogLongUrls=1: an event shows the first 2048 bytes"),
        (r"LoggingDirectory=C:\logs", r"u.ini:6: lost: LoggingDirectory=C:\logs: events go where"),
        (
            "RemoveServerHeader=1",
            "u.ini:6: kept: RemoveServerHeader=1: `scrub` takes X-Powered-By and its like out",
        ),
        ("AlternateServerName=x", "u.ini:6: lost: AlternateServerName=x: an answer names"),
        ("RejectResponseUrl=/no.asp", "u.ini:6: lost: RejectResponseUrl=/no.asp: a refusal is answered with"),
        ("[RequestLimits]\nMaxUrl=0", "u.ini:7: lost: MaxUrl=0: 0 is defined for headers only"),
        ("[RequestLimits]\nMax-Cookie=0", "u.ini:7: kept: Max-Cookie=0: 0 sets no limit"),
        ("[AllowVerbs]\nGET", "u.ini:6: kept: [AllowVerbs]: has no effect with UseAllowVerbs=0"),
        ("RuleList=A\n[A]\nScanURL=1", "u.ini:7: kept: [A]: looks for nothing, or nowhere"),
    ],
)
def test_what_is_not_kept_as_it_was_is_told(line: str, report: str) -> None:
    _, told = read(LEAST + line + "\n")
    assert len(told) == 1
    assert told[0].startswith(report)


@pytest.mark.parametrize(
    "line",
    ["PerDayLogging=0", "EnableLogging=1", "RemoveServerHeader=0", "RejectResponseUrl=", "RuleList=", "; [x"],
)
def test_what_changes_nothing_is_not_told(line: str) -> None:
    assert read(LEAST + line + "\n")[1] == []


def test_logging_only_becomes_detect() -> None:
    given, told = read(LEAST + "RejectResponseUrl=/~*\n")
    assert given.detect
    assert told == []


def test_defaults_follow_the_version() -> None:
    allow = "[Options]\n{}[AllowVerbs]\nGET\n[AllowExtensions]\n.htm\n"
    old, told = read(allow.format(""))
    assert (old.high_bit, old.many_dots, old.extensions and old.extensions.allow) == (False, False, False)
    assert "u.ini:1: kept: AllowDotInPath is missing: taken as 0, the default of 2.5" in told
    new, told = read(allow.format("UnescapeQueryString=1\n"))
    assert (new.high_bit, new.many_dots, new.extensions and new.extensions.allow) == (True, True, True)
    assert "u.ini:1: kept: AllowHighBitCharacters is missing: taken as 1, the default of 3.1" in told
    assert (new.body, new.path, new.query) == (30_000_000, 260, 4096)


def test_strings_are_unescaped_in_the_code_page() -> None:
    data = "RuleList=A\n[A]\nScanURL=1\nDenyDataSection=B\n[B]\n%89%EF%8Cv%3bx\n%E4%BC%9A\n"
    given, _ = read(LEAST + data, 932)
    assert texts(given.rules[0].strings) == ["会計;x", "会"]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "1: is empty; URLScan without its file refuses every request"),
        ("GET\n", '1: "GET" stands before the first [section]'),
        ("[Options\n", '1: "[Options" is not written as [section]'),
        ("[Options]\n[OPTIONS]\n", "2: [OPTIONS]: stands already in line 1; join the two"),
        ("[Options]\nUseAllowVerbs\n", '2: [Options]: "UseAllowVerbs" is not written as name=value'),
        (
            "[Options]\nUseAllowVerb=1\n",
            '2: [Options] UseAllowVerb: unknown option; did you mean "UseAllowVerbs"?',
        ),
        ("[Options]\nUseAllowVerbs=yes\n", '2: [Options] UseAllowVerbs: must be 0 or 1, not "yes"'),
        (LEAST + "UseAllowVerbs=1\n", "6: [Options] UseAllowVerbs: stands already in line 2"),
        (
            "[Options]\nUseAllowVerbs=1\n",
            "2: [AllowVerbs]: is empty, so that URLScan refuses every request; "
            "list what is allowed, or write UseAllowVerbs=0",
        ),
        (
            LEAST + "[DenyVerb]\nGET\n",
            "6: [DenyVerb]: is neither a section of URLScan nor named by RuleList or a DenyDataSection; "
            'did you mean "DenyVerbs"?',
        ),
        (
            "[Optoins]\nUseAllowVerbs=0\n",
            "1: [Optoins]: is neither a section of URLScan nor named by RuleList or a DenyDataSection; "
            'did you mean "Options"?',
        ),
        (LEAST + "[DenyExtensions]\nida\n", '7: [DenyExtensions]: "ida" begins with no dot; write ".ida"'),
        (LEAST + "[DenyHeaders]\nIf\n", '7: [DenyHeaders]: "If" is not a header; write "If:"'),
        (
            LEAST + "[RequestLimits]\nMax-Cookie:=9\n",
            '7: [RequestLimits] Max-Cookie:: "Cookie:" is not the name of a header; write "Max-Cookie" for '
            "Cookie",
        ),
        (
            LEAST + "[RequestLimits]\nMaxUrl=1k\n",
            '7: [RequestLimits] MaxUrl: must be a whole number of bytes, not "1k"',
        ),
        (
            LEAST + "[RequestLimits]\nMaxUrls=1\n",
            '7: [RequestLimits] MaxUrls: unknown limit; did you mean "MaxUrl"?',
        ),
        (
            LEAST + "[AlwaysAllowedUrls]\nx.htm\n",
            '7: [AlwaysAllowedUrls]: "x.htm" begins with no slash; write "/x.htm"',
        ),
        (
            LEAST + "RuleList=SQL\n[SLQ]\n",
            "6: [Options] RuleList: no section is called [SQL]; known: options, slq",
        ),
        (
            LEAST + "RuleList=A\n[A]\nScanUrls=1\n",
            '8: [A] ScanUrls: unknown key; did you mean "ScanURL"?',
        ),
        (LEAST + "RuleList=A\n[A]\nScanURL=x\n", '8: [A] ScanURL: must be 0 or 1, not "x"'),
        (
            LEAST + "RuleList=A\n[A]\nDenyDataSection=Bx\n[B x]\n",
            "8: [A] DenyDataSection: no section is called [Bx]; known: a, b x, options",
        ),
        (
            LEAST + "RuleList=A\n[A]\nScanHeaders=Cookie\n",
            '8: [A] [ScanHeaders]: "Cookie" is not a header; write "Cookie:"',
        ),
    ],
)
def test_mistakes(text: str, wrong: str) -> None:
    with pytest.raises(FormatError) as caught:
        read(text)
    assert str(caught.value) == f"u.ini:{wrong}"
