"""Does a row of samples grow, and how sure is that?

Least squares over the means of equal blocks of time: samples of memory that follow each other are much alike,
and a line through single samples would be told far too sure. The interval is of 95 %, by Student's t.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

BLOCKS = 12
STUDENT = 2.228
"""97.5 % point of Student's t with BLOCKS - 2 degrees of freedom."""


@dataclass(frozen=True)
class Slope:
    """Growth a minute, and half the width of its interval."""

    value: float
    spread: float

    def flat(self, bound: float) -> bool:
        """Whether the interval reaches down to 0, or all of it is below a bound."""
        return self.value - self.spread <= 0 or self.value + self.spread < bound

    def __str__(self) -> str:
        return f"{self.value:+.2f} ± {self.spread:.2f}"


def slope(times: Sequence[float], values: Sequence[float]) -> Slope:
    """Times in seconds. Needs at least BLOCKS samples."""
    edges = [len(times) * block // BLOCKS for block in range(BLOCKS + 1)]
    parts = [slice(first, last) for first, last in pairwise(edges)]
    x = [sum(times[part]) / len(times[part]) / 60 for part in parts]
    y = [sum(values[part]) / len(values[part]) for part in parts]
    middle, height = sum(x) / BLOCKS, sum(y) / BLOCKS
    width = sum((each - middle) ** 2 for each in x)
    value = sum((a - middle) * (b - height) for a, b in zip(x, y, strict=True)) / width
    rest = sum((b - height - value * (a - middle)) ** 2 for a, b in zip(x, y, strict=True))
    return Slope(value, STUDENT * sqrt(rest / (BLOCKS - 2) / width))
