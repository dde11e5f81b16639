"""How is the request of a remembered event read and judged by the rules in use now?

It is what `stopgap explain --event` shows, as data. The policy that judges is compiled once for a ruleset and
kept until another one is in use, so that looking at events costs no memory and next to no time.
"""

import threading
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from stopgap import _core
from stopgap.events.find import rebuilt
from stopgap.events.schema import ANSWER, Event
from stopgap.gate.handover import Handover
from stopgap.ruleset import spec
from stopgap.ruleset.aftermath import steps
from stopgap.ruleset.explain import read, shown
from stopgap.ruleset.model import Rule
from stopgap.ruleset.propose import cause_found


class Compiled(msgspec.Struct, frozen=True):
    """`excepted`: by site, why each exception in force was made."""

    version: str
    policy: _core.Policy
    excepted: dict[str, tuple[str, ...]]


class Judge:
    """Judges by one ruleset at a time; for any thread."""

    def __init__(self) -> None:
        self._compiled: Compiled | None = None
        self._lock = threading.Lock()

    def explained(self, handover: Handover, event: Event) -> dict[str, Any]:
        """The event, and its request with all readings; `seen` is None where the request is not known."""
        rules = {rule.id: rule for rule in handover.ruleset.rules}
        told: dict[str, Any] = {"event": event, "seen": None, "missing": (), "excepted": (), "differs": False}
        told["titles"] = _titles([event.rule_id], rules)
        told["steps"] = (
            list(steps(event.event_id, event.site, event.status, event.rule_id, rules.get(event.rule_id)))
            if event.event_action == ANSWER
            else []
        )
        names = [site.name for site in handover.config.sites]
        request = rebuilt(event)
        if request is None or event.site not in names:
            return told
        known = self._of(handover)
        seen = read(known.policy.explain(request.request, names.index(event.site)))
        return {
            **told,
            "seen": _shown(msgspec.to_builtins(seen)),
            "missing": request.missing,
            "excepted": known.excepted.get(event.site, ()),
            "differs": not cause_found(seen, event),
            "titles": {**told["titles"], **_titles([found.rule for found in seen.findings], rules)},
        }

    def _of(self, handover: Handover) -> Compiled:
        version = handover.activate.version
        with self._lock:
            if self._compiled is None or self._compiled.version != version:
                built = spec.build(handover.config, handover.ruleset, today=handover.day)
                self._compiled = Compiled(version, spec.compiled(built), built.excepted)
            return self._compiled


def _shown(value: Any) -> Any:
    """The same with every text cut, and without what moves a cursor or turns the text."""
    if isinstance(value, dict):
        return {key: _shown(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(one) for one in value]
    return shown(value) if isinstance(value, str) else value


def _titles(names: Iterable[str | None], rules: Mapping[str, Rule]) -> dict[str, dict[str, str]]:
    """In both languages, of those rules that there still are."""
    found = [rules[name] for name in names if name is not None and name in rules]
    return {rule.id: {"title": rule.title, "title_ja": rule.title_ja} for rule in found}
