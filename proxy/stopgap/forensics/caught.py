"""What of a corpus would a gate in block mode refuse: for which rule, on which path, of how many clients?

Modes are left aside: what a detect period only told is caught here too. Requests that nothing but a limit
catches are measured with those that pass; a few of each group are kept whole, to try an exception on them.
"""

from collections.abc import Iterable
from functools import lru_cache

from msgspec import Struct, field

from stopgap.errors import ConfigError
from stopgap.forensics.corpus import Sent
from stopgap.forensics.replay import text_of
from stopgap.forensics.sizes import Sizes, target_of
from stopgap.ruleset.actions import STOP
from stopgap.ruleset.diff import Side
from stopgap.ruleset.exceptions import LIMITS
from stopgap.ruleset.explain import Explanation, Finding, read
from stopgap.ruleset.propose import glob

MOST_GROUPS = 10_000
MOST_CLIENTS = 10_000
"""Clients of one group that are told apart."""
MOST_MARKED = 100_000
"""Clients that are remembered because they sent what nobody honest sends."""
KEPT = 32
"""Requests of one group that are kept."""
EXAMPLES = 3
REMEMBERED = 1 << 14


class Example(Struct, frozen=True):
    """A request of a group, and where it stands."""

    where: str
    client: str
    request: bytes


class Group(Struct):
    """Requests of one site that one rule, or reason, catches on one path."""

    site: int
    name: str
    path: str
    requests: int = 0
    clients: set[str] = field(default_factory=set)
    days: set[str] = field(default_factory=set)
    examples: dict[bytes, Example] = field(default_factory=dict)
    wide: bool = False
    """Its path is a glob for many."""


class Caught:
    """What was found so far. `bad` are the rules and reasons that nobody honest is caught by."""

    def __init__(self, side: Side, site: int | None, bad: frozenset[str]) -> None:
        assert side.config is not None  # noqa: S101 (a configuration is what is tuned)
        self._policy, self._site, self._bad = side.policy, site, bad
        self._labels = {rule.id for rule in side.ruleset.rules if rule.labels}
        self._names = list(side.sites)
        self.groups: dict[tuple[int, str, str], Group] = {}
        self.sizes: dict[int, Sizes] = {}
        self.marked: set[str] = set()
        """Clients that sent what nobody honest sends."""
        self.requests = self.passed = self.beyond = self.untold = 0
        """`beyond`: in more groups than are kept; `untold`: caught for what the event does not hold."""
        self._explained = lru_cache(REMEMBERED)(self._explain)
        self._host = lru_cache(REMEMBERED)(self._of_host)

    def take(self, sent: Iterable[Sent]) -> None:
        """Judge them all."""
        for one in sent:
            self._judge(one)

    def site_of(self, one: Sent) -> int:
        """The site that judges it, -1 for none. Raises `ConfigError` where nothing says which."""
        if self._site is not None:
            return self._site
        if one.site in self._names:
            return self._names.index(one.site)
        if len(self._names) == 1:
            return 0
        if not one.told.named:
            raise ConfigError(
                f"{one.where}:{one.line}: the file names no host, and there are {len(self._names)} sites; "
                "say which one with --site"
            )
        begin = one.told.request.find(b"\r\nHost: ") + 8
        return self._host(one.told.request[begin : one.told.request.find(b"\r\n", begin)])

    def counts(self, one: Sent, site: int) -> bool:
        """Whether this is a request of its own: of one that goes on, each rule makes an event."""
        if one.event is None or site < 0 or one.event.event_action != "detected":
            return True
        _, causes = self._causes(one.told.request, site)
        told = (one.event.reason, one.event.rule_id)
        return told not in [(cause.reason, cause.rule or "") for cause in causes[1:]]

    def _causes(self, request: bytes, site: int) -> tuple[Explanation | None, tuple[Finding, ...]]:
        """Why block mode would refuse it, () if it passes."""
        if self._policy.judge(request, site) is None:
            return None, ()
        return self._explained(request, site)

    def _judge(self, one: Sent) -> None:
        request = one.told.request
        site = self.site_of(one)
        if not self.counts(one, site):
            return
        self.requests += one.times
        if site < 0:
            self.untold += one.times
            return
        seen, causes = self._causes(request, site)
        if one.event is None and all(cause.reason in LIMITS for cause in causes):
            self.sizes.setdefault(site, Sizes()).add(request, one.whole, not causes)
        client = one.told.client.decode("latin-1")
        for cause in causes:
            if self._name(cause) in self._bad and len(self.marked) < MOST_MARKED:
                self.marked.add(client)
        if not causes:
            self.passed += one.times
            if one.event is not None:
                self.untold += one.times
            return
        name = self._name(causes[0])
        path = (
            glob(seen.readings[0])
            if seen and seen.readings
            else text_of(target_of(request).partition(b"?")[0])
        )
        self._add(one, site, name, path, client)

    def _add(self, one: Sent, site: int, name: str, path: str, client: str) -> None:
        key = (site, name, path)
        if key not in self.groups and len(self.groups) >= MOST_GROUPS:
            self.beyond += one.times
            return
        group = self.groups.setdefault(key, Group(site, name, path))
        group.requests += one.times
        if client and len(group.clients) < MOST_CLIENTS:
            group.clients.add(client)
        if one.told.day:
            group.days.add(one.told.day.decode("latin-1"))
        if one.told.request not in group.examples and len(group.examples) < KEPT:
            group.examples[one.told.request] = Example(f"{one.where}:{one.line}", client, one.told.request)

    def _name(self, cause: Finding) -> str:
        """What an exception would name: the rule, or the reason."""
        return cause.reason if cause.rule is None or cause.rule in self._labels else cause.rule

    def _explain(self, request: bytes, site: int) -> tuple[Explanation, tuple[Finding, ...]]:
        """The findings for which block mode would refuse it."""
        seen = read(self._policy.explain(request, site))
        causes = [
            one for one in seen.findings if one.excepted is None and not one.counted and one.action in STOP
        ]
        return seen, tuple(causes)

    def _of_host(self, host: bytes) -> int:
        seen = read(self._policy.explain(b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % host))
        unknown = any(one.reason == "unknown-host" for one in seen.findings)
        return -1 if unknown or seen.site not in self._names else self._names.index(seen.site)
