"""Which origin connection carries the next request of a site whose clients belong to an origin?

The pool's cases, but a request that belongs to an origin that is up goes there: on an idle connection, on a
new one, or when one of those that the cap allows is free. Any other goes to the least busy origin, and its
client belongs there from then on: the session is told (`carried`), and the answer brings the cookie.
"""

from typing import TYPE_CHECKING, Protocol, cast

from stopgap.gate.pool import Origin, Pool, Waiter

if TYPE_CHECKING:
    from stopgap.gate.upstream import Upstream


class Belonging(Waiter, Protocol):
    """A waiter whose request may belong to an origin."""

    @property
    def belongs(self) -> int | None:
        """The origin's index; None: the request belongs to none."""

    def carried(self, origin: int) -> None:
        """The origin of this index gets the request."""


class StickyPool(Pool):
    """The origins of one site, and the requests that wait for any of them or for one."""

    __slots__ = ()

    def take(self, waiter: Waiter | None = None) -> "Upstream | None":
        home = self._home(waiter)
        origin = home or self._least(frozenset())
        if origin is None or not origin.idle:
            return None
        upstream = origin.idle.pop()
        self._chosen(origin)
        origin.reused += 1
        self._tell(waiter, origin)
        return upstream

    def balance(self) -> None:
        """Each that waits has an idle connection, or a dial on its way to where it may go, as far as the caps
        allow."""
        spare = {origin.url: origin.dialing for origin in self.origins}
        for waiter in tuple(self.waiting):
            if not any(origin.idle or self._room(origin) for origin in self.origins):
                return
            coming = next((origin for origin in self.origins if spare[origin.url]), None)
            origin = self._home(waiter) or coming or self._least(frozenset())
            if origin is None or waiter not in self.waiting:
                continue
            if origin.idle:
                self.waiting.remove(waiter)
                self._chosen(origin)
                self._tell(waiter, origin)
                waiter.granted(origin.idle.pop())
            elif spare[origin.url]:
                spare[origin.url] -= 1
            elif self._room(origin):
                self._dial(origin, frozenset())

    def connected(self, upstream: "Upstream") -> None:
        """Another than the one it was dialled for may have got it."""
        super().connected(upstream)
        if self.waiting:
            self.balance()

    def _next(self, origin: Origin) -> Waiter | None:
        for waiter in self.waiting:
            if self._home(waiter) in (None, origin):
                self.waiting.remove(waiter)
                self._tell(waiter, origin)
                return waiter
        return None

    def _home(self, waiter: Waiter | None) -> Origin | None:
        """The origin that a request belongs to, if it is up."""
        belongs = cast(Belonging, waiter).belongs
        if belongs is None or belongs >= len(self.origins):
            return None
        origin, now = self.origins[belongs], self.clock()
        return origin if self._usable(origin, now) and origin.health.up(now) else None

    def _tell(self, waiter: Waiter | None, origin: Origin) -> None:
        cast(Belonging, waiter).carried(self.origins.index(origin))
