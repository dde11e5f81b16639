"""Does every rule catch what its vectors say it catches, and nothing of what they say it lets through?

A vector is a request as text. One line is completed with a Host and the end of the head; several lines
are a whole request whose line ends become CRLF. `{N*224}` repeats the text before `*`; `\\xHH` is a raw
byte, and any other backslash stands for itself. Each vector is judged on every server table of its rule,
in two code pages. A rule that labels a reason must hold in one of the two: whether a byte is half of a
character is a matter of the page.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from msgspec import Struct

from stopgap import _core
from stopgap.config import Site
from stopgap.ruleset.explain import Explanation, read
from stopgap.ruleset.match import unescaped
from stopgap.ruleset.model import Rule, Vector
from stopgap.ruleset.spec import compiled, join, site_spec

HOST = "vector.test"
CODEPAGES = (1252, 932)
LONGEST = 64 * 1024 * 1024
"""Bytes of the longest request that a vector may unfold to."""

TOGETHER = 128
"""Rules judged by one policy: an explanation asks every rule, so one policy for all would be quadratic."""

_PLAIN = frozenset(range(0x20, 0x7F)) - frozenset(b"\\{")
_REPEAT = re.compile(r"\{([^{}]*?)\*(\d{1,9})\}")


class Failure(Struct, frozen=True):
    """A vector that does not hold on one server table and code page."""

    rule: Rule
    vector: Vector
    blocks: bool
    server: str
    codepage: int
    verdict: str

    def __str__(self) -> str:
        kind, what = ("block", "is not caught") if self.blocks else ("pass", "is caught")
        shown = self.vector.text if len(self.vector.text) <= 100 else self.vector.text[:97] + "..."
        return (
            f"{self.rule.where(self.vector.line)}: {kind}: {shown!r} {what} by this rule on {self.server}, "
            f"code page {self.codepage}; verdict: {self.verdict}"
        )


def request(text: str) -> bytes:
    """The bytes of a vector. Raises `ValueError` when they would be more than `LONGEST`."""
    size = len(text) + sum(len(unit) * int(count) for unit, count in _REPEAT.findall(text))
    if size > LONGEST:
        raise ValueError(f"unfolds to more than {LONGEST} bytes")
    raw = _REPEAT.sub(lambda found: found[1] * int(found[2]), text).encode()
    head, _, body = raw.partition(b"\n\n")
    if b"\n" not in raw:
        head += f"\nHost: {HOST}".encode()
    lines = (head.removesuffix(b"\n") + b"\n\n" + body).replace(b"\n", b"\r\n")
    return unescaped(lines)


def written(raw: bytes) -> str:
    """The vector for these bytes, in which a head ends: `request` makes them of it again."""
    return "\n".join(_line(line) for line in raw.split(b"\r\n"))


def _line(line: bytes) -> str:
    """Printable ASCII as it is, but for what has a meaning in a vector; any other byte as `\\xHH`."""
    return "".join(chr(byte) if byte in _PLAIN else f"\\x{byte:02x}" for byte in line)


def run(rules: Sequence[Rule], advance: Callable[[], None] = lambda: None) -> list[Failure]:
    """Try every vector of `rules`; `advance` is called after each. Raises `RuleError`."""
    failures: list[Failure] = []
    for some in _benches(rules):
        bench = _Bench(some)
        for rule in some:
            for vector, blocks in [*((v, True) for v in rule.block), *((v, False) for v in rule.passes)]:
                failures += bench.failures(rule, vector, blocks)
                advance()
    return failures


def _benches(rules: Sequence[Rule]) -> Iterator[Sequence[Rule]]:
    """The rules by pack: one that refuses a head would hide what the body holds from those of another."""
    for _, together in itertools.groupby(rules, key=lambda rule: rule.file):
        pack = list(together)
        yield from (pack[first : first + TOGETHER] for first in range(0, len(pack), TOGETHER))


class _Bench:
    """One policy with all rules and a site for each server table and code page."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.sites = list(itertools.product(_core.servers(), CODEPAGES))
        self.policy = bench(rules, self.sites)

    def failures(self, rule: Rule, vector: Vector, blocks: bool) -> Iterator[Failure]:
        """Where the vector does not hold; the first server table and code page is enough."""
        try:
            raw = request(vector.text)
        except ValueError as error:
            yield Failure(rule, vector, blocks, "any", CODEPAGES[0], str(error))
            return
        spared = len(CODEPAGES) - 1 if rule.labels else 0
        for server, sites in itertools.groupby(enumerate(self.sites), lambda site: site[1][0]):
            if rule.servers and server not in rule.servers:
                continue
            wrong: list[Failure] = []
            for index, (_, page) in sites:
                seen = read(self.policy.explain(raw, index))
                if any(finding.rule == rule.id for finding in seen.findings) != blocks:
                    wrong.append(Failure(rule, vector, blocks, server, page, outcome(seen)))
            if len(wrong) > spared:
                yield wrong[0]
                return


def outcome(seen: Explanation) -> str:
    """The verdict in a few words: `passes`, or `refused: extension-denied (ida-idq)`."""
    if seen.verdict is None:
        return "passes"
    return f"refused: {seen.verdict.reason}" + (f" ({seen.verdict.rule})" if seen.verdict.rule else "")


def bench(rules: Sequence[Rule], sites: Iterable[tuple[str, int]]) -> _core.Policy:
    """A policy in which all `rules` are on a site for each server table and code page, in this order."""
    every = range(len(rules))
    return compiled(join(rules, [bench_site(server, page, every) for server, page in sites]))


def bench_site(server: str, page: int, rules: Sequence[int]) -> dict[str, Any]:
    """The specification of a site with every default; `rules` are indexes."""
    site = Site(
        name=f"{server}-{page}",
        hosts=(f"{server}-{page}.test",),
        origins=(),
        server=server,
        codepages=(page,),
        mode="block",
        packs=None,
        rules=(),
        body="buffer",
        raw_bytes="refuse",
        upgrade=(),
        limits=_core.limits(server),
        deadlines=_core.deadlines(),
        exceptions=(),
    )
    return site_spec(site, rules)
