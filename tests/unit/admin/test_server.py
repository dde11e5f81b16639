"""Is everything on the admin address answered, and does it keep out what comes through a browser?"""

import http.client
import json
import socket
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from urllib.parse import quote

import pytest

from stopgap.admin.metrics import Metrics
from stopgap.admin.routes import BODIES, NAMED, OPEN_BELOW, ROUTES, opened
from stopgap.admin.server import ASKS, LONGEST_BODY, THREADS, AdminServer, host_allowed
from stopgap.config import Address
from stopgap.gate import sockets
from tests.unit.admin.source import Source, line


class Scene:
    def __init__(self, address: Address, token: str = "") -> None:
        self.source = Source()
        metrics = Metrics(self.source.board, self.source.counters, lambda: self.source.status)
        door = sockets.listener(address)
        self.address = sockets.bound(door)
        self.source.writer.put([line(7)])
        self.server = AdminServer(door, self.source, metrics, token, names=("gate.example",))
        self.server.start()

    def ask(self, method: str, path: str, **headers: str) -> tuple[int, str]:
        return self.send(method, path, headers)

    def send(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None = None
    ) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", timeout=10)
        connection.sock = sockets.connect(self.address, 10)
        try:
            connection.request(method, path, body, headers)
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


def test_one_event(scene: Scene) -> None:
    code, body = scene.ask("GET", "/events/0000000000000007")
    assert (code, json.loads(body)["event.id"]) == (200, "0000000000000007")
    for name in ("0000000000000008", "7", "..%2f", "x" * 1000):
        code, body = scene.ask("GET", f"/events/{name}")
        assert (code, json.loads(body)["ok"]) == (404, False)
    assert scene.ask("POST", "/events/0000000000000007")[0] == 405
    assert scene.ask("GET", "/events/")[0] == 404
    assert scene.ask("GET", "/rules/x")[0] == 404


def test_events_from_a_number_on(scene: Scene) -> None:
    scene.source.writer.put([line(number) for number in range(8, 20)])
    told = json.loads(scene.ask("GET", "/events?after=0&limit=5")[1])
    assert ([event["event.id"][-2:] for event in told["events"]], told["next"]) == (
        ["07", "08", "09", "0a", "0b"],
        5,
    )
    told = json.loads(scene.ask("GET", f"/events?after={told['next']}")[1])
    assert (len(told["events"]), told["next"]) == (8, 13)
    assert json.loads(scene.ask("GET", "/events?after=13")[1])["events"] == []
    assert len(json.loads(scene.ask("GET", "/events")[1])["events"]) == 13


def test_rows_in_both_directions(scene: Scene) -> None:
    scene.source.writer.put([line(number) for number in range(8, 20)])
    told = json.loads(scene.ask("GET", "/rows?before=4&limit=2")[1])
    assert (told["begin"], [row[0][-2:] for row in told["rows"]]) == (2, ["09", "0a"])
    assert json.loads(scene.ask("GET", f"/rows?before={1 << 50}")[1])["next"] == 13
    assert len(json.loads(scene.ask("GET", "/rows?after=10")[1])["rows"]) == 3
    for query in ("after=x", "after=-1", "limit=\u0663", "before=" + "9" * 20, "more=1", "after="):
        code, body = scene.ask("GET", "/rows?" + quote(query, safe="=-"))
        assert (code, json.loads(body)["ok"]) == (400, False)


def test_what_the_page_asks_for(scene: Scene) -> None:
    event = f"{7:016x}"
    assert json.loads(scene.ask("GET", f"/explained/{event}")[1])["seen"]["verdict"]["rule"] == "ida-idq"
    assert json.loads(scene.ask("GET", f"/proposals/{event}")[1])["ok"]
    assert json.loads(scene.ask("GET", "/rules/ida-idq")[1])["id"] == "ida-idq"
    assert json.loads(scene.ask("GET", "/session")[1])["near"]
    assert json.loads(scene.ask("GET", "/series/hour")[1])["step"] == 5
    for path in ("/explained/8", "/proposals/8", "/rules/gone", "/page/gone.js"):
        assert scene.ask("GET", path)[0] == 404


def test_rulesets_that_are_kept(scene: Scene) -> None:
    told = json.loads(scene.ask("GET", "/rulesets")[1])["rulesets"]
    assert [(one["version"], one["in_use"]) for one in told] == [("aa", False), ("ab", True)]
    assert json.loads(scene.ask("GET", "/rulesets/ab")[1])["texts"] == {"c": "x"}
    code, body = scene.ask("GET", "/rulesets/a")
    assert (code, json.loads(body)["text"]) == (404, 'several versions begin with "a"; kept: aa, ab')


def test_a_rollback_may_name_a_version(scene: Scene) -> None:
    scene.ask("POST", "/rollback")
    scene.ask("POST", "/rollback/ab")
    assert scene.source.asked == ["rollback", "rollback ab"]
    assert scene.ask("GET", "/rollback/ab")[0] == 405
    scene.ask("POST", "/reload/ab")
    assert scene.source.asked[2:] == ["reload ab"]
    assert scene.ask("POST", "/rollback", Origin="http://evil.example")[0] == 403


def test_readiness(scene: Scene) -> None:
    assert scene.ask("GET", "/readyz") == (200, "ready\n")
    scene.source.ready = False
    assert scene.ask("GET", "/readyz") == (503, "draining\n")
    assert scene.ask("GET", "/livez")[0] == 200


def test_only_post_changes_something(scene: Scene) -> None:
    for path in ("/reload", "/drain", "/upgrade"):
        assert scene.ask("GET", path)[0] == 405
    assert scene.source.asked == []
    assert json.loads(scene.ask("POST", "/drain")[1]) == {"ok": True, "text": "did drain"}
    scene.source.refuses = "no"
    assert scene.ask("POST", "/reload")[0] == 409
    assert scene.source.asked == ["drain", "reload"]


def test_a_web_page_cannot_post(scene: Scene) -> None:
    for origin in ("http://evil.example", "null", "http://127.0.0.1:9901"):
        assert scene.ask("POST", "/drain", Origin=origin)[0] == 403
    assert scene.source.asked == []


TOKEN = "right-" * 4
PLACES = [(path, method) for path, (method, _) in ROUTES.items()]
PLACES += [(f"{path}/{7:016x}", method) for path, (method, _) in NAMED.items()]
HOSTS = {"": 0, "127.0.0.1": 0, "evil.example": 421}
OWN = "http://127.0.0.1"
ORIGINS = {"": 0, OWN: 0, "http://127.0.0.1:9901": 403, "https://127.0.0.1": 403}
TOKENS = {"": 401, "Bearer wrong": 401, f"Basic {TOKEN}": 401, f"Bearer {TOKEN}": 0, f"bearer  {TOKEN}": 0}


def test_every_route_method_host_origin_and_token() -> None:
    """What is wrong first decides, and nothing is asked of the supervisor but by what is right throughout."""
    made = Scene(Address("127.0.0.1", 0), TOKEN)
    expected: list[str] = []
    try:
        assert made.ask("PUT", "/reload", Authorization=f"Bearer {TOKEN}")[0] == 501
        for (path, wanted), method in product(PLACES, ("GET", "POST")):
            for host, origin, token in product(HOSTS, ORIGINS, TOKENS):
                fields = {"Host": host, "Origin": origin, "Authorization": token}
                code, _ = made.ask(method, path, **{name: value for name, value in fields.items() if value})
                missing = 0 if opened(path) else TOKENS[token]
                wrong = 0 if method == wanted else 405
                unasked = 403 if origin == OWN and method == "POST" else 0
                bare = 415 if path in BODIES else 0
                first = HOSTS[host] or ORIGINS[origin] or unasked or missing or wrong or bare
                case = (path, method, host, origin, token, code)
                if first:
                    assert code == first, case
                else:
                    assert code in (200, 404, 409), case
                    expected += [path[1:].replace("/", " ")] * (method == "POST")
    finally:
        made.server.close()
    assert made.source.asked == expected
    assert set(expected) == {
        "reload",
        "drain",
        "upgrade",
        "rollback",
        f"rollback {7:016x}",
        f"reload {7:016x}",
    }


PAGES = {
    "": "program",
    OWN: "own",
    "HTTP://127.0.0.1": "own",
    "null": "foreign",
    "http://localhost": "foreign",
    "http://127.0.0.1.evil.example": "foreign",
    "http://127.0.0.1:80": "foreign",
    "http://127.0.0.1/": "foreign",
    "http://127.0.0.1, http://127.0.0.1": "foreign",
}
"""What a browser may name as the origin of the page that asks, and whose page that is."""
FETCHED = {"": True, "none": True, "same-origin": True, "same-site": False, "cross-site": False, "x": False}
ASKED = {"": False, "1": False, "dashboard": True}


def test_what_a_browser_says_of_the_page_that_asks() -> None:
    """Only this address itself is let in, and it changes nothing without a header that no form can send."""
    made = Scene(Address("127.0.0.1", 0))
    expected: list[str] = []
    try:
        for path, (method, _) in ROUTES.items():
            if method == "GET" and path not in ("/", "/status", "/rows"):
                continue
            for origin, site, asks in product(PAGES, FETCHED, ASKED):
                fields = {"Origin": origin, "Sec-Fetch-Site": site, ASKS: asks}
                code, _ = made.ask(method, path, **{name: value for name, value in fields.items() if value})
                changing = method == "POST"
                near = FETCHED[site] or (not changing and opened(path))
                browser = PAGES[origin] == "own" or site == "same-origin"
                right = PAGES[origin] != "foreign" and near and (ASKED[asks] or not (browser and changing))
                case = (path, origin, site, asks, code)
                assert (code != 403) == right, case
                expected += [path[1:]] * (right and changing and path not in BODIES)
    finally:
        made.server.close()
    assert made.source.asked == expected


def test_origin_twice_is_foreign(scene: Scene) -> None:
    with sockets.connect(scene.address, 10) as client:
        client.sendall(b"GET /status HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\nOrigin: http://a\r\n\r\n")
        assert b" 421 " in client.recv(1000)
    with sockets.connect(scene.address, 10) as client:
        origin = b"Origin: http://127.0.0.1\r\n"
        client.sendall(b"GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\n" + origin * 2 + b"\r\n")
        assert b" 403 " in client.recv(1000)


@pytest.mark.parametrize(
    ("fields", "body", "code"),
    [
        ({}, b"{}", 415),
        ({"Content-Type": "text/plain"}, b"{}", 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"a=b", 415),
        ({"Content-Type": "application/json", "Content-Length": "x"}, b"", 400),
        ({"Content-Type": "application/json", "Content-Length": "-1"}, b"", 400),
        ({"Content-Type": "application/json", "Transfer-Encoding": "chunked"}, b"0\r\n\r\n", 411),
        ({"Content-Type": "application/json", "Content-Length": str(LONGEST_BODY + 1)}, b"", 413),
        ({"Content-Type": "application/json"}, b"{", 400),
        ({"Content-Type": "application/json"}, b"[]", 400),
        ({"Content-Type": "application/json"}, b'{"site": 1}', 400),
        ({"Content-Type": "application/json"}, b'{"more": 1}', 400),
        ({"Content-Type": "application/json; charset=utf-8"}, b"\xff", 400),
    ],
)
def test_bodies_are_bounded_and_strict(scene: Scene, fields: dict[str, str], body: bytes, code: int) -> None:
    for path in BODIES:
        assert scene.send("POST", path, fields, body)[0] == code
    assert scene.source.asked == []


def test_the_page_is_open_and_holds_nothing(scene: Scene) -> None:
    """It is the same text for everybody; what it shows it has to ask for, with the token."""
    scene.server.token = TOKEN
    for path in ("/", f"{OPEN_BELOW}app.js", f"{OPEN_BELOW}uPlot.iife.min.js"):
        assert scene.ask("GET", path)[0] == 200
    for path in ("/session", "/rules", "/rows", "/series/hour"):
        assert scene.ask("GET", path)[0] == 401
        assert scene.ask("GET", path, Authorization=f"Bearer {TOKEN}")[0] == 200
    for name in ("..%2fserver.py", "server.py", "uPlot.LICENSE", ""):
        assert scene.ask("GET", OPEN_BELOW + name)[0] in (401, 404)


def test_the_token_may_change(scene: Scene) -> None:
    assert scene.ask("GET", "/status")[0] == 200
    scene.server.token = TOKEN
    assert scene.ask("GET", "/status")[0] == 401
    assert scene.ask("GET", "/status", Authorization=f"Bearer {TOKEN}")[0] == 200
    assert scene.ask("GET", "/status", Authorization="Bearer \xe9\xff")[0] == 401


HOSTILE = b"\x1b[2J<script>alert(1)\x7f\x07\x9b"
REQUESTS = [
    b"GET /%s HTTP/1.1\r\n\r\n",
    b"GET /events/%s HTTP/1.1\r\n\r\n",
    b"POST /events/%s HTTP/1.1\r\n\r\n",
    b"POST /rollback/%s HTTP/1.1\r\n\r\n",
    b"GET /rulesets/%s HTTP/1.1\r\n\r\n",
    b"%s / HTTP/1.1\r\n\r\n",
    b"GET / %s\r\n\r\n",
    b"GET %s\r\n\r\n",
    b"GET /status HTTP/1.1\r\nHost: %s\r\n\r\n",
    b"GET /status HTTP/1.1\r\nOrigin: %s\r\n\r\n",
    b"GET /status HTTP/1.1\r\nAuthorization: %s\r\n\r\n",
    b"GET /status HTTP/1.1\r\n%s\r\n\r\n",
    b"GET /status HTTP/1.1\r\nA: " + b"%s" * 3000 + b"\r\n\r\n",
]


def test_nothing_of_a_request_comes_back_raw(scene: Scene) -> None:
    """A name may be repeated in JSON, which is never a page; control characters are escaped in it."""
    for request in REQUESTS:
        with sockets.connect(scene.address, 10) as client:
            client.sendall(request.replace(b"%s", HOSTILE))
            said = b""
            while more := client.recv(1 << 16):
                said += more
        assert said, request
        assert not set(said) & (set(range(0x20)) - set(b"\r\n") | {0x7F}), request
        assert b"\xc2\x9b" not in said, request
        if b"script" in said:
            assert b"Content-Type: application/json\r\n" in said and b"nosniff" in said, request


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
    code, body = scene.ask("GET", "/nothing")
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
        forwarded = {"Host": "any.example", "Origin": "http://any.example"}  # DNS rebinding through ssh -L
        assert made.ask("POST", "/drain", **forwarded, **{ASKS: "dashboard"})[0] == 421
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
