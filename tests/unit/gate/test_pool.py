"""Does the pool give connections to the right requests, and keep to its caps?"""

from typing import Any

import msgspec

from stopgap import _core
from stopgap.gate import health
from stopgap.gate.messages import Site
from stopgap.gate.upstream import Upstream
from tests.unit.gate.fakes import SITE, House, Wire

TWO = Site(name="two", origins=("http://192.0.2.1:80", "http://192.0.2.2:8080"), counters=(0, 1))


class Request:
    """A waiter that remembers what it was told."""

    def __init__(self) -> None:
        self.since = 0.0
        self.got: Upstream | None = None
        self.told = ""

    def granted(self, upstream: Upstream) -> None:
        self.got = upstream

    def refused(self, reason: int) -> None:
        self.told = _core.reasons()[reason][0]


def house(site: Site = SITE, **changes: Any) -> House:
    return House(msgspec.structs.replace(site, **changes))


def test_last_used_first() -> None:
    at = house()
    first, _ = at.idle()
    second, _ = at.idle()
    assert [at.pool.take(), at.pool.take(), at.pool.take()] == [second, first, None]
    assert at.pool.origins[0].reused == 2


def test_dials_no_more_than_the_cap() -> None:
    at = house(connections=2)
    requests = [Request() for _ in range(3)]
    assert all(at.pool.enqueue(request) for request in requests)
    assert len(at.dials) == 2
    (one, _), (two, _) = at.connect(), at.connect()
    assert [request.got for request in requests] == [one, two, None]
    at.pool.release(two)
    assert requests[2].got is two


def test_queue_is_bounded() -> None:
    at = house(connections=1, waiting=1)
    assert at.pool.enqueue(Request())
    assert not at.pool.enqueue(Request())
    assert at.pool.enqueue(Request(), first=True), "a retry has its place"


def test_closed_connection_makes_room() -> None:
    at = house(connections=1)
    at.pool.enqueue(Request())
    one, _ = at.connect()
    late = Request()
    at.pool.enqueue(late)
    assert at.dials == []
    one.drop()
    two, _ = at.connect()
    assert late.got is two


def test_pinned_connection_makes_room() -> None:
    at = house(connections=1)
    at.pool.enqueue(Request())
    one, _ = at.connect()
    at.pool.enqueue(Request())
    at.pool.pin(one)
    assert len(at.dials) == 1


def test_waiting_too_long() -> None:
    at = house(connections=1, connect=5.0)
    at.pool.enqueue(Request())
    at.connect()
    late = Request()
    at.pool.enqueue(late)
    at.now += 4
    assert list(at.pool.sweep(at.now)) == []
    assert late.told == ""
    at.now += 2
    assert list(at.pool.sweep(at.now)) == []
    assert late.told == "origin-busy"


def test_cancelled_request_leaves_its_connection_idle() -> None:
    at = house()
    request = Request()
    at.pool.enqueue(request)
    at.pool.cancel(request)
    at.pool.cancel(request)
    one, _ = at.connect()
    assert request.got is None
    assert at.pool.take() is one


def test_refused_everywhere_tells_all_who_wait() -> None:
    at = house(TWO)
    requests = [Request(), Request()]
    for request in requests:
        at.pool.enqueue(request)
    while at.dials:
        origin, tried = at.dials.pop(0)
        at.pool.failed(origin, tried, health.REFUSED, "Connection refused")
    assert [request.told for request in requests] == ["origin-refused"] * 2
    assert at.pool.empty


def test_next_origin_is_tried() -> None:
    at = house(TWO)
    request = Request()
    at.pool.enqueue(request)
    origin, tried = at.dials.pop(0)
    at.pool.failed(origin, tried, health.CONNECT_TIMEOUT, "no connection within 5 s")
    assert [dialled.url for dialled, _ in at.dials] == ["http://192.0.2.2:8080"]
    up, _ = at.connect()
    assert request.got is up
    assert [state.up for state in at.pool.states()] == [False, True]


def test_origin_that_is_down_is_skipped_for_a_while() -> None:
    at = house(TWO)
    down = at.pool.origins[0]
    down.dialing = 1
    at.pool.failed(down, frozenset({TWO.origins[1]}), health.REFUSED, "refused")
    for _ in range(3):
        at.pool.enqueue(Request())
    assert {origin.url for origin, _ in at.dials} == {TWO.origins[1]}
    at.now += 2
    at.pool.enqueue(Request())
    assert at.dials[-1][0] is down


def test_refusal_while_others_work_lets_requests_wait() -> None:
    at = house()
    one, _ = at.idle()
    assert at.pool.take() is one
    request = Request()
    at.pool.enqueue(request)
    origin, tried = at.dials.pop(0)
    at.pool.failed(origin, tried, health.REFUSED, "refused")
    assert request.told == "" and at.dials == []
    at.pool.release(one)
    assert request.got is one


def test_only_one_dial_at_a_time_while_down() -> None:
    at = house()
    at.pool.origins[0].dialing = 1
    at.pool.failed(at.pool.origins[0], frozenset(), health.REFUSED, "refused")
    requests = [Request() for _ in range(3)]
    for request in requests:
        at.pool.enqueue(request)
    assert len(at.dials) == 1


def test_least_connections() -> None:
    at = house(TWO)
    for _ in range(4):
        at.pool.enqueue(Request())
    assert [origin.url for origin, _ in at.dials] == [TWO.origins[0], TWO.origins[1]] * 2


def test_least_connections_among_idle_ones() -> None:
    at = house(TWO)
    for _ in range(4):
        at.pool.enqueue(Request())
    ups = [at.connect()[0] for _ in range(4)]
    for upstream in ups:
        at.pool.release(upstream)
    taken = [at.pool.take() for _ in range(4)]
    assert [up.origin.url for up in taken if up] == [TWO.origins[0], TWO.origins[1]] * 2


def test_idle_connections_are_given_up() -> None:
    at = house(idle=50.0)
    one, _ = at.idle()
    assert list(at.pool.sweep(at.now)) == []
    at.now += 51
    assert list(at.pool.sweep(at.now)) == [one]
    assert at.pool.take() is None


def test_retired_pool_empties() -> None:
    at = house()
    one, _ = at.idle()
    at.pool.retired = True
    assert not at.pool.empty
    for upstream in at.pool.sweep(at.now):
        upstream.drop()
    assert one.closed and at.pool.empty


def test_states() -> None:
    at = house()
    at.idle()
    busy, _ = at.idle()
    at.pool.take()
    (state,) = at.pool.states()
    assert (state.site, state.url, state.up, state.busy, state.idle) == ("test", SITE.origins[0], True, 1, 1)
    assert repr(busy.origin) == "<Origin http://192.0.2.1:80 open=2 idle=1 pinned=0>"


def test_two_dials_one_request() -> None:
    at = house()
    request = Request()
    at.pool.enqueue(request)
    at.idle()
    assert request.got is not None
    upstream = Upstream(at.pool, at.dials.pop(0)[0])
    Wire(upstream)
    assert at.pool.take() is upstream
