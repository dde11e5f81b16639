"""Which requests would another ruleset judge otherwise than the one in use?

Both judge the same bytes by the same code as the gate. What counts is what would happen: a rule in detect
mode lets pass. A request without a Host in the log is judged on one site. Of a million attacks no more is
kept than the report shows: counts by rule and path, within bounds, and the first example of each.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

import msgspec

from stopgap import _core
from stopgap.errors import ConfigError
from stopgap.forensics.sources import Seen
from stopgap.ruleset.actions import STOP
from stopgap.ruleset.diff import Side
from stopgap.ruleset.explain import read
from stopgap.ruleset.match import leaves
from stopgap.ruleset.model import Rule

MOST_PATHS = 10_000
"""Paths of one kind of difference that are counted one by one; those beyond are counted together."""
OTHER_PATHS = "(other paths)"
LONGEST = 300
"""Bytes of a path, and of a request line that is kept as example."""
REMEMBERED = 1 << 14
"""Explanations that are kept, because worms repeat themselves."""

REFUSED, DETECTED, PASSES = "refused", "detected", "passes"
NEWLY_REFUSED, NEWLY_PASSED = "newly refused", "newly passed"
NEWLY_DETECTED, NO_LONGER_DETECTED = "newly detected", "no longer detected"
REFUSED_OTHERWISE, DETECTED_OTHERWISE = "refused for another reason", "detected for another reason"
KINDS: Mapping[tuple[str, str], str] = {
    (PASSES, REFUSED): NEWLY_REFUSED,
    (DETECTED, REFUSED): NEWLY_REFUSED,
    (REFUSED, PASSES): NEWLY_PASSED,
    (REFUSED, DETECTED): NEWLY_PASSED,
    (PASSES, DETECTED): NEWLY_DETECTED,
    (DETECTED, PASSES): NO_LONGER_DETECTED,
    (REFUSED, REFUSED): REFUSED_OTHERWISE,
    (DETECTED, DETECTED): DETECTED_OTHERWISE,
}
"""What became of it before, what would become of it now -> what that difference is called."""


_UNPRINTABLE = re.compile("[^ -~]")


class Fate(NamedTuple):
    """What becomes of a request: `what` is one of three, `by` the rule, or the reason where there is none."""

    what: str
    by: str = ""


PASSED = Fate(PASSES)


class Judge:
    """One of the two rulesets. `site` is its site of every request, None for that of the Host."""

    def __init__(self, side: Side, site: int | None) -> None:
        self.side = side
        self._policy = side.policy
        self._judged = side.policy.judge
        self._site = site
        self._alone = 0 if len(side.sites) == 1 else site
        self._reasons = [name for name, *_ in _core.reasons()]
        places = range(len(side.sites)) if site is None else [site]
        stopping = [_stopping(side, place) for place in places]
        self._stopping = frozenset.intersection(*stopping)
        self._explained = lru_cache(REMEMBERED)(self._explain)

    def fate(self, request: bytes, named: bool) -> Fate:
        """What would become of a request; `named`: it tells its host."""
        site = self._site if named else self._alone
        judged = self._judged(request, site)
        if judged is None:
            return PASSED
        reason, rule, _ = judged
        by = self._policy.rules[rule] if rule >= 0 else self._reasons[reason]
        return Fate(REFUSED, by) if by in self._stopping else self._explained(request, site)

    def need_site(self, file: str, line: int) -> None:
        """Raise `ConfigError` unless it is known which site judges a request that names no host."""
        if self._alone is None:
            raise ConfigError(
                f"{file}:{line}: the file names no host, and {self.side.name} has "
                f"{len(self.side.sites)} sites; say which one with --site"
            )

    def _explain(self, request: bytes, site: int | None) -> Fate:
        """The fate of what was not simply refused: the first finding may be one that is only detected."""
        verdict = read(self._policy.explain(request, site)).verdict
        if verdict is None:
            return PASSED
        stops = verdict.action in STOP and verdict.mode != "detect"
        return Fate(REFUSED if stops else DETECTED, verdict.rule or verdict.reason)


def _stopping(side: Side, site: int) -> frozenset[str]:
    """The rules and reasons that keep a request of this site from the origin, for some client at least."""
    kept = {rule.id for rule in side.ruleset.rules if rule.action not in STOP}
    carried = {name for name, _, mode in side.policy.modes(site) if mode != "detect" and name not in kept}
    return frozenset({*carried, "unknown-host"})


class Place(msgspec.Struct):
    """Requests of one path that differ alike, and the first of them: `file:line`, and its request line."""

    path: str
    requests: int
    example: str
    request: str


class Differences(msgspec.Struct):
    """What was judged otherwise. `fates`: how many requests became what before and would become what now."""

    fates: dict[tuple[str, str], int] = {}
    places: dict[tuple[str, str, str], Place] = {}
    """By kind, rule or reason, and path."""

    def of(self, kind: str) -> int:
        """How many requests differ so."""
        return sum(place.requests for (one, _, _), place in self.places.items() if one == kind)

    def add(self, where: str, request: bytes, old: Fate, new: Fate, count: int = 1) -> None:
        """A request that stands at `where`, or `count` alike, had this fate, and would have that one."""
        self.fates[old.what, new.what] = self.fates.get((old.what, new.what), 0) + count
        if old == new:
            return
        kind = KINDS[old.what, new.what]
        by = f"{old.by} -> {new.by}" if old.what == new.what else old.by
        if kind in (NEWLY_REFUSED, NEWLY_DETECTED):
            by = new.by
        line = request.partition(b"\r\n")[0]
        path = line.split(b" ", 2)[1] if line.count(b" ") else line
        shown = text_of(path.partition(b"?")[0])
        place = self.places.get((kind, by, shown))
        if place is None and len(self.places) >= MOST_PATHS:
            shown = OTHER_PATHS
            place = self.places.get((kind, by, shown))
        if place is None:
            self.places[kind, by, shown] = Place(shown, count, where, text_of(line))
        else:
            place.requests += count


def compare(old: Judge, new: Judge, where: str, requests: Iterable[Seen], found: Differences) -> None:
    """Have both judge the requests of the file `where`. Raises `ConfigError`."""
    unchanged = 0
    before, after = old.fate, new.fate
    for line, (request, named, *_) in requests:
        if not named:
            old.need_site(where, line)
            new.need_site(where, line)
        was, now = before(request, named), after(request, named)
        if was is now is PASSED:
            unchanged += 1
        else:
            found.add(f"{where}:{line}", request, was, now)
    found.fates[PASSES, PASSES] = found.fates.get((PASSES, PASSES), 0) + unchanged


def speechless(rules: Iterable[Rule], shows: frozenset[str]) -> list[str]:
    """The rules that ask for a part of a request that the files do not show."""
    return [rule.id for rule in rules if any(_part(leaf) not in {"", *shows} for leaf in leaves(rule.match))]


def _part(leaf: Mapping[str, object]) -> str:
    """Which part of a request a test looks at, "" for what every file shows."""
    field = str(leaf["field"])
    name = str(leaf.get("name", "")).lower()
    if field == "header":
        return name if name in ("user-agent", "referer", "cookie", "host") else "headers"
    return {
        **{"query": "query", "query.raw": "query", "param": "query", "target": "query"},
        **{"headers": "headers", "cookie": "cookie", "host": "host", "version": "version"},
        **{"body": "body", "form": "body"},
    }.get(field, "")


def text_of(part: bytes) -> str:
    """Printable ASCII, `\\xHH` for every other byte, as `stopgap explain` reads it; cut when it is long."""
    cut = part[:LONGEST] + (b"..." if len(part) > LONGEST else b"")
    return _UNPRINTABLE.sub(lambda byte: f"\\x{ord(byte[0]):02x}", cut.decode("latin-1"))
