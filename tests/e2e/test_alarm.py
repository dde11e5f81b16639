"""Is an exploit that the origin answers told in the log, the metrics and by `explain`?"""

from pathlib import Path

import pytest

from tests.e2e.client import ask, get
from tests.e2e.gate import guarding
from tests.e2e.origins import Origin, answer, answering, until
from tests.e2e.test_admin import run

WORM = get("/default.ida?NNNN%u9090=a", "User-Agent: worm")
SITE = "kaikei"
ALARMS = "stopgap_detections_answered_total"


@pytest.mark.parametrize(("status", "kind"), [("200 OK", "2xx"), ("500 Oops", "5xx")])
def test_an_answered_exploit(tmp_path: Path, origin: Origin, status: str, kind: str) -> None:
    site = {"name": SITE, "origins": origin.url, "server": "iis5", "packs": ["code-red"], "mode": "detect"}
    with guarding(tmp_path, site) as gate:
        origin.script = answering(lambda _: answer(b"", status="404 Not Found"))
        assert ask(gate.port, WORM).status == 404
        origin.hang_up()
        origin.script = answering(lambda _: answer(b"the worm got through", status=status))
        for _ in range(2):
            assert ask(gate.port, WORM).status == int(status[:3])
        assert ask(gate.port, get("/")).status == int(status[:3])
        until(lambda: len(gate.events) == 2)
        detection, alarm = gate.events
        assert [one["event.action"] for one in gate.events] == ["detected", "exploit-answered"]
        assert alarm["stopgap.detection"] == detection["event.id"] != alarm["event.id"]
        assert alarm["http.response.status_code"] == int(status[:3])
        same = ("rule.id", "stopgap.site", "stopgap.mode", "source.ip", "url.original", "user_agent.original")
        assert [alarm[key] for key in same] == [detection[key] for key in same]
        counts = gate.counts()
        told = [key for key, value in counts.items() if key[0] == ALARMS and value]
        assert told == [(ALARMS, kind, SITE)] and counts[told[0]] == 2
        assert counts["stopgap_requests_total", SITE, "detected"] == 3
        door = ("--admin", f"127.0.0.1:{gate.admin}", "--config", str(tmp_path / "stopgap.toml"))
        code, said = run("explain", "--event", alarm["event.id"], *door)
        assert code == 1
        assert f"{status[:3]} by the origin; event {detection['event.id']} is the detection" in said
        assert f'in [site.modes] of site "{SITE}" put code-red = "block" or only ida-idq = "block"' in said
