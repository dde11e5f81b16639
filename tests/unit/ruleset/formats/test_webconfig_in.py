"""Is every element of requestFiltering read as IIS reads it, and every mistake refused with its line?"""

from pathlib import Path

import pytest

from stopgap.errors import FormatError
from stopgap.ruleset.formats.filter import Entry, Filter, Scan, texts
from stopgap.ruleset.formats.source import Source, load
from stopgap.ruleset.formats.webconfig_in import Reader

SAMPLES = Path(__file__).with_name("samples")
FRAME = "<configuration>\n<system.webServer><security>\n{}\n</security></system.webServer>\n</configuration>"
OPEN = "<requestFiltering>{}</requestFiltering>"


def read(text: str, site: str | None = None) -> tuple[Filter, list[str]]:
    reader = Reader(Source("w.config", text, site=site))
    return reader.filter(), list(map(str, reader.report))


def filtering(inner: str) -> tuple[Filter, list[str]]:
    return read(FRAME.format(OPEN.format(inner)))


def test_every_element() -> None:
    reader = Reader(load(str(SAMPLES / "web.config")))
    given = reader.filter()
    assert given.verbs
    assert (given.verbs.allow, texts(given.verbs.entries)) == (True, ["GET", "HEAD", "POST"])
    assert given.extensions
    assert (given.extensions.allow, texts(given.extensions.entries)) == (False, ["ida", "idq"])
    assert given.headers == (Entry("Translate", 10),)  # sizeLimit 0 denies; URLScan's 0 sets no limit
    assert given.header_limits == ((Entry("User-Agent", 11), 256),)
    assert texts(given.segments) == ["bin", "App_Data"]
    assert texts(given.query_sequences) == ["<script"]
    assert (given.body, given.path, given.query) == (1_000_000, 1024, 512)
    assert texts(given.allowed_queries) == ["q=<script>"]
    sql, agents = given.rules
    assert sql.percent  # by default; URLScan's default is 0
    assert not agents.percent
    assert (sql.scans, agents.scans) == (frozenset({Scan.URL, Scan.QUERY}), frozenset({Scan.HEADERS}))
    assert (texts(sql.extensions), texts(agents.headers)) == (["asp"], ["User-Agent", "Referer"])


def test_defaults_are_those_of_iis() -> None:
    given, told = filtering("")
    assert (given.body, given.path, given.query) == (30_000_000, 4096, 2048)
    assert (given.high_bit, given.unescape_query, given.double_escape) == (True, True, False)
    assert given.verbs
    assert not given.verbs.allow
    assert told == []


def test_add_remove_and_clear_are_taken_in_their_order() -> None:
    adds = '<add segment="a" /><add segment="b" /><remove segment="A" /><add segment="c" />'
    assert texts(filtering(f"<hiddenSegments>{adds}</hiddenSegments>")[0].segments) == ["b", "c"]
    assert filtering(f"<hiddenSegments>{adds}<clear /></hiddenSegments>")[0].segments == ()


LOCATED = """<configuration>
<system.webServer><security><requestFiltering><requestLimits maxUrl="99" /><hiddenSegments>
<add segment="bin" /></hiddenSegments></requestFiltering></security></system.webServer>
<location path="Shop"><system.webServer><security><requestFiltering>
<requestLimits maxUrl="50" /><hiddenSegments><add segment="data" /></hiddenSegments>
</requestFiltering></security></system.webServer></location>
</configuration>"""


def test_a_location_counts_when_it_is_named() -> None:
    given, told = read(LOCATED)
    assert (given.path, texts(given.segments)) == (99, ["bin"])
    (note,) = told
    assert note.startswith('w.config:4: lost: <location path="Shop">: holds for this path only; ')
    assert note.endswith('to import it, name it: --site "Shop"')
    given, told = read(LOCATED, "shop")
    assert (given.path, texts(given.segments), told) == (50, ["bin", "data"], [])
    given, told = read(LOCATED.replace('"Shop"', '"."'))
    assert (given.path, told) == (50, [])


@pytest.mark.parametrize(
    ("inner", "report"),
    [
        (
            '<fileExtensions applyToWebDAV="false" />',
            '<fileExtensions applyToWebDAV="false">: the rule holds for ',
        ),
        (
            '<requestLimits maxAllowedContentLength="0" />',
            "<requestLimits> maxAllowedContentLength 0: the smallest",
        ),
    ],
)
def test_what_is_lost_is_told(inner: str, report: str) -> None:
    _, told = filtering(inner)
    assert len(told) == 1
    assert f"lost: {report}" in told[0]


def test_options_that_are_lost_or_kept_otherwise() -> None:
    options = 'allowDoubleEscaping="true" removeServerHeader="True"'
    _, told = read(FRAME.format(f"<requestFiltering {options} />"))
    assert [note.rpartition(": ")[0] for note in told] == [
        'w.config:3: lost: <requestFiltering allowDoubleEscaping="true">',
        'w.config:3: kept: <requestFiltering removeServerHeader="True">',
    ]


def test_other_sections_are_told() -> None:
    _, told = read(FRAME.format('<ipSecurity allowUnlisted="true" />\n' + OPEN.format("")))
    assert told == ["w.config:3: lost: <ipSecurity>: only <requestFiltering> is imported"]


BOMB = '<!DOCTYPE a [<!ENTITY b "x">]>\n<configuration>&b;</configuration>'


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "1: is not XML: no element found"),
        (
            FRAME.format('<requestFiltering configSource="rf.config" />'),
            '3: <requestFiltering> configSource: what it says stands in "rf.config"; put that in its place',
        ),
        ("<configuration>\n<a></configuration>", "2: is not XML: mismatched tag"),
        (BOMB, "1: has a document type or an entity; no configuration of IIS needs one"),
        ("<a>" * 100, "1: <a>: is nested too deeply"),
        ("<web />", "1: <web>: the file must begin with <configuration>"),
        ("<configuration />", "1: <configuration>: has no <requestFiltering> to import"),
        (
            FRAME.format('<requestFiltering allowDoubleEscape="true" />'),
            '3: <requestFiltering> allowDoubleEscape: unknown attribute; did you mean "allowDoubleEscaping"?',
        ),
        (
            FRAME.format('<requestFiltering allowDoubleEscaping="1" />'),
            '3: <requestFiltering> allowDoubleEscaping: must be true or false, not "1"',
        ),
        (
            FRAME.format(OPEN.format('<requestLimits maxUrl="4k" />')),
            '3: <requestLimits> maxUrl: must be a whole number of bytes, not "4k"',
        ),
        (
            FRAME.format(OPEN.format("<verb />")),
            '3: <requestFiltering>: <verb> does not belong there; did you mean "verbs"?',
        ),
        (
            FRAME.format(OPEN.format("<hiddenSegments><ad /></hiddenSegments>")),
            '3: <hiddenSegments>: <ad> does not belong there; did you mean "add"?',
        ),
        (
            FRAME.format(OPEN.format('<verbs><add verb="GET" /></verbs>')),
            "3: <verbs><add>: allowed: is missing",
        ),
        (
            FRAME.format(OPEN.format('<verbs allowUnlisted="false" />')),
            "1: <verbs>: allows nothing, so that every request is refused; add what is allowed",
        ),
        (
            FRAME.format(
                OPEN.format('<fileExtensions><add fileExtension="ida" allowed="false" /></fileExtensions>')
            ),
            '3: <add> fileExtension: "ida" begins with no dot; write ".ida"',
        ),
        (
            FRAME.format(OPEN.format("<filteringRules><filteringRule /></filteringRules>")),
            "3: <filteringRule>: name: is missing",
        ),
    ],
)
def test_mistakes(text: str, wrong: str) -> None:
    with pytest.raises(FormatError) as caught:
        read(text)
    assert str(caught.value) == f"w.config:{wrong}"
