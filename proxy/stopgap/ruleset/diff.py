"""What lies between two rulesets?

Rules that came, went or changed and in which keys; sites, limits, exceptions and modes; and of all vectors of
both sides those that are judged otherwise. A side is a configuration with its packs, or packs alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from stopgap import _core
from stopgap.config import Config, SiteException
from stopgap.config.resolve import load as load_config
from stopgap.ruleset import load, spec, vectors
from stopgap.ruleset.model import Rule, Ruleset, Vector

LONGEST = 100
"""Characters of a vector that are shown."""
UNTOLD = frozenset({"file", "line", "match_line", "block", "passes", "pack"})
"""Keys of a rule that are not compared as they are: places, and vectors, which are compared by their text."""
OF_SITE = frozenset({"name", "limits", "deadlines", "modes", "exceptions"})
"""Keys of a site that are compared piece by piece."""
OF_CONFIG = (
    *("listen", "admin", "workers", "trusted", "proxy_protocol", "new_connections", "client_connections"),
    *("max_connections", "tls", "log", "state"),
)


class Side(msgspec.Struct, frozen=True):
    """One of the two. Packs alone are judged on a site of every server table (`any`), in two code pages."""

    name: str
    ruleset: Ruleset
    config: Config | None
    policy: _core.Policy
    sites: tuple[str, ...]


def of_config(name: str, file: str) -> Side:
    """The side of a configuration. Raises `InputError`."""
    config = load_config(file)
    ruleset = load.load(config)
    policy = spec.compiled(spec.build(config, ruleset))
    return Side(name, ruleset, config, policy, tuple(site.name for site in config.sites))


def of_packs(name: str, files: Sequence[str]) -> Side:
    """The side of packs alone. Raises `InputError`."""
    ruleset = load.assemble(load.packs_of(files), {})
    every = range(len(ruleset.rules))
    sites = [vectors.bench_site("any", page, every) for page in vectors.CODEPAGES]
    policy = spec.compiled(spec.join(ruleset.rules, sites))
    return Side(name, ruleset, None, policy, tuple(site["name"] for site in sites))


def differences(old: Side, new: Side) -> list[str]:
    """One line for each thing that differs, from `old` to `new`."""
    found = [*_rules(old.ruleset.rules, new.ruleset.rules)]
    if old.config and new.config:
        found += _configs(old.config, new.config)
    return [*found, *_verdicts(old, new)]


def _rules(old: Sequence[Rule], new: Sequence[Rule]) -> Iterator[str]:
    before, after = ({rule.id: rule for rule in rules} for rules in (old, new))
    for name in [one for one in before if one not in after]:
        yield f'- rule "{name}" ({before[name].pack}): {before[name].title}'
    for name in [one for one in after if one not in before]:
        yield f'+ rule "{name}" ({after[name].pack}): {after[name].title}'
    for name in [one for one in after if one in before]:
        if changed := _changed(_told(before[name]), _told(after[name])):
            yield f'~ rule "{name}": {", ".join(changed)}'
    common = [[rule.id for rule in rules if rule.id in before and rule.id in after] for rules in (old, new)]
    if common[0] != common[1]:
        yield "~ rules: they are asked in another order"


def _told(rule: Rule) -> dict[str, Any]:
    keys = {key: getattr(rule, key) for key in rule.__struct_fields__ if key not in UNTOLD}
    return keys | {"block": _texts(rule.block), "pass": _texts(rule.passes)}


def _texts(listed: Sequence[Vector]) -> list[str]:
    return [vector.text for vector in listed]


def _configs(old: Config, new: Config) -> Iterator[str]:
    for key in OF_CONFIG:
        yield from _line(key, getattr(old, key), getattr(new, key))
    before, after = ({site.name: site for site in config.sites} for config in (old, new))
    for name in [one for one in before if one not in after]:
        yield f'- site "{name}"'
    for name in [one for one in after if one not in before]:
        yield f'+ site "{name}"'
    for name in [one for one in after if one in before]:
        one, other = before[name], after[name]
        at = f'site "{name}"'
        for key in [key for key in one.__struct_fields__ if key not in OF_SITE]:
            yield from _line(f"{at} {key}", getattr(one, key), getattr(other, key))
        for key in ("limits", "deadlines", "modes"):
            tables: list[Mapping[str, Any]] = [dict(getattr(site, key)) for site in (one, other)]
            for entry in dict.fromkeys([*tables[0], *tables[1]]):
                yield from _line(f"{at} {key}.{entry}", tables[0].get(entry), tables[1].get(entry))
        yield from _exceptions(at, one.exceptions, other.exceptions)


def _exceptions(at: str, old: Sequence[SiteException], new: Sequence[SiteException]) -> Iterator[str]:
    before, after = ([msgspec.structs.replace(one, where="") for one in listed] for listed in (old, new))
    for sign, listed, others in (("-", before, after), ("+", after, before)):
        for one in listed:
            if one not in others:
                keys = ((key, getattr(one, key)) for key in ("path", "clients", "fields", "compat", "until"))
                more = ", ".join(f"{key} {_shown(value)}" for key, value in keys if value)
                yield f'{sign} {at} exception to "{one.rule}"' + (f": {more}" if more else "")


def _line(what: str, old: Any, new: Any) -> Iterator[str]:
    if old != new:
        yield f"~ {what}: {_shown(old)} -> {_shown(new)}"


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None or value == "" else str(value)


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [key for key in old if old[key] != new[key]]


def _verdicts(old: Side, new: Side) -> Iterator[str]:
    """The vectors of both sides that are judged otherwise on a site that both have."""
    rules = (*old.ruleset.rules, *new.ruleset.rules)
    texts = dict.fromkeys(vector.text for rule in rules for vector in rule.vectors)
    for site in [name for name in old.sites if name in new.sites]:
        at = f' on site "{site}"' if len(old.sites) > 1 or old.config else ""
        for text in texts:
            try:
                raw = vectors.request(text)
            except ValueError:
                continue
            was, now = (_verdict(side, raw, side.sites.index(site)) for side in (old, new))
            if was != now:
                yield f"~ vector {_cut(text)}{at}: {was} -> {now}"


def _verdict(side: Side, raw: bytes, site: int) -> str:
    judged = side.policy.judge(raw, site)
    if judged is None:
        return "passes"
    reason, rule, _ = judged
    name = _core.reasons()[reason][0]
    return f"refused, {name} ({side.policy.rules[rule]})" if rule >= 0 else f"refused, {name}"


def _cut(text: str) -> str:
    return repr(text if len(text) <= LONGEST else text[: LONGEST - 3] + "...")
