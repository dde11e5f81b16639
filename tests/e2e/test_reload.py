"""Is a new configuration in force at once for everybody, without anybody noticing, and a bad one for nobody?

200 reloads under load, or 1 000 with every pack where STOPGAP_LONG=1, which also prints the memory.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import origins
from tests.e2e.client import Client, ask, get
from tests.e2e.gate import Gate, serving, written
from tests.e2e.load import Load
from tests.e2e.origins import Origin, until

LONG = os.environ.get("STOPGAP_LONG") == "1"
RELOADS = 1000 if LONG else 200
GROWTH = 6 * 1024
"""KiB that supervisor or worker may have grown by."""

RULE = """
[[rule]]
id = "{name}"
title = "A rule that comes and goes"
match = {{ extension = "{name}" }}
block = ['GET /x.{name} HTTP/1.0']
pass = ['GET /x.htm HTTP/1.0']
"""


class Operator:
    """Writes the files of a running gate."""

    def __init__(self, folder: Path, origin: Origin, packs: list[str]) -> None:
        self.folder, self.origin, self.packs = folder, origin, packs
        self.pack = folder / "own.toml"
        self.deny("aaa")
        self.file = self.write()

    def write(self, **top: object) -> str:
        site = {"origins": self.origin.url, "server": "iis5", "packs": self.packs, "rules": str(self.pack)}
        return written(self.folder, site, **top)

    def deny(self, name: str) -> None:
        self.pack.write_text(RULE.format(name=name), "utf-8")


@pytest.fixture
def operator(tmp_path: Path, origin: Origin) -> Operator:
    return Operator(tmp_path, origin, ["code-red", "limits"] if LONG else [])


@pytest.fixture
def gate(operator: Operator, tmp_path: Path) -> Iterator[Gate]:
    with serving(tmp_path, "--config", operator.file, workers=2) as running:
        yield running


def denied(port: int, name: str) -> bool:
    return bool(ask(port, get(f"/x.{name}")).event)


def files(gate: Gate) -> int:
    """Open files of all processes."""
    pids = [gate.process.pid, *(worker["pid"] for worker in gate.status["workers"])]
    return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids)


def test_a_new_rule_is_in_force(gate: Gate, operator: Operator) -> None:
    assert denied(gate.port, "aaa") and not denied(gate.port, "bbb")
    before = gate.status["ruleset"]
    with Client(gate.port) as kept:
        assert kept.ask(get("/x.bbb")).event == ""
        operator.deny("bbb")
        gate.signal(signal.SIGHUP)
        until(lambda: gate.status["reloads"] == 1)
        assert kept.ask(get("/x.bbb")).event
        assert kept.ask(get("/x.aaa")).event == ""
    assert [(denied(gate.port, "aaa"), denied(gate.port, "bbb")) for _ in range(10)] == [(False, True)] * 10
    assert gate.status["ruleset"] != before
    assert gate.status["reload"]["ok"]
    assert "reloaded: ruleset " in gate.said


def test_a_request_in_progress_keeps_its_rules(gate: Gate, operator: Operator, origin: Origin) -> None:
    with Client(gate.port) as client:
        client.send(get("/up", "Content-Length: 6", method="POST") + b"abc")
        operator.deny("bbb")
        assert gate.admins("/reload", "POST")[0] == 200
        client.send(b"def")
        assert client.answer().body == b"POST /up 6"
        assert client.ask(get("/x.bbb")).event


@pytest.mark.timeout(900)
def test_many_reloads_under_load(gate: Gate, operator: Operator) -> None:
    with Load(gate.port, 4, close_every=50) as load:
        for turn in range(10):
            operator.deny(f"warm{turn}")
            assert gate.admins("/reload", "POST")[0] == 200
        before, opened = gate.memory(), files(gate)
        began = load.answered
        for turn in range(RELOADS):
            name = "aaa" if turn % 2 else "bbb"
            operator.deny(name)
            status, text = gate.admins("/reload", "POST")
            assert status == 200, text
            if turn % 10 == 0:
                assert denied(gate.port, name)
        after = gate.memory()
        answered = load.answered - began
    assert (load.wrong, load.broken) == ([], [])
    assert answered > RELOADS
    until(lambda: files(gate) <= opened + 4)
    print(f"{RELOADS} reloads, {answered} requests meanwhile; resident KiB: {before} -> {after}")
    assert gate.status["reloads"] == RELOADS + 10
    assert all(after[name] - before[name] < GROWTH * (2 if name == "workers" else 1) for name in after)


BAD = {
    "a rule without vectors": (
        '[[rule]]\nid = "x"\ntitle = "x"\nmatch = { extension = "x" }\n',
        "own.toml:1",
        '"x"',
    ),
    "a vector that does not hold": (
        RULE.format(name="zzz").replace("GET /x.zzz", "GET /x.yyy"),
        "own.toml:6",
        'rule "zzz"',
    ),
    "an unknown key": (RULE.format(name="zzz") + "mach = 1\n", "own.toml:8", "mach"),
    "no TOML": ("[[rule]\n", "own.toml:1", "own.toml"),
    "the same rule twice": (RULE.format(name="zzz") * 2, "own.toml:9", '"zzz"'),
    "no UTF-8": ('title = "\udcff"\n', "own.toml", "UTF-8"),
}


def test_a_bad_pack_changes_nothing(gate: Gate, operator: Operator) -> None:
    before = gate.status["ruleset"]
    for name, (text, place, what) in BAD.items():
        operator.pack.write_text(text, "utf-8", "surrogateescape")
        status, told = gate.admins("/reload", "POST")
        assert status == 409, name
        assert place in told and what in told.replace('\\"', '"'), (name, told)
        state = gate.status
        assert not state["reload"]["ok"] and place in state["reload"]["error"], name
        assert state["ruleset"] == before and state["ready"]
        assert place in gate.said and "reload refused, nothing has changed" in gate.said
        assert denied(gate.port, "aaa")
    assert gate.counts()["stopgap_reload_success",] == 0
    operator.deny("ccc")
    assert gate.admins("/reload", "POST")[0] == 200
    assert denied(gate.port, "ccc") and not denied(gate.port, "aaa")
    assert gate.counts()["stopgap_reload_success",] == 1


def test_a_bad_file_by_signal_changes_nothing(gate: Gate, operator: Operator) -> None:
    Path(operator.file).write_text("lisen = 1\n", "utf-8")
    gate.signal(signal.SIGHUP)
    until(lambda: not gate.status["reload"]["ok"])
    assert "stopgap.toml:1" in gate.status["reload"]["error"]
    assert "lisen" in gate.said
    assert denied(gate.port, "aaa")


def test_what_needs_a_restart_is_refused(gate: Gate, operator: Operator) -> None:
    operator.write(log="/tmp/elsewhere")
    status, told = gate.admins("/reload", "POST")
    assert status == 409 and "needs a restart" in told
    assert denied(gate.port, "aaa")


def test_a_new_origin_takes_over(gate: Gate, operator: Operator, origin: Origin) -> None:
    """Requests go to the new origin from the reload on, also on connections that were there before."""
    with origins.running() as other, Client(gate.port) as client:
        assert client.ask(get("/old")).status == 200
        operator.origin = other
        operator.write()
        assert gate.admins("/reload", "POST")[0] == 200
        assert client.ask(get("/new")).status == 200
        assert [request.target for request in other.requests] == [b"/new"]
        assert [request.target for request in origin.requests] == [b"/old"]
        until(lambda: all(peer.sock.fileno() < 0 for peer in origin.peers))
