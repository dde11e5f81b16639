"""Which rules deserve a second look although they do what they say?

A rule that never names its event because others before it refuse all of its block vectors; two rules that
match the same; one that is asked for every request. `check` and `rules test` print these as notes; they
stop nothing, because a rule that is in the way of none but itself does no harm.
"""

from collections.abc import Iterator, Sequence

import msgspec

from stopgap import _core
from stopgap.ruleset import vectors
from stopgap.ruleset.model import Rule

ALWAYS = "every request"
"""What the core calls a trigger that wakes a rule for whatever comes."""


def notes(rules: Sequence[Rule], about: Sequence[Rule] | None = None) -> list[str]:
    """Every note on `about`, which are all `rules` unless told otherwise, one line each.

    Raises `RuleError` for rules that do not compile.
    """
    told = {rule.id for rule in (rules if about is None else about)}
    if not told:
        return []
    found = (*_alike(rules), *_hidden(rules))
    return [f"{rule.where()}: {text}" for rule, text in found if rule.id in told]


def _alike(rules: Sequence[Rule]) -> Iterator[tuple[Rule, str]]:
    """Rules whose match is that of one before them, on a server table that both are for."""
    seen: dict[bytes, list[Rule]] = {}
    for rule in rules:
        known = seen.setdefault(msgspec.json.encode(rule.match, order="sorted"), [])
        for other in known:
            if not rule.servers or not other.servers or set(rule.servers) & set(other.servers):
                yield rule, f'match: is that of rule "{other.id}" ({other.file}:{other.line}); make them one'
                break
        known.append(rule)


def _hidden(rules: Sequence[Rule]) -> Iterator[tuple[Rule, str]]:
    """Rules none of whose block vectors they name themselves, and rules that nothing has to wake."""
    tables = _core.servers()
    policy = vectors.bench(rules, [(table, vectors.CODEPAGES[0]) for table in tables])
    woken = dict(policy.cost())
    for index, rule in enumerate(rules):
        if woken.get(rule.id) == ALWAYS:
            yield (
                rule,
                "match: no literal wakes it, so it is asked for every request; name one that must occur",
            )
        if _refuses(rule) and rule.block:
            firsts = _firsts(policy, rules, index, tables)
            if firsts:
                earlier = ", ".join(sorted(f'"{rules[one].id}"' for one in firsts))
                yield rule, f"never names its event: all of its block vectors are refused by {earlier} before"


def _refuses(rule: Rule) -> bool:
    """Whether whatever it matches ends there; one that only tells or counts is in nobody's way."""
    return rule.action in ("block", "drop", "tarpit") and rule.rate is None


def _firsts(policy: _core.Policy, rules: Sequence[Rule], index: int, tables: Sequence[str]) -> set[int]:
    """The rules that name the events of the vectors of one; none when one vector comes as far as that one."""
    rule = rules[index]
    firsts: set[int] = set()
    for vector in rule.block:
        try:
            raw = vectors.request(vector.text)
        except ValueError:
            return set()
        for site, table in enumerate(tables):
            if rule.servers and table not in rule.servers:
                continue
            judged = policy.judge(raw, site)
            if judged is None or judged[1] in (-1, index) or not _refuses(rules[judged[1]]):
                return set()
            firsts.add(judged[1])
    return firsts
