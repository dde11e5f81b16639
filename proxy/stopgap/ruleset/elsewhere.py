"""What would become of a request under another server table, with a pack more or in another configuration?"""

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct, structs

from stopgap import _core
from stopgap.config import Config
from stopgap.ruleset import load, spec
from stopgap.ruleset.actions import STOP
from stopgap.ruleset.diff import Side
from stopgap.ruleset.explain import Verdict, read

ALL = "all"
"""Stands for every server table."""


class Elsewhere(Struct, frozen=True):
    """What would become of the request: `fate` in words, `verdict` None where it passes."""

    name: str
    fate: str
    verdict: Verdict | None


def under(
    names: Sequence[str],
    config: Config,
    site: int | None,
    request: bytes,
    table: Callable[[str], Config],
    side: Callable[[str], Side],
) -> Iterator[Elsewhere]:
    """The fate under each of `names`: a server table or `ALL`, a pack that is added to the sites, or what
    `side` makes of it, a configuration or a kept version. Raises `InputError`.

    `table` gives the configuration with another server table, whose limits are others too. `site` is that
    of `config` which judges, None for the one that the Host of the request names.
    """
    tables = _core.servers()
    for name in dict.fromkeys(one for given in names for one in (tables if given == ALL else [given])):
        if name in tables:
            yield _judged(name, table(name), site, request)
            continue
        other = side(name)
        if other.config is None:
            sites = tuple(structs.replace(one, rules=(*one.rules, name)) for one in config.sites)
            yield _judged(f"with {name}", structs.replace(config, sites=sites), site, request)
            continue
        known = config.sites[site].name if site is not None else ""
        place = other.sites.index(known) if known in other.sites else 0 if len(other.sites) == 1 else None
        yield told(name, read(other.policy.explain(request, place)).verdict)


def _judged(name: str, config: Config, site: int | None, request: bytes) -> Elsewhere:
    policy = spec.compiled(spec.build(config, load.load(config)))
    return told(name, read(policy.explain(request, site)).verdict)


def told(name: str, verdict: Verdict | None) -> Elsewhere:
    """A verdict in a few words."""
    if verdict is None:
        return Elsewhere(name, "passes", None)
    why = verdict.reason + (f", rule {verdict.rule}" if verdict.rule else "")
    stops = verdict.action in STOP and verdict.mode != "detect"
    fate = f"refused with {verdict.status}: {why}" if stops else f"passes, and is told as {why}"
    return Elsewhere(name, fate, verdict)
