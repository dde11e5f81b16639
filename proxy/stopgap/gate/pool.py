"""Which origin connection carries the next request of a site?

The policy is here and does no I/O: lists change, and what must happen outside is a call of `dial` or
of the waiter's `granted` and `refused`. There are four cases for a request:

1. An idle connection to the least used origin that is up: `take` returns it (the last used first).
2. None, but the origin may have one more: the request waits, and a connection is dialled.
3. None may be made: the request waits until one is released, closed or made, or gives up.
4. Too many wait already: `enqueue` says no.

A dial belongs to no request: whoever waits longest gets the connection. When a dial fails at every
origin, no connection is open and none is on its way, the site is down and all that wait are told.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from stopgap.gate import health
from stopgap.gate.messages import OriginState, Site

if TYPE_CHECKING:
    from stopgap.gate.upstream import Upstream


class Waiter(Protocol):
    """A client whose request waits for a connection."""

    since: float
    """When it began to wait (monotonic seconds)."""

    def granted(self, upstream: "Upstream") -> None:
        """This connection is yours."""

    def refused(self, reason: int) -> None:
        """There will be none; `reason` is an index into the core's reasons."""


class Origin:
    """One server behind a site, and the connections to it.

    `open` counts the connections of the pool (idle or carrying an exchange), `pinned` those that
    belong to one client, `dialing` those being made. `opened` and `reused` are counts for the board,
    where `counter` is the origin's index.
    """

    __slots__ = (
        "counter",
        "dialing",
        "health",
        "host",
        "idle",
        "open",
        "opened",
        "pinned",
        "port",
        "reused",
        "url",
    )

    def __init__(self, url: str, counter: int) -> None:
        parts = urlsplit(url)
        self.url = url
        self.host = parts.hostname or ""
        self.port = parts.port or 80
        self.idle: list[Upstream] = []
        self.open = 0
        self.pinned = 0
        self.dialing = 0
        self.counter = counter
        self.opened = 0
        self.reused = 0
        self.health = health.Health()

    def __repr__(self) -> str:
        return f"<Origin {self.url} open={self.open} idle={len(self.idle)} pinned={self.pinned}>"


class Pool:
    """The origins of one site and the requests that wait for them."""

    __slots__ = ("clock", "dial", "origins", "retired", "single", "site", "waiting")

    def __init__(
        self, site: Site, dial: Callable[["Pool", Origin, frozenset[str]], None], clock: Callable[[], float]
    ) -> None:
        """`dial(pool, origin, tried)` starts a connection and must end in `connected` or `failed`."""
        self.site = site
        self.dial = dial
        self.clock = clock
        self.origins = [Origin(*pair) for pair in zip(site.origins, site.counters, strict=True)]
        self.single = self.origins[0].idle if len(self.origins) == 1 else None
        self.waiting: deque[Waiter] = deque()
        self.retired = False

    def take(self) -> "Upstream | None":
        """An idle connection, now busy; None if a new one must be made or waited for."""
        idle = self.single
        if idle is None:
            origin = self._least(frozenset())
            if origin is None:
                return None
            idle = origin.idle
        if not idle:
            return None
        upstream = idle.pop()
        upstream.origin.reused += 1
        return upstream

    def enqueue(self, waiter: Waiter, first: bool = False) -> bool:
        """Let a request wait (`first`: before all others); False if too many do."""
        if len(self.waiting) >= self.site.waiting and not first:
            return False
        waiter.since = self.clock()
        if first:
            self.waiting.appendleft(waiter)
        else:
            self.waiting.append(waiter)
        self.balance()
        return True

    def cancel(self, waiter: Waiter) -> None:
        """The request needs no connection any more."""
        if waiter in self.waiting:
            self.waiting.remove(waiter)

    def balance(self) -> None:
        """Dial as many connections as requests wait, as far as the caps allow."""
        dialing = sum(origin.dialing for origin in self.origins)
        while len(self.waiting) > dialing:
            origin = self._least(frozenset())
            if origin is None:
                return
            if origin.idle:
                self.waiting.popleft().granted(origin.idle.pop())
                continue
            if not self._room(origin):
                return
            origin.dialing += 1
            dialing += 1
            self.dial(self, origin, frozenset())

    def release(self, upstream: "Upstream") -> None:
        """An exchange is over and its connection reusable: the next request has it, or the idle list."""
        if self.waiting:
            self.waiting.popleft().granted(upstream)
        else:
            upstream.reused = True
            upstream.origin.idle.append(upstream)

    def connected(self, upstream: "Upstream") -> None:
        """A dial came through."""
        origin = upstream.origin
        origin.dialing -= 1
        origin.open += 1
        origin.health.succeeded()
        origin.opened += 1
        self.release(upstream)

    def failed(self, origin: Origin, tried: frozenset[str], reason: int, error: str) -> None:
        """A dial failed: try an origin not tried yet, else tell those who wait if the site is down."""
        origin.dialing -= 1
        origin.health.failed(self.clock(), reason, error)
        tried |= {origin.url}
        other = self._least(tried) if self.waiting else None
        if other is not None and self._room(other):
            other.dialing += 1
            self.dial(self, other, tried)
        elif not any(each.open or each.dialing for each in self.origins):
            waiting = list(self.waiting)
            self.waiting.clear()
            for waiter in waiting:
                waiter.refused(reason)

    def pin(self, upstream: "Upstream") -> None:
        """The connection belongs to its client from now on and counts no longer against the cap."""
        upstream.origin.open -= 1
        upstream.origin.pinned += 1
        self.balance()

    def closed(self, upstream: "Upstream", pinned: bool) -> None:
        """A connection is no more."""
        origin = upstream.origin
        if pinned:
            origin.pinned -= 1
            return
        origin.open -= 1
        if upstream in origin.idle:
            origin.idle.remove(upstream)
        if self.waiting:
            self.balance()

    def sweep(self, now: float) -> Iterator["Upstream"]:
        """Once a second: refuse who waited too long; yields idle connections that should be closed."""
        while self.waiting and now - self.waiting[0].since > self.site.connect:
            if any(origin.dialing for origin in self.origins):
                break
            self.waiting.popleft().refused(health.BUSY)
        if self.waiting:
            self.balance()
        for origin in self.origins:
            for upstream in origin.idle.copy():
                if upstream.since == 0.0:
                    upstream.since = now
                if self.retired or now - upstream.since > self.site.idle:
                    origin.idle.remove(upstream)
                    yield upstream

    @property
    def empty(self) -> bool:
        """Whether no connection is left (of a retired pool: it can be forgotten)."""
        return not self.waiting and not any(each.open or each.dialing or each.pinned for each in self.origins)

    def states(self) -> list[OriginState]:
        """One line an origin for the status page."""
        now = self.clock()
        return [
            OriginState(
                site=self.site.name,
                url=origin.url,
                up=origin.health.up(now),
                busy=origin.open - len(origin.idle),
                idle=len(origin.idle),
                pinned=origin.pinned,
                error=origin.health.error,
            )
            for origin in self.origins
        ]

    def _room(self, origin: Origin) -> bool:
        """Whether one more connection to this origin may be made; one at a time while it is down."""
        if origin.open + origin.dialing >= self.site.connections:
            return False
        return origin.health.up(self.clock()) or not (origin.open or origin.dialing)

    def _least(self, tried: frozenset[str]) -> Origin | None:
        """The origin with the fewest busy connections; those that are up first, then those with room."""
        now = self.clock()
        best: Origin | None = None
        lowest: tuple[bool, bool, int] | None = None
        for origin in self.origins:
            if origin.url in tried:
                continue
            busy = origin.open - len(origin.idle) + origin.dialing
            rank = (not origin.health.up(now), not origin.idle and not self._room(origin), busy)
            if lowest is None or rank < lowest:
                best, lowest = origin, rank
        return best
