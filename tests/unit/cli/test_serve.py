"""Does `stopgap serve` come up, say what a person needs, and answer every mistake with one line?"""

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from stopgap.cli import main
from stopgap.ruleset import load

STOPGAP = [sys.executable, "-P", "-m", "stopgap"]
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("STOPGAP_")}
QUIET = """
listen = "127.0.0.1:0"
admin = "off"
workers = 1
[[site]]
name = "kaikei"
origins = "http://127.0.0.1:1"
packs = []
"""


@contextmanager
def running(*flags: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A gate, and what it said until it was ready."""
    with subprocess.Popen(
        [*STOPGAP, "serve", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    ) as process:
        assert process.stderr is not None
        said: list[str] = []
        try:
            for line in process.stderr:
                said.append(line.rstrip())
                if line.startswith("  workers"):
                    break
            yield process, said
        finally:
            process.kill()


def test_says_where_before_what_and_how_strictly(tmp_path: Path) -> None:
    file = tmp_path / "stopgap.toml"
    file.write_text(QUIET, "utf-8")
    with running("--config", str(file), "--mode", "detect") as (process, said):
        assert said[0].startswith("stopgap 0.1.0 serves on http://127.0.0.1:")
        assert "before  http://127.0.0.1:1  (site kaikei: server any" in said[1]
        assert "mode    detect: judges, logs AND FORWARDS" in said[2]
        host, _, port = said[0].rpartition("/")[2].rpartition(":")
        socket.create_connection((host, int(port)), timeout=5).close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert process.stdout is not None
        assert process.stdout.read() == ""


def test_a_strict_canary(tmp_path: Path) -> None:
    file = tmp_path / "stopgap.toml"
    file.write_text(QUIET, "utf-8")
    policy = " ".join(pack.name for pack in load.packaged() if pack.policy)
    with running("--config", str(file), "--mode", "canary", "--strict", "--preset", "iis5-asp") as (_, said):
        assert "server iis5" in said[1]
        assert "mode    canary: for some clients refuses, for all others judges, logs AND FORWARDS" in said[2]
        assert f" in {policy}; ruleset " in said[3]


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        ([], "--origin: is missing"),
        (["--origin", "http://h", "--preset", "iis5"], '--preset: no preset is called "iis5"; did you mean '),
        (["--origin", "192.0.2.1"], '--origin: "192.0.2.1" is not the URL of an origin'),
        (["--origin", "http://192.0.2.1", "--listen", "nowhere"], '--listen: "nowhere" is not an address'),
        (["--origin", "http://192.0.2.1", "--server", "iis9"], '--server: no server table is called "iis9"'),
        (["--origin", "http://192.0.2.1", "--mode", "loud"], '--mode: "loud" is unknown'),
        (["--origin", "http://192.0.2.1", "--codepage", "37"], "--codepage: 37 is unknown"),
        (["--origin", "http://192.0.2.1", "--tls-cert", "x.pem"], "--tls-key: is missing"),
        (["--origin", "http://192.0.2.1", "--tls-cert", "x.pem", "--tls-key", "y"], "x.pem: cannot be read"),
        (["--config", "/no/such.toml"], "/no/such.toml: cannot be read: No such file or directory"),
        (["--demo", "--origin", "http://192.0.2.1"], "--demo: brings its own origin"),
        (["--origin", "http://192.0.2.1", "--workers", "0"], "--workers: must be between 1 and 256, not 0"),
        (["--origin", "http://192.0.2.1", "--admin", "x"], '--admin: "x" is not an address'),
        (["--origin", ""], '--origin: "" is not the URL of an origin'),
        (["--orign", "http://192.0.2.1"], "stopgap serve: No such option"),
        (["--workers", "many"], "stopgap serve: Invalid value for '--workers'"),
        (["surplus"], "stopgap serve: Got unexpected extra argument"),
    ],
    ids=str,
)
def test_every_mistake_is_one_line(flags: list[str], line: str) -> None:
    done = CliRunner().invoke(main, ["serve", *flags], env={"STOPGAP_CONFIG": ""})
    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 1
    assert line in done.stderr
    assert done.stdout == ""


def test_the_demo_answers_at_localhost() -> None:
    flags = ("--demo", "--listen", "127.0.0.1:0", "--admin", "off", "--workers", "1")
    with running(*flags) as (process, said):
        port = int(said[0].rpartition(":")[2])
        for target, status in (("/form.asp", 200), ("/x.%2569da", 404)):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", target)
            assert connection.getresponse().status == status
            connection.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_port_in_use(tmp_path: Path) -> None:
    file = tmp_path / "stopgap.toml"
    file.write_text(QUIET, "utf-8")
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        done = CliRunner().invoke(main, ["serve", "--config", str(file), "--listen", listen])
    assert done.exit_code == 3
    assert done.stderr == f"stopgap: cannot listen on {listen}: the port is in use by another program\n"


def test_log_that_cannot_be_written(tmp_path: Path) -> None:
    file = tmp_path / "stopgap.toml"
    file.write_text(QUIET, "utf-8")
    done = CliRunner().invoke(main, ["serve", "--config", str(file), "--log", "/no/such/folder/log"])
    assert done.exit_code == 3
    assert done.stderr == "stopgap: log: /no/such/folder/log: cannot be opened: No such file or directory\n"
