"""Which limits and which exceptions does a corpus of real requests ask for, and what looks like an attack?

Each exception is the narrowest that `stopgap.ruleset.propose` finds for a request of its group, tried on all
requests that were kept of the group, and on every vector of the packs. Nothing is applied; what comes out is
the text that the configuration would have.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from stopgap import config, texts
from stopgap.config import Config, edit
from stopgap.errors import InputError
from stopgap.events.find import Rebuilt
from stopgap.events.schema import ECS, TARGET, Event, shown
from stopgap.forensics.caught import EXAMPLES, Caught, Group
from stopgap.forensics.limiting import Limit, limits
from stopgap.forensics.merging import merged
from stopgap.forensics.replay import text_of
from stopgap.forensics.sizes import KEYS, target_of
from stopgap.forensics.suspects import Attacks, bad_names, of_group
from stopgap.ruleset import load, spec
from stopgap.ruleset.diff import Side
from stopgap.ruleset.exceptions import LIMITS
from stopgap.ruleset.explain import Explanation
from stopgap.ruleset.explain import read as read_explanation
from stopgap.ruleset.model import Ruleset
from stopgap.ruleset.propose import Change, Hopeless, Told, propose

MOST = 40
"""Groups for which an exception is sought; the most frequent first."""


class Evidence(Struct, frozen=True):
    """On how much something stands. `examples` are places and request lines."""

    requests: int
    clients: int
    days: int
    examples: tuple[tuple[str, str], ...]


class Proposed(Struct, frozen=True):
    """One exception, and how many of the requests that were `kept` of its group it lets pass."""

    site: str
    keys: dict[str, Any]
    evidence: Evidence
    passing: int
    kept: int


class Left(Struct, frozen=True):
    """What stays caught: `why` says why nothing is proposed for it."""

    site: str
    name: str
    path: str
    why: tuple[str, ...]
    evidence: Evidence


class Plan(Struct, frozen=True):
    """All of it, and the text of the configuration with everything that is proposed."""

    text: str
    limits: tuple[Limit, ...]
    exceptions: tuple[Proposed, ...]
    suspects: tuple[Left, ...]
    left: tuple[Left, ...]
    more: int
    """Groups that are rarer than those that were looked at."""


class Bench(Struct, frozen=True):
    """By what is tuned: the configuration, its text and its rules, those that are bad, and all vectors."""

    read: Config
    text: str
    ruleset: Ruleset
    bad: frozenset[str]
    attacks: Attacks
    told: Told

    def side(self, name: str, text: str) -> Side:
        """The configuration with this text, all of it in block mode. Raises `InputError`."""
        with texts.replaced({self.read.document.file: text.encode()}):
            loaded = config.load(self.read.document.file)
        sites = tuple(structs.replace(one, mode="block", modes={}, canary=0) for one in loaded.sites)
        blocking = structs.replace(loaded, sites=sites)
        policy = spec.compiled(spec.build(blocking, self.ruleset))
        return Side(name, self.ruleset, blocking, policy, tuple(one.name for one in sites))


def bench_of(file: str, told: Told) -> tuple[Bench, Side]:
    """The bench of a configuration, and the side of today. Raises `InputError`."""
    read = config.load(file)
    ruleset = load.load(read)
    known = {rule.id: rule for pack in load.packaged() for rule in pack.rules}
    known |= {rule.id: rule for rule in ruleset.rules}
    text = Path(file).read_bytes().decode()
    bench = Bench(read, text, ruleset, bad_names(known.values()), Attacks(known.values()), told)
    today = bench.side(file, text)
    bench.attacks.caught_by(today.policy, len(today.sites))
    return bench, today


def plan(
    bench: Bench, caught: Caught, shows: frozenset[str], advance: Callable[[], None] = lambda: None
) -> Plan:
    """What to propose; `shows` are the parts of a request that all files show; `advance` is called after each
    group. Raises `InputError`.
    """
    text, limited, weak = limits(bench.read, bench.text, caught, shows)
    if text != bench.text:
        text, limited, refused = _harmless(bench, limited)
        weak |= refused
    groups = merged(caught.groups.values())
    found: list[Proposed] = []
    suspects: list[Left] = []
    left: list[Left] = []
    for group in groups[:MOST]:
        advance()
        site = bench.read.sites[group.site]
        if group.name in LIMITS:
            raised = any(one.site == site.name and one.key == LIMITS[group.name] for one in limited)
            if not raised:
                why = weak.get((group.site, LIMITS[group.name]), "rarer than one in a thousand")
                left.append(_left(bench, group, (why,)))
            continue
        if why_not := of_group(group, bench.bad, caught.marked) if _plainly_bad(bench, group) else []:
            suspects.append(_left(bench, group, tuple(why_not)))
            continue
        try:
            changes, changed, passing = _exception(bench, group, text)
        except (Hopeless, InputError):
            left.append(_left(bench, group, ("no exception can let it pass",)))
            continue
        policy = bench.side("", changed).policy
        signs = [
            *of_group(group, bench.bad, caught.marked, changes),
            *bench.attacks.through(policy, group.site, changes),
        ]
        if signs:
            suspects.append(_left(bench, group, tuple(signs)))
            continue
        text = changed
        found += [
            Proposed(site.name, change.keys, evidence(group), passing, len(group.examples))
            for change in changes
            if change.table == "exception"
        ]
    return Plan(text, tuple(limited), tuple(found), tuple(suspects), tuple(left), max(len(groups) - MOST, 0))


def _plainly_bad(bench: Bench, group: Group) -> bool:
    """It is bad by its rule, which has no mode that only honest requests fit."""
    rule = next((one for one in bench.ruleset.rules if one.id == group.name), None)
    return group.name in bench.bad and not (rule and rule.compat)


def _exception(bench: Bench, group: Group, text: str) -> tuple[tuple[Change, ...], str, int]:
    """The changes, the text with them, and how many of the kept requests pass. Raises `Hopeless`."""
    first = next(iter(group.examples))
    policy = bench.side("", text).policy
    seen = read_explanation(policy.explain(first, group.site))
    rebuilt = Rebuilt(request=first, missing=())
    proposal = propose(bench.read, text, group.site, _event(seen, first), rebuilt, bench.told)
    if not proposal.sure or not proposal.changes:
        raise Hopeless(group.name)
    changes = proposal.changes
    if group.wide:
        wide = tuple(structs.replace(one, keys={**one.keys, "path": group.path}) for one in changes)
        changes = tuple({repr(one.keys): one for one in wide}.values())
    changed = text
    for change in changes:
        changed = edit.with_exception(changed, bench.read.sites[group.site].name, change.keys)
    judge = bench.side("", changed).policy.judge
    passing = sum(judge(one, group.site) is None for one in group.examples)
    if not passing:
        raise Hopeless(group.name)
    return changes, changed, passing


def _event(seen: Explanation, request: bytes) -> Event:
    """What an event would say of a request, as far as a proposal asks for it."""
    verdict = seen.verdict
    if verdict is None:
        raise Hopeless("")
    target = target_of(request)
    return Event(
        timestamp="",
        ecs_version=ECS,
        event_id="",
        event_kind="alert",
        event_category=(),
        event_type=(),
        event_action="refused",
        event_outcome="failure",
        event_reason="",
        count=0,
        reason=verdict.reason,
        tier=verdict.tier,
        site=seen.site,
        mode=verdict.mode,
        target_length=len(target),
        offset=verdict.offset,
        rule_id=verdict.rule or "",
        method=seen.method,
        target=shown(target, TARGET),
    )


def evidence(group: Group) -> Evidence:
    """In numbers, with the first examples."""
    first = list(group.examples.values())[:EXAMPLES]
    lines = tuple((one.where, text_of(one.request.partition(b"\r\n")[0])) for one in first)
    return Evidence(group.requests, len(group.clients), len(group.days), lines)


def _left(bench: Bench, group: Group, why: tuple[str, ...]) -> Left:
    return Left(bench.read.sites[group.site].name, group.name, group.path, why, evidence(group))


def _harmless(bench: Bench, limited: list[Limit]) -> tuple[str, list[Limit], dict[tuple[int, str], str]]:
    """Without the raised limits that would let an attack of the packs through.

    Those of the request line go together: where one of them stays, raising another helps nobody.
    """
    refused = {}
    names = [site.name for site in bench.read.sites]
    raised = [one for one in limited if one.proposed > one.today]
    for index, name in enumerate(names):
        own = [one for one in raised if one.site == name]
        line = [one for one in own if one.key in KEYS]
        for together in (line, *([one] for one in own if one.key not in KEYS)):
            trial = bench.text
            for one in together:
                trial = edit.with_limit(trial, name, one.key, one.proposed)
            signs = bench.attacks.through(bench.side("", trial).policy, index) if together else []
            for one in together if signs else ():
                refused[index, one.key] = f"{one.key} = {one.proposed} is not proposed: {signs[0]}"
    kept = [one for one in limited if (names.index(one.site), one.key) not in refused]
    changed = bench.text
    for one in kept:
        changed = edit.with_limit(changed, one.site, one.key, one.proposed)
    return changed, kept, refused
