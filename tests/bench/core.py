"""How many requests a second can the core alone judge, called from Python, and what do more rules cost?

The rules are made up: one sixth each of extensions, segments, path prefixes, query words, parameter
values and header words, as the shipped packs mix them. The requests are what a browser of the time
sends, about 500 bytes.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from stopgap import _core, config
from stopgap.ruleset import load, spec
from tests.bench.load import CODE_RED, HEADERS, HOST, JAPANESE, PLAIN
from tests.bench.peers import BenchError

COUNTS = (10, 100, 1_000, 10_000)
SECONDS = 1.0  # of CPU time a figure
REPEATS = 5

HOSTILE = "/scripts/..%255c..%c1%1cwinnt/x.%2569d%u0061;a/p.gif"
ANEW = "encoded, each new"
"""As "encoded", but no path is asked for twice in a row of 4096: what readings cost when none is known."""
TARGETS = {
    "plain": (PLAIN, False),
    "encoded": (JAPANESE, False),
    ANEW: (JAPANESE, False),
    "hostile": (HOSTILE, True),
    "code red": (CODE_RED, True),
}


@dataclass(frozen=True)
class CoreResult:
    """Judgements a second, by target and number of rules."""

    rates: dict[str, dict[int, int]]
    length: int
    """Bytes of the plain request's head."""
    packs: dict[str, float] = field(default_factory=dict)
    """Microseconds a judgement by every pack that ships: each target, and the dearest form."""


def rule(index: int) -> dict[str, object]:
    word = f"{index:x}".translate(str.maketrans("0123456789", "ghijklmnop"))
    shapes: tuple[dict[str, object], ...] = (
        {"field": "extension", "test": "equals", "value": [f"z{word}"]},
        {"field": "segment", "test": "equals", "value": [f"{word}.exe"]},
        {"field": "path", "test": "prefix", "value": [f"/scripts/{word}/"]},
        {"field": "query", "test": "contains", "value": [f"xp_{word}"]},
        {"field": "param", "same": [
            {"on": "name", "test": "equals", "value": [f"ci{word}"]},
            {"on": "value", "test": "contains", "value": ["../"]},
        ]},
        {"field": "header", "name": "user-agent", "test": "contains", "value": [f"scan{word}"]},
    )  # fmt: skip
    return {
        "id": f"bench-{index}",
        "counter": index,
        "servers": [],
        "status": None,
        "match": shapes[index % len(shapes)],
        "compat": {},
    }


def policy(count: int) -> _core.Policy:
    """One site that serves every host, with the Code Red rule and `count` - 1 made-up ones."""
    code_red = {**rule(0), "match": {"field": "extension", "test": "equals", "value": ["ida", "idq"]}}
    rules = [code_red, *(rule(index) for index in range(1, count))]
    site = {
        "name": "bench",
        "counter": 0,
        "hosts": ["*"],
        "server": "iis5",
        "codepages": [932],
        "mode": "block",
        "rules": list(range(count)),
        "limits": _core.limits("iis5"),
        "deadlines": _core.deadlines(),
        "body": "buffer",
        "raw_bytes": "refuse",
        "upgrade": [],
        "exceptions": [],
    }
    return _core.Policy(json.dumps({"rules": rules, "sites": [site]}).encode())


def request(target: str) -> bytes:
    return "\r\n".join(
        [f"GET {target} HTTP/1.1", f"Host: {HOST}", *HEADERS, "Connection: keep-alive", "", ""]
    ).encode()


def requests(name: str, target: str) -> list[bytes]:
    """What is judged in turn: one request again and again, or as many paths as the core can't remember."""
    if name != ANEW:
        return [request(target)] * 1024
    path, query = target.split("?")
    return [request(f"{path}/%E8%A1%A8{index}.asp?{query}") for index in range(4096)]


def judgements(policy: _core.Policy, data: list[bytes]) -> float:
    """Judgements a second of CPU time: the best of some repeats."""
    best = 0.0
    for _ in range(REPEATS):
        count = 0
        start = time.process_time()
        while (spent := time.process_time() - start) < SECONDS / REPEATS:
            for one in data:
                policy.judge(one)
            count += len(data)
        best = max(best, count / spent)
    return best


FORMS = ("a=b&", "%2541&", "%u0041&", "%zz=%zz&", "%zz%ff%c2%a5%e2%88%96%ef%bc%85%2525%25zz%25ff=1&")
"""Pieces of hostile forms; the last one reads in the most ways."""


def form(piece: str) -> bytes:
    """A form that fills the window of bodies."""
    body = (piece * 65_536)[:65_536]
    kind = "Content-Type: application/x-www-form-urlencoded"
    head = ["POST /kaikei/save.asp HTTP/1.1", f"Host: {HOST}", kind, f"Content-Length: {len(body)}", "", body]
    return "\r\n".join(head).encode()


def with_packs() -> dict[str, float]:
    """Every target, and the dearest of the forms, judged by all packs as a strict IIS 5 site has them."""
    read = config.load(
        None, {"origins": "http://192.0.2.1", "server": "iis5", "codepage": 932, "strict": True}
    )
    judge = spec.compiled(spec.build(read, load.load(read)))
    asked = {name: requests(name, target) for name, (target, _) in TARGETS.items()}
    found = {name: 1e6 / judgements(judge, data) for name, data in asked.items()}
    return {**found, "hostile form": max(1e6 / judgements(judge, [form(piece)]) for piece in FORMS)}


def measure(step: Callable[[str], None]) -> CoreResult:
    """Judge every target with every number of rules; `step` is called before each number.

    Raises `BenchError` when a verdict is wrong.
    """
    rates: dict[str, dict[int, int]] = {name: {} for name in TARGETS}
    for count in COUNTS:
        step(f"the core: {count} rules")
        compiled = policy(count)
        for name, (target, refused) in TARGETS.items():
            data = requests(name, target)
            if (compiled.judge(data[0]) is not None) != refused:
                wrong = "passes" if refused else "is refused"
                raise BenchError(f"the core alone: the {name} target {wrong} with {count} rules")
            rates[name][count] = round(judgements(compiled, data))
    step("the core: all packs")
    return CoreResult(rates, len(request(PLAIN)), with_packs())
