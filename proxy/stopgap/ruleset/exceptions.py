"""Where does a rule not count, under which condition, and which exceptions deserve a warning?

An exception lets a site's rule, or an ambiguous or denied reason, pass on a path or for some clients.
Where the rule has compat modes (catalogue 2.1), only requests that fit the mode pass: `tight` unless the
exception names another, none at all with `compat = "none"`. After its `until` day an exception is no
longer in force.
"""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from stopgap import _core
from stopgap.config import Config, Site, SiteException
from stopgap.errors import ConfigError, nearest
from stopgap.ruleset.model import Expr, Rule

SOON = datetime.timedelta(days=14)
"""So long before its last day an exception is told of."""
DEFAULT_COMPAT = "tight"
OPEN = "none"

STRUCTURAL = frozenset({"get-with-body", "method-denied", "upgrade-denied"})
"""Denied reasons that an exception may name beside all ambiguous ones: neither rules nor limits make them."""

EXCEPTABLE = STRUCTURAL | {name for name, tier, *_ in _core.reasons() if tier == "ambiguous"}

LIMITS = {
    "target-too-long": "target",
    "path-too-long": "path",
    "segment-too-long": "segment",
    "too-many-segments": "segments",
    "query-too-long": "query",
    "too-many-escapes": "escapes",
    "header-too-long": "header",
    "head-too-long": "head",
    "too-many-headers": "headers",
    "body-too-long": "body",
}
"""What an operator wants to raise who asks for an exception to a limit."""


class Resolved(Struct, frozen=True):
    """The exceptions of one site that are in force, as the core wants them; why each was made; warnings."""

    exceptions: tuple[dict[str, Any], ...]
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]


def resolve(config: Config, index: int, rules: Sequence[Rule], today: datetime.date) -> Resolved:
    """The exceptions of site `index`, whose active rules are `rules`. Raises `ConfigError`."""
    site = config.sites[index]
    by_id = {rule.id: rule for rule in rules}
    problems: list[str] = []
    warnings: list[str] = []
    in_force: list[dict[str, Any]] = []
    reasons: list[str] = []
    for exception in site.exceptions:
        at = exception.where
        rule = by_id.get(exception.rule)
        if exception.preset and rule is None and exception.rule not in EXCEPTABLE:
            continue
        if problem := _problem(site, exception, by_id):
            problems.append(f"{at}: site.exception.{problem}")
            continue
        warnings += [f"{at}: {text}" for text in _warnings(site, exception, rule, today)]
        if not expired(exception, today):
            mode = _mode(exception, rule)
            when = rule.compat[mode] if rule and mode else None
            why = f"{exception.reason} ({exception.owner})" if exception.owner else exception.reason
            for path in _paths(exception.path, site):
                in_force.append(_spec(exception, path, when))
                reasons.append(why)
    if problems:
        raise ConfigError(*problems)
    return Resolved(exceptions=tuple(in_force), reasons=tuple(reasons), warnings=tuple(warnings))


def _spec(exception: SiteException, path: str | None, when: Expr | None) -> dict[str, Any]:
    """One exception as the core wants it, but for its counter, which goes by `id`."""
    spec: dict[str, Any] = {
        "id": exception.id,
        "rule": exception.rule,
        "path": path,
        "clients": exception.clients,
        "when": when,
    }
    if exception.fields:
        pairs = (field.split(".", 1) for field in exception.fields)
        spec["fields"] = [{"field": kind, "name": name} for kind, name in pairs]
    return spec


def _problem(site: Site, exception: SiteException, rules: Mapping[str, Rule]) -> str | None:
    """What is wrong with an exception, as `key: text`."""
    name = exception.rule
    rule = rules.get(name)
    told = rule.labels if rule else (name,)
    if limits := [LIMITS[reason] for reason in told if reason in LIMITS]:
        return f'rule: "{name}" is a limit; raise {", ".join(limits)} in [site.limits] instead'
    if rule and told:
        return f'rule: "{name}" only labels a reason; name the reason instead: {", ".join(told)}'
    if rule is None and name not in EXCEPTABLE:
        hint = nearest(name, [*rules, *EXCEPTABLE]).partition("; known:")[0]
        return f'rule: "{name}" is neither a rule of site "{site.name}" nor an ambiguous reason{hint}'
    if rule is None and exception.fields:
        return f'fields: "{name}" is a reason of the whole request; only a rule can be judged without a field'
    if rule and rule.compat and exception.compat is None and DEFAULT_COMPAT not in rule.compat:
        return f'compat: is missing; choose one of {", ".join([*rule.compat, OPEN])} for "{name}"'
    mode = _mode(exception, rule)
    if mode is not None and (rule is None or mode not in rule.compat):
        known = ", ".join([*(rule.compat if rule else ()), OPEN])
        return f'compat: "{name}" has no compat "{mode}"; known: {known}'
    return None


def _paths(path: str | None, site: Site) -> list[str | None]:
    """The globs that cover `path` in every reading of its spellings.

    A Japanese folder may come as UTF-8 or in the code page, and is read as Latin-1 besides; an exception must
    hold in each reading in which the rule matches, or the request is refused for the reading it leaves out.
    """
    if path is None or path.isascii():
        return [path]
    globs: dict[str | None, None] = {path: None}
    for encoding in ("utf-8", *(f"cp{page}" for page in site.codepages)):
        try:
            target = quote(path.encode(encoding), safe="/*")
        except UnicodeEncodeError:
            continue
        readings = _core.readings(target.encode(), site.server, list(site.codepages))
        globs |= {decoded.decode("utf-8", "replace"): None for decoded, *_ in readings}
    return list(globs)


def ending(config: Config, today: datetime.date) -> list[str]:
    """A line for each exception that ends within `SOON`."""
    return [
        f'{one.where}: site "{site.name}": exception to "{one.rule}" ends on {one.until}: '
        "its rule counts again from the next day on; renew it in time"
        for site in config.sites
        for one in site.exceptions
        if one.until is not None and today <= one.until <= today + SOON
    ]


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
