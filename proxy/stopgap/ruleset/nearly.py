"""Which exceptions of a site nearly let a request pass, and which of their conditions failed?

An exception that speaks of what was found, and does not cover it, is tried again without its path, its fields
or its compat mode, each alone and then together, by the code that judges in the gate: what has to go before
it covers the request is what failed. Clients and the last day are compared here.
"""

import ipaddress
import itertools
from collections.abc import Iterator, Sequence
from datetime import date

from msgspec import Struct, structs

from stopgap.config import Config, SiteException
from stopgap.errors import InputError
from stopgap.ruleset import spec
from stopgap.ruleset.exceptions import DEFAULT_COMPAT, OPEN, expired
from stopgap.ruleset.explain import Explanation, Finding, read, shown
from stopgap.ruleset.model import Rule, Ruleset

CONDITIONS = ("path", "fields", "compat")
"""What the core compares; each can be left out of an exception."""


class Near(Struct, frozen=True):
    """One exception; `failed` says of each condition that fails what it asks. With none it applies."""

    rule: str
    reason: str
    where: str
    failed: tuple[str, ...]


def nearly(
    config: Config, ruleset: Ruleset, seen: Explanation, request: bytes, client: str, today: date
) -> list[Near]:
    """The exceptions that speak of what was found in `request` and do not cover it; `client` "" for unknown.

    One that only asks for the client, and names this one, is told too: an explanation is for no client.
    """
    index = next((place for place, site in enumerate(config.sites) if site.name == seen.site), None)
    if index is None:
        return []
    uncovered = [one for one in seen.findings if one.excepted is None and not one.counted]
    names = {name for one in uncovered for name in (one.rule, one.reason) if name}
    active = [ruleset.rules[place] for place in ruleset.sites[seen.site]]
    found = []
    for one in config.sites[index].exceptions:
        if one.rule in names:
            rule = next((rule for rule in active if rule.id == one.rule), None)
            trial = _Trial(config, index, rule, request, today)
            if (failed := _failed(trial, one, rule, client, today)) is not None:
                found.append(Near(one.rule, one.reason, one.where, tuple(failed)))
    return found


def sentence(near: Near) -> str:
    """It in words, for people."""
    begins = f'exception to "{near.rule}" ({near.reason}) at {near.where}'
    return f"{begins}: {'; '.join(near.failed) or 'covers it for this client'}"


class _Trial(Struct, frozen=True):
    """One site with one exception and the rule that it is for, and nothing else."""

    config: Config
    index: int
    rule: Rule | None
    request: bytes
    today: date

    def uncovered(self, exception: SiteException) -> tuple[list[Finding], Explanation]:
        """What this exception speaks of, and does not cover."""
        old = self.config.sites[self.index]
        sites = list(self.config.sites)
        sites[self.index] = structs.replace(old, exceptions=(exception,), modes={})
        rules = (self.rule,) if self.rule else ()
        places = {site.name: tuple(range(len(rules))) if site.name == old.name else () for site in sites}
        others = [structs.replace(site, exceptions=(), modes={}) for site in sites]
        others[self.index] = sites[self.index]
        config = structs.replace(self.config, sites=tuple(others))
        built = spec.build(config, Ruleset(packs=(), rules=rules, sites=places), None, self.today)
        seen = read(spec.compiled(built).explain(self.request, self.index))
        about = [one for one in seen.findings if exception.rule in (one.rule, one.reason)]
        return [one for one in about if one.excepted is None], seen


def _failed(
    trial: _Trial, one: SiteException, rule: Rule | None, client: str, today: date
) -> list[str] | None:
    """The conditions that fail, in words; None where nothing would make the exception cover the request."""
    failed = []
    if expired(one, today):
        failed.append(f"until: its last day was {one.until}")
    if one.clients and not _among(client, one.clients):
        failed.append(f"clients: {client or 'the client is not known, and'} is none of {_few(one.clients)}")
    open_one = structs.replace(one, until=None, clients=())
    held = [key for key in CONDITIONS if _has(open_one, key, rule)]
    try:
        for dropped in itertools.chain.from_iterable(
            itertools.combinations(held, size) for size in range(len(held) + 1)
        ):
            if not trial.uncovered(_without(open_one, dropped))[0]:
                return [*(text for key in dropped for text in _told(trial, open_one, key, held)), *failed]
    except InputError:
        return None
    return None


def _has(one: SiteException, key: str, rule: Rule | None) -> bool:
    if key != "compat":
        return bool(getattr(one, key))
    return one.compat not in (None, OPEN) or (
        one.compat is None and rule is not None and DEFAULT_COMPAT in rule.compat
    )


def _without(one: SiteException, dropped: Sequence[str]) -> SiteException:
    nothing = {"path": None, "fields": (), "compat": OPEN}
    return structs.replace(one, **{key: nothing[key] for key in dropped})


def _told(trial: _Trial, one: SiteException, key: str, held: Sequence[str]) -> Iterator[str]:
    if key == "compat":
        yield f'compat: the request does not fit "{one.compat or DEFAULT_COMPAT}"'
    elif key == "fields":
        yield f"fields: it would be caught without {_few(one.fields)} too"
    else:
        left, seen = trial.uncovered(_without(one, [other for other in held if other != "path"]))
        paths = dict.fromkeys(
            shown(seen.readings[finding.reading].path)
            for finding in left
            if finding.reading < len(seen.readings)
        )
        yield f"path: {one.path} does not cover {_few(tuple(paths)) or 'the request'}"


def _among(client: str, networks: Sequence[str]) -> bool:
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return False
    return any(address in ipaddress.ip_network(network) for network in networks)


def _few(words: Sequence[str], most: int = 3) -> str:
    return ", ".join(words[:most]) + (", ..." if len(words) > most else "")
