"""What does a rule do with a request that matches, and from how many matches on?

`action` says what becomes of the request, `strip` which headers go, `rate` that one client must have matched
more than so often. What does not go together is told as a key and a text.
"""

from stopgap.config.checks import TOKEN, listed
from stopgap.errors import nearest
from stopgap.ruleset.model import ACTIONS, Expr, Rate, RateText, RuleText
from stopgap.tomlfile import KeyPath

STOP = frozenset({"block", "drop", "tarpit"})
"""Actions that keep a request from the origin."""

LONGEST_PERIOD = 86_400
MOST_MATCHES = 1_000_000
MOST_DISTINCT = 60
"""Different values are counted in 64 bits, as an estimate; above this it would be none."""

DISTINCT = {"param": True, "form": True, "header": True, "cookie": True, "path": False}
"""The fields whose different values can be counted, and whether they are written with a name."""

FRAMING = ("connection", "content-length", "host", "transfer-encoding")
"""Headers that say where a request goes and where it ends."""

Problem = tuple[KeyPath, str]


def problem(text: RuleText, match: Expr) -> Problem | None:
    """What is wrong with the action, the headers to strip or the rate of a rule."""
    if text.action not in ACTIONS:
        return ("action",), f'"{text.action}" is unknown{nearest(text.action, ACTIONS)}'
    strip = listed(text.strip)
    if text.action == "strip" and not strip:
        return ("action",), '"strip" needs strip = [...], the names of the headers to take out'
    if strip and text.action != "strip":
        return ("strip",), f'goes with action = "strip" only, not with "{text.action}"'
    for name in strip:
        if not TOKEN.fullmatch(name):
            return ("strip",), f"{name!r} is not the name of a header"
        if name.lower() in FRAMING:
            return ("strip",), f'"{name}" says where the request goes or ends and can\'t be taken out'
    return _rate_problem(text.rate, text.action, match) if text.rate else None


def _rate_problem(rate: RateText, action: str, match: Expr) -> Problem | None:
    if action == "strip":
        return ("rate",), 'does not go with action = "strip"; a header is taken out at once or not at all'
    if match.get("field") == "reason":
        return ("rate",), "a rule that labels a reason matches nothing, so there is nothing to count"
    if not 1 <= rate.over <= MOST_MATCHES:
        return ("rate", "over"), f"{rate.over} is not between 1 and {MOST_MATCHES}"
    if not 1 <= rate.per <= LONGEST_PERIOD:
        return ("rate", "per"), f"{rate.per} is not between 1 and {LONGEST_PERIOD} seconds"
    if rate.distinct is not None:
        field, dot, name = rate.distinct.partition(".")
        if DISTINCT.get(field) is not bool(dot and name):
            known = ", ".join(f"{one}.NAME" if named else one for one, named in DISTINCT.items())
            return ("rate", "distinct"), f'"{rate.distinct}" is not a field that can be counted; use {known}'
        if rate.over > MOST_DISTINCT:
            text = f"different values are counted as an estimate, up to {MOST_DISTINCT}; {rate.over} is more"
            return ("rate", "over"), text
    for status in _statuses(rate):
        if not 100 <= status <= 599:
            return ("rate", "answers"), f"{status} is not the status of an answer (100 to 599)"
    return None


def rate(text: RateText) -> Rate:
    """The rate of a rule that has no problem."""
    field, _, name = (text.distinct or "").partition(".")
    distinct = (field, name.lower() or None) if field else None
    return Rate(over=text.over, per=text.per, distinct=distinct, answers=_statuses(text))


def written(rate: Rate) -> str:
    """`more than 20 different param.d of one client within 60 s, answered 404 or 500`."""
    field, name = rate.distinct or (None, None)
    what = f"different {field}.{name}" if name else f"different {field}" if field else "matches"
    answered = f", answered {' or '.join(map(str, rate.answers))}" if rate.answers else ""
    return f"more than {rate.over} {what} of one client within {rate.per} s{answered}"


def _statuses(rate: RateText) -> tuple[int, ...]:
    return (rate.answers,) if isinstance(rate.answers, int) else tuple(dict.fromkeys(rate.answers))
