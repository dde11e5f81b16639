"""Is no honest client harmed by a small flood of each kind, and does the gate count it exactly?

A few seconds each. Latency is told by `make floods` only: a machine that runs tests is not quiet.
"""

from collections.abc import Iterator

import pytest

from tests.e2e.gate import Gate
from tests.floods.attack import SCENARIOS
from tests.floods.measure import measure, place

SMALL = 20
"""A small flood is this much smaller; at least 8 clients."""


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    with place(tmp_path_factory.mktemp("floods")) as running:
        yield running


@pytest.mark.parametrize("name", SCENARIOS)
def test_flood(name: str, gate: Gate) -> None:
    result = measure(gate, name, max(8, SCENARIOS[name].size // SMALL), 0.5)
    assert result.faults() == []
    assert result.answered == 100
    assert result.seen["opened"] >= 8
