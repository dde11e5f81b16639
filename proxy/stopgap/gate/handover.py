"""What do the workers get, and is it right?

At start and at every reload the same way is gone: read the configuration and the packs, lint every rule
and run its vectors, write the specification, compile it. Only what came through all of that is handed
over; a mistake ends it with an `InputError` that names file, rule and line, and nothing has changed.
"""

import datetime
from collections.abc import Callable

import msgspec

from stopgap import texts
from stopgap.config import Config, access
from stopgap.config import Site as SiteConfig
from stopgap.config.evidence import homeless
from stopgap.errors import ConfigError, RuleError
from stopgap.events.file import unable
from stopgap.events.schema import Known
from stopgap.gate import certificates
from stopgap.gate.messages import Activate, Probe, Settings, Site
from stopgap.ruleset import lint, load, modes, spec
from stopgap.ruleset.model import Ruleset

MOST_ORIGINS = 256
"""The board has counters for so many origins (`origin_errors`)."""


class Handover(msgspec.Struct, frozen=True):
    """A configuration that was checked in full, and the message that brings it to a worker."""

    config: Config
    ruleset: Ruleset
    activate: Activate
    day: datetime.date
    """The day (UTC) whose exceptions are in force."""
    modes: dict[str, dict[str, str]]
    """By site, the rules and reasons in another mode than the site's own."""
    warnings: tuple[str, ...]
    """What is not wrong but worth a line, such as an exception that has run out."""
    texts: dict[str, bytes]
    """What was read for it, by path; never the token."""
    token: str = ""
    """What the admin address asks for, "" for nothing."""

    @property
    def drain(self) -> float:
        """Seconds that requests in flight may take to finish."""
        return self.activate.settings.drain

    def known(self) -> Known:
        titles = {rule.id: rule.title for rule in self.ruleset.rules}
        config = self.config
        keeping = {site.name: site.evidence for site in config.sites if site.evidence}
        return Known(titles=titles, masked=config.telling.masked, keeping=keeping, state=config.state)


class Counters(msgspec.Struct, frozen=True):
    """Which index on the board belongs to whom; kept, and only added to, while the supervisor lives."""

    registry: spec.Registry
    origins: dict[str, int]


def prepare(
    read: Callable[[], Config],
    counters: Counters,
    today: datetime.date,
    advance: Callable[[], None] = lambda: None,
) -> Handover:
    """Read, check and compile. `read` gives the configuration; `advance` is called after each vector.

    `today` (UTC) decides which exceptions are in force. Raises `InputError`.
    """
    with texts.noted() as noted:
        config = read()
        ruleset = load.load(config)
    if problems := lint.problems(ruleset.rules, advance):
        raise RuleError(*problems)
    built = spec.build(config, ruleset, counters.registry, today)
    policy = spec.compiled(built)
    secured = certificates.check(config, today)
    if config.telling.rotation and (why := unable(config.log)):
        raise ConfigError(f"{config.where('log_rotate')}: log_rotate: {why}")
    if problems := homeless(config):
        raise ConfigError(*problems)
    sites = [_site(site, counters.origins) for site in config.sites]
    settings = Settings(
        trusted=list(config.trusted),
        proxy_protocol=list(config.proxy_protocol),
        tls=secured.listening,
        workers=config.workers,
        drain=max(site.deadlines["drain"] for site in config.sites),
    )
    activate = Activate(version=built.version, spec=built.json, sites=sites, settings=settings)
    return Handover(
        config=config,
        ruleset=ruleset,
        activate=activate,
        day=today,
        modes=modes.differing(config, policy),
        warnings=(*built.warnings, *secured.warnings),
        texts=noted,
        token=access.of(config),
    )


def renewed(handover: Handover, counters: Counters, today: datetime.date) -> Handover:
    """The same on another day: exceptions whose last day is over are out of it. No file is read."""
    built = spec.build(handover.config, handover.ruleset, counters.registry, today)
    spec.compiled(built)
    activate = msgspec.structs.replace(handover.activate, version=built.version, spec=built.json)
    return msgspec.structs.replace(handover, activate=activate, day=today, warnings=built.warnings)


def expect(fresh: Handover, version: str) -> None:
    """Raise `InputError` unless this is the version that somebody has judged and wants."""
    if fresh.activate.version != version:
        raise ConfigError(
            f"the files give {fresh.activate.version}, and {version} is wanted: they have changed since it "
            "was judged, or the gate has flags beside its file"
        )


def unchangeable(old: Config, new: Config) -> list[str]:
    """What of a new configuration only a restart can change; one line each."""
    pairs = {
        "listen": (_listed(old), _listed(new)),
        "admin": (str(old.admin), str(new.admin)),
        "workers": (str(old.workers), str(new.workers)),
        "log": (old.log, new.log),
        "user": (_user(old), _user(new)),
        "state": (old.state or "none", new.state or "none"),
        "tls": ("on" if old.tls else "off", "on" if new.tls else "off"),
        "tls.redirect": (_redirected(old), _redirected(new)),
    }
    return [
        f"{new.where(*key.split('.'))}: {key}: was {before}, is now {after}: needs a restart"
        for key, (before, after) in pairs.items()
        if before != after
    ]


def _user(config: Config) -> str:
    who = config.identity
    return f"{who.user}:{who.group}" if who else "none"


def _listed(config: Config) -> str:
    return ", ".join(map(str, config.listen))


def _redirected(config: Config) -> str:
    addresses = ", ".join(map(str, config.tls.redirect)) if config.tls else ""
    return (
        f"{addresses} to port {config.tls.redirect_port or 'of listen'}"
        if config.tls and addresses
        else "none"
    )


def _site(site: SiteConfig, indexes: dict[str, int]) -> Site:
    origins = tuple(address.url for address in site.origins)
    for url in origins:
        indexes.setdefault(url, len(indexes))
    if len(indexes) > MOST_ORIGINS:
        raise ConfigError(
            f"site.origins: more than {MOST_ORIGINS} different origins since the start; restart"
        )
    return Site(
        name=site.name,
        origins=origins,
        counters=tuple(indexes[url] for url in origins),
        connect=site.deadlines["connect"],
        write=site.deadlines["write"],
        connections=site.connections,
        failures=site.health.failures,
        slow_start=site.health.slow_start,
        probe=_probe(site),
        tls=certificates.origins(site),
        sticky=site.sticky is not None and len(origins) > 1,
    )


def _probe(site: SiteConfig) -> Probe | None:
    """What its origins are asked, in the name of the site's first plain host."""
    known = site.health
    if not known.path:
        return None
    return Probe(
        path=known.path,
        host=next((host for host in site.hosts if not host.startswith("*")), ""),
        interval=known.interval,
        timeout=known.timeout,
        rise=known.rise,
        fall=known.fall,
        status=known.status,
    )
