"""Does a new policy come into use at all workers or at none, and are exceptions over when their day is?"""

import os
import signal
from pathlib import Path

import pytest

from tests.unit.gate.test_supervisor import Gate


def test_reload_changes_all_workers(tmp_path: Path) -> None:
    def script(gate: Gate) -> None:
        before = gate.supervisor.status.ruleset
        gate.write(mode="detect")
        answer = gate.supervisor.ask("reload")
        assert answer.ok, answer.text
        status = gate.supervisor.status
        assert status.ruleset != before
        assert gate.versions() == {status.ruleset}
        assert status.sites[0].mode == "detect"
        assert status.reload.ok

    assert Gate(tmp_path, "good").run(script) == 0


def test_a_worker_that_starts_during_a_reload_gets_the_new_policy(tmp_path: Path) -> None:
    def script(gate: Gate) -> None:
        worker = gate.supervisor.status.workers[0]
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        gate.until(lambda: gate.supervisor.status.workers[0].state == "starting")
        gate.write(mode="detect")
        assert gate.supervisor.ask("reload").ok
        gate.until(lambda: gate.versions() == {gate.supervisor.status.ruleset})
        assert gate.supervisor.status.sites[0].mode == "detect"

    assert Gate(tmp_path, "good").run(script) == 0


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"mode": "shout"}, 'stopgap.toml:11: site.mode: "shout" is unknown'),
        ({"workers": 3}, "workers: was 2, is now 3: needs a restart"),
        ({"port": 1}, "needs a restart"),
    ],
)
def test_a_bad_file_changes_nothing(tmp_path: Path, changes: dict[str, object], error: str) -> None:
    def script(gate: Gate) -> None:
        before = gate.supervisor.status
        gate.write(**changes)
        answer = gate.supervisor.ask("reload")
        assert not answer.ok
        assert error in answer.text
        status = gate.supervisor.status
        assert not status.reload.ok
        assert error in status.reload.error
        assert (status.ruleset, status.sites, status.ready) == (before.ruleset, before.sites, True)

    assert Gate(tmp_path, "good").run(script) == 0


@pytest.mark.parametrize(
    ("how", "error"),
    [("fails-next", "cannot use the new policy: no such thing"), ("dies-next", "ended (exit status 9)")],
)
def test_a_worker_that_cannot_reload_takes_all_back(tmp_path: Path, how: str, error: str) -> None:
    def script(gate: Gate) -> None:
        before = gate.supervisor.status.ruleset
        gate.write(mode="detect")
        answer = gate.supervisor.ask("reload")
        assert not answer.ok
        assert error in answer.text
        gate.until(lambda: gate.versions() == {before})
        assert gate.supervisor.status.sites[0].mode == "block"

    assert Gate(tmp_path, how, workers=1).run(script) == 0


EXCEPTION = 'exception = [{ rule = "short-name", path = "/a", reason = "why", until = 2027-01-15 }]'


def test_an_exception_ends_at_midnight_without_the_files(tmp_path: Path) -> None:
    def script(gate: Gate) -> None:
        before = gate.supervisor.status
        (excepted,) = before.sites[0].exceptions
        assert (excepted.state, excepted.until, excepted.hits) == ("unused", "2027-01-15", 0)
        gate.write(mode="wrong")
        gate.now += 86_400
        gate.until(lambda: gate.supervisor.status.sites[0].exceptions[0].state == "expired")
        gate.until(lambda: gate.versions() == {gate.supervisor.status.ruleset} != {before.ruleset})
        assert gate.supervisor.status.reload.ok

    assert Gate(tmp_path, "good", more=EXCEPTION).run(script) == 0
