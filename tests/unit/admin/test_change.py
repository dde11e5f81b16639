"""Does a change that the dashboard asks for reach file and rules, or leave everything as it was?"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from stopgap.admin import change
from tests.unit.admin.source import NAME, TEXT, Source, line

MODE = {"site": NAME, "name": "ida-idq", "mode": "detect", "reason": "a trial", "owner": "佐藤"}
WHY = {"reason": "the search", "owner": "web team", "until": "2027-02-01"}
PATH = {**WHY, "site": NAME, "rule": "ida-idq", "path": "/search/*.idq"}


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path / "stopgap.toml")


def body(**keys: Any) -> bytes:
    return json.dumps(keys).encode()


def test_a_mode_is_written_and_in_use(source: Source) -> None:
    outcome = change.mode(source, body(**MODE))
    assert (outcome.status, outcome.told["ok"]) == (200, True)
    assert '+ida-idq = "detect" # 2026-11-28 佐藤: detect: a trial' in outcome.told["diff"]
    assert source.asked == ["reload"]
    assert source.handover.modes[NAME]["ida-idq"] == "detect"
    assert source.file.read_text("utf-8").startswith(TEXT)


def test_the_site_itself(source: Source) -> None:
    assert change.mode(source, body(**{**MODE, "name": ""})).status == 200
    assert source.handover.config.sites[0].mode == "detect"


def test_dry_writes_nothing(source: Source) -> None:
    outcome = change.mode(source, body(**MODE, dry=True))
    assert outcome.told["ok"] and outcome.told["diff"]
    assert (source.file.read_text("utf-8"), source.asked) == (TEXT, [])


def test_an_exception_on_a_path(source: Source) -> None:
    assert change.exception(source, body(**PATH, clients=["192.0.2.0/24"])).status == 200
    (made,) = source.handover.config.sites[0].exceptions
    assert (made.rule, made.path, made.clients, made.owner) == (
        "ida-idq",
        "/search/*.idq",
        ("192.0.2.0/24",),
        "web team",
    )


def test_an_exception_for_an_event(source: Source) -> None:
    source.writer.put([line(7, target=b"/search/a.idq?q=x", length=17)])
    event = source.writer.find(7)
    assert event
    told = change.proposed(source, event).told
    assert (told["ok"], told["sure"], told["changes"][0]["keys"]["path"]) == (True, True, "/search/a.idq")
    assert "reason" not in told["changes"][0]["keys"]
    assert source.file.read_text("utf-8") == TEXT
    assert change.exception(source, body(**WHY, event=f"{7:016x}")).status == 200
    assert source.handover.config.sites[0].exceptions[0].path == "/search/a.idq"
    again = change.exception(source, body(**WHY, event=f"{7:016x}"))
    assert (again.status, "nothing to change" in again.told["text"]) == (409, True)


def test_what_a_client_sent_is_shown_as_people_may_see_it(source: Source) -> None:
    target = b"/%E2%80%AEa.ida"
    source.writer.put([line(7, target=target, length=len(target))])
    event = source.writer.find(7)
    assert event
    (proposed,) = change.proposed(source, event).told["changes"]
    assert "\\u202e" in proposed["shown"] and proposed["shown"].replace("\n", "").isprintable()
    outcome = change.exception(source, body(**WHY, event=f"{7:016x}", dry=True))
    assert all(text.isprintable() for text in outcome.told["diff"])


def test_what_nothing_can_let_pass(source: Source) -> None:
    source.writer.put([line(7, tier="malformed", reason="bare-lf", rule="", target=b"/", length=1)])
    event = source.writer.find(7)
    assert event
    told = change.proposed(source, event).told
    assert not told["ok"] and told["text"].startswith("No exception can let it pass (bare-lf)")


@pytest.mark.parametrize(
    ("keys", "status", "text"),
    [
        ({"reason": " "}, 409, "reason: is missing"),
        ({"owner": "a\nb"}, 409, "owner: must be one line"),
        ({"reason": "x" * 201}, 409, "at most 200 characters"),
        ({"mode": "off"}, 409, 'mode: "off" is unknown'),
        ({"name": "no-rule"}, 409, "no-rule"),
        ({"site": "nobody"}, 409, 'site "nobody" cannot be changed'),
        ({"more": 1}, 400, "unknown field `more`"),
        ({"dry": 1}, 400, "Expected `bool`"),
    ],
)
def test_wrong_modes_change_nothing(source: Source, keys: dict[str, Any], status: int, text: str) -> None:
    outcome = change.mode(source, body(**{**MODE, **keys}))
    assert (outcome.status, outcome.told["ok"]) == (status, False)
    assert text in outcome.told["text"]
    assert (source.file.read_text("utf-8"), source.asked) == (TEXT, [])


@pytest.mark.parametrize(
    ("keys", "status", "text"),
    [
        ({"path": ""}, 400, "give a path or clients"),
        ({"path": "x" * 1001}, 400, "at most 1000 characters"),
        ({"clients": ["192.0.2.1"] * 65}, 400, "64 clients"),
        ({"clients": ["nobody"]}, 409, "nobody"),
        ({"path": "no/slash"}, 409, "site.exception.path"),
        ({"until": "2026-11-27"}, 400, "until: must be from 2026-11-28"),
        ({"until": "2040-01-01"}, 400, "until: must be from"),
        ({"until": "soon"}, 400, "until"),
        ({"event": "zz"}, 404, "no event zz"),
        ({"event": "00"}, 404, "no event 00"),
        ({"rule": "bare-lf"}, 409, "bare-lf"),
    ],
)
def test_wrong_exceptions_change_nothing(
    source: Source, keys: dict[str, Any], status: int, text: str
) -> None:
    outcome = change.exception(source, body(**{**PATH, **keys}))
    assert (outcome.status, outcome.told["ok"]) == (status, False)
    assert text in outcome.told["text"]
    assert (source.file.read_text("utf-8"), source.asked) == (TEXT, [])


def test_a_reload_that_is_refused_puts_the_file_back(source: Source) -> None:
    source.refuses = "worker 1 cannot use the new policy"
    outcome = change.mode(source, body(**MODE))
    assert outcome.status == 409
    assert "is as it was: worker 1 cannot use the new policy" in outcome.told["text"]
    assert (source.file.read_text("utf-8"), source.asked) == (TEXT, ["reload"])


def test_what_somebody_else_wrote_meanwhile_stays(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    source.refuses = "no"
    ask = source.ask

    def asked(verb: str) -> Any:
        source.file.write_text("# mine\n", "utf-8")
        return ask(verb)

    monkeypatch.setattr(source, "ask", asked)
    outcome = change.mode(source, body(**MODE))
    assert "somebody else has changed" in outcome.told["text"]
    assert source.file.read_text("utf-8") == "# mine\n"


def test_nothing_is_taken_over_that_was_not_asked_for(source: Source) -> None:
    edited = TEXT + "# an edit that is not in use\n"
    source.file.write_text(edited, "utf-8")
    outcome = change.mode(source, body(**MODE))
    assert (outcome.status, "`stopgap reload` first" in outcome.told["text"]) == (409, True)
    assert source.file.read_text("utf-8") == edited


def test_why_it_cannot_be_written(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    assert change.able(source, near=True)["why"] == ""
    assert change.able(source, near=False)["near"] is False
    monkeypatch.setattr(os, "access", lambda *_: False)
    told = change.able(source, near=True)
    assert (told["file"], told["until"]) == (str(source.file), "2027-02-26")
    assert told["why"].startswith("the gate runs as a user who may not write in")
    assert change.mode(source, body(**MODE)).status == 409
    monkeypatch.undo()
    source.rolled_back = "ab"
    assert "rollback" in change.mode(source, body(**MODE)).told["text"]
    assert source.file.read_text("utf-8") == TEXT


def test_one_change_at_a_time(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    inner: list[change.Outcome] = []
    ask = source.ask

    def asked(verb: str) -> Any:
        inner.append(change.mode(source, body(**MODE)))
        return ask(verb)

    monkeypatch.setattr(source, "ask", asked)
    assert change.mode(source, body(**MODE)).status == 200
    assert (inner[0].status, "another change" in inner[0].told["text"]) == (409, True)
