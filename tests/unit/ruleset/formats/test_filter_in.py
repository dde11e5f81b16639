"""Do the rules made of a filter refuse what URLScan refuses, and nothing else?"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stopgap import _core
from stopgap.ruleset.formats import spelling
from stopgap.ruleset.formats.filter import Filter, FilterRule, Scan, refused_anyway
from stopgap.ruleset.formats.filter_in import drafted
from stopgap.ruleset.formats.model import Imported
from stopgap.ruleset.formats.settle import settle
from stopgap.ruleset.formats.source import Source
from tests import policies
from tests.unit.ruleset.formats import filters
from tests.unit.ruleset.formats.filters import Asked, entries, unshrunk

SOURCE = Source("f", "")
few = settings(unshrunk, max_examples=25)


@unshrunk
@given(filters.filters(), st.lists(filters.requests(), min_size=20, max_size=40))
def test_the_gate_refuses_what_urlscan_refuses(tmp_path: Path, made: Filter, many: list[Asked]) -> None:
    policy, *_ = filters.gate(drafted(made, SOURCE, "t"), tmp_path)
    bare, *_ = filters.gate(Imported(rules=()), tmp_path)
    for asked in many:
        by_gate = policy.judge(asked.wire(), 0) is not None
        wanted = filters.refused(made, asked) or bare.judge(asked.wire(), 0) is not None
        if by_gate and not wanted:
            # Stricter on purpose: a rule on extensions looks at every segment, not only behind the last dot.
            assert asked.path.count(".") > 1, asked
        else:
            assert by_gate == wanted, asked


@few
@given(filters.filters())
def test_every_rule_holds_its_vectors(made: Filter) -> None:
    imported = drafted(made, SOURCE, "t")
    assert settle(imported, "f") == imported


@pytest.mark.parametrize(
    "sequence", ["\\", ":", "*", "?", '"', "<", ">", "|", "\x01", "../", "%41", "%u0041"]
)
@pytest.mark.parametrize("server", _core.servers())
def test_what_is_told_as_refused_anyway_is(server: str, sequence: str) -> None:
    reason = refused_anyway(sequence)
    spelt = "".join(f"%{ord(one):02x}" for one in sequence)
    policy = _core.Policy(policies.specification([policies.site(server)]))
    for target in (f"/a{spelt}b", f"/{spelt}b"):
        verdict = policy.judge(policies.request(target.encode()), 0)
        assert verdict is not None
        refused = _core.reasons()[verdict[0]][0]
        assert reason == refused or (sequence, refused) == ("../", "trailing-dot")


def test_what_no_reading_holds_is_told() -> None:
    made = drafted(Filter(url_sequences=entries("//", "\\")), SOURCE, "t")
    assert made.rules == ()
    assert [str(note) for note in made.report] == [
        'f:0: kept: URL sequence "\\": the gate refuses every path that holds it (reason "backslash")',
        'f:0: lost: "//": path never holds it: runs of "/" are read as one; write "/"',
    ]


ANYTHING = st.text(st.characters(exclude_categories=["Cs"], min_codepoint=0x20), min_size=1, max_size=5)
LISTS = st.lists(ANYTHING.filter(lambda text: text.strip() == text), max_size=3)


@few
@given(LISTS, LISTS, LISTS, LISTS)
def test_nothing_is_dropped_in_silence(
    paths: list[str], queries: list[str], names: list[str], strings: list[str]
) -> None:
    rule = FilterRule(
        "r", entries(*strings), frozenset({Scan.QUERY, Scan.URL, Scan.HEADERS}), entries("cookie")
    )
    made = Filter(
        url_sequences=entries(*paths),
        query_sequences=entries(*queries),
        segments=entries(*names),
        rules=(rule,),
    )
    imported = settle(drafted(made, SOURCE, "t"), "f")
    held = {one.lower() for draft in imported.rules for one in values(draft["match"])}
    told = " ".join(str(note) for note in imported.report)
    lost = [draft for draft in drafted(made, SOURCE, "t").rules if draft["id"] in told]
    named = {one.lower() for draft in lost for one in values(draft["match"])}
    for text in [*paths, *queries, *names, *strings]:
        written = spelling.in_match(text).lower()
        assert written in held or written in named or f'"{text}"' in told


def values(match: dict[str, Any]) -> Iterator[str]:
    for item in match.values():
        if isinstance(item, dict):
            yield from values(item)
        elif isinstance(item, list):
            yield from (one for one in item if isinstance(one, str))
