"""Do the alert rules and the dashboard of deploy/ hold, by promtool and on what a real gate tells?"""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from stopgap.admin.metrics import TABLE
from tests.e2e import prometheus
from tests.e2e.client import Client, get
from tests.e2e.gate import guarding
from tests.e2e.origins import Origin, until
from tests.e2e.prometheus import SHIPPED, Prometheus

HOSTS = ("guarded", "watched")
TARGETS = ("/", "/default.ida?NNNN=a")
SLOWEST = (
    "stopgap_detections_answered_total",
    "stopgap_events_written_total",
    "stopgap_origin_connections_opened_total",
)
"""What is counted last of a request, in the core, by the writer and by the pool of connections."""
ROOT = Path(__file__).parents[2]
RULES = sorted(SHIPPED.glob("*.rules.yml"))
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "stopgap.json").read_text("utf-8"))
SUFFIX = re.compile(r"_(total|bucket|info)$")
GRAFANA = {"$instance": ".*", "$site": ".*", "$__rate_interval": "1m", "$__interval": "1m"}
"""What Grafana puts in the place of its variables."""
QUIET = (
    "Origins that are down",
    "Exceptions",
    "Exchanges that failed at an origin",
    "Workers that had to be started again",
    "Connections to origins",
)
"""Panels that may show nothing but zeros on a gate that is well and has no client just now."""


def alerts() -> list[dict[str, Any]]:
    groups = [group for file in RULES for group in yaml.safe_load(file.read_text("utf-8"))["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def filled(expression: str) -> str:
    for name, value in GRAFANA.items():
        expression = expression.replace(name, value)
    assert "$" not in expression, expression
    return expression


def queries() -> list[tuple[str, str]]:
    """(title, expression) of all that the dashboard asks."""
    return [(panel["title"], filled(one["expr"])) for panel in panels() for one in panel["targets"]]


def promtool(*words: str) -> None:
    done = subprocess.run(["promtool", *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def scraped(folder: Path, shared: Origin) -> Iterator[Prometheus]:
    """A Prometheus that has seen a refusal, an answered exploit and honest requests come."""
    guarded = {"name": "guarded", "origins": shared.url, "hosts": ["guarded"], "server": "iis5"}
    guarded["packs"] = ["code-red"]
    watched = {**guarded, "name": "watched", "hosts": ["watched"], "mode": "detect"}
    with (
        guarding(folder / "gate", guarded, watched) as gate,
        prometheus.running(folder / "prometheus", gate.admin) as running,
    ):
        until(lambda: running.values("count_over_time(stopgap_ready[1m])") >= [2])
        with Client(gate.port) as client:
            told = [client.ask(get(target, host=host)).status for host in HOSTS for target in TARGETS]
        assert told == [200, 404, 200, 200]
        until(lambda: all(running.values(f"sum(rate({name}[1m]))") > [0] for name in SLOWEST))
        yield running


def test_promtool_accepts_rules_and_configuration() -> None:
    promtool("check", "rules", *map(str, RULES))
    promtool("check", "config", str(SHIPPED / "prometheus.yml"))


def test_the_tests_of_the_rules_pass_and_every_alert_has_one() -> None:
    tests = sorted(SHIPPED.glob("*test*.yml"))
    promtool("test", "rules", *map(str, tests))
    named = set(re.findall(r'alertname(?:="|: )(\w+)', "".join(file.read_text("utf-8") for file in tests)))
    assert {rule["alert"] for rule in alerts()} == named


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_says_what_to_do_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    notes = rule["annotations"]
    assert set(notes) == {"summary", "description", "runbook"}
    assert len(notes["description"].split()) > 15
    page, _, anchor = notes["runbook"].partition("#")
    heads = re.findall(r"^#+ (.*)$", (ROOT / page).read_text("utf-8"), re.M)
    assert not anchor or anchor in [re.sub(r"[^\w\- ]", "", head).lower().replace(" ", "-") for head in heads]


def test_the_panels_of_the_dashboard_lie_beside_each_other() -> None:
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    taken = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(taken) == len(set(taken)) and max(x for x, _ in taken) < 24
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)


def test_every_metric_that_is_asked_for_is_one() -> None:
    asked = [expression for _, expression in queries()] + [rule["expr"] for rule in alerts()]
    names = {SUFFIX.sub("", name) for one in asked for name in re.findall(r"\bstopgap_\w+", one)}
    assert names <= set(TABLE)


def test_every_query_of_the_dashboard_has_an_answer(scraped: Prometheus) -> None:
    empty = [title for title, expression in queries() if not scraped.values(expression)]
    assert empty == []
    shown: dict[str, float] = {}
    for title, expression in queries():
        shown[title] = max(shown.get(title, 0), *scraped.values(expression))
    assert [title for title, most in shown.items() if not most > 0 and title not in QUIET] == []


def test_every_alert_is_understood_and_the_exploit_is_told(scraped: Prometheus) -> None:
    for rule in alerts():
        scraped.values(rule["expr"])

    def loaded() -> list[dict[str, Any]]:
        return [rule for group in scraped.ask("rules")["groups"] for rule in group["rules"]]

    def in_state(state: str) -> list[str]:
        return [rule["name"] for rule in loaded() if rule["state"] == state]

    until(lambda: in_state("firing") == ["StopgapExploitAnswered"])
    assert in_state("pending") == []
    assert [rule["name"] for rule in loaded() if rule["health"] != "ok"] == []
    assert {rule["name"] for rule in loaded()} == {rule["alert"] for rule in alerts()}
