"""What is told of rules, reasons, events and changes, as data for the dashboard and for programs?"""

import difflib
from typing import Any

from stopgap import _core
from stopgap.admin.metrics import ACTIONS
from stopgap.admin.status import Site, Source
from stopgap.errors import printable
from stopgap.events.memory import Page
from stopgap.events.writer import Writer
from stopgap.ruleset import actions
from stopgap.ruleset.history import Kept
from stopgap.ruleset.model import Rule
from stopgap.ruleset.modes import TIERS
from stopgap.ruleset.pages import Reason, remedy, unlinked
from stopgap.ruleset.pages import reasons as known_reasons
from stopgap.ruleset.sentences import JAPANESE
from stopgap.ruleset.words import outline

TARGET = 200
"""Characters of a target in a row; the event itself has more."""
MOST_LINES = 400
"""Lines of one difference."""


def rules(source: Source) -> list[dict[str, Any]]:
    """The rules in force, with their mode on each site and their hits since the start."""
    hits = _hits(source)
    return [_rule(rule, index, source, hits) for index, rule in enumerate(source.handover.ruleset.rules)]


def rule(source: Source, name: str) -> dict[str, Any] | None:
    """Everything about one rule; None where there is none of this name."""
    for index, one in enumerate(source.handover.ruleset.rules):
        if one.id == name:
            return {
                **_rule(one, index, source, _hits(source)),
                "title_ja": one.title_ja,
                "why": one.why,
                "legit": one.legit,
                "action": one.action,
                "strip": one.strip,
                "rate": actions.written(one.rate) if one.rate else "",
                "labels": one.labels,
                "match": list(outline(one.match)),
                "compat": {mode: list(outline(expr)) for mode, expr in one.compat.items()},
                "block": [vector.text for vector in one.block],
                "pass": [vector.text for vector in one.passes],
                "file": f"{one.file}:{one.line}",
            }
    return None


def reasons(source: Source) -> list[dict[str, Any]]:
    """The reasons, with their mode on each site where they have a choice, and how often each was given."""
    totals = source.board.totals("reasons")
    return [_reason(reason, source, totals[2 * place], totals[2 * place + 1]) for place, reason in _places()]


def rows(writer: Writer, page: Page) -> list[tuple[Any, ...]]:
    """Events as short rows: id, time in ms, action, site, rule, reason, tier, client, method, host, target,
    status, mode, count."""
    found = []
    for news in page.news:
        event, last = writer.told(news), news[0][3]
        row: tuple[Any, ...] = (
            event.event_id,
            round(news[1] * 1000) - last,
            event.event_action,
            event.site,
            event.rule_id,
        )
        row += (event.reason, event.tier, event.client, event.method, event.host, event.target[:TARGET])
        found.append((*row, event.status, event.mode, event.count))
    return found


def history(source: Source) -> list[dict[str, Any]]:
    """The rulesets that are kept, newest first, each with what its texts changed since the one before."""
    kept, in_use = source.rulesets(), source.status.ruleset
    told = [
        {
            "version": one.version,
            "time": one.time,
            "in_use": one.version == in_use,
            "first": before is None,
            "diff": _difference(before, one) if before else [],
        }
        for before, one in zip([None, *kept], kept, strict=False)
    ]
    return told[::-1]


def _rule(rule: Rule, index: int, source: Source, hits: dict[str, dict[str, int]]) -> dict[str, Any]:
    ruleset = source.handover.ruleset
    sites = [site for site in source.status.sites if index in ruleset.sites.get(site.name, ())]
    return {
        "id": rule.id,
        "title": rule.title,
        "title_ja": rule.title_ja,
        "pack": rule.pack,
        "servers": rule.servers,
        "severity": rule.severity,
        "refs": rule.refs,
        "modes": {site.name: _mode(site, rule) for site in sites},
        "hits": hits.get(rule.id, {}),
    }


def _mode(site: Site, rule: Rule) -> str:
    """Of a rule that only labels reasons: that of the first of them that is not in the mode of its site."""
    return next((site.modes[name] for name in (rule.id, *rule.labels) if name in site.modes), site.mode)


def _hits(source: Source) -> dict[str, dict[str, int]]:
    """By rule, how often it was carried out, by action; what is 0 is left out."""
    totals = source.board.totals("rules")
    return {
        rule: {word: count for place, word in enumerate(ACTIONS) if (count := totals[first + place])}
        for rule, first in ((rule, index * len(ACTIONS)) for rule, index in _rules_of(source))
    }


def _rules_of(source: Source) -> list[tuple[str, int]]:
    return list(source.counters.registry.rules.items())


def _places() -> list[tuple[int, Reason]]:
    known = known_reasons()
    return [(place, known[name]) for place, (name, *_) in enumerate(_core.reasons())]


def _reason(reason: Reason, source: Source, refused: int, detected: int) -> dict[str, Any]:
    free = reason.tier in TIERS
    return {
        "name": reason.name,
        "tier": reason.tier,
        "status": reason.status,
        "iis": reason.iis,
        "text": reason.sentence,
        "text_ja": JAPANESE.get(reason.name, ""),
        "remedy": unlinked(remedy(reason)),
        "refused": refused,
        "detected": detected,
        "modes": {site.name: site.modes.get(reason.name, site.mode) for site in source.status.sites if free},
    }


def _difference(before: Kept, now: Kept) -> list[str]:
    """Lines of a unified difference of all texts."""
    lines: list[str] = []
    for name in sorted({*before.texts, *now.texts}):
        old, new = (one.texts.get(name, "").splitlines() for one in (before, now))
        if old != new:
            lines += difflib.unified_diff(old, new, name, name, lineterm="", n=2)
    return [printable(line.expandtabs()) for line in lines[:MOST_LINES]]
