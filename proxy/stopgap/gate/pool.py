"""Which origin connection carries the next request of a site?

The policy is here and does no I/O: lists change, and what must happen outside is a call of `dial`, of
`Upstream.drop`, or of the waiter's `granted` and `refused`. There are five cases for a request:

1. An idle connection to the least used origin that is up: `take` returns it (the last used first).
2. None, but the origin may have one more: the request waits, and a connection is dialled.
3. None may be made: the request waits until one is released, closed or made, or gives up. A client that is
   logged in, and has asked nothing for a second, must give up its own for those who wait.
4. Too many wait already: it is refused as `origin-busy`.
5. Every origin is out (`health.py`): it is refused as `origin-down`, unless it is the trial of one.

A dial belongs to no request: whoever waits longest gets the connection. When a dial fails at every
origin, no connection is open and none is on its way, the site is down and all that wait are told.

The end of an exchange that went well is told to `ended` only while somebody wants to know: `Upstream.heed`
is true while requests wait or an origin is watched, because it has failed.
"""

from collections import deque
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

from stopgap.gate import health
from stopgap.gate.messages import OriginState, Site

if TYPE_CHECKING:
    from stopgap.gate.origin_tls import Secure
    from stopgap.gate.upstream import Upstream

WATCHED: Final = (True,)
"""`Upstream.heed` where the end of each exchange is told."""
REST: Final = 1.0
"""Seconds without a request after which a logged-in client must make room for those who wait."""

_LASTING: Final = attrgetter("name", "origins", "counters", "tls", "sticky")


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

    `open` counts the connections of the pool (idle or carrying an exchange), `pinned` those that belong to
    one client, `dialing` those being made; `connections` are all that are made. `trial` carries the one
    request of an origin that is out, `due` is when it is probed next, `turn` says when it was last chosen.
    `opened` and `reused` are counts for the board, where `counter` is the origin's index. `secure` says how
    TLS is spoken to it; None: it is not.
    """

    __slots__ = (
        "connections",
        "counter",
        "dialing",
        "due",
        "health",
        "host",
        "idle",
        "open",
        "opened",
        "pinned",
        "port",
        "reused",
        "secure",
        "trial",
        "turn",
        "url",
    )

    def __init__(self, url: str, counter: int, secure: "Secure | None" = None) -> None:
        parts = urlsplit(url)
        self.secure = secure if parts.scheme == "https" else None
        self.url = url
        self.host = parts.hostname or ""
        self.port = parts.port or 80
        self.idle: list[Upstream] = []
        self.connections: set[Upstream] = set()
        self.open = 0
        self.pinned = 0
        self.dialing = 0
        self.turn = 0
        self.due = 0.0
        self.trial: Upstream | None = None
        self.counter = counter
        self.opened = 0
        self.reused = 0
        self.health = health.Health()

    def __repr__(self) -> str:
        return f"<Origin {self.url} open={self.open} idle={len(self.idle)} pinned={self.pinned}>"


class Pool:
    """The origins of one site and the requests that wait for them."""

    __slots__ = ("clock", "dial", "origins", "retired", "single", "site", "turns", "waiting")

    def __init__(
        self,
        site: Site,
        dial: Callable[["Pool", Origin, frozenset[str]], None],
        clock: Callable[[], float],
        secure: "Secure | None" = None,
    ) -> None:
        """`dial(pool, origin, tried)` starts a connection and must end in `connected` or `failed`."""
        self.site = site
        self.dial = dial
        self.clock = clock
        self.origins = [Origin(*pair, secure) for pair in zip(site.origins, site.counters, strict=True)]
        self.single = self.origins[0].idle if len(self.origins) == 1 else None
        self.waiting: deque[Waiter] = deque()
        self.turns = 0
        self.retired = False

    def lasts(self, site: Site) -> bool:
        """Whether this pool can go on with a site as it is now configured; `site` is then replaced."""
        return bool(_LASTING(site) == _LASTING(self.site))

    def take(self, waiter: Waiter | None = None) -> "Upstream | None":
        """An idle connection, now busy; None if a new one must be made or waited for. Here all requests
        are equal, whoever waits."""
        idle = self.single
        if idle is None:
            origin = self._least(frozenset())
            if origin is None:
                return None
            idle = origin.idle
        if not idle:
            return None
        upstream = idle.pop()
        self._chosen(upstream.origin)
        upstream.origin.reused += 1
        return upstream

    def enqueue(self, waiter: Waiter, first: bool = False) -> None:
        """Let a request wait (`first`: before all others), or refuse it."""
        now = waiter.since = self.clock()
        if not any(self._usable(origin, now) for origin in self.origins):
            waiter.refused(health.DOWN)
        elif first:
            self.waiting.appendleft(waiter)
            self.balance()
        elif len(self.waiting) < self.site.waiting:
            self.waiting.append(waiter)
            self.balance()
        else:
            waiter.refused(health.BUSY)

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
                self._give(origin)
                continue
            if not self._room(origin):
                return
            dialing += 1
            self._dial(origin, frozenset())

    def release(self, upstream: "Upstream") -> None:
        """An exchange is over and its connection reusable: the next request has it, or the idle list."""
        origin = upstream.origin
        waiter = self._next(origin)
        if waiter is not None:
            if origin.health.out:
                origin.trial = upstream
            waiter.granted(upstream)
        elif origin.health.shut:
            upstream.drop()
        else:
            upstream.reused = True
            origin.idle.append(upstream)

    def connected(self, upstream: "Upstream") -> None:
        """A dial came through."""
        origin = upstream.origin
        origin.dialing -= 1
        origin.open += 1
        origin.connections.add(upstream)
        origin.health.connected(self.clock())
        origin.opened += 1
        self._watch(origin)
        self.release(upstream)
        self._despair()

    def failed(self, origin: Origin, tried: frozenset[str], reason: int, error: str) -> None:
        """A dial failed: try an origin not tried yet, else tell those who wait if the site is down."""
        origin.dialing -= 1
        origin.health.failed(self.clock(), reason, error, self.site.failures)
        tried |= {origin.url}
        other = self._least(tried) if self.waiting else None
        if other is not None and other.idle:
            self._give(other)
        elif other is not None and self._room(other):
            self._dial(other, tried)
        elif not any(each.dialing or (each.open and not each.health.shut) for each in self.origins):
            self._refuse(reason)
        self._worse(origin)

    def broken(self, origin: Origin, reason: int, error: str) -> None:
        """A connection that was made turned out to be of no use."""
        origin.health.failed(self.clock(), reason, error, self.site.failures)
        self._worse(origin)

    def ended(self, upstream: "Upstream", fault: int | None) -> None:
        """An exchange is over, well or with a fault (an index into the core's reasons)."""
        origin = upstream.origin
        if origin.trial is upstream:
            origin.trial = None
        if fault in health.EXCHANGE:
            origin.health.faulted(self.clock(), fault, self.site.failures)
            self._worse(origin)
        elif fault is None and origin.health.failures:
            origin.health.answered(self.clock())
            self._watch(origin)

    def probed(self, origin: Origin, error: str, rise: int, fall: int) -> None:
        """A probe has found an origin well (""), or not (`Health.probed`)."""
        origin.health.probed(self.clock(), error, rise, fall)
        self._worse(origin)

    def spent(self, origin: Origin, error: str) -> None:
        """A dial failed for want of something of ours, a descriptor or memory; the origin is not to blame."""
        origin.dialing -= 1
        origin.health.starved(error)
        if not any(each.dialing or each.open for each in self.origins):
            self._refuse(health.NO_ROOM)

    def pin(self, upstream: "Upstream") -> None:
        """The connection belongs to its client from now on; it still counts against the cap."""
        upstream.origin.open -= 1
        upstream.origin.pinned += 1

    def closed(self, upstream: "Upstream", pinned: bool) -> None:
        """A connection is no more."""
        origin = upstream.origin
        origin.connections.discard(upstream)
        if origin.trial is upstream:
            origin.trial = None
        if pinned:
            origin.pinned -= 1
        else:
            origin.open -= 1
        if upstream in origin.idle:
            origin.idle.remove(upstream)
        if self.waiting:
            self.balance()
            self._despair()

    def sweep(self, now: float) -> Iterator["Upstream"]:
        """Once a second: refuse who waited too long; yields idle connections that should be closed."""
        while self.waiting and now - self.waiting[0].since > self.site.connect:
            if any(origin.dialing for origin in self.origins):
                break
            self.waiting.popleft().refused(health.BUSY)
        if self.waiting:
            self._make_room(now)
            self.balance()
        for origin in self.origins:
            for upstream in origin.idle.copy():
                if upstream.since == 0.0:
                    upstream.since = now
                if self.retired or now - upstream.since > self.site.idle:
                    origin.idle.remove(upstream)
                    yield upstream
            if origin.pinned:
                for upstream in origin.connections:
                    if upstream.resting and upstream.since == 0.0:
                        upstream.since = now

    @property
    def empty(self) -> bool:
        """Whether no connection is left (of a retired pool: it can be forgotten)."""
        return not self.waiting and not any(each.open or each.dialing or each.pinned for each in self.origins)

    def states(self) -> list[OriginState]:
        """One line an origin for the status page."""
        return [
            OriginState(
                site=self.site.name,
                url=origin.url,
                up=origin.health.well,
                busy=origin.open - len(origin.idle),
                idle=len(origin.idle),
                pinned=origin.pinned,
                error=origin.health.why,
            )
            for origin in self.origins
        ]

    def _watch(self, origin: Origin) -> None:
        """Be told of what becomes of its exchanges, or no longer."""
        state = origin.health
        heed = WATCHED if state.failures or state.shut else self.waiting
        for upstream in origin.connections:
            upstream.heed = heed

    def _worse(self, origin: Origin) -> None:
        """An origin that is shut keeps nothing idle; if all are, nobody waits."""
        self._watch(origin)
        if origin.health.shut:
            for upstream in origin.idle.copy():
                upstream.drop()
        self._despair()

    def _despair(self) -> None:
        """Nobody waits where every origin is shut, but for the one for whom a trial is on its way."""
        if self.waiting and all(each.health.shut and not each.dialing for each in self.origins):
            self._refuse(health.DOWN)

    def _refuse(self, reason: int) -> None:
        """There will be no connection for any that waits."""
        waiting = list(self.waiting)
        self.waiting.clear()
        for waiter in waiting:
            waiter.refused(reason)

    def _give(self, origin: Origin) -> None:
        """Who waits longest gets a connection that is idle."""
        waiter = self._next(origin)
        if waiter is not None:
            self._chosen(origin)
            waiter.granted(origin.idle.pop())

    def _next(self, origin: Origin) -> Waiter | None:
        """Who is next to have a connection to this origin, and waits no longer."""
        return self.waiting.popleft() if self.waiting else None

    def _dial(self, origin: Origin, tried: frozenset[str]) -> None:
        origin.dialing += 1
        self._chosen(origin)
        self.dial(self, origin, tried)

    def _chosen(self, origin: Origin) -> None:
        """Among equals it is the last one's turn next time."""
        self.turns += 1
        origin.turn = self.turns

    def _usable(self, origin: Origin, now: float) -> bool:
        """Whether it may get a request at all; one that is out gets one at a time, after its pause."""
        state = origin.health
        if state.out:
            return state.until <= now and not (state.ill or origin.trial or origin.dialing)
        return not state.ill

    def _make_room(self, now: float) -> None:
        """Where the cap lets requests wait, those who are logged in and rest longest are closed, one for each
        that waits: their programs log in again."""
        full = [origin for origin in self.origins if self._full(origin) and self._usable(origin, now)]
        rests = [each for origin in full for each in origin.connections if each.resting and each.since]
        rests.sort(key=attrgetter("since"))
        for upstream in rests[: len(self.waiting)]:
            if now - upstream.since >= REST:
                upstream.lost()

    def _full(self, origin: Origin) -> bool:
        """Whether the cap allows no further connection."""
        return origin.open + origin.pinned + origin.dialing >= self.site.connections

    def _room(self, origin: Origin) -> bool:
        """Whether one more connection to this origin may be made; one at a time while it is down."""
        if self._full(origin):
            return False
        state = origin.health
        return state.out or state.up(self.clock()) or not (origin.open or origin.dialing)

    def _least(self, tried: frozenset[str]) -> Origin | None:
        """The origin with the fewest busy connections for its share; those that are up first, then those
        with room; among equals the one whose last turn is longest ago."""
        now = self.clock()
        best: Origin | None = None
        lowest: tuple[bool, bool, float, int] | None = None
        for origin in self.origins:
            if origin.url in tried or not self._usable(origin, now):
                continue
            busy = origin.open - len(origin.idle) + origin.pinned + origin.dialing
            rank = (
                not origin.health.up(now),
                not origin.idle and not self._room(origin),
                (busy + 1) / origin.health.share(now, self.site.slow_start),
                origin.turn,
            )
            if lowest is None or rank < lowest:
                best, lowest = origin, rank
        return best
