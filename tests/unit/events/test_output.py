"""Does an output take what it is handed, in its order, and lose no more than it says?"""

import threading
import time
from collections.abc import Callable

import pytest

from stopgap.events import output
from stopgap.events.formats import Record
from stopgap.events.output import Away, Output


class Sink:
    """Takes records; `away` and `broken` are what it does instead, `gate` holds it up."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.reopened = self.closed = 0
        self.away = self.broken = False
        self.gate = threading.Event()
        self.gate.set()

    def put(self, record: Record) -> bool:
        self.gate.wait(30)
        if self.away:
            raise Away
        if not self.broken:
            self.got.append(record.action)
        return not self.broken

    def reopen(self) -> None:
        self.reopened += 1

    def close(self) -> None:
        self.closed += 1


def word(news: int) -> Record:
    return Record(b"", "", str(news), alert=True)


def lost(count: int) -> Record:
    return Record(b"", "", f"lost {count}", alert=True)


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> Sink:
    monkeypatch.setattr(output, "AGAIN", 0.02)
    return Sink()


def until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not done():
        assert time.monotonic() < end
        time.sleep(0.005)


def ended(one: Output[int]) -> None:
    one.end()
    one.join(20)


def test_everything_in_its_order(sink: Sink) -> None:
    one = Output("test", sink, word, lost)
    one.start()
    one.put(range(100))
    one.put(range(100, 300))
    ended(one)
    assert sink.got == [str(number) for number in range(300)]
    assert (one.written, one.dropped, sink.closed) == (300, 0, 1)


def test_what_is_missing_is_counted_and_told(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "QUEUE", 10)
    one = Output("test", sink, word, lost)
    one.put(range(8), missing=5)
    one.put(range(8, 20))
    one.start()
    ended(one)
    assert sink.got == [*map(str, range(10)), "lost 15"]
    assert (one.written, one.dropped) == (10, 15)


def test_what_the_sink_loses_is_counted(sink: Sink) -> None:
    one = Output("test", sink, word, lost)
    sink.broken = True
    one.start()
    one.put(range(3))
    until(lambda: one.dropped == 3)
    sink.broken = False
    one.put([3])
    ended(one)
    assert sink.got == ["3", "lost 3"]


def test_nobody_waits_for_a_sink_that_stands_still(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "QUEUE", 10)
    sink.gate.clear()
    one = Output("test", sink, word, lost)
    one.start()
    for number in range(1000):
        one.put([number])
    assert one.dropped >= 1000 - 10 - output.BATCH
    one.end()
    one.join(0.01)
    sink.gate.set()
    one.join(20)
    assert one.written + one.dropped == 1000
    assert sink.got[-1] == f"lost {one.dropped}"


def test_an_output_that_was_away_gets_everything(sink: Sink) -> None:
    sink.away = True
    one = Output("test", sink, word, lost)
    one.start()
    one.put(range(200))
    time.sleep(0.1)
    one.put(range(200, 300))
    sink.away = False
    until(lambda: one.written == 300)
    ended(one)
    assert sink.got == [str(number) for number in range(300)]
    assert one.dropped == 0


def test_an_output_that_stays_away_ends_all_the_same(sink: Sink, capsys: pytest.CaptureFixture[str]) -> None:
    sink.away = True
    one = Output("test", sink, word, lost)
    one.start()
    one.put(range(70))
    ended(one)
    assert capsys.readouterr().err == "stopgap: events not written to test, which takes them too slowly: 70\n"
    assert (one.written, sink.closed) == (0, 1)


def test_reopening_is_the_threads_work(sink: Sink) -> None:
    one = Output("test", sink, word, lost)
    one.reopen()
    before = one.running
    one.start()
    until(lambda: sink.reopened == 1)
    assert (before, one.running) == (False, True)
    ended(one)
