"""Are an origin and the hits of an exception told as all workers together see them?"""

import datetime

import pytest

from stopgap import _core
from stopgap.admin import status as told
from stopgap.admin.metrics import Board
from stopgap.config import SiteException
from stopgap.gate.messages import OriginState
from stopgap.gate.snapshot import excepted, origin, turned
from stopgap.ruleset.spec import Registry


def seen(up: bool, busy: int = 0, error: str = "") -> OriginState:
    return OriginState(site="s", url="u", up=up, busy=busy, idle=1, pinned=0, error=error)


@pytest.mark.parametrize(
    ("states", "up", "busy", "error"),
    [
        ([], True, 0, ""),
        ([seen(True, 2), seen(True, 3)], True, 5, ""),
        ([seen(False, error="refused"), seen(True)], True, 0, "refused"),
        ([seen(True, error="no file")], True, 0, "no file"),
        ([seen(False, error="refused"), seen(False, error="timeout")], False, 0, "refused"),
    ],
)
def test_origin(states: list[OriginState], up: bool, busy: int, error: str) -> None:
    made = origin("u", states)
    assert (made.url, made.up, made.busy, made.error) == ("u", up, busy, error)
    assert made.idle == len(states)


def status(*origins: told.Origin) -> told.Status:
    site = told.Site("kaikei", ("*",), "any", (932,), "block", 0, {}, "refuse", "buffer", 0, (), origins)
    reload = told.Reload("", 0.0, True)
    return told.Status(
        *("", "", 0.0, 0.0, "ready", True, "", (), "", False), (site,), (), reload, 0, 0, 0
    )  # fmt: skip


def test_origins_that_turned() -> None:
    up, down = told.Origin("http://u", True), told.Origin("http://u", False, error="refused")
    assert turned(status(up), status(up)) == turned(status(down), status(down)) == []
    assert turned(status(), status(down)) == ["site kaikei: origin http://u is down: refused"]
    assert turned(status(up), status(down)) == ["site kaikei: origin http://u is down: refused"]
    assert turned(status(down), status(up)) == ["site kaikei: origin http://u is up again"]
    assert turned(status(), status(up)) == turned(status(down), status()) == []


@pytest.mark.parametrize(
    ("hits", "day", "state"), [(0, 24, "unused"), (1, 24, "in-force"), (1, 25, "expired"), (0, 25, "expired")]
)
def test_exception(hits: int, day: int, state: str) -> None:
    words = memoryview(bytearray(2 * _core.BOARD_WORDS * 8)).cast("Q")
    (first,) = (first for name, first, _ in _core.board() if name == "exceptions")
    registry = Registry()
    registry.exception("other")
    registry.exception("aa")
    for worker in range(2):
        words[worker * _core.BOARD_WORDS + first + 1] = hits
    known = SiteException(rule="stream", reason="why", id="aa", until=datetime.date(2026, 11, 24))
    shown = excepted(known, registry, Board(words, 2), datetime.date(2026, 11, day))
    assert (shown.state, shown.hits, shown.until) == (state, 2 * hits, "2026-11-24")


def test_an_exception_that_was_never_in_force_has_no_place() -> None:
    board = Board(memoryview(bytearray(_core.BOARD_WORDS * 8)).cast("Q"), 1)
    known = SiteException(rule="stream", reason="why", id="aa", until=datetime.date(2026, 1, 1))
    shown = excepted(known, Registry(), board, datetime.date(2026, 11, 24))
    assert (shown.state, shown.hits) == ("expired", 0)
