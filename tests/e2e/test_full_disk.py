"""What does a full disk cost: of the log, of held bodies, of the state folder, of standard error?

A limit on the size of files (RLIMIT_FSIZE), set and lifted while the gate runs, stands for the disk; where
nothing needs to be written afterwards it is /dev/full. Other clients go on all the while.
"""

import json
import os
import random
import resource
import signal
from pathlib import Path

from tests.e2e.client import Client, ask, get, post
from tests.e2e.gate import Gate, guarding, written
from tests.e2e.load import Load
from tests.e2e.origins import Origin, free_port, until
from tests.e2e.scarcity import limited

FULL = 8192
LARGE = random.Random(0).randbytes(600_000)
SITE = {"packs": ["code-red"], "server": "iis5"}


def attack(gate: Gate, first: int, count: int) -> list[str]:
    """The ids of refusals of so many different clients, each of which is an event of its own."""
    ids = []
    for number in range(first, first + count):
        with Client(gate.port, source=f"127.0.3.{number}") as client:
            ids.append(client.ask(get("/x.ida?" + "N" * 200)).event)
    return ids


def events(gate: Gate) -> tuple[int, int]:
    """Written and dropped so far."""
    counts = gate.counts()
    lost = sum(counts["stopgap_events_dropped_total", where] for where in ("worker", "writer"))
    return int(counts["stopgap_events_written_total",]), int(lost)


def lines(log: Path) -> list[dict[str, object]]:
    """The whole lines of a log; one that the disk cut off is no line."""
    found = []
    for line in log.read_bytes().split(b"\n"):
        try:
            found.append(json.loads(line))
        except ValueError:
            assert line == b"" or line.startswith(b'{"@timestamp"')
    return found


def test_lost_events_are_counted_and_the_log_goes_on(tmp_path: Path, origin: Origin) -> None:
    log = tmp_path / "log"
    with guarding(tmp_path, {**SITE, "origins": origin.url}, log=str(log)) as gate:
        with Load(gate.port, 4) as load:
            with limited(gate.process.pid, resource.RLIMIT_FSIZE, FULL):
                ids = attack(gate, 1, 60)
                until(lambda: sum(events(gate)) == 60)
                assert events(gate)[1] > 0
            ids += attack(gate, 61, 10)
            until(lambda: sum(events(gate)) == 70)
            at = load.answered
            until(lambda: load.answered > at + 50)
        assert (load.wrong, load.broken) == ([], [])
        kept, lost = events(gate)
        gate.signal(signal.SIGTERM)
        assert gate.ended(30) == 0
    found = lines(log)
    assert [line["event.id"] for line in found if "event.id" in line] == [*ids[: kept - 10], *ids[60:]]
    assert [line["stopgap.count"] for line in found if line["event.action"] == "lost"] == [lost]
    assert "events cannot be written: File too large" in gate.said


def test_a_log_without_any_room(tmp_path: Path, origin: Origin) -> None:
    with guarding(tmp_path, {**SITE, "origins": origin.url}, log="/dev/full") as gate:
        with Load(gate.port, 4) as load:
            attack(gate, 1, 30)
            until(lambda: events(gate) == (0, 30))
        assert (load.wrong, load.broken) == ([], [])
        assert gate.said.count("events cannot be written: No space left on device") == 1


def test_a_body_that_cannot_be_held_is_refused_by_name(tmp_path: Path, origin: Origin) -> None:
    with guarding(tmp_path, {**SITE, "origins": origin.url}) as gate:
        (worker,) = (one["pid"] for one in gate.status["workers"])
        with Load(gate.port, 4) as load:
            with limited(worker, resource.RLIMIT_FSIZE, FULL):
                failed = [ask(gate.port, post(f"/{number}", LARGE)) for number in range(5)]
                assert ask(gate.port, post("/small", LARGE[:100_000])).status == 200
            assert [answer.status for answer in failed] == [503] * 5
            told = gate.event(failed[0].event)
            assert (told["stopgap.reason"], told["stopgap.tier"]) == ("no-room", "failed")
            assert gate.counts()["stopgap_rejects_total", "no-room"] == 5
            assert ask(gate.port, post("/later", LARGE)).body == b"POST /later %d" % len(LARGE)
            at = load.answered
            until(lambda: load.answered > at + 50)
        assert (load.wrong, load.broken) == ([], [])
    assert sorted(len(one.body) for one in origin.requests if one.method == b"POST") == [100_000, len(LARGE)]


def test_a_state_folder_without_room_costs_only_the_kept_file(tmp_path: Path, origin: Origin) -> None:
    state = tmp_path / "state"
    with guarding(tmp_path, {**SITE, "origins": origin.url}, state=str(state)) as gate:
        before = gate.status["ruleset"]
        kept = {path.name for path in state.rglob("*.json")}
        file = tmp_path / "stopgap.toml"
        file.write_text(file.read_text().replace('"iis5"', '"iis6"'))
        with Load(gate.port, 4) as load:
            until(lambda: load.answered > 50)
            with limited(gate.process.pid, resource.RLIMIT_FSIZE, FULL):
                status, text = gate.admins("/reload", "POST")
                assert (status, gate.status["ruleset"] != before) == (200, True), text
                assert f"{state}/rulesets: the ruleset cannot be kept there: File too large" in gate.said
                assert gate.admins("/rollback", "POST")[0] == 200
                assert gate.status["ruleset"] == before
            assert gate.admins("/reload", "POST")[0] == 200
        assert (load.wrong, load.broken) == ([], [])
        assert {path.name for path in state.rglob("*.json")} == {*kept, f"{gate.status['ruleset']}.json"}
        assert not [*state.rglob("*.new")]


def test_words_that_find_no_room_stop_nobody(tmp_path: Path, origin: Origin) -> None:
    """Standard error on a full disk, while a worker dies, events are lost and a reload is refused."""
    port, admin = free_port(), free_port()
    config = written(
        tmp_path,
        {**SITE, "origins": origin.url},
        listen=f"127.0.0.1:{port}",
        admin=f"127.0.0.1:{admin}",
        log="/dev/full",
        workers=1,
    )
    mute = ("bash", "-c", 'exec "$@" 2>/dev/full', "mute")
    gate = Gate(tmp_path, "--config", config, before=mute)
    gate.port, gate.admin = port, admin
    try:
        until(lambda: _ready(gate), 30)
        with Load(port, 2) as load:
            (worker,) = (one["pid"] for one in gate.status["workers"])
            attack(gate, 1, 3)
            until(lambda: events(gate) == (0, 3))
            with limited(worker, resource.RLIMIT_FSIZE, FULL):
                assert ask(port, post("/large", LARGE)).status == 503
            Path(config).write_text("nonsense")
            assert gate.admins("/reload", "POST")[0] == 409
            assert load.broken == []
            os.kill(worker, signal.SIGKILL)
            until(lambda: gate.status["workers"][0]["restarts"] == 1 and _ready(gate))
            at = load.answered
            until(lambda: load.answered > at + 50)
        assert load.wrong == []
        assert len(load.broken) <= 2
        gate.signal(signal.SIGTERM)
        assert gate.ended(30) == 0
    finally:
        gate.process.kill()
        gate.process.wait()


def _ready(gate: Gate) -> bool:
    try:
        return gate.admins("/readyz")[0] == 200
    except OSError:
        return False
