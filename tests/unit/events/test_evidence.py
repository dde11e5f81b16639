"""Are requests kept with the words of their events and without secrets, and is what is not kept counted?"""

import os
import stat
import threading
from pathlib import Path

import pytest

from stopgap.config.model import Evidence as Keeping
from stopgap.events import evidence, flows, ring
from stopgap.events.evidence import Archive
from stopgap.events.flows import Flow
from stopgap.events.schema import Known
from stopgap.gate.messages import Captured, EventLine, Evidence
from tests.e2e.origins import until

KEEPING = Keeping(bytes=1 << 20, passes=0.0, body=1024, redact=("x-api-key",))
RAW = (
    b"GET /x.ida?NNN HTTP/1.1\r\nHost: h\r\nCookie: a=secret\r\nX-Api-Key: secret\r\n"
    b"X-Real-IP: 192.0.2.7\r\n\r\n"
)


def known(state: Path, masked: bool = False, **sites: Keeping) -> Known:
    return Known(titles={"ida-idq": "Index Server"}, masked=masked, keeping=sites, state=str(state))


def captured(event: int = 1, raw: bytes = RAW, site: str = "s", passed: bool = False) -> Captured:
    return Captured(event, 500, site, "192.0.2.7", False, raw, len(raw), "sent", False, passed)


def line(action: str = "refused", reason: str = "extension-denied", rule: str = "ida-idq") -> EventLine:
    return (
        *(1, 0, 0, 0, "s", action, "denied", reason, 404, rule, "raw", 3),
        *("GET", b"/x.ida", 6, "h", b"", "192.0.2.7", "block", 0),
    )


def report(*kept: tuple[Captured, EventLine | None], missing: int = 0) -> Evidence:
    return Evidence(version="f00d", kept=list(kept), missing=missing)


def read(state: Path, site: str = "s") -> list[Flow]:
    data = b"".join(path.read_bytes() for path in ring.files(ring.folder(str(state), site)))
    found = list(flows.read(data))
    assert all(isinstance(flow, Flow) for flow in found)
    return [flow for flow in found if isinstance(flow, Flow)]


def test_a_request_is_kept_with_its_verdict(tmp_path: Path) -> None:
    made = Archive(known(tmp_path, s=KEEPING))
    made.start()
    made.put(report((captured(0xABC), line())))
    made.close(5.0)
    (flow,) = read(tmp_path)
    assert flow.request == RAW.replace(b"a=secret", b"********").replace(b"Key: secret", b"Key: ******")
    assert flow.status == 404
    assert flow.metadata == {
        "stopgap.event": "0000000000000abc",
        "stopgap.site": "s",
        "stopgap.verdict": "refused",
        "stopgap.reason": "extension-denied",
        "stopgap.rule": "ida-idq",
        "stopgap.reading": "raw",
        "stopgap.offset": 3,
        "stopgap.tier": "denied",
        "stopgap.mode": "block",
        "stopgap.ruleset": "f00d",
        "stopgap.body": "sent",
        "stopgap.cut": False,
        "stopgap.redacted": True,
        "stopgap.status": 404,
    }
    written, size = made.kept["s"]
    assert (written, made.dropped) == (1, {"worker": 0, "queue": 0, "disk": 0})
    assert size == ring.files(ring.folder(str(tmp_path), "s"))[0].stat().st_size


@pytest.mark.parametrize(
    ("told", "comment", "mark"),
    [
        (line(), "Refused as extension-denied by rule ida-idq: Index Server.", "red"),
        (
            line("detected"),
            "Detected and forwarded as extension-denied by rule ida-idq: Index Server.",
            "orange",
        ),
        (line("dropped", "nul-byte", ""), "Refused without an answer as nul-byte: ", "red"),
        (None, "Passed; kept as one of a sample.", ""),
    ],
)
def test_comment_and_mark(tmp_path: Path, told: EventLine | None, comment: str, mark: str) -> None:
    data = evidence.worded(1000.0, "f00d", captured(), told, known(tmp_path, s=KEEPING))
    state, _ = flows.loaded(memoryview(data))
    assert state["comment"].startswith(comment) and state["comment"].endswith(".")
    assert state["marked"] == (f":{mark}_circle:" if mark else "")
    assert state["request"]["timestamp_start"] == 999.5
    assert (state["metadata"].get("stopgap.status") == 404) == (told is not None and told[5] == "refused")


def test_every_action_of_an_event_has_words() -> None:
    from stopgap.admin.metrics import ACTIONS

    assert set(evidence._WORDS) == set(ACTIONS)


def test_a_masked_client_stands_nowhere(tmp_path: Path) -> None:
    data = evidence.worded(1.0, "", captured(), line(), known(tmp_path, masked=True, s=KEEPING))
    assert b"192.0.2.7" not in data
    assert b"192.0.2.0" in data
    assert b"192.0.2.7" in evidence.worded(1.0, "", captured(), line(), known(tmp_path, s=KEEPING))


def test_what_does_not_fit_into_the_queue_is_counted(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    made = Archive(known(tmp_path, s=KEEPING))
    made.put(report((captured(), line())))  # nobody writes yet
    made.start()
    with made._wake:
        large = captured(raw=b"x" * (evidence.QUEUE // 2))
        made.put(report((large, line()), (large, line()), (large, line()), missing=7))
    made.close(5.0)
    assert made.dropped == {"worker": 7, "queue": 3, "disk": 1}
    assert (
        "requests not kept as evidence: 11; since the start, worker 7, queue 3, disk 1"
        in capfd.readouterr().err
    )


def test_a_folder_that_cannot_be_written_costs_flows_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(evidence, "AGAIN", 0.0)
    (tmp_path / "evidence").write_text("in the way")
    made = Archive(known(tmp_path, s=KEEPING))
    made.start()
    for _ in range(3):
        made.put(report((captured(), line())))
    until(lambda: made.dropped["disk"] == 3)
    (tmp_path / "evidence").unlink()
    made.put(report((captured(), line())))
    made.close(5.0)
    assert len(read(tmp_path)) == 1
    said = capfd.readouterr().err
    assert said.count("site s: evidence cannot be kept in") == 1
    assert "since the start, disk 3\n" in said


def test_a_ring_that_failed_rests_before_it_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "AGAIN", 1000.0)
    (tmp_path / "evidence").write_text("in the way")
    made = Archive(known(tmp_path, s=KEEPING, t=KEEPING))
    made.start()
    made.put(report((captured(), line())))
    until(lambda: made.dropped["disk"] == 1)
    (tmp_path / "evidence").unlink()
    made.put(report((captured(), line()), (captured(site="t"), line())))
    made.close(5.0)
    assert (made.dropped["disk"], len(read(tmp_path, "t")), read(tmp_path)) == (2, 1, [])


def test_what_still_waits_at_the_end_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    going_on = threading.Event()
    monkeypatch.setattr(evidence, "worded", lambda *_: b"0:~" if going_on.wait(30) else b"")
    made = Archive(known(tmp_path, s=KEEPING))
    made.start()
    made.put(report(*[(captured(), line())] * 3))
    until(lambda: len(made._queue) == 2)
    made.close(0.0)
    assert made.dropped["queue"] == 2
    assert "requests not kept as evidence: 2; since the start, queue 2" in capfd.readouterr().err
    going_on.set()


def test_a_reload_changes_what_is_kept(tmp_path: Path) -> None:
    made = Archive(known(tmp_path))
    made.start()
    assert made.kept == {}
    made.follow(known(tmp_path, s=KEEPING))
    made.put(report((captured(), line())))
    until(lambda: made.kept["s"][0] == 1)
    made.follow(known(tmp_path, t=KEEPING))
    made.put(report((captured(), line()), (captured(site="t"), line())))
    until(lambda: made.kept["t"][0] == 1)
    assert list(made._rings) == ["t"]
    made.close(5.0)
    assert (len(read(tmp_path)), len(read(tmp_path, "t"))) == (1, 1)
    assert sum(made.dropped.values()) == 0


def test_what_is_on_disk_at_the_start_is_measured(tmp_path: Path) -> None:
    first = Archive(known(tmp_path, s=KEEPING))
    first.start()
    first.put(report((captured(), line())))
    first.close(5.0)
    second = Archive(known(tmp_path, s=KEEPING))
    second.start()
    until(lambda: second.kept["s"] == (0, first.kept["s"][1]))
    second.close(5.0)
    assert first.kept["s"][1] > 0


def test_only_the_owner_reads_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made = Archive(known(tmp_path / "state", s=KEEPING))
        made.start()
        made.put(report((captured(), line())))
        made.close(5.0)
    finally:
        os.umask(before)
    for path in (tmp_path / "state").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
