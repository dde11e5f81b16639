"""Do the packs that ship hold, and do they say what an operator wants to know?"""

import itertools
from collections.abc import Iterator, Sequence

import pytest

from stopgap import _core
from stopgap.ruleset import load, overlap, vectors
from stopgap.ruleset.explain import Explanation, read
from stopgap.ruleset.lint import lint
from stopgap.ruleset.model import Pack, Rule, Vector
from stopgap.ruleset.spec import Registry, compiled, join

PACKS = load.packaged()
RULES = [rule for pack in PACKS for rule in pack.rules]
USUAL = [rule for pack in PACKS if not pack.policy for rule in pack.rules]
POLICY = [pack for pack in PACKS if pack.policy]


def test_every_vector_holds() -> None:
    assert [str(failure) for failure in vectors.run(RULES)] == []


def test_nothing_to_lint() -> None:
    assert lint(RULES) == []
    assert overlap.notes(RULES) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_is_told_whole(rule: Rule) -> None:
    assert rule.title_ja
    assert rule.why
    assert rule.refs
    assert rule.legit
    assert len(rule.block) >= 3
    assert len(rule.passes) >= 3


def test_no_rule_is_called_like_a_reason() -> None:
    """An exception names one or the other."""
    assert {rule.id for rule in RULES}.isdisjoint(name for name, *_ in _core.reasons())


def test_what_one_rule_lets_through_no_other_refuses() -> None:
    harm = list(_Bench(USUAL).harm(USUAL))
    assert not harm, "\n".join(harm)


@pytest.mark.parametrize("pack", POLICY, ids=lambda pack: pack.name)
def test_what_a_policy_lets_through_passes_beside_the_usual_packs(pack: Pack) -> None:
    harm = list(_Bench([*USUAL, *pack.rules]).harm(pack.rules))
    assert not harm, "\n".join(harm)


def test_the_sixteen_probes_of_nimda() -> None:
    (probe,) = (rule for rule in RULES if rule.id == "nimda-probe")
    assert len(probe.block) == 16


@pytest.mark.parametrize("name", ["code-red-1", "code-red-2", "code-green", "nimda-probe"])
def test_a_worm_is_called_by_its_name(name: str) -> None:
    """More general rules refuse it as well; the one that tells which worm it was comes first."""
    bench = _Bench(USUAL)
    (worm,) = (rule for rule in RULES if rule.id == name)
    for vector in worm.block:
        for server in worm.servers or _core.servers():
            for seen in bench.explain(vector, server):
                assert seen.verdict
                assert seen.verdict.rule == name, vector.text


class _Bench:
    """Rules judged all at once, on every server table and code page."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.sites = list(itertools.product(_core.servers(), vectors.CODEPAGES))
        specs = [vectors.bench_site(server, page, range(len(rules))) for server, page in self.sites]
        self.policy = compiled(join(rules, specs, Registry()))

    def explain(self, vector: Vector, server: str) -> list[Explanation]:
        """How a vector is judged on a server, in each code page."""
        raw = vectors.request(vector.text)
        places = [index for index, (name, _) in enumerate(self.sites) if name == server]
        return [read(self.policy.explain(raw, place)) for place in places]

    def harm(self, rules: Sequence[Rule]) -> Iterator[str]:
        """Pass vectors of `rules` that are refused on a server that their rule is for.

        No rule may match in any code page; a structural reason may stand in one of them: Japanese names are
        ambiguous in a Western page.
        """
        for rule in rules:
            for vector in rule.passes:
                for server in rule.servers or _core.servers():
                    seen = self.explain(vector, server)
                    by_rule = any(f.field and not f.counted for one in seen for f in one.findings)
                    if by_rule or all(one.verdict for one in seen):
                        verdicts = ", ".join(dict.fromkeys(vectors.outcome(one) for one in seen))
                        yield f"{rule.where(vector.line)}: {vector.text[:100]!r} on {server}: {verdicts}"
