"""Is an origin up, and if it failed, why?

Three things say so. *Connections*: an origin that refused or did not accept in time is left alone for a
second, then two, four, up to ten, as long as another one of the site is up. *Exchanges*: one that fails
`[site.health] failures` times in a row, be it at connecting or with no answer, half an answer or a wrong
one, is out: it gets nothing for the same pauses, then one request as a trial, and whatever it answers well
brings it back. *Probes* (`probe.py`): an origin that they find ill gets nothing until they find it well.

The failures are rows of the core's table of reasons; `Session.fail` takes their index.
"""

from typing import Final

from stopgap import _core

_NAMES: Final = tuple(name for name, *_ in _core.reasons())
_INDEX: Final = {name: index for index, name in enumerate(_NAMES)}

REFUSED: Final = _INDEX["origin-refused"]
TLS: Final = _INDEX["origin-tls"]
CLOSED: Final = _INDEX["origin-closed"]
MALFORMED: Final = _INDEX["origin-malformed"]
BUSY: Final = _INDEX["origin-busy"]
DOWN: Final = _INDEX["origin-down"]
CONNECT_TIMEOUT: Final = _INDEX["origin-connect-timeout"]
TIMEOUT: Final = _INDEX["origin-timeout"]
NO_ROOM: Final = _INDEX["no-room"]
FULL: Final = _INDEX["gate-full"]
PROXY_HEADER: Final = _INDEX["proxy-header"]
CLIENT_TLS: Final = _INDEX["client-tls"]

FAILURES: Final = (
    "origin-refused",
    "origin-closed",
    "origin-malformed",
    "origin-busy",
    "origin-connect-timeout",
    "origin-timeout",
    "origin-tls",
)
"""Which word of an origin's eight on the board (`origin_errors`) counts which reason."""

EXCHANGE: Final = frozenset((CLOSED, MALFORMED, TIMEOUT))
"""With what an exchange fails whose connection was made."""

FIRST_PAUSE: Final = 1.0
"""Seconds that an origin is left alone after its first failure; doubles with each further one."""
LONGEST_PAUSE: Final = 10.0
LEAST_SHARE: Final = 0.1
"""What an origin that just came back gets of its usual share."""

_WORD: Final = {_INDEX[name]: word for word, name in enumerate(FAILURES)}


class Health:
    """What connections, exchanges and probes said of one origin, and the failures to be counted.

    `failures` is how many in a row, `pauses` how often in a row it was left alone for it, the last time
    until `until`. `ill` is what the probes found, `odd` how many in a row have found otherwise
    since. `error` is what failed last, `want` what we lacked. All times are monotonic seconds.
    """

    __slots__ = ("back", "counts", "error", "failures", "ill", "odd", "out", "pauses", "until", "want")

    def __init__(self) -> None:
        self.counts = [0] * len(FAILURES)
        self.failures = 0
        self.pauses = 0
        self.until = 0.0
        self.out = False
        self.ill = ""
        self.odd = 0
        self.error = ""
        self.want = ""
        self.back = float("-inf")

    def count(self, reason: int) -> None:
        """An exchange failed for this reason (an index into the core's reasons)."""
        self.counts[_WORD[reason]] += 1

    def failed(self, now: float, reason: int, error: str, most: int = 0) -> None:
        """A connection could not be made; with `most` failures in a row the origin is out (0: never)."""
        self.count(reason)
        self.failures += 1
        self._leave(now, error, most)

    def starved(self, error: str) -> None:
        """A connection could not be made for want of something of ours: the origin stays as it is."""
        self.want = error

    def faulted(self, now: float, reason: int, most: int) -> None:
        """An exchange failed; with `most` failures in a row the origin is out (0: never)."""
        self.count(reason)
        self.failures += 1
        if 0 < most <= self.failures:
            self._leave(now, f"{self.failures} failures in a row, the last was {_NAMES[reason]}", most)

    def connected(self, now: float) -> None:
        """A connection was made. One that is out must answer first."""
        if not self.out:
            self._return(now)

    def answered(self, now: float) -> None:
        """An exchange ended well."""
        self._return(now)
        self.failures = self.pauses = 0

    def probed(self, now: float, error: str, rise: int, fall: int) -> None:
        """A probe found it well (""), or not: it is so from the `rise`th or `fall`th in a row on."""
        if bool(error) == bool(self.ill):
            self.odd = 0
            self.ill = error
            return
        self.odd += 1
        if self.odd >= (fall if error else rise):
            self.odd = 0
            self.ill = error
            self.back = self.back if error else now

    def up(self, now: float) -> bool:
        """Whether the origin is a first choice at this time."""
        return self.until <= now and not self.ill

    @property
    def shut(self) -> bool:
        """Whether it gets no request but a trial."""
        return self.out or bool(self.ill)

    @property
    def well(self) -> bool:
        """Whether nothing has failed since its last connection was made."""
        return not (self.ill or self.error)

    @property
    def why(self) -> str:
        """What failed, or what we lacked for a connection; "" when the last one was made."""
        return self.ill or self.error or self.want

    def share(self, now: float, seconds: float) -> float:
        """The part of its usual requests that it gets: grows to 1 within so many seconds of its return."""
        if now >= self.back + seconds:
            return 1.0
        return max(LEAST_SHARE, (now - self.back) / seconds)

    def _leave(self, now: float, error: str, most: int) -> None:
        self.until = now + min(FIRST_PAUSE * 2**self.pauses, LONGEST_PAUSE)
        self.pauses = min(self.pauses + 1, 8)
        self.out = 0 < most <= self.failures
        self.error = error

    def _return(self, now: float) -> None:
        if self.until:
            self.back = now
        self.until = 0.0
        self.out = False
        self.error = self.want = ""
