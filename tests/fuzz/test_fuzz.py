"""Does every target hold for its corpus and for some seconds more, and is an input that raises kept?"""

from pathlib import Path

import pytest

from tests.fuzz import __main__ as runner
from tests.fuzz import coverage
from tests.fuzz.corpus import CORPUS, seeds

SECONDS = 0.4


@pytest.mark.parametrize("name", runner.TARGETS)
def test_some_inputs(name: str, tmp_path: Path) -> None:
    tried, failed = runner.by_mutation(name, SECONDS, seed=1, folder=tmp_path)
    assert tried >= len(seeds(name)) > 0
    assert failed == 0


def test_an_input_that_raises_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(data: bytes) -> None:
        raise ValueError(len(data))

    monkeypatch.setitem(runner.TARGETS, "receive", broken)
    assert runner.by_mutation("receive", seconds=1, seed=1, folder=tmp_path) == (10, 10)
    assert len(list(tmp_path.glob("receive-*.bin"))) == 10


def test_the_corpus_is_of_targets_and_small() -> None:
    folders = {path.name for path in CORPUS.iterdir() if path.is_dir()}
    assert folders <= runner.TARGETS.keys() | set(coverage.TARGETS)
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < 300_000


def test_executions_are_read_from_what_libfuzzer_says() -> None:
    running = "#4096\tNEW    cov: 12 ft: 13\n#8192\tpulse  cov: 12 ft: 13\n"
    assert coverage.executions(running) == 8192
    assert coverage.executions(running + "stat::number_of_executed_units: 9000\n") == 9000
    assert coverage.executions("") == 0


def test_specifications_hold_all_packs(tmp_path: Path) -> None:
    coverage.write_specifications(tmp_path)
    made = {path.stem for path in tmp_path.iterdir()}
    assert made >= {
        f"{server}-{kind}" for server in ("any", "iis5", "iis10") for kind in ("guarded", "plain")
    }
