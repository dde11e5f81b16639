"""Does the view show what the gate tells, in 80 columns, and do its keys do what they say?"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, Static, TabbedContent

from stopgap.top.figures import Sample
from stopgap.top.screen import COLUMNS, Detail, NoSample, Top
from tests.unit.cli.test_control import STATUS
from tests.unit.events.test_find import EVENT

EVENTS = [
    msgspec.structs.replace(EVENT, event_id=f"{number:016x}", client=f"10.0.0.{number}", rule_id="ida-idq")
    for number in range(5)
] + [msgspec.structs.replace(EVENT, target="/[bold]x", count=7, client="192.0.2.7", reason="stream")]
COUNTS = {
    ("stopgap_requests_total", "会計", "refused"): 30.0,
    ("stopgap_rule_matches_total", "refused", "ida-idq"): 20.0,
    ("stopgap_rejects_total", "extension-denied"): 30.0,
}


class Gate:
    """Answers as a gate does; `wrong` is why it does not."""

    def __init__(self) -> None:
        self.asked = 0
        self.wrong = ""

    def take(self) -> Sample:
        self.asked += 1
        if self.wrong:
            raise NoSample(self.wrong)
        counts = {key: value * self.asked for key, value in COUNTS.items()}
        return Sample(float(self.asked), counts, STATUS, EVENTS)


def drive(script: Callable[[Top, Pilot[None], Gate], Awaitable[None]]) -> None:
    """Run a script on the view in a terminal of 80 columns and 24 lines."""

    async def run() -> None:
        gate = Gate()
        top = Top(gate.take, "127.0.0.1:9901", 0.3)
        async with top.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: gate.asked > 2 and rows(top, "events") > 0)
            await script(top, pilot, gate)

    asyncio.run(run())


async def until(pilot: Pilot[None], true: Callable[[], object]) -> None:
    for _ in range(600):
        if true():
            return
        await pilot.pause(0.05)
    raise AssertionError("it never came true")


def chosen(top: Top, name: str) -> bool:
    return top.query_one(TabbedContent).active == name


def rows(top: Top, name: str) -> int:
    return top.query_one(f"#{name}-table", DataTable).row_count


def cells(top: Top, name: str, row: int = 0) -> list[str]:
    return [str(cell) for cell in top.query_one(f"#{name}-table", DataTable).get_row_at(row)]


def text(top: Any, name: str) -> str:
    return str(top.query_one(name, Static).render())


def test_what_is_shown() -> None:
    async def script(top: Top, pilot: Pilot[None], gate: Gate) -> None:
        assert text(top, "#head") == ("stopgap 0.1.0 ready for 1:01:01, ruleset abcd, last reload refused")
        assert text(top, "#rates") == (
            "requests 30.0/s  refused 30.0/s  detected 0.0/s  clients 1  origins DOWN: 1"
        )
        assert cells(top, "events") == ["00:00:00", "refused x7", "stream", "192.0.2.7", "GET /[bold]x"]
        assert cells(top, "rules")[:2] == ["ida-idq", "20.0"]
        assert cells(top, "reasons")[:2] == ["extension-denied", "30.0"]
        assert cells(top, "clients") == ["192.0.2.0/24", "7"]
        assert cells(top, "clients", 1) == ["10.0.0.0/24", "5"]
        assert cells(top, "sites") == ["会計", "canary 10 %", "30.0", "30.0", "0.0"]
        assert cells(top, "origins") == ["http://192.0.2.1:80", "会計", "DOWN", "1", "2", "refused"]

    drive(script)


def test_tables_by_their_numbers() -> None:
    async def script(top: Top, pilot: Pilot[None], gate: Gate) -> None:
        for number, name in enumerate(COLUMNS, 1):
            await pilot.press(str(number))
            await until(pilot, partial(chosen, top, name))
            assert top.focused is top.query_one(f"#{name}-table")

    drive(script)


def test_a_filter_and_an_event() -> None:
    async def script(top: Top, pilot: Pilot[None], gate: Gate) -> None:
        await pilot.press("2", "slash")
        await until(pilot, lambda: top.focused is top.query_one("#filter", Input))
        await pilot.press(*"a 0.3")
        await until(pilot, lambda: rows(top, "events") == 1)
        await pilot.press("enter")
        await until(pilot, lambda: top.focused is top.query_one("#events-table"))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(top.screen, Detail))
        asked = gate.asked
        await until(pilot, lambda: gate.asked > asked + 2)  # what is below goes on
        told = text(top.screen, "#facts")
        assert "event     0000000000000003" in told
        assert "client    10.0.0.3" in told
        assert "stopgap explain --event 0000000000000003 shows its readings" in told
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(top.screen, Detail))
        await pilot.press("escape")
        await until(pilot, lambda: rows(top, "events") == len(EVENTS))
        assert not top.query_one("#filter", Input).display

    drive(script)


def test_a_gate_that_goes_away_and_comes_back() -> None:
    async def script(top: Top, pilot: Pilot[None], gate: Gate) -> None:
        gate.wrong = "Connection refused"
        await until(pilot, lambda: "no gate answers on 127.0.0.1:9901: Connection" in text(top, "#head"))
        assert rows(top, "events") == len(EVENTS)
        gate.wrong = ""
        await until(pilot, lambda: "ready for" in text(top, "#head"))

    drive(script)


def test_pause_and_quit() -> None:
    async def script(top: Top, pilot: Pilot[None], gate: Gate) -> None:
        await pilot.press("p")
        await until(pilot, lambda: "paused" in text(top, "#head"))
        await pilot.pause(0.2)
        asked = gate.asked
        await pilot.pause(0.3)
        assert gate.asked == asked
        await pilot.press("p")
        await until(pilot, lambda: gate.asked > asked)
        await pilot.press("q")
        await until(pilot, lambda: not top.is_running)
        assert top.return_code == 0

    drive(script)
