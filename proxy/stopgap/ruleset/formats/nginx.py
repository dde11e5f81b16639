"""What can nginx refuse of Stopgap's rules? Maps for the http block; `$stopgap` is the id of the rule that
fits.

nginx has no AND, so every test is a map from a variable to 0 or 1, every rule a map from the string of its
tests to its id. A path is looked at as nginx reads it (`$uri`) and as it came.
"""

import re
from collections.abc import Iterator, Sequence

from stopgap.config import Site
from stopgap.ruleset.formats.defence import PLAIN, Said, said
from stopgap.ruleset.formats.model import Exported, Note
from stopgap.ruleset.formats.window import Spot
from stopgap.ruleset.model import Rule

HEAD = """\
# Stopgap's rules for nginx: defence in depth, not a replacement. They know plain spellings alone.
# Include this file in the http block. In each server block to be guarded write:
#     if ($stopgap) { return 404; }
# $stopgap is the id of the rule, also for log_format. If nginx warns of variables_hash, raise
# variables_hash_max_size.

map $request_uri $stopgap_raw { default ""; "~\\A(?<stopgap_path>[^?]*)" $stopgap_path; }
"""

READS = {
    **PLAIN,
    "version": "",
    "header": "a header without a value is not seen, nor any but the first of one name",
    "path": "decoded once, dot segments resolved; overlong UTF-8, second decodings, code pages and best fit "
    "are not read as IIS does, and nginx answers 400 to %u and %00",
    "query": "as it came; nothing is decoded",
}
ACTS = {"block": "", "drop": "answered with the status of the server block", "tarpit": "answered at once"}

VARIABLES: dict[str, tuple[str, ...]] = {
    "method": ("$request_method",),
    "version": ("$server_protocol",),
    "host": ("$http_host",),
    "target": ("$request_uri",),
    "path.raw": ("$stopgap_raw",),
    "query.raw": ("$args",),
    "length": ("$http_content_length",),
    "header": ("$http_{}",),
    "path": ("$uri", "$stopgap_raw"),
    "query": ("$args",),
}
LONGEST = 4000
"""nginx reads no longer word than 4096 bytes."""
TOGETHER = 80
"""Rules in one map of the last two steps, so that its word stays short."""


def write(site: Site, rules: Sequence[Rule]) -> Exported:
    """The rules as maps."""
    kept, notes = said(site, rules, READS, ACTS)
    parts: list[str] = []
    results: list[str] = []
    for one in kept:
        lines = list(_maps(one))
        if (longest := max(map(len, lines))) > LONGEST:
            why = f"is left out: nginx reads no word of {longest} bytes"
            notes.append(Note(f'rule "{one.rule.id}"', "the rule", why))
        else:
            parts.append("\n" + one.comment + "\n" + "".join(line + "\n" for line in lines))
            results.append(f"$stopgap_{one.number}")
    return Exported(HEAD + "".join(parts) + "\n" + "".join(_last(results)), tuple(notes))


def _maps(one: Said) -> Iterator[str]:
    """The maps of one rule, each line of them."""
    names: dict[tuple[Spot, ...], str] = {}
    for spots in one.looks:
        words = ""
        for place, (variable, patterns) in enumerate(_looks(spots).items()):
            name = f"$stopgap_{one.number}_{len(names) + 1}{'ab'[place]}"
            words += name
            yield f"map {variable} {name} {{"
            yield "    default 0;"
            yield from (f'    "~{pattern}" 1;' for pattern in patterns)
            yield "}"
        names[spots] = words
    yield f'map "{":".join(names.values())}" $stopgap_{one.number} {{'
    yield '    default "";'
    for case in one.cases:
        holds = {test.spots: test.holds for test in case}
        yield f'    "~\\A{":".join(_bits(holds.get(spots)) for spots in names)}\\z" "{one.rule.id} ";'
    yield "}"


def _bits(holds: bool | None) -> str:
    """What the string of a test must look like: it has a 1, it has none, or whatever."""
    return {True: "0*1[01]*", False: "0+", None: "[01]+"}[holds]


def _looks(spots: Sequence[Spot]) -> dict[str, list[str]]:
    """The patterns of a test by the variable that they are for."""
    looks: dict[str, list[str]] = {}
    for spot in spots:
        kind, _, named = spot.source.partition(":")
        for variable in VARIABLES[kind][: 1 if spot.sized else None]:
            looks.setdefault(variable.format(re.sub("-", "_", named.lower())), []).append(spot.pattern)
    return looks


def _last(results: Sequence[str]) -> Iterator[str]:
    """The first rule that fits, by way of groups."""
    groups: list[str] = []
    for start in range(0, len(results), TOGETHER):
        groups.append(f"$stopgap_group_{len(groups) + 1}")
        yield f'map "{"".join(results[start : start + TOGETHER])}" {groups[-1]} {{\n'
        yield f'    default ""; "~\\A(?<stopgap_in_{len(groups)}>[^ ]+)" "$stopgap_in_{len(groups)} ";\n}}\n'
    first = '"~\\A(?<stopgap_id>[^ ]+)" $stopgap_id'
    yield f'map "{"".join(groups)}" $stopgap {{\n    default ""; {first};\n}}\n'
