"""Does what was imported load, and does each rule do what its vectors say?

An importer makes rules of text that it did not write. Each is loaded and tried here as `check` would; one
that does not hold is taken out and told as lost, so that what is printed always loads.
"""

import re
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from stopgap.errors import InputError, printable
from stopgap.ruleset import lint, load, vectors
from stopgap.ruleset.formats.model import Imported, Note
from stopgap.ruleset.formats.toml import written
from stopgap.ruleset.model import Rule
from stopgap.tomlfile import parse


def settle(imported: Imported, file: str) -> Imported:
    """The same import with the rules that hold; the others are in the report."""
    problems: dict[str, str] = {}
    loaded: list[Rule] = []
    for draft in imported.rules:
        try:
            (rule,) = load.pack_of(parse(file, written(Imported(rules=(draft,))).encode())).rules
            loaded.append(rule)
            for problem in lint.lint([rule]):
                problems.setdefault(rule.id, problem)
        except InputError as error:
            problems[draft["id"]] = error.problems[0]
    for name, why in _failures([rule for rule in loaded if rule.id not in problems]):
        problems.setdefault(name, why)
    lost = tuple(Note(file, f'rule "{name}"', _placeless(why, file)) for name, why in problems.items())
    kept = tuple(draft for draft in imported.rules if draft["id"] not in problems)
    return replace(imported, rules=kept, report=(*imported.report, *lost))


def _failures(rules: Sequence[Rule]) -> Iterator[tuple[str, str]]:
    """The id of each rule that does not hold, and why; one that does not compile is looked for by halves."""
    try:
        failures = vectors.run(rules)
    except InputError as error:
        if len(rules) == 1:
            yield rules[0].id, error.problems[0]
            return
        half = len(rules) // 2
        yield from _failures(rules[:half])
        yield from _failures(rules[half:])
    else:
        yield from ((failure.rule.id, str(failure)) for failure in failures)


def _placeless(problem: str, file: str) -> str:
    """A problem without its place, which is in a file that nobody has."""
    return re.sub(rf'^{re.escape(printable(file))}(:\d+)?: (rule "[^"]*": )?', "", problem)


def slug(text: str) -> str:
    """`text` as the part of an id: `SQL Injection` -> `sql-injection`."""
    return re.sub(r"[^a-z0-9._]+", "-", text.lower()).strip("-._") or "x"
