"""Does the wire keep what the packs promise, on every server table and code page?

Each block vector of each rule that ships is sent to a gate with a site for each server table and code page
that the rule is for: it is refused, and the origin sees nothing. Each pass vector arrives byte for byte,
unless another rule or the grammar forbids it too, which the same policy says beforehand.
"""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from stopgap import _core, config
from stopgap.ruleset import load, spec, vectors
from stopgap.ruleset.model import Rule
from tests.e2e.client import Answer, Client, Cut
from tests.e2e.gate import Gate, guarding, written
from tests.e2e.origins import Origin

PAGES = (1252, 932)
TABLES = list(itertools.product(_core.servers(), PAGES))
PACKS = ["code-red", "limits"]


def sites(origin: str) -> list[dict[str, object]]:
    return [
        {
            "name": f"{server}-{page}",
            "hosts": [f"{server}-{page}.test"],
            "origins": origin,
            "server": server,
            "codepage": page,
            "packs": PACKS,
        }
        for server, page in TABLES
    ]


@pytest.fixture(scope="module")
def gate(folder: Path, shared: Origin) -> Iterator[Gate]:
    with guarding(folder / "gate", *sites(shared.url)) as running:
        yield running


def ruleset(folder: Path) -> tuple[tuple[Rule, ...], _core.Policy]:
    loaded = config.load(written(folder, *sites("http://127.0.0.1:1")), {})
    rules = load.load(loaded)
    return rules.rules, spec.compiled(spec.build(loaded, rules, spec.Registry()))


def addressed(text: str, host: str) -> bytes:
    """A vector for the site of this host."""
    raw = vectors.request(text)
    named = re.sub(rb"\r\nHost: [^\r]*", b"\r\nHost: " + host.encode(), raw, count=1)
    if b"\r\nHost: " in named.partition(b"\r\n\r\n")[0] + b"\r\n":
        return named
    return raw.replace(b"\r\n", b"\r\nHost: " + host.encode() + b"\r\n", 1)


def said(gate: Gate, request: bytes) -> Answer | None:
    """The answer, None when the gate closes without one: the client sends no more after its request."""
    with Client(gate.port) as client:
        client.send(request)
        client.end()
        try:
            return client.answer(request.split(b" ")[0])
        except Cut as cut:
            assert cut.args == (b"",)
            return None


def shipped() -> list[str]:
    folder = Path(vectors.__file__).parents[1] / "packs"
    return sorted(
        re.findall(
            r'^id = "(.*)"', "".join((folder / f"{pack}.toml").read_text("utf-8") for pack in PACKS), re.M
        )
    )


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Rule], _core.Policy]:
    rules, policy = ruleset(tmp_path_factory.mktemp("policy"))
    return {rule.id: rule for rule in rules}, policy


@pytest.mark.parametrize("name", shipped())
def test_vectors(name: str, gate: Gate, origin: Origin, judged: tuple[dict[str, Rule], _core.Policy]) -> None:
    rules, policy = judged
    rule = rules[name]
    expected: list[tuple[bytes, bytes, bytes]] = []
    for server, page in TABLES:
        if rule.servers and server not in (*rule.servers, "any"):
            continue
        host = f"{server}-{page}.test"
        for vector in rule.block:
            request = addressed(vector.text, host)
            answer = said(gate, request)
            cut_off = answer is None and name == "cut-body"
            assert cut_off or (answer is not None and answer.event), (server, page, vector.text[:100], answer)
        for vector in rule.passes:
            request = addressed(vector.text, host)
            answer = said(gate, request)
            passes = policy.judge(request) is None
            assert answer is not None and (answer.event == "") == passes, (
                server,
                page,
                vector.text[:100],
                answer,
            )
            if passes:
                method, target, _ = request.split(b" ", 2)
                expected.append((method, target, request.partition(b"\r\n\r\n")[2]))
    arrived = [(request.method, request.target, request.body) for request in origin.requests]
    assert sorted(arrived) == sorted(expected)
    assert expected
    if name != "cut-body":  # a site that streams bodies has sent the beginning of those
        assert len(origin.raw) == sum(len(request.raw) for request in origin.requests)
