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
    for request in requests:
        at.pool.enqueue(request)
    assert len(at.dials) == 2
    (one, _), (two, _) = at.connect(), at.connect()
    assert [request.got for request in requests] == [one, two, None]
    at.pool.release(two)
    assert requests[2].got is two


def test_queue_is_bounded() -> None:
    at = house(connections=1, waiting=1)
    waits, late, again = Request(), Request(), Request()
    at.pool.enqueue(waits)
    at.pool.enqueue(late)
    at.pool.enqueue(again, first=True)
    assert [one.told for one in (waits, late, again)] == ["", "origin-busy", ""], "a retry has its place"


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


def logged_in(at: House) -> Upstream:
    at.pool.enqueue(Request())
    upstream, _ = at.connect()
    upstream.pinned = True
    at.pool.pin(upstream)
    return upstream


def test_logged_in_clients_count_and_make_room_when_they_rest() -> None:
    at = house(connections=3, connect=60.0)
    first, second, busy = logged_in(at), logged_in(at), logged_in(at)
    busy.respond = at.script.respond
    list(at.pool.sweep(at.now))
    at.now += 0.5
    second.detach()  # it asked once more
    late = Request()
    at.pool.enqueue(late)
    assert (at.dials, at.pool.origins[0].pinned) == ([], 3)
    list(at.pool.sweep(at.now))
    assert not first.closed, "it rests for no second yet"
    at.now += 1
    list(at.pool.sweep(at.now))
    assert (first.closed, second.closed, busy.closed) == (True, False, False), "one for the one who waits"
    two, _ = at.connect()
    assert late.got is two
    late = Request()
    at.pool.enqueue(late)
    at.now += 60
    list(at.pool.sweep(at.now))
    assert (second.closed, busy.closed, len(at.dials)) == (True, False, 1)


def test_want_of_descriptors_is_not_the_origins_fault() -> None:
    at = house(connections=2)
    first, second = Request(), Request()
    at.pool.enqueue(first)
    at.pool.spent(at.dials.pop()[0], "Too many open files")
    assert first.told == "no-room"
    (state,) = at.pool.states()
    assert (state.up, state.error) == (True, "Too many open files")
    at.pool.enqueue(second)
    one, _ = at.connect()
    assert (second.got, at.pool.states()[0].error) == (one, "")
    third, fourth = Request(), Request()
    at.pool.enqueue(third)
    at.pool.spent(at.dials.pop()[0], "Too many open files")
    assert third.told == "", "it may have the connection that is there"
    at.pool.release(one)
    assert third.got is one
    at.pool.enqueue(fourth)
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


def test_idle_connection_serves_where_the_other_origin_refuses() -> None:
    at = house(TWO, connections=1)
    at.pool.enqueue(Request())
    idle, _ = at.connect()
    at.pool.release(idle)
    request = Request()
    at.pool.enqueue(request)
    at.pool.failed(*at.dials.pop(), health.REFUSED, "refused")
    assert request.got is idle


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


def test_equals_take_turns() -> None:
    at = house(TWO)
    for _ in range(2):
        at.pool.enqueue(Request())
    for upstream in [at.connect()[0] for _ in range(2)]:
        at.pool.release(upstream)
    given = []
    for _ in range(4):
        taken = at.pool.take()
        assert taken is not None
        given.append(taken.origin.url)
        at.pool.release(taken)
    assert given == [TWO.origins[0], TWO.origins[1]] * 2


# Origins whose exchanges fail


def exchanged(at: House, fault: int | None) -> Request:
    """One request on the only connection there is, and how it ended."""
    request = Request()
    upstream = at.pool.take()
    if upstream is None:
        at.pool.enqueue(request)
        if at.dials:
            at.connect()
        upstream = request.got
    if upstream is not None:
        request.got = upstream
        at.pool.ended(upstream, fault)
        if fault is None:
            at.pool.release(upstream)
        else:
            upstream.drop()
    return request


def test_failures_in_a_row_put_an_origin_out() -> None:
    at = house(failures=3)
    for fault in (health.CLOSED, health.TIMEOUT, None, health.CLOSED, health.MALFORMED):
        assert exchanged(at, fault).told == ""
    assert exchanged(at, health.TIMEOUT).told == ""
    (state,) = at.pool.states()
    assert not state.up and state.error == "3 failures in a row, the last was origin-timeout"
    assert exchanged(at, None).told == "origin-down", "at once"


def test_one_trial_at_a_time() -> None:
    at = house(failures=1)
    exchanged(at, health.CLOSED)
    at.now += 1
    trial, second = Request(), Request()
    at.pool.enqueue(trial)
    at.pool.enqueue(second)
    upstream, _ = at.connect()
    third = Request()
    at.pool.enqueue(third)
    assert (trial.got, second.told, third.told) == (upstream, "origin-down", "origin-down")
    at.pool.ended(upstream, health.CLOSED)
    upstream.drop()
    at.now += 1
    assert exchanged(at, None).told == "origin-down", "it is left alone for longer"
    at.now += 1
    assert exchanged(at, None).told == ""
    (state,) = at.pool.states()
    assert state.up and state.error == ""
    assert exchanged(at, None).told == ""


def test_trial_whose_client_leaves_makes_room_for_another() -> None:
    at = house(failures=1)
    exchanged(at, health.CLOSED)
    at.now += 1
    trial = Request()
    at.pool.enqueue(trial)
    upstream, _ = at.connect()
    upstream.drop()
    assert exchanged(at, None).told == ""


def test_only_one_of_those_who_waited_is_the_trial() -> None:
    at = house(TWO, failures=1, connections=2)
    requests = [Request() for _ in range(3)]
    for request in requests:
        at.pool.enqueue(request)
    for _ in range(3):
        at.pool.failed(*at.dials.pop(0), health.REFUSED, "refused")
    while at.dials:
        at.connect()
    assert all(request.got or request.told for request in requests)


def test_trial_that_cannot_connect_is_told_why() -> None:
    at = house(failures=1)
    exchanged(at, health.CLOSED)
    at.now += 1
    trial = Request()
    at.pool.enqueue(trial)
    at.pool.failed(*at.dials.pop(), health.REFUSED, "Connection refused")
    assert trial.told == "origin-refused"


def test_those_who_wait_are_told_when_the_last_origin_is_out() -> None:
    at = house(failures=1, connections=1)
    at.pool.enqueue(Request())
    upstream, _ = at.connect()
    late = Request()
    at.pool.enqueue(late)
    at.pool.ended(upstream, health.TIMEOUT)
    assert late.told == "origin-down"


def test_origin_that_is_out_loses_its_idle_connections() -> None:
    at = house(failures=1)
    idle, _ = at.idle()
    busy, _ = at.idle()
    assert at.pool.take() is busy
    at.pool.ended(busy, health.CLOSED)
    assert idle.closed and at.pool.take() is None


def test_other_origin_takes_over() -> None:
    at = house(TWO, failures=1)
    at.pool.enqueue(Request())
    upstream, _ = at.connect()
    at.pool.ended(upstream, health.CLOSED)
    upstream.drop()
    for _ in range(3):
        at.pool.enqueue(Request())
    assert {origin.url for origin, _ in at.dials} == {TWO.origins[1]}


def test_no_origin_is_out_where_none_should_be() -> None:
    at = house(failures=0)
    for _ in range(20):
        assert exchanged(at, health.CLOSED).told == ""


def test_only_a_watched_origin_is_told_of_what_went_well() -> None:
    at = house(failures=2)
    upstream, _ = at.idle()
    assert not upstream.heed
    at.pool.ended(upstream, health.CLOSED)
    late, _ = at.idle()
    assert upstream.heed and late.heed
    at.pool.ended(late, None)
    assert not upstream.heed and not late.heed


def test_probes_shut_and_open() -> None:
    at = house(TWO)
    for origin in at.pool.origins:
        at.pool.probed(origin, "GET /: 500", 1, 1)
    request = Request()
    at.pool.enqueue(request)
    assert request.told == "origin-down"
    at.pool.probed(at.pool.origins[1], "", 1, 1)
    at.pool.enqueue(Request())
    assert [origin.url for origin, _ in at.dials] == [TWO.origins[1]]
    assert [state.error for state in at.pool.states()] == ["GET /: 500", ""]


def test_slow_start() -> None:
    at = house(TWO, failures=1, slow_start=10.0)
    back = at.pool.origins[0]
    at.pool.probed(back, "GET /: 500", 1, 1)
    at.pool.probed(back, "", 1, 1)
    shares = []
    for seconds in (0, 5, 10):
        at.now = back.health.back + seconds
        at.dials.clear()
        for origin in at.pool.origins:
            origin.dialing = 0
        at.pool.waiting.clear()
        for _ in range(20):
            at.pool.enqueue(Request())
        shares.append(sum(origin is back for origin, _ in at.dials))
    assert shares[0] <= 2 and shares[0] < shares[1] < shares[2] == 10


def test_pool_lasts_while_its_origins_do() -> None:
    at = house()
    assert at.pool.lasts(msgspec.structs.replace(SITE, connections=3, failures=2, connect=1.0))
    assert not at.pool.lasts(msgspec.structs.replace(SITE, origins=("http://192.0.2.9:80",)))
