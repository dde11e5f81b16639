"""Would an exception let an attack through, or does what it is for look like one?

Three signs: nobody honest is caught by that rule (its `legit` says nobody, and it guards a hole of severity
high or critical); every client that sent it also sent what such a rule catches; and a vector that some pack
says must be caught would pass with it.
"""

from collections.abc import Iterable, Sequence

from stopgap import _core
from stopgap.forensics.caught import Group
from stopgap.ruleset import vectors
from stopgap.ruleset.exceptions import LIMITS, OPEN
from stopgap.ruleset.model import Rule
from stopgap.ruleset.propose import Change

GRAVE = frozenset({"high", "critical"})
NOBODY = "nobody"
MOST_NAMED = 3


def bad_names(rules: Iterable[Rule]) -> frozenset[str]:
    """The rules, and the reasons that rules label, that nobody honest is caught by; never sizes."""
    bad = [rule for rule in rules if rule.severity in GRAVE and rule.legit.lower().startswith(NOBODY)]
    names = {name for rule in bad for name in (rule.labels or (rule.id,))}
    return frozenset(names - LIMITS.keys())


def of_group(
    group: Group, bad: frozenset[str], marked: set[str], changes: Sequence[Change] = ()
) -> list[str]:
    """Why a group looks like an attack, in words. A compat mode of `changes` is what only honest ones fit."""
    why = []
    modes = [change.keys["compat"] for change in changes if "compat" in change.keys]
    narrow = any(mode != OPEN for mode in modes)
    if OPEN in modes:
        why.append(f'it fits none of the compat modes of "{group.name}", in which honest requests pass')
    if group.name in bad and not narrow:
        why.append(f'"{group.name}" guards a known hole, and nobody honest sends what it catches')
    if group.clients and group.clients <= marked and group.name not in bad:
        whom = "its client" if len(group.clients) == 1 else f"each of its {len(group.clients)} clients"
        why.append(f"{whom} also sent what only attackers send")
    return why


class Attacks:
    """The vectors of all packs that must be caught, and by site those that are caught today."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._vectors = [(rule.id, vectors.request(one.text)) for rule in rules for one in rule.block]
        self._caught: list[list[tuple[str, bytes]]] = []

    def caught_by(self, policy: _core.Policy, sites: int) -> None:
        """This policy is that of today."""
        self._caught = [
            [one for one in self._vectors if policy.judge(one[1], site) is not None] for site in range(sites)
        ]

    def through(self, policy: _core.Policy, site: int, changes: Sequence[Change] = ()) -> list[str]:
        """What this policy would let through on a site, in words.

        A rule that catches honest requests too says in its compat modes which those are; of its own vectors
        those that fit the mode of `changes` are no attacks.
        """
        modes = {change.keys["rule"] for change in changes if change.keys.get("compat", OPEN) != OPEN}
        rules = dict.fromkeys(
            rule
            for rule, request in self._caught[site]
            if rule not in modes and policy.judge(request, site) is None
        )
        if not rules:
            return []
        named = ", ".join(list(rules)[:MOST_NAMED]) + (", ..." if len(rules) > MOST_NAMED else "")
        return [f"attacks of the packs would pass with it: those of {named}"]
