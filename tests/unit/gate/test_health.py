"""Is an origin that failed left alone, for longer and longer, and not for ever?"""

from stopgap import _core
from stopgap.gate import health


def test_pause_doubles_up_to_a_limit() -> None:
    state = health.Health()
    assert state.up(0.0)
    pauses = []
    for _ in range(6):
        state.failed(100.0, health.REFUSED, "Connection refused")
        pauses.append(state.until - 100.0)
    assert pauses == [1, 2, 4, 8, 10, 10]
    assert not state.up(109.9) and state.up(110.0)
    assert state.error == "Connection refused"


def test_success_forgets() -> None:
    state = health.Health()
    state.failed(100.0, health.REFUSED, "Connection refused")
    state.succeeded()
    assert state.up(100.0)
    assert (state.error, state.failures) == ("", 0)
    assert sum(state.counts) == 1, "but counts stay"


def test_failures_are_reasons_of_the_core() -> None:
    failed = {name for name, tier, *_ in _core.reasons() if tier == "failed"}
    assert set(health.FAILURES) <= failed
    assert len(health.FAILURES) <= 8
