"""Does the real program refuse every spelling, and does the origin see nothing of it?

One spelling of each rule's attacks by each operator of the oracle, through real sockets, with every pack in
force: `tests/matrix` judges many more in the core alone.
"""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from stopgap.ruleset import load
from stopgap.ruleset.model import Rule
from tests.e2e.client import Client, Cut
from tests.e2e.gate import Gate, guarding
from tests.e2e.origins import Origin
from tests.matrix.__main__ import matrix
from tests.matrix.cells import EVERYWHERE, seeds, spelled
from tests.oracle.spellings import OPERATORS

PAGE = 932
REFUSING = ("block", "drop", "tarpit")


def rules() -> list[Rule]:
    """Rules that refuse a single whole request with a path that can be spelled anew."""
    every = load.assemble(load.packaged(), {}).rules
    return [
        rule
        for rule in every
        if rule.action in REFUSING and not rule.rate and rule.id != "cut-body" and any(seeds(rule))
    ]


@pytest.fixture(scope="module")
def gate(folder: Path, shared: Origin) -> Iterator[Gate]:
    sites = [
        {
            "name": server,
            "hosts": [f"{server}.test"],
            "origins": shared.url,
            "server": server,
            "codepage": PAGE,
            "packs": [pack.name for pack in load.packaged()],
        }
        for server, page in matrix().sites
        if page == PAGE
    ]
    with guarding(folder / "gate", *sites) as running:
        yield running


def addressed(request: bytes, host: str) -> bytes:
    """The request for the site of this host, whatever host it named or did not name."""
    line, _, rest = request.partition(b"\r\n")
    head, end, body = rest.partition(b"\r\n\r\n")
    others = [one for one in head.split(b"\r\n") if one and not one.lower().startswith(b"host:")]
    return b"\r\n".join([line, f"Host: {host}".encode(), *others]) + (end or b"\r\n") + body


def requests(rule: Rule) -> Iterator[bytes]:
    """A spelling by each operator that is an attack on the first server that the rule is for."""
    server = next(one for one, _ in matrix().sites if one in (rule.servers or EVERYWHERE))
    site = matrix().sites.index((server, PAGE))
    for seed in seeds(rule):
        for operator in OPERATORS:
            for path in spelled(seed.path, [operator], 1, Random(f"{rule.id} {operator}")):
                request = addressed(seed.request(path), f"{server}.test")
                if matrix().policy.judge(request, site) is not None:
                    yield request


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.id)
def test_the_origin_sees_nothing(rule: Rule, gate: Gate, origin: Origin) -> None:
    sent = 0
    for request in requests(rule):
        with Client(gate.port) as client:
            client.send(request)
            client.end()
            try:
                answer = client.answer(request.split(b" ")[0])
            except Cut as cut:
                assert cut.args == (b"",)
            else:
                assert answer.event and answer.status >= 400, request[:200]
        sent += 1
    assert sent > 0
    assert origin.raw == b""
