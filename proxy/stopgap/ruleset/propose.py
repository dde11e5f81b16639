"""Which narrowest change of a site lets the request of one event pass?

Candidates are written into the text of the configuration, one at a time and from the narrowest on, and the
request is judged by what comes out: an exception to the rule on this path alone, for one field or in one
compat mode where that is enough; or, where a limit refused it, the number that the limit needs. What is
refused for more than one reason needs more than one change. A malformed request cannot be let through.
"""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct, structs

from stopgap import config, texts
from stopgap.config import edit
from stopgap.errors import InputError
from stopgap.events import mask
from stopgap.events.find import Rebuilt, unescaped
from stopgap.events.schema import Event
from stopgap.ruleset import load, spec
from stopgap.ruleset.exceptions import LIMITS, OPEN, STRUCTURAL
from stopgap.ruleset.explain import Explanation, Reading, Verdict, read
from stopgap.ruleset.match import leaves
from stopgap.ruleset.model import Rule, Ruleset

DAYS = 90
"""How long a proposed exception holds."""
MOST = 8
"""So many changes may one request need."""
ON_PATH = frozenset({"path", "path.raw", "target", "extension", "segment", "basename", "depth"})


class Hopeless(Exception):
    """No exception can let the request pass; `reason` is why it is refused."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Change(Struct, frozen=True):
    """What is added to the site: `exception` or `limits`, and the keys of that table."""

    table: str
    keys: dict[str, Any]


class Proposal(Struct, frozen=True):
    """The text of the configuration with the changes in it.

    `sure`: the request, as far as the event knows it, is refused without them and passes with them.
    """

    text: str
    changes: tuple[Change, ...]
    sure: bool


class Told(Struct, frozen=True):
    """What an operator says of an exception."""

    reason: str
    owner: str
    until: datetime.date


class _Judge(Struct, frozen=True):
    """Judges one request by any text of the configuration; the rules stay those of the first."""

    file: str
    site: int
    ruleset: Ruleset
    request: bytes

    def seen(self, text: str) -> Explanation:
        with texts.replaced({self.file: text.encode()}):
            changed = config.load(self.file)
        policy = spec.compiled(spec.build(changed, self.ruleset))
        return read(policy.explain(self.request, self.site))


def propose(
    read_config: config.Config, text: str, site: int, event: Event, rebuilt: Rebuilt, told: Told
) -> Proposal:
    """The narrowest change of `text`, the text of `read_config`; none where it passes as it is.

    Raises `Hopeless` when there is none, and `InputError` when the text cannot be changed.
    """
    if read_config.telling.masked:
        event = structs.replace(event, client=mask.network(event.client))
    name = read_config.sites[site].name
    ruleset = load.load(read_config)
    judge = _Judge(read_config.document.file, site, ruleset, rebuilt.request)
    rules = {rule.id: rule for rule in ruleset.rules}
    seen = judge.seen(text)
    if not cause_found(seen, event) and not _met(event, read_config.sites[site].limits):
        change = _blind(event, seen, rules.get(event.rule_id), read_config.sites[site].limits, told)
        return Proposal(_with(text, name, change), (change,), sure=False)
    changes: list[Change] = []
    while seen.verdict is not None and len(changes) < MOST:
        added, text, seen = _step(judge, text, name, seen, seen.verdict, rules, event, told)
        changes += added
    return Proposal(text, tuple(changes), sure=seen.verdict is None)


def cause_found(seen: Explanation, event: Event) -> bool:
    """Whether what an event was told for is found again, and refuses the request by itself."""
    cause = (event.reason, event.rule_id)
    return any(
        (found.reason, found.rule or "") == cause and not (found.counted and found.excepted is None)
        for found in seen.findings
    )


def _step(
    judge: _Judge,
    text: str,
    site: str,
    seen: Explanation,
    verdict: Verdict,
    rules: Mapping[str, Rule],
    event: Event,
    told: Told,
) -> tuple[list[Change], str, Explanation]:
    """The first candidate after which the request is not refused for this any more."""
    for changes in _candidates(seen, verdict, rules.get(verdict.rule or ""), event, told):
        changed = text
        for change in changes:
            changed = _with(changed, site, change)
        try:
            after = judge.seen(changed)
        except InputError:
            continue  # not every candidate is allowed: a name may not be one that can be written
        if after.verdict is None or (after.verdict.reason, after.verdict.rule) != (
            verdict.reason,
            verdict.rule,
        ):
            return changes, changed, after
    raise Hopeless(verdict.reason)


def _candidates(
    seen: Explanation, verdict: Verdict, rule: Rule | None, event: Event, told: Told
) -> Iterator[list[Change]]:
    """Changes that may be enough, the narrowest first."""
    if verdict.reason in LIMITS:
        for number in needed(event):
            yield [Change("limits", {LIMITS[verdict.reason]: number})]
        return
    rule = None if rule is None or rule.labels else rule
    if rule is None and verdict.tier != "ambiguous" and verdict.reason not in STRUCTURAL:
        raise Hopeless(verdict.reason)
    name = rule.id if rule else verdict.reason
    hits = [found for found in seen.findings if name in (found.rule, found.reason)]
    places = {found.reading for found in hits if found.field is None or found.field in ON_PATH}
    some = [glob(reading) for index, reading in enumerate(seen.readings) if index in places]
    every = [glob(reading) for reading in seen.readings]
    for globs in (some[:1], some, every[:1], every):
        for narrow in _narrow(rule, seen) if globs else ():
            yield [exception(name, path, narrow, told) for path in dict.fromkeys(globs)]


def _narrow(rule: Rule | None, seen: Explanation) -> Iterator[dict[str, Any]]:
    """Further keys of an exception to a rule, the narrowest first."""
    if rule is None:
        yield {}
        return
    for mode in rule.compat:
        yield {"compat": mode}
    rest: dict[str, Any] = {"compat": OPEN} if rule.compat else {}
    for field in fields(rule, seen):
        yield {"fields": [field], **rest}
    yield rest


def fields(rule: Rule, seen: Explanation) -> list[str]:
    """The single fields of the request that the rule may have looked at, as an exception names them."""
    found: dict[str, None] = {}
    params = [pair.partition("=")[0] for one in seen.queries for pair in one.query.split("&")]
    for leaf in leaves(rule.match):
        if leaf["field"] in ("header", "cookie") and "name" in leaf:
            found[f"{leaf['field']}.{leaf['name'].lower()}"] = None
        elif leaf["field"] == "form" and leaf.get("on") == "name" and leaf["test"] == "equals":
            found |= {f"form.{name.lower()}": None for name in leaf["value"]}
        elif leaf["field"] in ("param", "query", "query.raw", "target"):
            found |= {f"param.{name}": None for name in params if name}
    return list(found)


def needed(event: Event) -> list[int]:
    """The numbers that may be enough for the limit of an event; none where its target cannot tell."""
    target = unescaped(event.target)
    cut = event.target_length - len(target)
    path, mark, query = target.partition(b"?")
    steps = [step for step in path.split(b"/") if step]
    known = {
        "target-too-long": event.target_length,
        "path-too-long": len(path) + (0 if mark else cut),
        "segment-too-long": max(map(len, steps), default=0),
        "too-many-segments": len(steps),
        "query-too-long": len(query) + cut,
        "too-many-escapes": target.count(b"%"),
    }
    number = known.get(event.reason, 0)
    return [number, number + 1, number * 2] if number else []


def _met(event: Event, limits: Mapping[str, int]) -> bool:
    """The limit of an event has been raised enough since."""
    return event.reason in LIMITS and 0 < next(iter(needed(event)), 0) <= limits[LIMITS[event.reason]]


def _blind(
    event: Event, seen: Explanation, rule: Rule | None, limits: Mapping[str, int], told: Told
) -> Change:
    """What should help by the event alone: its cause lies in a part of the request that it does not hold."""
    if event.reason in LIMITS:
        key = LIMITS[event.reason]
        number = next((number for number in needed(event) if number > limits[key]), limits[key] * 2)
        return Change("limits", {key: number})
    rule = None if rule is None or rule.labels else rule
    if rule is None and event.tier != "ambiguous" and event.reason not in STRUCTURAL:
        raise Hopeless(event.reason)
    path = glob(seen.readings[0]) if seen.readings else "/**"
    narrow: dict[str, Any] = {}
    if rule and rule.rate and event.client:
        narrow = {"clients": [event.client]}
    elif rule and rule.compat:
        narrow = {"compat": next(iter(rule.compat))}
    elif rule and all(leaf["field"] in ("header", "cookie", "form") for leaf in leaves(rule.match)):
        narrow = {"fields": named} if (named := fields(rule, seen)) else {}
    return exception(rule.id if rule else event.reason, path, narrow, told)


def exception(rule: str, path: str, narrow: Mapping[str, Any], told: Told) -> Change:
    keys: dict[str, Any] = {"rule": rule, "path": path, **narrow, "reason": told.reason}
    if told.owner:
        keys["owner"] = told.owner
    return Change("exception", {**keys, "until": told.until})


def glob(reading: Reading) -> str:
    """The glob of the path of one reading, and of nothing else as far as globs can say it.

    An exception must cover a path with its dot segments and without: what both have in common at their ends.
    """
    path, resolved = (text.replace("*", "[*]").split("/") for text in (reading.path, reading.resolved))
    if path == resolved:
        return "/".join(path)
    head = _common(path, resolved)
    tail = _common(path[::-1], resolved[::-1])[::-1]
    room = min(len(path), len(resolved)) - len(head)
    return "/".join([*head, "**", *tail[len(tail) - min(len(tail), room) :]])


def _common(one: Sequence[str], other: Sequence[str]) -> list[str]:
    """The first parts that two lists share."""
    pairs = zip(one, other, strict=False)
    same: list[str] = []
    for left, right in pairs:
        if left != right:
            break
        same.append(left)
    return same


def _with(text: str, site: str, change: Change) -> str:
    if change.table == "exception":
        return edit.with_exception(text, site, change.keys)
    for key, number in change.keys.items():
        text = edit.with_limit(text, site, key, number)
    return text
