"""Does the pool keep its caps, lose nobody who waits, and spread by least connections, whatever happens?

Hypothesis plays clients, origins, probes and the clock against one pool, and after each step asks what must
always be so.
"""

from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stopgap.gate import health
from stopgap.gate.messages import Site
from stopgap.gate.pool import Origin
from stopgap.gate.upstream import Upstream
from tests.unit.gate.fakes import House

ORIGINS = ("http://192.0.2.1:80", "http://192.0.2.2:80", "http://192.0.2.3:80")
FAULTS = st.sampled_from([None, None, None, *sorted(health.EXCHANGE)])


class Request:
    """A waiter to whom exactly one thing happens."""

    def __init__(self) -> None:
        self.since = 0.0
        self.got: Upstream | None = None
        self.told: int | None = None
        self.gone = False

    def granted(self, upstream: Upstream) -> None:
        assert self.settled is False
        self.got = upstream

    def refused(self, reason: int) -> None:
        assert self.settled is False
        self.told = reason

    @property
    def settled(self) -> bool:
        return self.got is not None or self.told is not None or self.gone


class Pools(RuleBasedStateMachine):
    """Everything that can happen to a pool."""

    @initialize(
        origins=st.integers(1, 3),
        connections=st.integers(1, 3),
        failures=st.integers(0, 3),
        waiting=st.integers(1, 6),
    )
    def begin(self, origins: int, **changes: Any) -> None:
        site = Site(name="many", origins=ORIGINS[:origins], counters=tuple(range(origins)), connect=5.0)
        self.at = House(msgspec.structs.replace(site, **changes))
        self.pool = self.at.pool
        self.requests: list[Request] = []
        self.pinned: list[Upstream] = []

    def carried(self) -> list[Upstream]:
        return [request.got for request in self.requests if request.got is not None]

    @rule(first=st.booleans())
    def ask(self, first: bool) -> None:
        request = Request()
        self.requests.append(request)
        before = {origin.url: self.busy(origin) + origin.pinned for origin in self.pool.origins}
        calm = all(origin.health.back < 0 for origin in self.pool.origins)
        request.got = self.pool.take()
        if request.got is None:
            self.pool.enqueue(request, first and bool(self.carried()))
        elif calm and len(before) > 1:
            up = [one.url for one in self.pool.origins if one.health.up(self.at.now) and not one.health.shut]
            assert not up or before[request.got.origin.url] == min(before[url] for url in up)

    @precondition(lambda self: self.at.dials)
    @rule(which=st.integers(0, 99))
    def accept(self, which: int) -> None:
        self.at.dials.insert(0, self.at.dials.pop(which % len(self.at.dials)))
        self.at.connect()

    @precondition(lambda self: self.at.dials)
    @rule(which=st.integers(0, 99))
    def refuse(self, which: int) -> None:
        origin, tried = self.at.dials.pop(which % len(self.at.dials))
        self.pool.failed(origin, tried, health.REFUSED, "Connection refused")

    @precondition(lambda self: self.carried())
    @rule(which=st.integers(0, 99), fault=FAULTS, keeps=st.booleans())
    def end(self, which: int, fault: int | None, keeps: bool) -> None:
        carried = self.carried()
        upstream = carried[which % len(carried)]
        self.requests = [request for request in self.requests if request.got is not upstream]
        if fault is not None or upstream.heed:
            self.pool.ended(upstream, fault)
        if fault is None and keeps:
            self.pool.release(upstream)
        else:
            upstream.drop()

    @precondition(lambda self: self.carried())
    @rule(which=st.integers(0, 99))
    def pin(self, which: int) -> None:
        carried = self.carried()
        upstream = carried[which % len(carried)]
        self.requests = [request for request in self.requests if request.got is not upstream]
        self.pinned.append(upstream)
        upstream.pinned = True
        self.pool.pin(upstream)

    @precondition(lambda self: self.pinned)
    @rule()
    def leave(self) -> None:
        self.pinned.pop().drop()

    @precondition(lambda self: self.requests)
    @rule(which=st.integers(0, 99))
    def give_up(self, which: int) -> None:
        request = self.requests.pop(which % len(self.requests))
        self.pool.cancel(request)
        request.gone = True
        if request.got is not None:
            request.got.drop()

    @rule(which=st.integers(0, 2), error=st.sampled_from(["", "ill"]))
    def probe(self, which: int, error: str) -> None:
        self.pool.probed(self.pool.origins[which % len(self.pool.origins)], error, 1, 1)

    @rule(seconds=st.sampled_from([0.1, 1.0, 6.0, 60.0]))
    def pass_time(self, seconds: float) -> None:
        self.at.now += seconds
        for upstream in self.pool.sweep(self.at.now):
            upstream.drop()
        self.pinned = [upstream for upstream in self.pinned if not upstream.closed]

    def busy(self, origin: Origin) -> int:
        return sum(upstream.origin is origin for upstream in self.carried()) + origin.dialing

    @invariant()
    def caps_hold(self) -> None:
        for origin in self.pool.origins:
            made = len(origin.connections) - sum(one.origin is origin for one in self.pinned)
            assert made == origin.open
            assert origin.pinned == len(origin.connections) - origin.open
            assert origin.open + origin.pinned + origin.dialing <= self.pool.site.connections
            assert origin.dialing == sum(dialled is origin for dialled, _ in self.at.dials)
            assert origin.open - len(origin.idle) == self.busy(origin) - origin.dialing

    @invariant()
    def nobody_is_lost(self) -> None:
        waiting = [request for request in self.requests if not request.settled]
        assert {id(request) for request in waiting} == {id(request) for request in self.pool.waiting}
        assert len({id(upstream) for upstream in self.carried()}) == len(self.carried())

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        """Each that waits has a dial under way, or there is nothing idle and no room."""
        origins = self.pool.origins
        if self.pool.waiting:
            assert any(origin.dialing or origin.open or origin.pinned for origin in origins)
        if len(self.pool.waiting) > sum(origin.dialing for origin in origins):
            assert not any(origin.idle for origin in origins)

    @invariant()
    def an_origin_that_is_shut_gets_one_trial_at_most(self) -> None:
        for origin in self.pool.origins:
            if origin.health.shut:
                assert not origin.idle


TestPools = Pools.TestCase
TestPools.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
