"""Does the fuzz runner run, does it find something, and does it say how to find it again?"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.__main__ import by_mutation
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]
SECONDS = 5


def test_some_seconds_of_fuzzing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--seconds", str(SECONDS), "--save", str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "0 raised" in run.stdout


def test_an_input_that_raises_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(data: bytes) -> None:
        raise ValueError(len(data))

    monkeypatch.setitem(TARGETS, "broken", broken)
    assert by_mutation(["broken"], seconds=1, seed=1, folder=tmp_path) == 10
    assert len(list(tmp_path.glob("broken-*.bin"))) == 10
