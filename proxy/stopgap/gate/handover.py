"""What do the workers get, and is it right?

At start and at every reload the same way is gone: read the configuration and the packs, lint every rule
and run its vectors, write the specification, compile it. Only what came through all of that is handed
over; a mistake ends it with an `InputError` that names file, rule and line, and nothing has changed.
"""

from collections.abc import Callable

import msgspec

from stopgap.config import Config
from stopgap.config import Site as SiteConfig
from stopgap.errors import ConfigError, RuleError
from stopgap.events.schema import Known
from stopgap.gate import tls
from stopgap.gate.messages import Activate, Settings, Site, Tls
from stopgap.ruleset import lint, load, spec, vectors
from stopgap.ruleset.model import Ruleset

MOST_ORIGINS = 256
"""The board has counters for so many origins (`origin_errors`)."""


class Handover(msgspec.Struct, frozen=True):
    """A configuration that was checked in full, and the message that brings it to a worker."""

    config: Config
    ruleset: Ruleset
    activate: Activate
    warnings: tuple[str, ...]
    """What is not wrong but worth a line, such as an exception that has run out."""

    @property
    def drain(self) -> float:
        """Seconds that requests in flight may take to finish."""
        return self.activate.settings.drain

    def known(self) -> Known:
        return Known(
            titles={rule.id: rule.title for rule in self.ruleset.rules},
            modes={site.name: site.mode for site in self.config.sites},
        )


class Counters(msgspec.Struct, frozen=True):
    """Which index on the board belongs to whom; kept, and only added to, while the supervisor lives."""

    registry: spec.Registry
    origins: dict[str, int]


def prepare(
    read: Callable[[], Config], counters: Counters, advance: Callable[[], None] = lambda: None
) -> Handover:
    """Read, check and compile. `read` gives the configuration; `advance` is called after each vector.

    Raises `InputError`.
    """
    config = read()
    ruleset = load.load(config)
    problems = [*lint.lint(ruleset.rules), *map(str, vectors.run(ruleset.rules, advance))]
    if problems:
        raise RuleError(*problems)
    built = spec.build(config, ruleset, counters.registry)
    spec.compiled(built)
    sites = [_site(site, counters.origins) for site in config.sites]
    settings = Settings(
        trusted=list(config.trusted),
        tls=_tls(config),
        drain=max(site.deadlines["drain"] for site in config.sites),
    )
    activate = Activate(version=built.version, spec=built.json, sites=sites, settings=settings)
    return Handover(config=config, ruleset=ruleset, activate=activate, warnings=built.warnings)


def unchangeable(old: Config, new: Config) -> list[str]:
    """What of a new configuration only a restart can change; one line each."""
    pairs = {
        "listen": (_listed(old), _listed(new)),
        "admin": (str(old.admin), str(new.admin)),
        "workers": (str(old.workers), str(new.workers)),
        "log": (old.log, new.log),
        "tls": ("on" if old.tls else "off", "on" if new.tls else "off"),
    }
    return [
        f"{new.where(key)}: {key}: was {before}, is now {after}: needs a restart"
        for key, (before, after) in pairs.items()
        if before != after
    ]


def _listed(config: Config) -> str:
    return ", ".join(map(str, config.listen))


def _tls(config: Config) -> Tls | None:
    if config.tls is None:
        return None
    paths = Tls(certificate=config.tls.cert, key=config.tls.key)
    try:
        tls.context(paths)
    except tls.TlsError as error:
        raise ConfigError(f"{config.where('tls')}: tls: {error}") from None
    return paths


def _site(site: SiteConfig, indexes: dict[str, int]) -> Site:
    origins = tuple(f"http://{address}" for address in site.origins)
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
    )
