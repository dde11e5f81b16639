"""Do events reach their file, and does nobody wait when they cannot?"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from stopgap.config.model import Address, Rotation, Syslog, Telling
from stopgap.events import output, schema, writer
from stopgap.events.writer import Writer
from stopgap.gate.messages import EventLine
from tests.e2e.origins import until

KNOWN = schema.Known(titles={})
LINE: EventLine = (
    *(1, 0, 0, 0, "s", "refused", "denied", "url-denied", 404, "r", "raw", 0),
    *("GET", b"/", 1, "h", b"", "::1", "block", 0),
)


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line]


def test_lines_are_written_and_remembered(tmp_path: Path) -> None:
    path = tmp_path / "events"
    made = Writer(str(path), KNOWN)
    made.start()
    made.put([LINE, LINE])
    made.close(5.0)
    assert [line["event.id"] for line in lines(path)] == ["0000000000000001"] * 2
    assert [event.event_id for event in made.recent()] == ["0000000000000001"] * 2
    assert (made.written, made.dropped) == (2, 0)


def test_the_last_events_are_found_by_their_id(tmp_path: Path) -> None:
    def line(number: int, count: int = 0) -> EventLine:
        return (number, count, *LINE[2:])

    made = Writer(str(tmp_path / "events"), KNOWN)
    made.put([line(1), line(2), line(1, count=9), line(3, count=4)])
    for number, count in ((1, 0), (2, 0), (3, 4)):
        event = made.find(number)
        assert event and (event.event_id, event.count) == (f"{number:016x}", count)
    assert made.find(4) is None
    made.follow(KNOWN, Telling(remembered=1_000))
    made.put([line(9)] * 998)
    assert made.find(2) is None
    assert made.find(3)
    assert len(made.recent()) == writer.RECENT


def test_a_flood_is_cut_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "BURST", 100.0)
    monkeypatch.setattr(writer, "PACE", 0.0)
    path = tmp_path / "events"
    made = Writer(str(path), KNOWN)
    made.put([LINE] * 1000)
    made.start()
    made.close(5.0)
    *_, last = lines(path)
    assert made.dropped == 900
    assert (last["event.action"], last["stopgap.count"]) == ("lost", 900)
    assert len(made.recent()) == writer.RECENT


def test_a_file_is_opened_anew_after_rotation(tmp_path: Path) -> None:
    path = tmp_path / "events"
    made = Writer(str(path), KNOWN)
    made.start()
    path.rename(tmp_path / "events.1")
    made.reopen()
    end = time.monotonic() + 10
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    made.put([LINE])
    made.close(5.0)
    assert len(lines(path)) == 1
    assert lines(tmp_path / "events.1") == []


def test_a_full_disk_costs_lines_only(capfd: pytest.CaptureFixture[str]) -> None:
    made = Writer("/dev/full", KNOWN)
    made.start()
    made.put([LINE] * 3)
    made.close(5.0)
    assert (made.written, made.dropped) == (0, 3)
    assert capfd.readouterr().err == "stopgap: events cannot be written: No space left on device\n"


def wrote(made: Writer, count: int) -> bool:
    return made.written == count


def at(sock: socket.socket) -> Telling:
    """As combined lines, clients masked, to this server too."""
    return Telling("combined", None, Syslog("udp", Address(*sock.getsockname())), masked=True)


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(20)
        yield sock


def test_log_and_syslog_get_the_same_events(tmp_path: Path, server: socket.socket) -> None:
    path = tmp_path / "events"
    made = Writer(str(path), KNOWN, at(server))
    made.start()
    made.put([LINE, LINE])
    sent = [server.recv(9999).partition(b" refused - ")[2] for _ in range(2)]
    made.close(5.0)
    assert path.read_bytes().splitlines() == sent
    assert (made.dropped, made.syslog_dropped) == (0, 0)


def test_a_reload_changes_how_events_are_told(tmp_path: Path, server: socket.socket) -> None:
    path = tmp_path / "events"
    masked = schema.Known(titles={"r": "new"}, masked=True)
    made = Writer(str(path), KNOWN)
    made.start()
    made.put([LINE])
    until(lambda: made.written == 1)
    made.follow(masked, at(server))
    made.put([LINE])
    assert server.recv(9999).endswith(b"count=0")
    until(lambda: made.written == 2)
    made.follow(masked, Telling("ocsf", Rotation(64 << 10, 1)))
    made.put([LINE])
    made.close(5.0)
    ecs, combined, ocsf = path.read_text("utf-8").splitlines()
    assert json.loads(ecs)["source.ip"] == "::1"
    assert combined.startswith(":: - - ")
    assert json.loads(ocsf)["src_endpoint"] == {"ip": "::"}
    assert {event.client for event in made.recent()} == {"::"}


def test_a_server_that_is_away_costs_the_log_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output, "QUEUE", 100)
    nobody = Syslog("unix", Address("", 0, str(tmp_path / "nobody")))
    made = Writer(str(tmp_path / "events"), KNOWN, Telling(syslog=nobody))
    made.start()
    for count in range(50, 301, 50):
        made.put([LINE] * 50)
        until(partial(wrote, made, count))
    assert made.dropped == 0
    assert 100 <= made.syslog_dropped <= 200
    made.close(5.0)
    assert "takes no events: No such file or directory" in capsys.readouterr().err


SCRIPT = """
import sys, time
from stopgap.events import schema
from stopgap.events.writer import Writer
made = Writer("-", schema.Known(titles={}))
made.start()
line = (1, 0, 0, 0, "s", "refused", "denied", "url-denied", 404)
line += ("r", "raw", 0, "GET", b"/" * 900, 1, "h", b"", "::1", "block", 0)
began = time.monotonic()
for _ in range(100):
    made.put([line] * 20)
    time.sleep(0.001)
made.close(0.5)
print(time.monotonic() - began < 5, made.dropped > 0, made.written, file=sys.stderr)
"""


@pytest.mark.parametrize("gone", [False, True], ids=["blocked", "gone"])
def test_nobody_waits_for_standard_output(gone: bool) -> None:
    reading, writing = os.pipe()
    if gone:
        os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], stdout=writing, stderr=subprocess.PIPE, timeout=60, check=False
        )
    finally:
        os.close(writing)
        if not gone:
            os.close(reading)
    quick, dropped, _ = done.stderr.split()[-3:]
    assert quick == b"True"
    assert gone == (dropped == b"True")
