"""Is every refusal one event, the same in each view? A request for every way to be refused or noted.

The ways are the reasons of the core. Most requests come from the conversations of `tests/wire`, each on a
site of its own where it needs other limits; actions, modes, failures and connections are tables below.
`internal-error` alone cannot be had from outside: the core's tests let the judge fail (`session/tests.rs`).
"""

import contextlib
import json
import resource
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from click.testing import CliRunner

from stopgap import _core
from stopgap.cli import main
from stopgap.cli.gate import Door
from stopgap.cli.top import sample
from stopgap.config import Address
from stopgap.events import flows
from stopgap.top.figures import Past, Sample
from stopgap.top.screen import line
from tests.e2e.certificates import self_signed
from tests.e2e.client import Client, Cut, get, post
from tests.e2e.gate import Gate, guarding
from tests.e2e.origins import Peer, deaf, echo, running, until
from tests.e2e.scarcity import limited
from tests.e2e.test_full_disk import FULL, LARGE
from tests.wire.cases import load

RULES = Path(__file__).with_name("stream.toml")
FAILED = {name for name, tier, *_ in _core.reasons() if tier == "failed"}
INSIDE = {"internal-error"}
SOON = {"head": 1, "first_byte": 1, "connect": 1, "tarpit": 1}
LAST = get("/", "Connection: close")
GARBLED = b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"
REFUSED = {"refused", "dropped", "tarpitted"}


@dataclass(frozen=True)
class Way:
    """What is sent, to which site, and what is told of it."""

    reason: str
    request: bytes
    site: dict[str, Any] = field(default_factory=dict)
    action: str = "refused"
    mode: str = "block"
    rule: str = ""
    waits: bool = False
    """The client keeps its side open."""


def ruled(reason: str, rule: str, request: bytes, action: str = "refused", **site: Any) -> Way:
    mode = site.get("mode", "detect" if action == "detected" else "block")
    return Way(reason, request, {"rules": [str(RULES)], **site}, action, mode, rule)


RULED = (
    ruled("extension-denied", "index-server", get("/x.ida")),
    ruled("url-denied", "never-answered", get("/drop"), "dropped"),
    ruled("segment-denied", "held-up", get("/tarpit"), "tarpitted"),
    ruled("header-denied", "no-source", get("/a.asp", "Translate: f"), "stripped"),
    ruled("segment-denied", "trial", get("/trial.txt"), "detected"),
    ruled("body-denied", "include", post("/a", b"x=<!--#exec cmd=y-->")),
    ruled("query-denied", "command", get("/a?cmd")),
    ruled("header-denied", "debug", get("/a", "X-Debug: 1")),
    ruled("rule-denied", "both", get("/abcdefghijk?abcdefghijk")),
    ruled("url-denied", "closed-path", get("/closed/a")),
    ruled("url-denied", "closed-path", get("/closed/b"), "detected", mode="detect"),
    ruled("url-denied", "closed-path", get("/closed/c"), "detected", mode="canary", canary=1),
    ruled("url-denied", "closed-path", get("/closed/d"), mode="canary", canary=99),
    ruled("rate-exceeded", "too-often", 2 * get("/WebResource.axd")),
)


def conversations() -> Iterator[Way]:
    """One of `tests/wire` for each reason that needs no rule and no failure."""
    known = {way.reason for way in RULED} | {"unknown-host"} | FAILED
    for case in load():
        plain = (
            not (case.fail or case.wait or case.silent or case.rule or case.rules) and case.mode == "block"
        )
        if case.reason and plain and "modes" not in case.site and case.reason not in known:
            known.add(case.reason)
            usual = (case.server, case.codepages) == ("iis5", (1252,))
            tables = {} if usual else {"server": case.server, "codepage": list(case.codepages)}
            yield Way(case.reason, case.client, {**case.site, **tables})


WAYS = (
    *conversations(),
    *RULED,
    Way("head-timeout", b"GET / HTTP/1.1\r\nHost: intranet.test\r\nA: ", waits=True),
    Way("body-timeout", b"POST / HTTP/1.1\r\nHost: intranet.test\r\nContent-Length: 9\r\n\r\na", waits=True),
    Way("origin-closed", get("/close")),
    Way("origin-malformed", get("/garble")),
    Way("origin-timeout", get("/silent")),
    Way("origin-refused", get("/"), {"origins": "http://127.0.0.1:1"}),
)


def origin(peer: Peer) -> None:
    """Echo; close, garble or keep silent where the path says so."""
    while (request := peer.request()) is not None:
        if request.target == b"/close":
            return
        if request.target == b"/silent":
            peer.more()
            return
        peer.send(
            b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n" if request.target == b"/garble" else echo(request)
        )


class Views:
    """A gate, a syslog server that takes its events, and the configuration."""

    def __init__(self, gate: Gate, file: Path, server: socket.socket) -> None:
        self.gate, self.file, self.server = gate, file, server
        self.state = file.with_name("state")
        self.sent: dict[str, str] = {}
        self.checked: list[dict[str, Any]] = []

    def by_syslog(self, number: str) -> dict[str, Any]:
        while number not in self.sent:
            line = self.server.recv(1 << 16).decode().partition(" - ")[2]
            self.sent.setdefault(json.loads(line)["event.id"], line)
        told: dict[str, Any] = json.loads(self.sent[number])
        return told

    def check(self, source: str, ways: Sequence[tuple[str, str, str, str]]) -> None:
        """What this client did is told everywhere: action, reason, mode and rule of each event."""
        found: list[dict[str, Any]] = []

        def told() -> bool:
            found[:] = [
                one for one in self.gate.events if one["source.ip"] == source and not one["stopgap.count"]
            ]
            return len(found) >= len(ways)

        until(told, 20)
        names = ("event.action", "stopgap.reason", "stopgap.mode", "rule.id")
        assert [tuple(one.get(name, "") for name in names) for one in found] == list(ways)
        for one in found:
            number = one["event.id"]
            assert json.loads(self.gate.admins(f"/events/{number}")[1]) == one
            assert self.by_syslog(number) == one
            self.explained(one)
        self.checked += found

    def explained(self, event: dict[str, Any]) -> None:
        words = ["explain", "--event", event["event.id"], "-c", str(self.file)]
        done = CliRunner().invoke(main, [*words, "--admin", f"127.0.0.1:{self.gate.admin}"])
        assert done.exit_code in (0, 1), done.output
        rule = f", rule {event['rule.id']} (" if "rule.id" in event else ""
        assert f"{event['event.id']} at {event['@timestamp']}, client {event['source.ip']}" in done.output
        assert f"{event['event.action']}: {event['stopgap.reason']}{rule}" in done.output

    def counted(self) -> None:
        """The metrics count what the other views told, and nothing else."""
        counts = self.gate.counts()
        assert summed(counts, "rejects") == self.told("stopgap.reason", *REFUSED)
        assert summed(counts, "detections") == self.told("stopgap.reason", "detected")
        assert summed(counts, "detections_answered").total() == len(self.those("exploit-answered"))
        for action in (*REFUSED, "detected", "stripped"):
            assert summed(counts, "rule_matches", action) == self.told("rule.id", action)
        until(lambda: self.gate.counts()["stopgap_events_written_total",] == len(self.gate.events))
        assert summed(counts, "events_dropped") == Counter()
        self.on_top()
        self.on_the_dashboard()
        self.kept()

    def on_top(self) -> None:
        """`stopgap top` shows the same events, and counts the same rules and reasons."""
        seen = sample(Door(Address("127.0.0.1", self.gate.admin)))
        there = {event.event_id: event for event in seen.events if not event.count}
        for one in self.checked:
            event = there[one["event.id"]]
            assert json.loads(msgspec.json.encode(event)) == one
            what, name, client, _ = line(event)[1:]
            wanted = (one["event.action"], one.get("rule.id", one["stopgap.reason"]), one["source.ip"])
            assert (what, name, client) == wanted
        past = Past()
        past.add(Sample(0.0, dict.fromkeys(seen.counts, 0.0), seen.status, ()))
        figures = past.add(seen)
        caught = (*REFUSED, "detected", "stripped")
        assert {row.name: row.total for row in figures.rules} == self.told("rule.id", *caught)
        told = self.told("stopgap.reason", *REFUSED, "detected")
        assert {row.name: row.total for row in figures.reasons} == told

    def on_the_dashboard(self) -> None:
        """Its list has a row of each."""
        columns = ("event.id", "event.action", "stopgap.site", "rule.id", "stopgap.reason", "stopgap.mode")
        rows = [
            [row[at] for at in (0, 2, 3, 4, 5, 12)]
            for row in json.loads(self.gate.admins("/rows")[1])["rows"]
        ]
        for one in self.checked:
            assert [one.get(name, "") for name in columns] in rows

    def kept(self) -> None:
        """The evidence of each request that a rule, a limit or the grammar caught says the same of it."""
        names = ("rule", "reading", "reason", "mode", "tier")
        wanted = {
            one["event.id"]: {
                "verdict": one["event.action"],
                **{name: one.get("rule.id" if name == "rule" else f"stopgap.{name}", "") for name in names},
            }
            for one in self.those(*REFUSED, "detected", "stripped")
            if one["stopgap.tier"] != "failed"
        }
        found: dict[str, dict[str, Any]] = {}

        def complete() -> bool:
            for file in self.state.glob("evidence/*/*.flow"):
                for flow in flows.read(file.read_bytes()):
                    assert isinstance(flow, flows.Flow), flow
                    known = {name: flow.metadata.get(f"stopgap.{name}", "") for name in ("verdict", *names)}
                    found[flow.metadata["stopgap.event"]] = known
            return found.keys() >= wanted.keys()

        until(complete)
        assert found == wanted

    def those(self, *actions: str) -> list[dict[str, Any]]:
        return [one for one in self.checked if one["event.action"] in actions]

    def told(self, name: str, *actions: str) -> Counter[str]:
        return Counter(one[name] for one in self.those(*actions) if name in one)


def summed(counts: dict[tuple[str, ...], float], name: str, *first: str) -> Counter[str]:
    """A counter by its last label, of the samples whose labels begin so."""
    found = Counter[str]()
    for (metric, *labels), value in counts.items():
        if metric == f"stopgap_{name}_total" and labels[: len(first)] == [*first] and value:
            found[labels[-1]] += int(value)
    return found


@contextlib.contextmanager
def viewed(folder: Path, *sites: dict[str, Any], **top: Any) -> Iterator[Views]:
    folder.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(folder / "log.sock"))
        server.settimeout(20)
        sites = tuple({**site, "evidence": {}} for site in sites)
        with guarding(
            folder / "gate", *sites, state="state", syslog=f"unix:{folder}/log.sock", **top
        ) as gate:
            views = Views(gate, folder / "gate" / "stopgap.toml", server)
            yield views
            views.counted()


def sources() -> Iterator[str]:
    """Addresses; one client is told of once a minute."""
    return (f"127.9.{number // 250}.{number % 250 + 1}" for number in range(10_000))


def talk(
    port: int, source: str, request: bytes, waits: bool = False, tls: ssl.SSLContext | None = None
) -> None:
    """Send it, and take whatever comes to the end of the connection or of the answers."""
    with contextlib.suppress(OSError, Cut), Client(port, tls, source=source) as client:
        client.send(request)
        if not waits:
            client.end()
        client.rest()


def no_tls(gate: Gate, source: str) -> None:
    talk(gate.port, source, get("/", host="tls.test"))


def down(gate: Gate, source: str) -> None:
    talk(gate.port, "127.8.0.1", get("/", host="down.test"))
    talk(gate.port, source, get("/", host="down.test"))


def busy(gate: Gate, source: str) -> None:
    with Client(gate.port, source="127.8.0.2") as one, Client(gate.port, source="127.8.0.2") as two:
        for client in (one, two):
            client.send(get("/silent", host="busy.test"))
        time.sleep(0.3)
        talk(gate.port, source, get("/", host="busy.test"))


def deaf_origin(gate: Gate, source: str) -> None:
    talk(gate.port, source, get("/", host="deaf.test"))


def no_room(gate: Gate, source: str) -> None:
    (worker,) = (one["pid"] for one in gate.status["workers"])
    with limited(worker, resource.RLIMIT_FSIZE, FULL):
        talk(gate.port, source, post("/large", LARGE))


FAILURES: dict[str, tuple[Callable[[Gate, str], None], list[tuple[str, str]]]] = {
    "origin-tls": (no_tls, []),
    "origin-down": (down, [("127.8.0.1", "origin-refused")]),
    "origin-busy": (busy, []),
    "origin-connect-timeout": (deaf_origin, []),
    "no-room": (no_room, []),
}
"""How each comes about, and what others are refused for on the way."""


def many(gate: Gate, source: str, tls: ssl.SSLContext) -> None:
    with Client(gate.port, tls, source=source):
        talk(gate.port, source, LAST, True, tls)


def full(gate: Gate, source: str, tls: ssl.SSLContext) -> None:
    with Client(gate.port, tls, source="127.8.0.3"), Client(gate.port, tls, source="127.8.0.4"):
        talk(gate.port, source, LAST, True, tls)


def stranger(gate: Gate, source: str, tls: ssl.SSLContext) -> None:
    talk(gate.port, source, get("/", "Connection: close", host="another.test"), True, tls)


def without_tls(gate: Gate, source: str, tls: ssl.SSLContext) -> None:
    talk(gate.port, source, get("/"))


CONNECTIONS: dict[str, Callable[[Gate, str, ssl.SSLContext], None]] = {
    "too-many-connections": many,
    "gate-full": full,
    "unknown-host": stranger,
    "client-tls": without_tls,
    "proxy-header": without_tls,
}


def tell(way: Way) -> list[tuple[str, str, str, str]]:
    """The events of a way; the origin of the tests answers 200 to what was only detected."""
    actions = [way.action, "exploit-answered"] if way.action == "detected" else [way.action]
    return [(action, way.reason, way.mode, way.rule) for action in actions]


def test_each_way_of_a_request(tmp_path: Path) -> None:
    addresses = sources()
    with running(origin) as server, running(lambda peer: peer.send(GARBLED)) as rude, deaf() as nowhere:
        common: dict[str, Any] = {
            "origins": server.url,
            "server": "iis5",
            "codepage": 1252,
            "deadlines": SOON,
        }
        sites = [
            {**common, "hosts": [f"way{number}.test"], **way.site}
            for number, way in enumerate(WAYS)
            if way.site
        ]
        sites += [
            {**common, "hosts": ["tls.test"], "origins": rude.url.replace("http:", "https:")},
            {**common, "hosts": ["down.test"], "origins": "http://127.0.0.1:1", "health": {"failures": 1}},
            {**common, "hosts": ["busy.test"], "connections": 2, "deadlines": {**SOON, "first_byte": 4}},
            {**common, "hosts": ["deaf.test"], "origins": nowhere},
            {**common, "hosts": ["*"]},
        ]
        with viewed(tmp_path / "requests", *sites) as views, ThreadPoolExecutor(8) as together:
            sent = []
            for number, way in enumerate(WAYS):
                host, request = f"way{number}.test".encode(), way.request
                if way.site:
                    request = request.replace(b"vector.test", host).replace(b"intranet.test", host)
                source = next(addresses)
                done = together.submit(talk, views.gate.port, source, request, way.waits)
                sent.append((source, way, done))
            for source, way, done in sent:
                done.result()
                views.check(source, tell(way))
            for reason, (fail, others) in FAILURES.items():
                source = next(addresses)
                fail(views.gate, source)
                for other, why in (*others, (source, reason)):
                    views.check(other, [("refused", why, "block", "")])
    found = {way.reason for way in WAYS} | set(FAILURES) | set(CONNECTIONS) | INSIDE
    assert found == {name for name, *_ in _core.reasons()}


def test_each_way_of_a_connection(tmp_path: Path) -> None:
    cert, key = self_signed(tmp_path)
    context = ssl.create_default_context(cafile=cert)
    peer = "127.8.8.8"
    top: dict[str, Any] = {
        "tls": {"cert": cert, "key": key},
        "client_connections": 1,
        "max_connections": 2,
        "proxy_protocol": peer,
    }
    with (
        running(origin) as server,
        viewed(tmp_path / "connections", {"origins": server.url, "hosts": ["localhost"]}, **top) as views,
    ):
        for source, (reason, connect) in zip(sources(), CONNECTIONS.items(), strict=False):
            source = peer if reason == "proxy-header" else source
            connect(views.gate, source, context)
            views.check(source, [("refused", reason, "block", "")])
