"""What policy does a test run with? Specifications for `_core.Policy`, whole and small.

Python fills every key of a specification, so these do: the defaults are the core's own, and a test names
only what it is about.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from stopgap import _core

Expression = Mapping[str, Any]


def extension(*names: str) -> Expression:
    return {"field": "extension", "test": "equals", "value": list(names)}


def segment(*names: str) -> Expression:
    return {"field": "segment", "test": "equals", "value": list(names)}


def rule(identifier: str, match: Expression, servers: Iterable[str] = ()) -> dict[str, Any]:
    return {
        "id": identifier,
        "counter": 0,
        "servers": list(servers),
        "status": None,
        "match": match,
        "compat": {},
    }


def site(server: str = "iis5", codepages: Iterable[int] = (1252,), **other: Any) -> dict[str, Any]:
    """A site for every host that applies all rules; `limits` and `deadlines` are laid over the defaults."""
    body = "buffer" if _core.buffers_body(server) else "stream"
    keys = {
        "name": "site",
        "counter": 0,
        "hosts": ["*"],
        "server": server,
        "codepages": list(codepages),
        "mode": "block",
        "rules": None,
        "body": body,
        "raw_bytes": "refuse",
        "upgrade": [],
        "exceptions": [],
        **other,
    }
    keys["limits"] = {**_core.limits(server), **other.get("limits", {})}
    keys["deadlines"] = {**_core.deadlines(), **other.get("deadlines", {})}
    return keys


def specification(
    sites: Sequence[Mapping[str, Any]], rules: Sequence[Mapping[str, Any]] = (), **top: Any
) -> bytes:
    numbered = [{**one, "counter": at} for at, one in enumerate(rules)]
    every = list(range(len(rules)))
    filled = [{**one, "counter": at} for at, one in enumerate(sites)]
    for one in filled:
        if one["rules"] is None:
            one["rules"] = every
    return json.dumps({"rules": numbered, "sites": filled, **top}).encode()


RULES = (
    rule("index-server", extension("ida", "idq")),
    rule("printer", extension("printer")),
    rule("passwords", {"field": "path", "test": "prefix", "value": ["/iisadmpwd/"]}),
    rule("commands", segment("cmd.exe", "root.exe", "sensepost.exe")),
)


@cache
def guard(server: str = "iis5", *codepages: int) -> _core.Policy:
    """One site with the rules above; code page 1252 when none is given."""
    return _core.Policy(specification([site(server, codepages or (1252,))], RULES))


def request(target: bytes, method: bytes = b"GET", version: bytes = b"1.0") -> bytes:
    return b"%s %s HTTP/%s\r\nHost: vector.test\r\n\r\n" % (method, target, version)
