"""Is an origin told as all workers together see it?"""

import pytest

from stopgap.gate.messages import OriginState
from stopgap.gate.snapshot import origin


def seen(up: bool, busy: int = 0, error: str = "") -> OriginState:
    return OriginState(site="s", url="u", up=up, busy=busy, idle=1, pinned=0, error=error)


@pytest.mark.parametrize(
    ("states", "up", "busy", "error"),
    [
        ([], True, 0, ""),
        ([seen(True, 2), seen(True, 3)], True, 5, ""),
        ([seen(False, error="refused"), seen(True)], True, 0, "refused"),
        ([seen(True, error="refused")], False, 0, "refused"),
        ([seen(False, error="refused"), seen(False, error="timeout")], False, 0, "refused"),
    ],
)
def test_origin(states: list[OriginState], up: bool, busy: int, error: str) -> None:
    made = origin("u", states)
    assert (made.url, made.up, made.busy, made.error) == ("u", up, busy, error)
    assert made.idle == len(states)
