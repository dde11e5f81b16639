"""Is told of rules, reasons, events and changes what there is?"""

from typing import Any

import pytest

from stopgap import _core
from stopgap.admin import telling
from stopgap.admin.metrics import ACTIONS
from stopgap.ruleset.history import Kept
from tests.unit.admin.source import NAME, Source, line


def by(rows: list[dict[str, Any]], key: str, value: str) -> dict[str, Any]:
    (found,) = (row for row in rows if row[key] == value)
    return found


def test_rules_with_modes_and_hits() -> None:
    source = Source()
    source.count("rules", source.counters.registry.rules["ida-idq"] * len(ACTIONS) + 1, 5)
    rule = by(telling.rules(source), "id", "ida-idq")
    assert (rule["modes"], rule["hits"], rule["severity"]) == ({NAME: "block"}, {"detected": 5}, "critical")
    assert rule["title_ja"]


def test_one_rule() -> None:
    told = telling.rule(Source(), "ida-idq")
    assert told
    assert told["match"] == ["extension equals 'ida' or 'idq'"]
    assert "GET /florida HTTP/1.0" in told["pass"]
    assert telling.rule(Source(), "gone") is None


def test_reasons_in_both_languages() -> None:
    source = Source()
    place = [name for name, *_ in _core.reasons()].index("percent-u")
    source.count("reasons", 2 * place + 1, 3)
    told = telling.reasons(source)
    assert len(told) == len(_core.reasons())
    assert all(reason["text_ja"] and "](" not in reason["remedy"] for reason in told)
    reason = by(told, "name", "percent-u")
    assert (reason["refused"], reason["detected"], reason["modes"]) == (0, 3, {NAME: "block"})
    assert by(told, "name", "bare-lf")["modes"] == {}


def test_rows_are_short_and_printable() -> None:
    source = Source()
    target = b"/\x1b[2J<b>" + b"x" * 5000
    source.writer.put([line(255, target=target, length=len(target), last=500)])
    (row,) = telling.rows(source.writer, source.writer.memory.after(0, 10))
    assert row[0] == "00000000000000ff"
    assert row[2:10] == (
        "refused",
        NAME,
        "ida-idq",
        "extension-denied",
        "denied",
        "192.0.2.77",
        "GET",
        "kaikei.example",
    )
    assert row[10].startswith("/\\x1b[2J<b>xx") and len(row[10]) == telling.TARGET
    assert row[11:] == (404, "block", 0)


def test_history_says_what_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source()
    kept = [
        Kept(version="aa", time="1", config="c", texts={"c": "x\n", "p": "same"}),
        Kept(version="ab", time="2", config="c", texts={"c": "y\n", "p": "same"}),
    ]
    monkeypatch.setattr(source, "rulesets", lambda: kept)
    newest, oldest = telling.history(source)
    assert (newest["version"], newest["in_use"], newest["first"]) == ("ab", True, False)
    assert newest["diff"] == ["--- c", "+++ c", "@@ -1 +1 @@", "-x", "+y"]
    assert (oldest["first"], oldest["diff"]) == (True, [])
