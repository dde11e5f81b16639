"""Is one refusal the same in every format and output of the real program, and does a bad server cost nothing?

One refusal is sent and looked for in the log, at the syslog server, on the admin address, in the metrics and
in `explain`. A syslog server that stands still or dies must not be felt by any client.
"""

import json
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.client import Client, get
from tests.e2e.gate import ENVIRONMENT, PROGRAM, Gate, guarding
from tests.e2e.load import Load
from tests.e2e.origins import Origin, until

SITE = {"packs": ["code-red"], "server": "iis5"}
WANTED = {"reason": "extension-denied", "rule": "ida-idq", "mode": "block", "client": "127.7.7.0"}
COMBINED = re.compile(
    r'(\S+) - - .* event=(\S+) action=\S+ reason=(\S+) rule=(\S+) mode=(\S+) site="site0" count=0'
)
MESSAGE = re.compile(r"<132>1 \S+ \S+ stopgap \d+ refused - (.*)", re.S)
Told = dict[str, Any]


def ecs(line: str) -> Told:
    told = json.loads(line)
    names = {"reason": "stopgap.reason", "rule": "rule.id", "mode": "stopgap.mode", "client": "source.ip"}
    return {"id": told["event.id"], **{name: told[key] for name, key in names.items()}}


def ocsf(line: str) -> Told:
    told = json.loads(line)
    return {
        "id": told["metadata"]["uid"],
        "reason": told["status_detail"],
        "rule": told["firewall_rule"]["uid"],
        "mode": told["unmapped"]["stopgap.mode"],
        "client": told["src_endpoint"]["ip"],
    }


def combined(line: str) -> Told:
    parts = COMBINED.fullmatch(line)
    assert parts, line
    return dict(zip(("client", "id", "reason", "rule", "mode"), parts.groups(), strict=True))


READERS = {"ecs": ecs, "ocsf": ocsf, "combined": combined}


@contextmanager
def listening(kind: str, folder: Path) -> Iterator[tuple[str, socket.socket]]:
    """A syslog server; what `syslog` has to say to reach it, and its socket."""
    family = socket.AF_UNIX if kind == "unix" else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as server:
        server.settimeout(20)
        server.bind(str(folder / "log.sock") if kind == "unix" else ("127.0.0.1", 0))
        if kind == "tcp":
            server.listen()
        yield (
            (
                f"unix:{folder}/log.sock"
                if kind == "unix"
                else f"{kind}://127.0.0.1:{server.getsockname()[1]}"
            ),
            server,
        )


def received(kind: str, server: socket.socket) -> str:
    """The next record that a server gets."""
    if kind == "tcp":
        with server.accept()[0] as connection, connection.makefile("rb") as stream:
            length = b"".join(iter(lambda: stream.read(1), b" "))
            data = stream.read(int(length))
    else:
        data = server.recv(9999)
    parts = MESSAGE.fullmatch(data.decode())
    assert parts, data
    return parts[1]


def refused(gate: Gate, source: str, query: str = "") -> str:
    """The id of a refusal."""
    with Client(gate.port, source=source) as client:
        return client.ask(get("/x.ida" + query)).event


def told(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *words], capture_output=True, text=True, env=ENVIRONMENT, check=False, timeout=60
    )


@pytest.mark.parametrize(("name", "kind"), [("ecs", "udp"), ("ocsf", "tcp"), ("combined", "unix")])
def test_one_refusal_in_every_view(tmp_path: Path, origin: Origin, name: str, kind: str) -> None:
    log, file = tmp_path / "記録.log", str(tmp_path / "stopgap.toml")
    with listening(kind, tmp_path) as (place, server):
        keys: dict[str, Any] = {"log": str(log), "log_format": name, "syslog": place, "mask_clients": True}
        with guarding(tmp_path, {**SITE, "origins": origin.url}, **keys) as gate:
            number = refused(gate, "127.7.7.77")
            wanted = {"id": number, **WANTED}
            record = received(kind, server)
            until(lambda: log.read_bytes().endswith(b"\n"))
            assert log.read_text("utf-8") == record + "\n"
            assert READERS[name](record) == wanted
            assert ecs(gate.admins(f"/events/{number}")[1]) == wanted
            assert [event["event.id"] for event in json.loads(gate.admins("/events")[1])["events"]] == [
                number
            ]
            counts = gate.counts()
            assert counts["stopgap_rejects_total", "extension-denied"] == 1
            assert counts["stopgap_rule_matches_total", "refused", "ida-idq"] == 1
            explained = told(
                "explain", "--event", number, "-c", file, "--admin", f"127.0.0.1:{gate.admin}"
            ).stdout
            gate.signal(signal.SIGTERM)
            assert gate.ended(30) == 0
        assert f"{number} at " in explained and "client 127.7.7.0\n" in explained
        assert "refused: extension-denied, rule ida-idq" in explained
        if name == "combined":
            done = told("explain", "--event", number, "-c", file, "--log", str(log))
            assert done.returncode == 2
            assert f"{log}: tells of {number} in the combined format" in done.stderr


def test_a_reload_takes_over_how_events_are_told(tmp_path: Path, origin: Origin) -> None:
    log, file = tmp_path / "log", tmp_path / "stopgap.toml"
    with (
        listening("udp", tmp_path) as (place, server),
        guarding(tmp_path, {**SITE, "origins": origin.url}, log=str(log)) as gate,
    ):
        first = refused(gate, "127.7.7.1")
        until(lambda: log.read_bytes().count(b"\n") == 1)
        keys = file.read_text("utf-8")
        more = f'log_format = "combined"\nsyslog = "{place}"\nlog_rotate = {{ size = "64 KiB" }}\n'
        file.write_text(more.replace("64 KiB", "64 kB") + keys, "utf-8")
        status, text = gate.admins("/reload", "POST")
        told_why = json.loads(text)["text"].partition("; ")[0]
        assert (status, told_why) == (409, f'{file}:3: log_rotate.size: "64 kB" is not a size')
        file.write_text(more + keys, "utf-8")
        assert gate.admins("/reload", "POST")[0] == 200
        second = refused(gate, "127.7.7.2")
        assert combined(received("udp", server))["id"] == second
        until(lambda: log.read_bytes().count(b"\n") == 2)
        lines = log.read_text("utf-8").splitlines()
        assert [ecs(lines[0])["id"], combined(lines[1])["id"]] == [first, second]


def test_a_log_is_rotated_and_no_line_is_lost(tmp_path: Path, origin: Origin) -> None:
    log = tmp_path / "log"
    rotated: dict[str, Any] = {"log": str(log), "log_rotate": {"size": 65536, "keep": 3}}
    with guarding(tmp_path, {**SITE, "origins": origin.url}, **rotated) as gate:
        ids = [refused(gate, f"127.0.4.{host}", "?" + "a" * 900) for host in range(1, 101)]
        until(lambda: gate.counts()["stopgap_events_written_total",] == len(ids))
        assert (tmp_path / "log.1").stat().st_size <= 65536
        log.rename(tmp_path / "moved")
        gate.signal(signal.SIGUSR1)
        until(log.exists)
        ids.append(refused(gate, "127.0.6.1"))
        until(lambda: gate.counts()["stopgap_events_written_total",] == len(ids))
        found = [
            json.loads(line)["event.id"]
            for path in (*reversed([*tmp_path.glob("log.[0-9]")]), tmp_path / "moved", log)
            for line in path.read_bytes().splitlines()
        ]
        assert sorted(found) == sorted(ids)
        assert found[-1] == ids[-1]


def test_a_server_that_stands_still_and_dies_is_not_felt(tmp_path: Path, origin: Origin) -> None:
    log = tmp_path / "log"
    with listening("tcp", tmp_path) as (place, server):
        keys: dict[str, Any] = {"log": str(log), "syslog": place}
        with guarding(tmp_path, {**SITE, "origins": origin.url}, **keys) as gate, Load(gate.port, 2) as load:
            ids = [refused(gate, f"127.0.8.{host}") for host in range(1, 101)]
            until(lambda: gate.counts()["stopgap_events_written_total",] == len(ids))
            server.close()
            ids += [refused(gate, f"127.0.9.{host}") for host in range(1, 51)]
            until(lambda: gate.counts()["stopgap_events_written_total",] == len(ids))
            until(lambda: f"syslog {place}: takes no events: " in gate.said)
            at = load.answered
            until(lambda: load.answered > at + 50)
            assert (load.wrong, load.broken) == ([], [])
            gate.signal(signal.SIGTERM)
            assert gate.ended(10) == 0
    assert [json.loads(line)["event.id"] for line in log.read_bytes().splitlines()] == ids
    assert "events not written to syslog, which takes them too slowly: " in gate.said
