"""Do requests go to the origin that they belong to, and wait for no other?"""

import random
from typing import Any

import msgspec

from stopgap import _core
from stopgap.gate import health
from stopgap.gate.messages import Site
from stopgap.gate.sticky import StickyPool
from stopgap.gate.upstream import Upstream
from tests.unit.gate.fakes import House

URLS = tuple(f"http://192.0.2.{number}:80" for number in range(1, 4))
SITE = Site(name="three", origins=URLS, counters=(0, 1, 2), sticky=True)


class Request:
    """A waiter that belongs to an origin, and remembers what it was told."""

    def __init__(self, belongs: int | None = None) -> None:
        self.since = 0.0
        self.belongs = belongs
        self.got: Upstream | None = None
        self.origin: int | None = None
        self.told = ""

    def carried(self, origin: int) -> None:
        self.origin = origin

    def granted(self, upstream: Upstream) -> None:
        assert self.got is None and not self.told
        assert self.origin is not None and upstream.origin.url == URLS[self.origin]
        self.got = upstream

    def refused(self, reason: int) -> None:
        assert self.got is None and not self.told
        self.told = _core.reasons()[reason][0]


def house(**changes: Any) -> House:
    at = House()
    at.pool = StickyPool(msgspec.structs.replace(SITE, **changes), at._dial, at.clock)
    return at


def ask(at: House, request: Request) -> Request:
    """As a client does it."""
    upstream = at.pool.take(request)
    if upstream is None:
        at.pool.enqueue(request)
    else:
        request.granted(upstream)
    return request


def test_goes_where_it_belongs() -> None:
    at = house()
    first = ask(at, Request(2))
    upstream, _ = at.connect()
    assert (first.got, first.origin) == (upstream, 2)
    at.pool.release(upstream)
    other = ask(at, Request(1))
    assert other.got is None and at.dials[0][0].url == URLS[1], "not on the idle one of another origin"
    assert ask(at, Request(2)).got is upstream


def test_a_value_of_no_origin_counts_for_nothing() -> None:
    at = house()
    requests = [ask(at, Request(belongs)) for belongs in (None, 3, 65_535)]
    for _ in range(3):
        at.connect()
    assert sorted(request.origin or 0 for request in requests) == [0, 1, 2]


def test_waits_for_its_origin_up_to_the_cap() -> None:
    at = house(connections=1)
    ask(at, Request(0))
    upstream, _ = at.connect()
    late, free = ask(at, Request(0)), ask(at, Request())
    other, _ = at.connect()
    assert late.got is None and free.got is other and free.origin != 0
    at.pool.release(other)
    assert late.got is None
    at.pool.release(upstream)
    assert late.got is upstream


def test_moves_when_its_origin_is_down() -> None:
    at = house()
    request = ask(at, Request(0))
    origin, tried = at.dials.pop(0)
    at.pool.failed(origin, tried, health.REFUSED, "refused")
    upstream, _ = at.connect()
    assert request.got is upstream and request.origin in (1, 2)
    assert ask(at, Request(0)).got is None and at.dials[0][0].url != URLS[0]


def test_nobody_is_forgotten() -> None:
    """By chance: requests, releases, deaths and dials in any order; in the end each has been told."""
    for seed in range(200):
        chance = random.Random(seed)
        at = house(connections=chance.randint(1, 3))
        requests: list[Request] = []
        for _ in range(60):
            step = chance.randrange(4)
            busy = [one.got for one in requests if one.got is not None]
            if step == 0:
                requests.append(ask(at, Request(chance.choice((None, 0, 1, 2, 9)))))
            elif step == 1 and at.dials:
                at.connect()
            elif step == 2 and at.dials:
                origin, tried = at.dials.pop(0)
                at.pool.failed(origin, tried, health.REFUSED, "refused")
            elif busy:
                _over(at, requests, chance)
        for _ in range(500):
            at.now += 0.01
            for _ in range(len(at.dials)):
                at.connect()
            _over(at, requests, chance)
            list(at.pool.sweep(at.now))
        assert not at.pool.waiting and not at.dials, seed
        assert all(one.told or one.origin is not None for one in requests), seed
        assert all(origin.open <= at.pool.site.connections for origin in at.pool.origins), seed


def _over(at: House, requests: list[Request], chance: random.Random) -> None:
    """An exchange ends, with its connection or without it."""
    busy = [one for one in requests if one.got is not None]
    if not busy:
        return
    one = chance.choice(busy)
    upstream, one.got = one.got, None
    requests.remove(one)
    assert upstream is not None
    if chance.random() < 0.3:
        upstream.drop()
    else:
        at.pool.release(upstream)
