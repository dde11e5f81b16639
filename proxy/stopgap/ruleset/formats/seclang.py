"""What can ModSecurity refuse of Stopgap's rules? SecRules, a chain for each case.

A path is looked at after each of its transformations (`multiMatch`): as ModSecurity has it, decoded with `%u`
once and twice, and normalised as Windows does it. The number of a rule follows from its id and stays.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, product

from stopgap.config import Site
from stopgap.ruleset.formats.clauses import Test
from stopgap.ruleset.formats.defence import PLAIN, Said, said
from stopgap.ruleset.formats.model import Exported
from stopgap.ruleset.model import Rule

FIRST = 1_000_000_000
MOST_CHAINS = 1000
HEAD = f"""\
# Stopgap's rules for ModSecurity: defence in depth, not a replacement. They know few spellings.
# They need `SecRuleEngine On`, and `SecRequestBodyAccess On` for those that look into the body. Their numbers
# are {FIRST} and above; `msg` is the id of the rule.
"""

_TYPE, _FORM = "REQUEST_HEADERS:Content-Type", "(?i:urlencoded)"
_UNI = "t:urlDecodeUni,t:urlDecodeUni"
_READ = "overlong UTF-8, code pages and best fit are not read as IIS does"

READS = {
    **PLAIN,
    "version": "",
    "header": "a header without a value is not seen",
    "path": _READ,
    "query": _READ,
    "body": "as it came",
    "form": "of a body that is declared a form; decoded twice at most",
}
ACTS = {"block": "", "drop": "answered with its status", "tarpit": "answered at once", "detect": ""}

VARIABLES: dict[str, tuple[str, str]] = {
    "method": ("REQUEST_METHOD", ""),
    "version": ("REQUEST_PROTOCOL", ""),
    "host": ("REQUEST_HEADERS:Host", ""),
    "target": ("REQUEST_URI_RAW", ""),
    "path.raw": ("REQUEST_URI_RAW", ""),
    "query.raw": ("QUERY_STRING", ""),
    "length": ("REQUEST_HEADERS:Content-Length", ""),
    "header": ("REQUEST_HEADERS:{}", ""),
    "path": ("REQUEST_FILENAME", f",{_UNI},t:normalizePathWin,multiMatch"),
    "query": ("QUERY_STRING", f",{_UNI},multiMatch"),
    "body": ("REQUEST_BODY", ""),
    "form": ("REQUEST_BODY", f",{_UNI},multiMatch"),
}
"""By source: the variable and what follows `t:none`."""

Ask = tuple[str, str, str]
"""Variables, operator with its argument, transformations."""


def write(site: Site, rules: Sequence[Rule]) -> Exported:
    """The rules as SecRules."""
    kept, notes = said(site, rules, READS, ACTS)
    text = HEAD + "".join("\n" + "\n".join(_lines(one)) + "\n" for one in kept)
    return Exported(text, tuple(notes))


def _lines(one: Said) -> Iterator[str]:
    yield one.comment
    chains = [links for case in one.cases for links in _chains(case)]
    phase = (
        2
        if {"body", "form"} & {spot.source for case in one.cases for test in case for spot in test.spots}
        else 1
    )
    act = "pass" if one.rule.action == "detect" else f"deny,status:{one.status}"
    for place, links in enumerate(chains):
        number = FIRST + one.number * MOST_CHAINS + place
        start = f"id:{number},phase:{phase},{act},log,msg:'{one.rule.id}',"
        for link, (variables, operator, rest) in enumerate(links):
            more = ",chain" if link + 1 < len(links) else ""
            indent = "    " * link
            yield f'{indent}SecRule {variables} "{operator}" "{"" if link else start}t:none{rest}{more}"'


def _chains(case: Sequence[Test]) -> list[list[Ask]]:
    """A case as chains: a chain is an AND, and an OR between variables is another chain."""
    return [[*chain.from_iterable(choice)] for choice in product(*map(_ways, case))]


def _ways(test: Test) -> list[list[Ask]]:
    """How one test may hold: each way is a list of asks that must all hold."""
    looks: dict[str, list[str]] = {}
    for spot in test.spots:
        looks.setdefault(spot.source, []).append(spot.pattern)
    found = {source: "|".join(patterns) for source, patterns in looks.items()}
    if not test.holds:
        absent = (_absent(source, text) for source, text in found.items())
        return [[*chain.from_iterable(choice)] for choice in product(*absent)]
    by_pattern: dict[tuple[str, str], list[str]] = {}
    for source, pattern in found.items():
        variable, rest = _variable(source)
        by_pattern.setdefault((pattern, rest), []).append(variable)
    asks = [("|".join(names), f"@rx {pattern}", rest) for (pattern, rest), names in by_pattern.items()]
    return [[ask, *([(_TYPE, f"@rx {_FORM}", "")] if "form" in found else [])] for ask in asks]


def _absent(source: str, pattern: str) -> list[list[Ask]]:
    """How a pattern may not fit: there is no such thing, or it does not hold the pattern."""
    variable, rest = _variable(source)
    rest = rest.replace(",multiMatch", "")  # it would ask whether one of the forms does not fit
    ways: list[list[Ask]] = [[(variable, f"!@rx {pattern}", rest)]]
    if ":" in source:
        ways.append([(f"&{variable}", "@eq 0", "")])
    if source == "form":
        ways += [[(_TYPE, f"!@rx {_FORM}", "")], [(f"&{_TYPE}", "@eq 0", "")]]
    return ways


def _variable(source: str) -> tuple[str, str]:
    kind, _, named = source.partition(":")
    variable, rest = VARIABLES[kind]
    return variable.format(named), rest
