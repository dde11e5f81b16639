"""Is what was refused and detected kept, whatever happens to the gate, and is nobody held up by it?"""

import itertools
import json
import os
import resource
import signal
import subprocess
import time
from pathlib import Path

from tests.e2e.client import Client, ask, get, post
from tests.e2e.flowfiles import events, kept
from tests.e2e.gate import ENVIRONMENT, PROGRAM, Gate, guarding, written
from tests.e2e.load import Load
from tests.e2e.origins import Origin, until
from tests.e2e.scarcity import limited
from tests.e2e.test_upgrade import Installed, installed, upgraded
from tests.e2e.unprivileged import AS_NOBODY, NOBODY, REACHABLE, ROOT, room

__all__ = ["installed"]  # a fixture

SITE = {"packs": ["code-red"], "server": "iis5"}
LARGE = b"x" * 60_000


def attack(gate: Gate, first: int, count: int, data: bytes = get("/x.ida?NNN")) -> list[str]:
    """The ids of refusals of so many different clients, each of which is an event of its own."""
    ids = []
    for number in range(first, first + count):
        with Client(gate.port, source=f"127.0.{5 + number // 200}.{1 + number % 200}") as client:
            ids.append(client.ask(data).event)
    return ids


def dropped(gate: Gate) -> dict[str, int]:
    counts = gate.counts()
    return {
        where: int(counts["stopgap_evidence_dropped_total", where]) for where in ("worker", "queue", "disk")
    }


def count(gate: Gate) -> int:
    return int(gate.counts()["stopgap_evidence_kept_total", "site0"])


def test_what_was_refused_detected_or_drawn_is_kept_and_explained(tmp_path: Path, origin: Origin) -> None:
    state = tmp_path / "state"
    site = {**SITE, "origins": origin.url, "modes": {"ida-idq": "detect"}, "evidence": {"passes": 1}}
    odd = b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\nCookie: SECRET\r\n\r\n"
    with guarding(tmp_path, site, state=str(state)) as gate:
        for data in (get("/x.ida"), get("/pass"), post("/up", b"12345")):
            ask(gate.port, data)
        event = ask(gate.port, odd).event
        until(lambda: count(gate) == 4)
        status = gate.status
        words = ["-c", str(tmp_path / "stopgap.toml"), "--admin", f"127.0.0.1:{gate.admin}"]
        command = [PROGRAM, "explain", "--event", event, *words]
        done = subprocess.run(
            command, capture_output=True, text=True, env=ENVIRONMENT, check=False, timeout=60
        )
    found = kept(state)
    by_verdict = {flow.metadata["stopgap.verdict"]: flow for flow in found}
    assert sorted(flow.metadata["stopgap.verdict"] for flow in found) == [
        *("detected", "passed", "passed", "refused")
    ]
    assert by_verdict["detected"].metadata["stopgap.mode"] == "detect"
    assert by_verdict["refused"].metadata["stopgap.ruleset"] == status["ruleset"]
    assert any(flow.request.endswith(b"\r\n\r\n12345") for flow in found)
    assert status["evidence"][0]["flows"] == 4
    assert sum(status["evidence_dropped"].values()) == 0
    assert done.returncode == 1, done.stderr
    assert "the request as it was kept, without its secrets" in done.stdout
    assert "verdict   refused with 400: duplicate-length" in done.stdout, done.stdout
    assert "the redacted values: they were not kept" in done.stdout


def test_a_storm_is_kept_within_its_pace_and_the_rest_is_counted(tmp_path: Path, origin: Origin) -> None:
    state = tmp_path / "state"
    site = {**SITE, "origins": origin.url, "evidence": {"bytes": "1 MiB", "body": "64 KiB"}}
    with guarding(tmp_path, site, state=str(state)) as gate:
        with Load(gate.port, 2) as load:
            attack(gate, 0, 40, post("/x.ida", LARGE))
            until(lambda: count(gate) + sum(dropped(gate).values()) == 40)
            load.goes_on()
        assert load.failed == []
        assert dropped(gate)["worker"] > 0 and dropped(gate)["disk"] == 0
        time.sleep(1)  # the pace brings back room
        ids = attack(gate, 200, 5)
        until(lambda: set(ids) <= set(events(state)))
        size = sum(path.stat().st_size for path in state.rglob("*.flow"))
        assert size <= 1 << 20
        until(lambda: gate.counts()["stopgap_evidence_bytes", "site0"] == size)
        assert "requests not kept as evidence: " in gate.said


def test_a_full_disk_and_a_folder_in_the_way_cost_flows_and_nothing_else(
    tmp_path: Path, origin: Origin
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "evidence").write_text("")
    site = {**SITE, "origins": origin.url, "evidence": {}}
    clients = itertools.count()

    def comes_back() -> bool:
        (event,) = attack(gate, next(clients), 1)
        sent.append(event)
        until(lambda: count(gate) + dropped(gate)["disk"] == len(sent))
        return event in events(state)

    sent: list[str] = []
    with guarding(tmp_path, site, state=str(state), log="/dev/null") as gate, Load(gate.port, 4) as load:
        comes_back()
        assert dropped(gate)["disk"] == 1
        (state / "evidence").unlink()
        until(comes_back)
        with limited(gate.process.pid, resource.RLIMIT_FSIZE, 8192):
            sent += [attack(gate, next(clients), 1)[0] for _ in range(40)]
            before = dropped(gate)["disk"]
            until(lambda: count(gate) + dropped(gate)["disk"] == len(sent))
            assert dropped(gate)["disk"] > before
        until(comes_back)
        load.goes_on()
        assert load.failed == []
        assert len(kept(state)) == count(gate)
        assert gate.said.count("site site0: evidence cannot be kept in") == 1


def test_without_a_state_folder_it_does_not_start(tmp_path: Path, origin: Origin) -> None:
    file = written(tmp_path, {**SITE, "origins": origin.url, "evidence": {}})
    environment = {key: value for key, value in ENVIRONMENT.items() if key != "STATE_DIRECTORY"}
    command = [PROGRAM, "serve", "--config", file, "--listen", "127.0.0.1:0", "--admin", "off"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=60)
    assert done.returncode == 2
    assert "site.evidence: needs a folder to keep it in; name one at the top of the file" in done.stderr


def test_a_reload_turns_it_on_and_off(tmp_path: Path, origin: Origin) -> None:
    state = tmp_path / "state"
    site = {**SITE, "packs": ["code-red"], "origins": origin.url}
    with guarding(tmp_path, site, state=str(state)) as gate:
        attack(gate, 0, 1)
        file = tmp_path / "stopgap.toml"
        off = file.read_text("utf-8")
        file.write_text(off + "evidence = { passes = 0.0 }\n", "utf-8")
        assert gate.admins("/reload", "POST")[0] == 200
        (event,) = attack(gate, 1, 1)
        until(lambda: events(state) == [event])
        file.write_text(off, "utf-8")
        assert gate.admins("/reload", "POST")[0] == 200
        attack(gate, 2, 1)
        assert gate.status["evidence"] == []
        file.write_text(off + 'evidence = { bytes = "1 KiB" }\n', "utf-8")
        status, text = gate.admins("/reload", "POST")
        assert (status, "site.evidence.bytes: must be between" in text) == (409, True), text
    assert events(state) == [event]


def test_two_supervisors_keep_one_ring(installed: Installed) -> None:
    state = installed.folder / "state"
    file = Path(installed.configure(packs=["code-red"], server="iis5", evidence={}))
    file.write_text(f"state = {json.dumps(str(state))}\n" + file.read_text("utf-8"), "utf-8")
    gate = installed.start()
    ids = attack(gate, 0, 3)
    upgraded(gate)
    ids += attack(gate, 3, 3)
    until(lambda: sorted(events(state)) == sorted(ids))
    assert len({path.name.split("-")[1] for path in state.rglob("*.flow")}) == 2


def test_it_belongs_to_the_user_of_the_gate(origin: Origin) -> None:
    with room() as base:
        state = base / "state"
        state.mkdir()
        owner = NOBODY if ROOT else os.geteuid()
        os.chown(state, owner, -1)
        site = {**SITE, "packs": ["code-red"], "origins": origin.url, "evidence": {}}
        top = {**AS_NOBODY, "state": str(state), "log": "/dev/null"}
        with guarding(base / "gate", site, before=REACHABLE, **top) as gate:
            (event,) = attack(gate, 0, 1)
            until(lambda: event in events(state))
            gate.signal(signal.SIGINT)
            gate.ended(30)
        for path in state.rglob("evidence/**/*"):
            assert (path.stat().st_uid, path.stat().st_mode & 0o077) == (owner, 0), path
