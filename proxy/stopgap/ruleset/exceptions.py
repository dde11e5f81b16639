"""Where does a rule not count, under which condition, and which exceptions deserve a warning?

An exception lets a site's rule, or an ambiguous or denied reason, pass on a path or for some clients.
Where the rule has compat modes (catalogue 2.1), only requests that fit the mode pass: `tight` unless the
exception names another, none at all with `compat = "none"`. After its `until` day an exception is no
longer in force.
"""

import datetime
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from stopgap import _core
from stopgap.config import Config, Site, SiteException
from stopgap.errors import ConfigError, nearest
from stopgap.ruleset.model import Rule

DEFAULT_COMPAT = "tight"
OPEN = "none"
EXCEPTED_TIERS = ("ambiguous", "denied")


class Resolved(Struct, frozen=True):
    """The exceptions of one site that are in force, for the specification, and what to warn of."""

    exceptions: tuple[dict[str, Any], ...]
    warnings: tuple[str, ...]


def resolve(config: Config, index: int, rules: Sequence[Rule], today: datetime.date) -> Resolved:
    """The exceptions of site `index`, whose active rules are `rules`. Raises `ConfigError`."""
    site = config.sites[index]
    by_id = {rule.id: rule for rule in rules}
    reasons = {name for name, tier, *_ in _core.reasons() if tier in EXCEPTED_TIERS}
    problems, warnings, in_force = [], [], []
    for number, exception in enumerate(site.exceptions):
        at = config.where("site", index, "exception", number)
        rule = by_id.get(exception.rule)
        if rule is None and exception.rule not in reasons:
            hint = nearest(exception.rule, [*by_id, *reasons]).partition("; known:")[0]
            problems.append(
                f'{at}: site.exception.rule: "{exception.rule}" is neither a rule of site "{site.name}" '
                f"nor an ambiguous or denied reason{hint}"
            )
            continue
        mode = _mode(exception, rule)
        if mode is not None and (rule is None or mode not in rule.compat):
            known = ", ".join([*(rule.compat if rule else ()), OPEN])
            problems.append(
                f'{at}: site.exception.compat: "{exception.rule}" has no compat "{mode}"; known: {known}'
            )
            continue
        warnings += [f"{at}: {text}" for text in _warnings(site, exception, rule, today)]
        if not expired(exception, today):
            when = rule.compat[mode] if rule and mode else None
            in_force.append(
                {
                    "rule": exception.rule,
                    "path": exception.path,
                    "clients": list(exception.clients),
                    "when": when,
                }
            )
    if problems:
        raise ConfigError(*problems)
    return Resolved(exceptions=tuple(in_force), warnings=tuple(warnings))


def expired(exception: SiteException, today: datetime.date) -> bool:
    """Its last day has passed."""
    return exception.until is not None and exception.until < today


def _mode(exception: SiteException, rule: Rule | None) -> str | None:
    """The compat mode that the exception is narrowed to; None when it opens the rule wholly."""
    if exception.compat is not None:
        return None if exception.compat == OPEN else exception.compat
    return DEFAULT_COMPAT if rule is not None and DEFAULT_COMPAT in rule.compat else None


def _warnings(site: Site, exception: SiteException, rule: Rule | None, today: datetime.date) -> list[str]:
    name = f'site "{site.name}": exception to "{exception.rule}"'
    warnings = []
    if expired(exception, today):
        warnings.append(f"{name} ended on {exception.until}: it is no longer in force; remove or renew it")
    if rule is not None and rule.compat and exception.compat == OPEN:
        warnings.append(
            f'{name} has compat = "{OPEN}": what the rule protects is open to every request it covers'
        )
    if exception.path is None and not exception.clients:
        warnings.append(f"{name} has neither path nor clients: it covers every request of the site")
    return warnings
