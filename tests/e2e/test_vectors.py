"""Does the wire keep what every pack promises, on the server tables and code pages of its rules?

Each block vector of each rule that ships is sent to a gate with all packs: it is refused, and the origin sees
nothing. Each pass vector arrives byte for byte, unless another rule or the grammar forbids it too, which the
same policy says beforehand; so does what a rule only notes or counts (`test_rates.py` counts on).
"""

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from stopgap import _core, config
from stopgap.ruleset import load, spec, vectors
from stopgap.ruleset.model import Rule
from tests.e2e.client import Answer, Client, Cut
from tests.e2e.gate import Gate, guarding, written
from tests.e2e.origins import Origin, until
from tests.matrix.cells import EVERYWHERE, PAGES

RULES = load.assemble(load.packaged(), {}).rules
PACKS = [pack.name for pack in load.packaged()]
REFUSING = ("block", "drop", "tarpit")
NOTED = {"detect": "detected", "strip": "stripped"}
HOSTS = {
    table: f"site{number:02}.test" for number, table in enumerate(itertools.product(_core.servers(), PAGES))
}
"""Names as long as that of the vectors, so that lengths stay true."""
ODD_HOSTS = "iis5"
"""The server that gets what names no site: rules whose vectors have another Host are for it."""


def sites(origin: str) -> list[dict[str, object]]:
    named = [(f"{server}-{page}", host, server, page) for (server, page), host in HOSTS.items()]
    return [
        {"name": name, "hosts": [host], "origins": origin, "server": server, "codepage": page, "packs": PACKS}
        for name, host, server, page in [*named, ("others", "*", ODD_HOSTS, PAGES[0])]
    ]


@pytest.fixture(scope="module")
def gate(folder: Path, shared: Origin) -> Iterator[Gate]:
    with guarding(folder / "gate", *sites(shared.url)) as running:
        yield running


@pytest.fixture(scope="module")
def policy(folder: Path, shared: Origin) -> _core.Policy:
    loaded = config.load(written(folder, *sites(shared.url)), {})
    return spec.compiled(spec.build(loaded, load.load(loaded), spec.Registry()))


def tables(rule: Rule) -> Iterator[tuple[str, int]]:
    """Every server that the rule names, in each page; a few in one or the other when it names none."""
    if rule.servers:
        return itertools.product(rule.servers, PAGES)
    return zip((*EVERYWHERE, "any"), itertools.cycle(PAGES), strict=False)


def addressed(text: str, host: str) -> bytes:
    """A vector for the site of this host, unless it has an odd Host or none where there must be one."""
    raw = vectors.request(text).replace(b"vector.test", host.encode())
    raw = raw.replace(b"VECTOR.TEST", host.upper().encode())
    line, _, rest = raw.partition(b"\r\n")
    hosted = re.search(rb"(?i)^host:", rest.partition(b"\r\n\r\n")[0], re.M)
    return (
        raw if hosted or not line.endswith(b"/1.0") else b"%s\r\nHost: %s\r\n%s" % (line, host.encode(), rest)
    )


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


def forbidden(policy: _core.Policy, request: bytes) -> bool:
    """Whether a rule or the grammar refuses a request, which is whole."""
    if policy.judge(request) is None:
        return False
    verdict = json.loads(policy.explain(request))["verdict"]
    return verdict is not None and verdict["action"] in REFUSING


def arriving(request: bytes) -> tuple[bytes, bytes, bytes]:
    """Method, target and body as the origin gets them: without a name in the target, without chunks."""
    method, target, _ = request.split(b" ", 2)
    head, _, body = request.partition(b"\r\n\r\n")
    if b"\r\ntransfer-encoding: chunked" in head.lower():
        chunks, body = body, b""
        while size := int(chunks.partition(b"\r\n")[0], 16):
            start = chunks.index(b"\r\n") + 2
            body += chunks[start : start + size]
            chunks = chunks[start + size + 2 :]
    return method, re.sub(rb"(?i)^http://[^/]*", b"", target), body


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_vectors(rule: Rule, gate: Gate, origin: Origin, policy: _core.Policy) -> None:
    refusing = rule.action in REFUSING and not rule.rate
    refused: set[str] = set()
    expected: list[tuple[bytes, bytes, bytes]] = []
    for table, vector in itertools.product(tables(rule), (*rule.block, *rule.passes)):
        request = addressed(vector.text, HOSTS[table])
        answer = said(gate, request)
        closed = answer is None or answer.event != ""
        at = (table, vector.text[:100], answer)
        if vector in rule.block and refusing:
            # Whether a byte is half of a character, and so out of order, is a matter of the page.
            assert closed or rule.match.get("field") == "reason", at
            assert answer is not None or rule.action == "drop" or rule.id == "cut-body", at
            refused |= {vector.text} if closed else set()
        else:
            assert closed == forbidden(policy, request), at
        if not closed:
            expected.append(arriving(request))
    assert refused == ({vector.text for vector in rule.block} if refusing else set())
    arrived = [(request.method, request.target, request.body) for request in origin.requests]
    assert sorted(arrived) == sorted(expected)
    assert expected
    if rule.id != "cut-body":  # a site that streams bodies has sent the beginning of those
        assert len(origin.raw) == sum(len(request.raw) for request in origin.requests)
    if rule.action in NOTED:
        until(
            lambda: (
                (rule.id, NOTED[rule.action]) in [(e.get("rule.id"), e["event.action"]) for e in gate.events]
            )
        )
