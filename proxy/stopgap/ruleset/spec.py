"""What does the core get to compile: which rules and sites, in JSON, under which version?

The shape is the core's `rules::spec`: `{"rules": [...], "sites": [...]}`. Counters are places on the board; a
`Registry` that outlives reloads gives a rule, a site or an exception the same place for as long as the
supervisor lives.
"""

import datetime
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from stopgap import _core
from stopgap.config import Config, Site
from stopgap.errors import ConfigError, RuleError
from stopgap.ruleset import exceptions, modes
from stopgap.ruleset.model import Rate, Rule, Ruleset

MOST_CONNECTIONS = ("new_connections", "client_connections", "max_connections")
"""Keys of the top level that the core has to know; 0, its default, is any number."""
MOST_COUNTERS = {"rule": 16_384, "site": 256, "exception": 4096}


class Registry:
    """Which counter belongs to which rule, site and exception. Keep one for the life of the supervisor."""

    def __init__(self) -> None:
        self.rules: dict[str, int] = {}
        self.sites: dict[str, int] = {}
        self.exceptions: dict[str, int] = {}

    def rule(self, name: str) -> int:
        """The counter of a rule, the next free one for a new rule."""
        return self._place(self.rules, name, "rule")

    def site(self, name: str) -> int:
        """The counter of a site, the next free one for a new site."""
        return self._place(self.sites, name, "site")

    def exception(self, name: str) -> int:
        """The counter of an exception by its id, the next free one for a new exception."""
        return self._place(self.exceptions, name, "exception")

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


def build(
    config: Config,
    ruleset: Ruleset,
    registry: Registry | None = None,
    today: datetime.date | None = None,
) -> Spec:
    """The specification of a configuration with its rules. Raises `ConfigError`.

    `registry` is that of a gate; what only judges needs none. `today` decides which exceptions are in force;
    the default is the day in UTC.
    """
    day = today or datetime.datetime.now(datetime.UTC).date()
    warnings: list[str] = []
    excepted: dict[str, tuple[str, ...]] = {}
    sites = []
    for index, site in enumerate(config.sites):
        active = ruleset.sites[site.name]
        rules = [ruleset.rules[n] for n in active]
        resolved = exceptions.resolve(config, index, rules, day)
        warnings += resolved.warnings
        excepted[site.name] = resolved.reasons
        sites.append(site_spec(site, active, resolved.exceptions, modes.resolve(config, index, rules)))
    places = {f'site "{site.name}"': config.where("site", n) for n, site in enumerate(config.sites)}
    most = {key: getattr(config, key) for key in MOST_CONNECTIONS}
    joined = join(ruleset.rules, sites, registry, most)
    return msgspec.structs.replace(
        joined,
        warnings=tuple(warnings),
        excepted=excepted,
        places={**joined.places, **places},
    )


def compiled(spec: Spec) -> _core.Policy:
    """The policy of a specification. Raises `RuleError` where the core finds what Python could not."""
    try:
        return _core.Policy(spec.json)
    except _core.PolicyError as error:
        text = str(error)
        place = next((at for named, at in spec.places.items() if text.startswith(f"{named}:")), None)
        raise RuleError(f"{place}: {text}" if place else text) from None


def site_spec(
    site: Site,
    rules: Sequence[int],
    excepted: Sequence[dict[str, Any]] = (),
    modes: Mapping[str, str] = {},
) -> dict[str, Any]:
    """One site as the core wants it, but for its counters; `rules` are indexes, `modes` by rule or reason.

    A request without a Host gets the site's first plain name, or else the origin's own (catalogue R10).
    """
    named = [host for host in site.hosts if not host.startswith("*")]
    named += [str(origin) for origin in site.origins]
    spec: dict[str, Any] = {
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
    if "canary" in (site.mode, *modes.values()):
        spec["canary"] = site.canary
    if modes:
        spec["modes"] = modes
    if site.methods:
        spec["methods"] = site.methods
    if site.on_error != "refuse":
        spec["on_error"] = site.on_error
    if site.hsts:
        spec["hsts"] = site.hsts
    if site.sticky:
        spec["sticky"] = msgspec.to_builtins(site.sticky)
    if site.evidence:
        spec["evidence"] = {"body": site.evidence.body, "passes": site.evidence.passes}
    if site.scrub.server or site.scrub.addresses:
        origins = [origin.host for origin in site.origins]
        spec["scrub"] = {**msgspec.to_builtins(site.scrub), "origins": origins}
    return spec


def join(
    rules: Sequence[Rule],
    sites: Sequence[dict[str, Any]],
    registry: Registry | None = None,
    most: Mapping[str, int] | None = None,
) -> Spec:
    """Rules and sites -> the specification. The version does not depend on the counters."""
    content: dict[str, Any] = {
        **(most or {}),
        "rules": [_rule_spec(rule) for rule in rules],
        "sites": list(sites),
    }
    version = hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()
    registry = registry or Registry()
    counted = {
        **content,
        "rules": [{**rule, "counter": registry.rule(rule["id"])} for rule in content["rules"]],
        "sites": [_counted(site, registry) for site in content["sites"]],
    }
    return Spec(
        json=msgspec.json.encode(counted),
        version=version[:16],
        rules=tuple(rule.id for rule in rules),
        sites=tuple(site["name"] for site in sites),
        places={f'rule "{rule.id}"': f"{rule.file}:{rule.match_line}" for rule in rules},
    )


def _counted(site: dict[str, Any], registry: Registry) -> dict[str, Any]:
    """A site with its counter and those of its exceptions."""
    excepted = [{**one, "counter": registry.exception(one["id"])} for one in site["exceptions"]]
    for one in excepted:
        del one["id"]
    return {**site, "counter": registry.site(site["name"]), "exceptions": excepted}


def _rule_spec(rule: Rule) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "id": rule.id,
        "servers": rule.servers,
        "status": rule.status,
        "match": rule.match,
        "compat": rule.compat,
    }
    if rule.policy:
        spec["policy"] = True
    if rule.action != "block":
        spec["action"] = rule.action
    if rule.strip:
        spec["strip"] = rule.strip
    if rule.rate:
        spec["rate"] = _rate_spec(rule.rate)
    return spec


def _rate_spec(rate: Rate) -> dict[str, Any]:
    field, name = rate.distinct or (None, None)
    distinct = {"field": field, "name": name} if field else None
    return {"over": rate.over, "per": rate.per, "distinct": distinct, "answers": rate.answers}
