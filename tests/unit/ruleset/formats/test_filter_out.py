"""Is what was exported, imported again, the same filter; and does it say the same of every request?"""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from stopgap import config
from stopgap.ruleset import load
from stopgap.ruleset.formats.filter import Entries, Entry, Filter, FilterRule, texts
from stopgap.ruleset.formats.filter_in import drafted
from stopgap.ruleset.formats.filter_out import GUARDED, recovered
from stopgap.ruleset.formats.source import Source
from stopgap.ruleset.formats.urlscan_in import Reader as IniReader
from stopgap.ruleset.formats.urlscan_out import V3
from stopgap.ruleset.formats.urlscan_out import printed as ini
from stopgap.ruleset.formats.webconfig_in import Reader as XmlReader
from stopgap.ruleset.formats.webconfig_out import printed as xml
from tests.unit.ruleset.formats import filters
from tests.unit.ruleset.formats.filters import Asked, entries, unshrunk

SOURCE = Source("f", "")


def plain(given: Filter) -> Filter:
    """The filter without lines, and with empty lists where nothing is denied."""

    def lineless(entries: Entries) -> Entries:
        return tuple(Entry(one.text) for one in entries)

    def rule(one: FilterRule) -> FilterRule:
        return replace(
            one,
            strings=lineless(one.strings),
            headers=lineless(one.headers),
            extensions=lineless(one.extensions),
            line=0,
        )

    lists = ("headers", "url_sequences", "query_sequences", "segments", "allowed_urls", "allowed_queries")
    listings = {
        key: replace(listing, entries=lineless(listing.entries), line=0)
        for key in ("verbs", "extensions")
        if (listing := getattr(given, key))
    }
    return replace(
        given,
        **listings,
        **{key: lineless(getattr(given, key)) for key in lists},
        header_limits=tuple((Entry(one.text), most) for one, most in given.header_limits),
        rules=tuple(map(rule, given.rules)),
    )


@given(filters.filters())
def test_an_urlscan_ini_reads_back_as_what_was_written(made: Filter) -> None:
    exported = ini(made, V3, [])
    assert exported.report == ()
    reader = IniReader(Source("urlscan.ini", exported.text))
    assert plain(reader.filter()) == made
    assert not [note for note in reader.report if note.lost]


@given(filters.filters())
def test_a_web_config_reads_back_as_what_was_written(made: Filter) -> None:
    exported = xml(made, [])
    assert exported.report == ()
    reader = XmlReader(Source("web.config", exported.text))
    assert plain(reader.filter()) == made
    assert not [note for note in reader.report if note.lost]


@unshrunk
@given(filters.filters(), st.lists(filters.requests(), min_size=5, max_size=20))
def test_export_and_import_change_no_verdict(tmp_path: Path, made: Filter, many: list[Asked]) -> None:
    first, site, rules = filters.gate(drafted(made, SOURCE, "t"), tmp_path)
    back, report = recovered(site, rules)
    assert not [note for note in report if note.lost]
    second, again, more = filters.gate(drafted(back, SOURCE, "t"), tmp_path)
    for asked in many:
        assert (first.judge(asked.wire(), 0) is None) == (second.judge(asked.wire(), 0) is None), asked
    assert recovered(again, more) == (back, report)


def test_what_the_gate_refuses_itself_is_said(tmp_path: Path) -> None:
    _, site, rules = filters.gate(drafted(Filter(), SOURCE, "t"), tmp_path)
    back, _ = recovered(site, rules)
    assert texts(back.url_sequences) == list(GUARDED)
    assert back.path == 1024


RULES = """
[[site]]
name = "s"
origins = "http://o"
server = "iis5"
packs = []
mode = "block"
modes = { watched = "detect" }
[site.limits]
segment = 99
[[site.exception]]
rule = "one"
path = "/a/*"
reason = "x"
[[site.exception]]
rule = "one"
path = "/b"
reason = "x"
[[rule]]
id = "one"
title = "One"
match = { any = [{ extension = "ida" }, { segment = "bin" }] }
[[rule]]
id = "two"
title = "Two"
match = { path = { prefix = "/x" } }
[[rule]]
id = "watched"
title = "Watched"
match = { extension = "idq" }
[[rule]]
id = "other"
title = "Another server"
servers = ["iis7"]
match = { path = { prefix = "/x" } }
[[rule]]
id = "dropped"
title = "Dropped"
action = "drop"
match = { path = { contains = "x" } }
[[rule]]
id = "seen"
title = "Seen"
action = "detect"
match = { extension = "c" }
[[rule]]
id = "counted"
title = "Counted"
match = { extension = "d" }
rate = { over = 2, per = 60 }
[[rule]]
id = "named"
title = "Named"
match = { reason = ["short-name"] }
"""


def test_everything_else_is_told(tmp_path: Path) -> None:
    file = tmp_path / "stopgap.toml"
    file.write_text(RULES, "utf-8")
    read = config.load(str(file))
    back, report = recovered(read.sites[0], load.load(read).rules)
    assert texts(back.extensions.entries if back.extensions else ()) == ["ida"]
    assert back.segments == entries("bin")
    told = [str(note).replace(f"{file}:", "").replace(": lost: ", ": ") for note in report]
    assert told == [
        '23: rule "two": Two: no setting of the filter has this shape',
        '27: rule "watched": Watched: is in mode "detect", the site in "block"; left out',
        '36: rule "dropped": action "drop": refused like any other',
        '41: rule "seen": Seen: only has the action "detect"; the filter would refuse',
        '46: rule "counted": Counted: counts requests, which the filter cannot',
        '51: rule "named": Named: labels what the grammar of the gate refuses; the filter has no such check',
        'site "s": limits.segment = 99: the filter has no such limit',
        '11: exception to "one": the filter has no such exception',
        'site "s": exception for "/b": the filter allows a URL for all of its rules; not excepted: dropped',
    ]


def test_what_answers_do_not_tell(tmp_path: Path) -> None:
    file = tmp_path / "stopgap.toml"
    file.write_text(
        '[[site]]\nname = "s"\norigins = "http://o"\nscrub = { server = true, addresses = true }\n', "utf-8"
    )
    back, report = recovered(config.load(str(file)).sites[0], ())
    assert not back.banner
    assert [str(note) for note in report] == [
        'site "s": kept: scrub.server: the filter takes out Server and no more',
        'site "s": lost: scrub.addresses: the filter leaves answers as they are',
    ]
