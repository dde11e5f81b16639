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


def test_connection_ends_the_pause() -> None:
    state = health.Health()
    state.failed(100.0, health.REFUSED, "Connection refused")
    state.connected(100.0)
    assert state.up(100.0) and not state.shut
    assert state.error == ""
    assert sum(state.counts) == 1, "but counts stay"


def test_only_an_answer_forgets() -> None:
    state = health.Health()
    for _ in range(2):
        state.failed(100.0, health.REFUSED, "Connection refused")
        state.connected(100.0)
    assert (state.failures, state.pauses) == (2, 2)
    state.answered(101.0)
    assert (state.failures, state.pauses) == (0, 0)


def test_failures_of_both_kinds_add_up() -> None:
    state = health.Health()
    state.failed(100.0, health.REFUSED, "Connection refused", most=3)
    state.faulted(101.0, health.CLOSED, most=3)
    assert (state.shut, state.failures) == (False, 2)
    state.faulted(102.0, health.TIMEOUT, most=3)
    why = "3 failures in a row, the last was origin-timeout"
    assert (state.shut, state.up(102.0), state.why) == (True, False, why)
    state.connected(110.0)
    assert (state.shut, state.why) == (True, why), "a connection is no answer"
    state.answered(110.0)
    assert (state.shut, state.why) == (False, "")


def test_share_grows_after_a_return() -> None:
    state = health.Health()
    assert state.share(0.0, 10.0) == 1.0
    state.failed(90.0, health.REFUSED, "Connection refused")
    state.connected(100.0)
    shares = [state.share(now, 10.0) for now in (100.0, 102.0, 105.0, 110.0)]
    assert shares == [health.LEAST_SHARE, 0.2, 0.5, 1.0]
    assert state.share(100.0, 0.0) == 1.0


def test_probes_count_in_a_row() -> None:
    state = health.Health()
    found = ("500", "", "500", "500", "timeout", "", "timeout", "", "")
    seen = []
    for now, error in enumerate(found):
        state.probed(float(now), error, rise=2, fall=3)
        seen.append(state.why)
    assert seen == ["", "", "", "", "timeout", "timeout", "timeout", "timeout", ""]
    assert (state.shut, state.back) == (False, 8.0)


def test_ill_is_shut() -> None:
    state = health.Health()
    state.probed(100.0, "500", rise=1, fall=1)
    assert (state.shut, state.up(200.0)) == (True, False)


def test_failures_are_reasons_of_the_core() -> None:
    failed = {name for name, tier, *_ in _core.reasons() if tier == "failed"}
    assert set(health.FAILURES) <= failed
    assert len(health.FAILURES) <= 8
