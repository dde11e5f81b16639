"""In which mode is each rule and reason of a site, and what did the operator name that does not exist?

`[site.modes]` names rules, packs and reasons. The core knows rules and reasons only, and takes the mode of a
rule before that of its reason. So a pack stands for its rules here; a rule that only labels reasons gives way
to a mode that one of them was given by name.
"""

from collections.abc import Sequence

from stopgap import _core
from stopgap.config import Config
from stopgap.errors import ConfigError, nearest
from stopgap.ruleset.model import Rule

TIERS = ("ambiguous", "denied")
"""What is refused by choice. What cannot be framed is refused in every mode."""


def resolve(config: Config, index: int, rules: Sequence[Rule]) -> dict[str, str]:
    """The modes of site `index` by rule or reason; its active rules are `rules`. Raises `ConfigError`."""
    site = config.sites[index]
    packs = {rule.pack for rule in rules}
    named = {rule.id for rule in rules} | {name for name, tier, *_ in _core.reasons() if tier in TIERS}
    for name in site.modes:
        if name not in named and name not in packs:
            at = config.where("site", index, "modes", name)
            raise ConfigError(
                f'{at}: site.modes.{name}: "{name}" is {_unknown(name, site.name, named | packs)}'
            )
    of_packs: dict[str, str] = {}
    for rule in rules:
        if rule.pack in site.modes:
            told = rule.labels if any(reason in site.modes for reason in rule.labels) else (rule.id,)
            of_packs |= dict.fromkeys(told, site.modes[rule.pack])
    return of_packs | {name: mode for name, mode in site.modes.items() if name in named}


def _unknown(name: str, site: str, known: set[str]) -> str:
    if name in {reason for reason, *_ in _core.reasons()}:
        return "refused in every mode: such a request cannot be served"
    hint = nearest(name, known).partition("; known:")[0]
    return f'neither a rule nor a pack of site "{site}", nor an ambiguous or denied reason{hint}'


def effective(config: Config, policy: _core.Policy) -> dict[str, dict[str, str]]:
    """By site, the mode in which each of its rules and each reason is judged, by the core's own account."""
    return {
        site.name: {name: mode for name, _, mode in policy.modes(index)}
        for index, site in enumerate(config.sites)
    }


def differing(config: Config, policy: _core.Policy) -> dict[str, dict[str, str]]:
    """By site, the rules and reasons that are in another mode than the site, of those that have a choice."""
    chosen = {name for name, tier, *_ in _core.reasons() if tier in TIERS}
    return {
        site.name: {
            name: mode for name, reason, mode in policy.modes(index) if mode != site.mode and reason in chosen
        }
        for index, site in enumerate(config.sites)
    }
