"""What does the core get to compile: which rules and sites, in JSON, under which version?

The shape is the core's `rules::spec`: `{"rules": [...], "sites": [...]}`. Counters are places on the board; a
`Registry` that outlives reloads gives a rule or a site the same place for as long as the supervisor lives.
"""

import datetime
import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from stopgap import _core
from stopgap.config import Config, Site
from stopgap.errors import ConfigError, RuleError
from stopgap.ruleset import exceptions
from stopgap.ruleset.model import Rule, Ruleset

MOST_COUNTERS = {"rule": 16_384, "site": 256}


class Registry:
    """Which counter belongs to which rule and site. Keep one for the life of the supervisor."""

    def __init__(self) -> None:
        self.rules: dict[str, int] = {}
        self.sites: dict[str, int] = {}

    def rule(self, name: str) -> int:
        """The counter of a rule, the next free one for a new rule."""
        return self._place(self.rules, name, "rule")

    def site(self, name: str) -> int:
        """The counter of a site, the next free one for a new site."""
        return self._place(self.sites, name, "site")

    def _place(self, known: dict[str, int], name: str, kind: str) -> int:
        most = MOST_COUNTERS[kind]
        if name not in known and len(known) >= most:
            raise ConfigError(
                f'{kind} "{name}": all {most} {kind} counters are taken since the start; restart'
            )
        return known.setdefault(name, len(known))


class Spec(msgspec.Struct, frozen=True):
    """A specification: the JSON for `_core.Policy`, the hash of its content, and what its indexes mean.

    `excepted` holds, by site, why each exception in force was made; `places` where a rule or site is written.
    """

    json: bytes
    version: str
    rules: tuple[str, ...]
    sites: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    excepted: dict[str, tuple[str, ...]] = {}
    places: dict[str, str] = {}


def build(config: Config, ruleset: Ruleset, registry: Registry, today: datetime.date | None = None) -> Spec:
    """The specification of a configuration with its rules. Raises `ConfigError`.

    `today` decides which exceptions are in force; the default is the day in UTC.
    """
    day = today or datetime.datetime.now(datetime.UTC).date()
    warnings: list[str] = []
    excepted: dict[str, tuple[str, ...]] = {}
    sites = []
    for index, site in enumerate(config.sites):
        active = ruleset.sites[site.name]
        resolved = exceptions.resolve(config, index, [ruleset.rules[n] for n in active], day)
        warnings += resolved.warnings
        excepted[site.name] = resolved.reasons
        sites.append(site_spec(site, active, resolved.exceptions))
    places = {f'site "{site.name}"': config.where("site", n) for n, site in enumerate(config.sites)}
    joined = join(ruleset.rules, sites, registry)
    return msgspec.structs.replace(
        joined, warnings=tuple(warnings), excepted=excepted, places={**joined.places, **places}
    )


def compiled(spec: Spec) -> _core.Policy:
    """The policy of a specification. Raises `RuleError` where the core finds what Python could not."""
    try:
        return _core.Policy(spec.json)
    except _core.PolicyError as error:
        text = str(error)
        place = next((at for named, at in spec.places.items() if text.startswith(f"{named}:")), None)
        raise RuleError(f"{place}: {text}" if place else text) from None


def site_spec(site: Site, rules: Sequence[int], excepted: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """One site as the core wants it, but for its counter; `rules` are indexes.

    A request without a Host gets the site's first plain name, or else the origin's own (catalogue R10).
    """
    named = [host for host in site.hosts if not host.startswith("*")]
    named += [str(origin) for origin in site.origins]
    return {
        "name": site.name,
        "hosts": site.hosts,
        "default_host": named[0] if named else "",
        "server": site.server,
        "codepages": site.codepages,
        "mode": site.mode,
        "rules": list(rules),
        "limits": site.limits,
        "deadlines": site.deadlines,
        "body": site.body,
        "raw_bytes": site.raw_bytes,
        "upgrade": site.upgrade,
        "exceptions": list(excepted),
    }


def join(rules: Sequence[Rule], sites: Sequence[dict[str, Any]], registry: Registry) -> Spec:
    """Rules and sites -> the specification. The version does not depend on the counters."""
    content: dict[str, list[dict[str, Any]]] = {
        "rules": [_rule_spec(rule) for rule in rules],
        "sites": list(sites),
    }
    version = hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()
    counted = {
        "rules": [{**rule, "counter": registry.rule(rule["id"])} for rule in content["rules"]],
        "sites": [{**site, "counter": registry.site(site["name"])} for site in content["sites"]],
    }
    return Spec(
        json=msgspec.json.encode(counted),
        version=version[:16],
        rules=tuple(rule.id for rule in rules),
        sites=tuple(site["name"] for site in sites),
        places={f'rule "{rule.id}"': f"{rule.file}:{rule.match_line}" for rule in rules},
    )


def _rule_spec(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "servers": rule.servers,
        "status": rule.status,
        "match": rule.match,
        "compat": rule.compat,
    }
