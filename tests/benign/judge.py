"""Does a site with its preset refuse anything of what its application gets? Judged as the gate would."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from stopgap import _core, config
from stopgap.ruleset import load, spec
from tests.benign.applications import Application

EXAMPLES = 3


@dataclass
class Outcome:
    """How many requests were judged, how many of them differ, and who refused how many, with examples."""

    requests: int = 0
    distinct: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[bytes]] = field(default_factory=dict)


def policy(application: Application) -> _core.Policy:
    """The site as an operator would write it: the preset, the code page, nothing else."""
    flags = {"origins": "http://192.0.2.1", "preset": application.preset, **application.site}
    read = config.load(None, flags)
    return spec.compiled(spec.build(read, load.load(read), spec.Registry()))


def judge(
    application: Application, count: int, seed: int = 2001, advance: Callable[[], None] = lambda: None
) -> Outcome:
    """Judge so many requests of an application."""
    judged, outcome, seen = policy(application), Outcome(), set()
    reasons = [name for name, *_ in _core.reasons()]
    for request in application.requests(count, seed):
        outcome.requests += 1
        seen.add(hash(request))
        verdict = judged.judge(request, 0)
        if verdict is not None:
            reason, rule, _ = verdict
            by = judged.rules[rule] if rule >= 0 else reasons[reason]
            outcome.refused[by] += 1
            if len(kept := outcome.examples.setdefault(by, [])) < EXAMPLES:
                kept.append(request)
        advance()
    outcome.distinct = len(seen)
    return outcome
