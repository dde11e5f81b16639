"""Is every spelling of what a rule refuses refused? One cell for each rule and way of spelling.

The requests are the rules' own block vectors; their paths are written anew by the operators of the oracle,
alone and in pairs, and judged by all packs together on every server that the rule is for, in two code pages.
A spelling may pass only if the oracle shows that in no state of that server it is the same file any more.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from urllib.parse import quote, unquote_to_bytes

from stopgap import _core
from stopgap.config.model import DOUBLE_BYTE
from stopgap.ruleset import spec, vectors
from stopgap.ruleset.match import leaves
from stopgap.ruleset.model import Rule
from tests.oracle.model import Reading, origin_form, read, worlds
from tests.oracle.spellings import OPERATORS, compose

COLUMNS = {
    "percent": ("percent", "percent-upper", "percent-all", "percent-percents", "percent-letters"),
    "%u": ("percent-u", "percent-u-all"),
    "double": ("double-percent", "triple-percent", "nibbles", "arithmetic"),
    "overlong": ("overlong",),
    "best fit": ("percent-u-lookalike", "utf8-lookalike", "full-width"),
    "case": ("upper", "case"),
    "slashes": ("slashes", "slash-escapes"),
    "backslash": ("backslash", "backslashes"),
    "dot segments": ("dot-segments",),
    "path-info": ("path-info",),
    "; ": ("semicolon",),
    "stream": ("stream",),
    "trailing": ("trailing", "nul", "lead-byte"),
    "stem": ("empty-stem",),
    "device": ("device-name",),
    "short name": ("short-name",),
    "form": ("absolute-form", "query"),
}
"""What the table shows: operators of the oracle, gathered under the words of the catalogue."""

SERVERS = ("iis4", "iis5", "iis5.1", "iis6", "iis7", "iis8", "iis10")
EVERYWHERE = ("iis4", "iis5", "iis6", "iis10")
"""Servers that stand for all, for a rule that is for all."""
PAGES = (1252, 932)
LONGEST = 96
"""Bytes at the end of a long path that are spelled anew; the rest stays as it is."""
SINGLES = 24
"""Spellings of one path by one operator; more are drawn from."""


@dataclass(frozen=True)
class Seed:
    """A block vector whose path can be written anew."""

    method: bytes
    path: bytes
    rest: bytes

    def request(self, path: bytes) -> bytes:
        return self.method + b" " + path + self.rest


@dataclass
class Cell:
    """How many spellings were refused, how many are another file, and those that passed."""

    refused: int = 0
    elsewhere: int = 0
    passed: list[tuple[str, bytes]] = field(default_factory=list)


def seeds(rule: Rule) -> Iterator[Seed]:
    """The block vectors of a rule in origin form."""
    for vector in rule.block:
        method, _, rest = vectors.request(vector.text).partition(b" ")
        end = min(at for at in (rest.find(mark) for mark in (b" ", b"?", b"\r")) if at >= 0)
        if rest.startswith(b"/"):
            yield Seed(method, rest[:end], rest[end:])


class Matrix:
    """Rules and the sites that judge them."""

    def __init__(self, rules: Sequence[Rule], seed: int = 2001) -> None:
        self.rules = rules
        self.sites = [(server, page) for server in SERVERS for page in PAGES]
        every = range(len(rules))
        sites = [vectors.bench_site(server, page, every) for server, page in self.sites]
        self.policy: _core.Policy = spec.compiled(spec.join(rules, sites, spec.Registry()))
        self.seed = seed

    def cell(self, rule: Rule, operators: Sequence[str], most: int = SINGLES) -> Cell:
        """Judge spellings of the rule's vectors by these operators, one applied after the other."""
        cell = Cell()
        chance = Random(f"{self.seed} {rule.id} {' '.join(operators)}")
        for seed in seeds(rule):
            if "query" in operators and b"?" in seed.rest.partition(b" ")[0]:
                continue  # another query would be another request
            for path in spelled(seed.path, operators, most, chance):
                self._judge(rule, seed, path, cell)
        return cell

    def _judge(self, rule: Rule, seed: Seed, path: bytes, cell: Cell) -> None:
        request = seed.request(path)
        for site, (server, page) in enumerate(self.sites):
            if server not in (rule.servers or EVERYWHERE):
                continue
            if self.policy.judge(request, site) is not None:
                cell.refused += 1
            elif not self._reaches(rule, seed, path, site):
                cell.elsewhere += 1
            else:
                cell.passed.append((f"{server}, {page}", request))

    def _reaches(self, rule: Rule, seed: Seed, spelling: bytes, site: int) -> bool:
        """In some state of the server, by the oracle, the spelling is still what the path was.

        Only states count in which the path is an attack: its reading there, written plainly, is refused. And
        a sign that no rule but a structural reason refuses (`|`) does not count where its bytes are everyday
        text of the site's double-byte page: `%e1%7c` is a kanji.
        """
        if rule.labels and honest(spelling, self.sites[site][1]):
            return False
        for world in worlds(*self.sites[site]):
            paths = (seed.path, spelling.partition(b"?")[0])
            was, now = (read(origin_form(path), world) for path in paths)
            if was is None or now is None or not same(rule, was, now):
                continue
            plain = quote("/" + "/".join(was.segments), safe="/!$'()*,;:@=+-_.~").encode()
            if self.policy.judge(seed.request(plain), site) is not None:
                return True
        return False


def honest(path: bytes, page: int) -> bool:
    """The path is text in this double-byte page."""
    try:
        return page in DOUBLE_BYTE and not unquote_to_bytes(path).decode(f"cp{page}").isascii()
    except UnicodeDecodeError:
        return False


def same(rule: Rule, was: Reading, now: Reading) -> bool:
    """What the rule looks at is still there: its extensions, the names, for a rule on paths each folder."""
    tests = {leaf["field"]: leaf.get("value", ()) for leaf in leaves(rule.match)}
    if "path" in tests:
        pairs = zip(was.segments, now.segments, strict=False)
        kept = all(new == old or re.match(re.escape(old) + r"[. ]*([;:\0]|$)", new) for old, new in pairs)
        return kept and len(now.segments) >= len(was.segments)
    if "extension" in tests and not {"segment", "basename"} & tests.keys():
        refused = was.extensions & set(tests["extension"])
        return bool(refused) and refused <= now.extensions
    return was.extensions <= now.extensions and was.names <= now.names and was.tops <= now.tops


def spelled(path: bytes, operators: Sequence[str], most: int, chance: Random) -> Iterator[bytes]:
    """At most so many spellings of a path; all of them when one operator has no more."""
    kept, end = path[:-LONGEST], path[-LONGEST:]
    if len(operators) == 1:
        written = list(OPERATORS[operators[0]].spell(end))
        found = written if len(written) <= most else chance.sample(written, most)
    else:
        composed = (compose(end, operators, chance.randrange, 4 * LONGEST) for _ in range(most))
        found = [one for one in composed if one is not None]
    for one in found:
        yield kept + one


def pairs() -> Iterator[tuple[str, str]]:
    """Every two operators in both orders; those that end a composition come last and once."""
    for first in OPERATORS:
        for second in OPERATORS:
            if not OPERATORS[first].last and first != second:
                yield first, second


def total(cells: Sequence[Cell]) -> Counter[str]:
    """The sums of some cells."""
    return Counter(
        refused=sum(cell.refused for cell in cells),
        elsewhere=sum(cell.elsewhere for cell in cells),
        passed=sum(len(cell.passed) for cell in cells),
    )
