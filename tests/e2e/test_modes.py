"""Do event, metrics and status all show the mode that decided, and are the hits of an exception counted?"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.client import ask, get
from tests.e2e.gate import guarding, written
from tests.e2e.origins import Origin, until

SITE = "kaikei"
RULE = "ida-idq"
WORM = get("/default.ida?NNNN=a")


def site(origin: Origin, **keys: object) -> dict[str, Any]:
    return {"name": SITE, "origins": origin.url, "server": "iis5", "packs": ["code-red"], **keys}


@pytest.mark.parametrize(
    ("mode", "modes", "effective", "refused"),
    [
        ("detect", {}, "detect", False),
        ("detect", {RULE: "block"}, "block", True),
        ("block", {"code-red": "detect"}, "detect", False),
        ("block", {"code-red": "detect", RULE: "canary"}, "canary", True),
    ],
)
def test_the_mode_in_force_is_shown_everywhere(
    tmp_path: Path, origin: Origin, mode: str, modes: dict[str, str], effective: str, refused: bool
) -> None:
    with guarding(tmp_path, site(origin)) as gate:
        changed = site(origin, mode=mode, modes=modes, canary=99)
        written(tmp_path, changed)
        assert gate.admins("/reload", "POST")[0] == 200
        answer = ask(gate.port, WORM)
        assert bool(answer.event) == refused
        until(lambda: bool(gate.events))
        event = gate.events[0]
        assert (event["rule.id"], event["stopgap.mode"]) == (RULE, effective)
        assert event["event.action"] == ("refused" if refused else "detected")
        (status,) = gate.status["sites"]
        assert status["modes"].get(RULE, status["mode"]) == effective
        rules = json.loads(gate.admins("/rules")[1])["rules"]
        assert [rule["modes"] for rule in rules if rule["id"] == RULE] == [{SITE: effective}]
        counts = gate.counts()
        shown = [labels for name, *labels in counts if name == "stopgap_rule_mode" and RULE in labels]
        assert shown == ([] if effective == mode else [[effective, RULE, SITE]])
        assert ("stopgap_site_mode", mode, SITE) in counts


def test_hits_of_exceptions(tmp_path: Path, origin: Origin) -> None:
    covered = {"rule": RULE, "path": "/search/*.idq", "reason": "search", "owner": "web team"}
    unused = {**covered, "path": "/never/*.idq"}
    with guarding(tmp_path, site(origin, exception=[covered, unused])) as gate:
        for _ in range(3):
            assert ask(gate.port, get("/search/a.idq?q=nara")).status == 200
        assert ask(gate.port, get("/other/a.idq?q=nara")).status == 404
        until(lambda: gate.status["sites"][0]["exceptions"][0]["hits"] == 3)
        used, never = gate.status["sites"][0]["exceptions"]
        assert (used["state"], used["hits"], used["owner"]) == ("in-force", 3, "web team")
        assert (never["state"], never["hits"]) == ("unused", 0)
        counts = gate.counts()
        assert counts["stopgap_exception_hits_total", used["id"], RULE, SITE] == 3
        assert (
            counts["stopgap_exceptions", SITE, "unused"]
            == counts["stopgap_exceptions", SITE, "in-force"]
            == 1
        )
