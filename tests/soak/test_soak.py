"""Does a short soak lose nothing, and does its measure of growth tell what grows from what does not?"""

import random
from pathlib import Path

from tests.e2e.certificates import self_signed
from tests.soak.run import BOUNDS, run
from tests.soak.slope import slope
from tests.soak.traffic import KINDS

SECONDS = 20


def test_short_soak(tmp_path: Path) -> None:
    soak = run(tmp_path, self_signed(tmp_path), SECONDS)
    assert soak.failed == []
    assert set(soak.turns) == set(KINDS)
    assert soak.reloads >= 2
    assert len(soak.slopes()) == 2 * 5  # two supervisors and three workers


def test_slope_tells_growth_from_noise() -> None:
    chance = random.Random(0)
    times = [float(second) for second in range(1800)]
    noise = [chance.gauss(50_000, 200) for _ in times]
    leak = [value + 200 * second / 60 for value, second in zip(noise, times, strict=True)]
    assert slope(times, noise).flat(BOUNDS["KiB"])
    assert not slope(times, leak).flat(BOUNDS["KiB"])
    assert abs(slope(times, leak).value - 200) < slope(times, leak).spread + 5
