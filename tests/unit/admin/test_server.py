"""Is everything on the admin address answered, and does it keep out what comes through a browser?"""

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from stopgap.admin.metrics import Board, Metrics
from stopgap.admin.server import ROUTES, THREADS, AdminServer, host_allowed
from stopgap.admin.status import Answer, Reload, Status
from stopgap.config import Address
from stopgap.events.schema import Event
from stopgap.gate import sockets
from stopgap.gate.handover import Counters
from stopgap.ruleset.model import Ruleset
from stopgap.ruleset.spec import Registry


class Source:
    """A supervisor that has never done anything."""

    def __init__(self) -> None:
        self.ready = True
        self.asked: list[str] = []
        self.ruleset = Ruleset(packs=(), rules=(), sites={})

    @property
    def status(self) -> Status:
        return Status(
            version="1.2.3",
            started="",
            started_unix=0.0,
            loaded_unix=0.0,
            state="ready" if self.ready else "draining",
            ready=self.ready,
            ruleset="ab",
            listen=(),
            admin="",
            tls=False,
            sites=(),
            workers=(),
            reload=Reload(time="", unix=0.0, ok=True),
            reloads=0,
            events_written=0,
            events_dropped=0,
        )

    def recent(self) -> list[Event]:
        return []

    def ask(self, verb: str) -> Answer:
        self.asked.append(verb)
        return Answer(ok=verb == "drain", text=f"did {verb}")


class Scene:
    def __init__(self, address: Address) -> None:
        self.source = Source()
        counters = Counters(registry=Registry(), origins={})
        metrics = Metrics(Board(memoryview(b""), 0), counters, lambda: self.source.status)
        door = sockets.listener(address)
        self.address = sockets.bound(door)
        self.server = AdminServer(door, self.source, metrics, names=("gate.example",))
        self.server.start()

    def ask(self, method: str, path: str, **headers: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", timeout=10)
        connection.sock = sockets.connect(self.address, 10)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene(Address("127.0.0.1", 0))
    yield made
    made.server.close()


@pytest.mark.parametrize("path", [path for path, (method, _) in ROUTES.items() if method == "GET"])
def test_reading(scene: Scene, path: str) -> None:
    code, body = scene.ask("GET", path)
    assert code == 200
    assert body
    assert scene.ask("HEAD", path) == (200, "")
    assert scene.ask("POST", path)[0] == 405


def test_status_is_json(scene: Scene) -> None:
    told = json.loads(scene.ask("GET", "/status")[1])
    assert (told["version"], told["ready"], told["ruleset"]) == ("1.2.3", True, "ab")
    assert told["uptime_seconds"] > 0


def test_readiness(scene: Scene) -> None:
    assert scene.ask("GET", "/readyz") == (200, "ready\n")
    scene.source.ready = False
    assert scene.ask("GET", "/readyz") == (503, "draining\n")
    assert scene.ask("GET", "/livez")[0] == 200


def test_only_post_changes_something(scene: Scene) -> None:
    for path in ("/reload", "/drain"):
        assert scene.ask("GET", path)[0] == 405
    assert scene.source.asked == []
    assert json.loads(scene.ask("POST", "/drain")[1]) == {"ok": True, "text": "did drain"}
    assert scene.ask("POST", "/reload")[0] == 409
    assert scene.source.asked == ["drain", "reload"]


def test_a_web_page_cannot_post(scene: Scene) -> None:
    for origin in ("http://evil.example", "null", "http://127.0.0.1:9901"):
        assert scene.ask("POST", "/drain", Origin=origin)[0] == 403
    assert scene.source.asked == []


def test_dns_rebinding_is_refused(scene: Scene) -> None:
    assert scene.ask("GET", "/status", Host="evil.example:9901")[0] == 421
    assert scene.ask("GET", "/status", Host="gate.example:9901")[0] == 200


@pytest.mark.parametrize(
    ("values", "allowed"),
    [
        ([], True),
        (["127.0.0.1:9901"], True),
        (["[::1]:9901"], True),
        (["192.0.2.1"], True),
        (["LOCALHOST:9901"], True),
        (["gate.example"], True),
        (["evil.example"], False),
        (["127.0.0.1.evil.example"], False),
        (["localhost", "evil.example"], False),
        ([""], False),
    ],
)
def test_hosts(values: list[str], allowed: bool) -> None:
    assert host_allowed(values, frozenset({"localhost", "gate.example"})) == allowed


def test_unknown_path_says_what_there_is(scene: Scene) -> None:
    code, body = scene.ask("GET", "/")
    assert code == 404
    assert "/metrics" in body


def test_nonsense_is_answered(scene: Scene) -> None:
    with sockets.connect(scene.address, 10) as client:
        client.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
        assert b"400" in client.recv(1000)
    assert scene.ask("GET", "/livez")[0] == 200


def test_silent_clients_do_not_pile_up(scene: Scene) -> None:
    idle = [sockets.connect(scene.address, 10) for _ in range(THREADS + 4)]
    try:
        closed = 0
        for client in idle[THREADS:]:
            client.settimeout(5)
            closed += client.recv(1) == b""
        assert closed == 4
    finally:
        for client in idle:
            client.close()


def test_unix_socket(tmp_path: Path) -> None:
    made = Scene(Address("", 0, str(tmp_path / "admin.sock")))
    try:
        assert made.ask("GET", "/readyz")[0] == 200
        assert made.ask("POST", "/drain", Host="any.example")[0] == 200
        assert made.ask("POST", "/drain", Origin="http://any.example")[0] == 403
    finally:
        made.server.close()


def test_ipv6() -> None:
    made = Scene(Address("::1", 0))
    try:
        assert made.ask("POST", "/drain")[0] == 200
    finally:
        made.server.close()


def test_the_door_is_closed_at_the_end() -> None:
    made = Scene(Address("127.0.0.1", 0))
    made.server.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((made.address.host, made.address.port), timeout=5)
