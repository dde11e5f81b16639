"""How is the real program started, told, asked and ended?

`Gate` is one `stopgap serve`, with its events and its words to people in files, so that no pipe can
hold it up. Whoever ends a gate by `serving` also asserts that it said nothing of an error of its own.
"""

import datetime
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser

from tests.e2e.origins import until

PROGRAM = str(Path(sys.executable).parent / "stopgap")
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("STOPGAP_")}
PARSE: Callable[[str], Iterable[Metric]] = parser.text_string_to_metric_families
QUICK = ("--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--workers", "1")


class Gate:
    """A running gate; `port` and `admin` are where it listens, `plain` where it sends clients to TLS."""

    def __init__(
        self,
        folder: Path,
        *flags: str,
        environment: Mapping[str, str] | None = None,
        before: Sequence[str] = (),
        program: Sequence[str] = (PROGRAM,),
    ) -> None:
        """`before` are the words of a program that runs the gate in its place, such as `prlimit`; `program`
        is another one than the installed one."""
        self._out, self._err = folder / "events", folder / "said"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [*before, *program, "serve", *flags],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**ENVIRONMENT, **(environment or {})},
                start_new_session=True,
            )
        self.flags = flags
        self.port = self.admin = self.plain = 0

    @property
    def said(self) -> str:
        """What it told people so far."""
        return self._err.read_text("utf-8")

    def wait(self) -> None:
        """Until it serves."""
        until(lambda: "\n  workers " in self.said or self.process.poll() is not None, 30)
        assert self.process.poll() is None, self.said
        for line in self.said.splitlines():
            if " serves on " in line:
                self.port = int(line.rpartition(":")[2])
            elif line.startswith("  redirects "):
                self.plain = int(line.split()[1].rpartition(":")[2])
            elif line.startswith("  admin ") and "unix:" not in line:
                self.admin = int(line.split()[1].rpartition(":")[2])

    @property
    def events(self) -> list[dict[str, Any]]:
        """The lines written so far."""
        return [
            json.loads(line)
            for line in self._out.read_text("ascii").splitlines(keepends=True)
            if line[-1] == "\n"
        ]

    def event(self, number: str) -> dict[str, Any]:
        """The first line of an event; waits for it."""
        found: list[dict[str, Any]] = []

        def there() -> bool:
            found[:] = [event for event in self.events if event["event.id"] == number]
            return bool(found)

        until(there)
        return found[0]

    def admins(self, path: str, method: str = "GET") -> tuple[int, str]:
        """Status and text of an answer of the admin address."""
        connection = HTTPConnection("127.0.0.1", self.admin, timeout=100)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    @property
    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = json.loads(self.admins("/status")[1])
        return status

    def counts(self) -> dict[tuple[str, ...], float]:
        """Every sample of /metrics: (name, label values in the order of their names) -> value."""
        _, text = self.admins("/metrics")
        return {
            (sample.name, *(value for _, value in sorted(sample.labels.items()))): float(sample.value)
            for family in PARSE(text)
            for sample in family.samples
        }

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def ended(self, seconds: float = 10) -> int:
        """Its exit code; waits for it."""
        return self.process.wait(seconds)

    def memory(self) -> dict[str, int]:
        """Resident KiB of the supervisor and of the workers together."""
        pids = [worker["pid"] for worker in self.status["workers"]]
        return {"supervisor": resident(self.process.pid), "workers": sum(map(resident, pids))}


def resident(pid: int) -> int:
    """Resident memory of a process in KiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


@contextmanager
def serving(
    folder: Path,
    *flags: str,
    workers: int = 1,
    environment: Mapping[str, str] | None = None,
    before: Sequence[str] = (),
    faultless: bool = True,
) -> Iterator[Gate]:
    """A gate for a while, on ports of its own choice. A `faultless` one tells of no internal error."""
    folder.mkdir(exist_ok=True)
    gate = Gate(folder, *QUICK[:-1], str(workers), *flags, environment=environment, before=before)
    try:
        gate.wait()
        yield gate
        if gate.process.poll() is None:
            gate.signal(signal.SIGINT)
        assert gate.ended() == 0, gate.said
        if faultless:
            assert "internal error" not in gate.said and "Traceback" not in gate.said, gate.said
    finally:
        if gate.process.poll() is None:
            gate.process.kill()
            gate.process.wait()


def written(folder: Path, *sites: Mapping[str, Any], **top: Any) -> str:
    """Write a stopgap.toml; its path."""
    folder.mkdir(exist_ok=True)
    lines = [f"{key} = {_toml(value)}" for key, value in top.items()]
    for number, site in enumerate(sites):
        lines.append("[[site]]")
        lines += [f"{key} = {_toml(value)}" for key, value in {"name": f"site{number}", **site}.items()]
    file = folder / "stopgap.toml"
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return str(file)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return str(value) if isinstance(value, datetime.date) else json.dumps(value)


@contextmanager
def guarding(
    folder: Path,
    *sites: Mapping[str, Any],
    workers: int = 1,
    environment: Mapping[str, str] | None = None,
    before: Sequence[str] = (),
    faultless: bool = True,
    **top: Any,
) -> Iterator[Gate]:
    """A gate with these sites in a file. Without `packs` a site has none: the gate starts sooner."""
    filled = [{"packs": [], **site} for site in sites]
    flags = ("--config", written(folder, *filled, **top))
    with serving(
        folder, *flags, workers=workers, environment=environment, before=before, faultless=faultless
    ) as gate:
        yield gate
