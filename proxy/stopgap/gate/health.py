"""Is an origin up, and if it failed, why?

Passive only: what real requests find out when they connect is remembered. An origin that refused or
did not accept in time is left alone for a second, then two, four, up to ten, as long as another
origin of the site is up. Nothing is sent to an origin that no client asked for.

The failures are rows of the core's table of reasons; `Session.fail` takes their index.
"""

from typing import Final

from stopgap import _core

_INDEX: Final = {name: index for index, (name, *_) in enumerate(_core.reasons())}

REFUSED: Final = _INDEX["origin-refused"]
CLOSED: Final = _INDEX["origin-closed"]
BUSY: Final = _INDEX["origin-busy"]
CONNECT_TIMEOUT: Final = _INDEX["origin-connect-timeout"]
TIMEOUT: Final = _INDEX["origin-timeout"]
INTERNAL: Final = _INDEX["internal-error"]

FAILURES: Final = (
    "origin-refused",
    "origin-closed",
    "origin-malformed",
    "origin-busy",
    "origin-connect-timeout",
    "origin-timeout",
)
"""Which word of an origin's eight on the board (`origin_errors`) counts which reason."""

FIRST_PAUSE: Final = 1.0
"""Seconds that an origin is skipped after its first failure; doubles with each further one."""
LONGEST_PAUSE: Final = 10.0

_WORD: Final = {_INDEX[name]: word for word, name in enumerate(FAILURES)}


class Health:
    """What the last connections to one origin said of it, and the failures to be counted."""

    __slots__ = ("counts", "error", "failures", "until")

    def __init__(self) -> None:
        self.counts = [0] * len(FAILURES)
        self.failures = 0
        self.until = 0.0
        self.error = ""

    def count(self, reason: int) -> None:
        """An exchange failed for this reason (an index into the core's reasons)."""
        self.counts[_WORD[reason]] += 1

    def failed(self, now: float, reason: int, error: str) -> None:
        """A connection could not be made at this time (monotonic seconds)."""
        self.count(reason)
        pause = min(FIRST_PAUSE * 2**self.failures, LONGEST_PAUSE)
        self.failures = min(self.failures + 1, 8)
        self.until = now + pause
        self.error = error

    def succeeded(self) -> None:
        """A connection was made."""
        self.failures = 0
        self.until = 0.0
        self.error = ""

    def up(self, now: float) -> bool:
        """Whether the origin is a first choice at this time."""
        return self.until <= now
