"""What happens when the clock of the machine jumps, a year ahead or back, with clients in the middle?

The gate runs under libfaketime, which gives it another time of day, read from a file, and leaves the
monotonic clock alone. Deadlines must not notice; events, exceptions and their last days must.
"""

import datetime
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.client import Client, ask, get
from tests.e2e.gate import Gate, guarding
from tests.e2e.load import Load
from tests.e2e.origins import Origin, Peer, answer, until

LIBRARY = next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), Path("libfaketime is missing"))
YEAR = 366
TODAY = datetime.datetime.now(datetime.UTC)


class Clock:
    """The time of day of the gate."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.environment = {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
        self.jump(0)

    def jump(self, days: int) -> None:
        """So many days from now, in one step."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{days * 86_400:+d}\n")
        os.replace(fresh, self.file)


@pytest.fixture
def clock(tmp_path: Path) -> Iterator[Clock]:
    yield Clock(tmp_path / "clock")


def refused(gate: Gate, source: str) -> datetime.datetime:
    """When the event of a refusal of now says that it was."""
    with Client(gate.port, source=source) as client:
        answered = client.ask(get("/x.ida"))
    assert answered.status == 404
    return datetime.datetime.fromisoformat(gate.event(answered.event)["@timestamp"])


def near(moment: datetime.datetime, days: int) -> bool:
    return abs(moment - TODAY - datetime.timedelta(days=days)) < datetime.timedelta(hours=1)


def test_a_jump_cuts_nobody_off_and_days_follow(tmp_path: Path, origin: Origin, clock: Clock) -> None:
    def script(peer: Peer) -> None:
        while (request := peer.request()) is not None:
            if request.target == b"/slow":
                begun.append(1)
                until(lambda: finish, 60)
            peer.send(answer(b"GET %s 0" % request.target))

    begun: list[int] = []
    finish: list[int] = []
    origin.script = script
    until_day = (TODAY + datetime.timedelta(days=30)).date()
    exception = {"rule": "ida-idq", "path": "/x.ida", "reason": "a test", "compat": "none"}
    exceptions = [{**exception, "until": until_day, "clients": ["127.0.4.1"]}]
    site = {"origins": origin.url, "packs": ["code-red"], "exception": exceptions}
    with (
        guarding(tmp_path, site, environment=clock.environment) as gate,
        Client(gate.port) as idle,
        Client(gate.port) as slow,
        Client(gate.port) as half,
    ):
        assert idle.ask(get("/idle")).status == 200
        slow.send(get("/slow"))
        half.send(get("/half")[:-2])
        until(lambda: begun)
        with Load(gate.port, 4) as load:
            assert near(refused(gate, "127.0.4.2"), 0)
            assert excepted(gate)
            for days in (YEAR, -YEAR):
                clock.jump(days)
                assert near(refused(gate, f"127.0.4.{10 + (days > 0)}"), days)
                if days > 0:
                    until(lambda: not excepted(gate))
                else:  # by itself within a minute: days are not renewed more often
                    assert gate.admins("/reload", "POST")[0] == 200
                    assert excepted(gate)
                load.goes_on()
            assert gate.status["workers"][0]["restarts"] == 0
        assert (load.wrong, load.broken) == ([], [])
        assert idle.ask(get("/idle")).status == 200
        half.send(b"\r\n")
        assert half.answer().status == 200
        finish.append(1)
        assert slow.answer().body == b"GET /slow 0"


def excepted(gate: Gate) -> bool:
    """Whether the exception lets its client pass now."""
    with Client(gate.port, source="127.0.4.1") as client:
        return client.ask(get("/x.ida")).status == 200


def test_a_rate_counts_by_the_clock_that_does_not_jump(tmp_path: Path, origin: Origin, clock: Clock) -> None:
    """A jump ahead frees nobody early, a jump back locks nobody in: the minute goes on as it was."""
    site = {"origins": origin.url}
    with guarding(tmp_path, site, environment=clock.environment, new_connections=20) as gate:
        assert False in [opened(gate.port) for _ in range(60)]
        for days in (YEAR, -YEAR):
            clock.jump(days)
            assert False in [opened(gate.port) for _ in range(8)]
            assert ask(gate.port, get("/")).status == 200


def opened(port: int) -> bool:
    """Whether a new connection of this client is answered."""
    with Client(port, source="127.0.5.1") as client:
        try:
            return client.ask(get("/")).status == 200
        except Exception:
            return False
