"""What does a real Prometheus make of a gate's metrics, and of the rules and queries in deploy/?

`running` is Debian's prometheus with the configuration of deploy/prometheus/, in which the gate's address and
the intervals are replaced; what it keeps lies in a folder of the test.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.e2e.origins import free_port, until

SHIPPED = Path(__file__).parents[2] / "deploy" / "prometheus"
GATE = "127.0.0.1:9901"
INTERVAL = "15s"
SHORT = "250ms"


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus."""

    port: int

    def ask(self, path: str, **values: str) -> Any:
        """The `data` of an answer of its API; an answer that is an error fails."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", f"/api/v1/{path}?{urlencode(values)}")
            told = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        assert told["status"] == "success", f"{values}: {told.get('error')}"
        assert not told.get("warnings"), f"{values}: {told['warnings']}"
        return told["data"]

    def values(self, expression: str) -> list[float]:
        """The values of an instant query."""
        return [float(row["value"][1]) for row in self.ask("query", query=expression)["result"]]


@contextmanager
def running(folder: Path, admin: int) -> Iterator[Prometheus]:
    """Prometheus for a while, reading the gate whose admin address has this port."""
    folder.mkdir()
    for rules in SHIPPED.glob("*.rules.yml"):
        (folder / rules.name).write_bytes(rules.read_bytes())
    text = (SHIPPED / "prometheus.yml").read_text("utf-8")
    assert text.count(GATE) == 1 and text.count(INTERVAL) == 2
    config = folder / "prometheus.yml"
    config.write_text(text.replace(GATE, f"127.0.0.1:{admin}").replace(INTERVAL, SHORT), "utf-8")
    port = free_port()
    command = ["prometheus", f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}"]
    command += [f"--storage.tsdb.path={folder / 'data'}", "--storage.tsdb.retention.time=1h"]
    with (folder / "said").open("wb") as said, subprocess.Popen(command, stderr=said) as process:
        try:
            until(lambda: _ready(port) or process.poll() is not None)
            assert process.poll() is None, (folder / "said").read_text("utf-8")
            yield Prometheus(port)
        finally:
            process.terminate()


def _ready(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/-/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
