"""Does a site with several origins spread its requests, bear the death of one, and spare each?

The origins count what they get: requests, and connections that are open at the same time.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.client import Answer, Client, Cut, ask, get, post
from tests.e2e.gate import Gate, guarding
from tests.e2e.origins import Origin, Peer, Request, answer, answering, echo, running, until


@pytest.fixture
def pair() -> Iterator[tuple[Origin, Origin]]:
    with running() as one, running() as two:
        yield one, two


def hangs_up(peer: Peer) -> None:
    """Read a whole request, and close."""
    peer.request()


def reason(gate: Gate, got: Answer) -> str:
    assert got.event, got
    return str(gate.event(got.event)["stopgap.reason"])


def served(*origins: Origin) -> list[int]:
    return [len(origin.requests) for origin in origins]


def test_equals_take_turns(tmp_path: Path, pair: tuple[Origin, Origin]) -> None:
    with guarding(tmp_path, {"origins": [origin.url for origin in pair]}) as gate:
        with Client(gate.port) as client:
            for number in range(40):
                assert client.ask(get(f"/{number}")).status == 200
        assert served(*pair) == [20, 20]


def test_the_least_busy_gets_the_next(tmp_path: Path, pair: tuple[Origin, Origin]) -> None:
    """One origin sits on four requests; all others go to the other one."""
    slow, quick = pair
    release = threading.Event()

    def sits(peer: Peer) -> None:
        while (request := peer.request()) is not None:
            release.wait(20)
            peer.send(echo(request))

    slow.script = sits
    with guarding(tmp_path, {"origins": [slow.url, quick.url]}) as gate, contextlib.ExitStack() as opened:
        clients = [opened.enter_context(Client(gate.port)) for _ in range(2)]
        for client in clients:
            client.send(get("/first"))
        until(lambda: served(slow) == [1])
        with Client(gate.port) as other:
            for number in range(20):
                assert other.ask(get(f"/{number}")).status == 200
        assert served(slow, quick) == [1, 21]
        release.set()
        assert [client.answer().status for client in clients] == [200, 200]


def test_an_origin_dies_and_comes_back(tmp_path: Path, pair: tuple[Origin, Origin]) -> None:
    """It hangs up on each request: five are lost, then it is left alone; well again, it comes back slowly."""
    sick, well = pair
    sick.script = hangs_up
    site = {"origins": [sick.url, well.url], "health": {"failures": 5, "slow_start": 2}}
    with guarding(tmp_path, site) as gate:
        answers = [ask(gate.port, get(f"/{number}")) for number in range(40)]
        lost = [got for got in answers if got.status != 200]
        assert len(lost) <= 7 and {reason(gate, got) for got in lost} == {"origin-closed"}
        until(lambda: f"origin {sick.url} is down: " in gate.said)
        (state, _) = gate.status["sites"][0]["origins"]
        assert not state["up"] and "failures in a row, the last was origin-closed" in state["error"]
        sick.script = answering(echo)
        before = len(sick.requests)
        end = time.monotonic() + 20
        while len(sick.requests) < before + 20:
            assert time.monotonic() < end
            assert ask(gate.port, get("/after")).status == 200
        until(lambda: f"origin {sick.url} is up again" in gate.said)
        assert all(origin["up"] for origin in gate.status["sites"][0]["origins"])


def test_all_are_out(tmp_path: Path, pair: tuple[Origin, Origin]) -> None:
    """A 503 at once, which says so; nothing is sent, but a trial now and then."""
    for origin in pair:
        origin.script = hangs_up
    site = {"origins": [origin.url for origin in pair], "health": {"failures": 2}}
    with guarding(tmp_path, site) as gate:
        told = [reason(gate, ask(gate.port, get("/"))) for _ in range(4)]
        assert told == ["origin-closed"] * 4
        reached = sum(served(*pair))
        got = ask(gate.port, post("/", b"abc"))
        assert (got.status, reason(gate, got)) == (503, "origin-down")
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            assert ask(gate.port, get("/")).status in (502, 503)
        assert sum(served(*pair)) - reached <= 6, "one trial each after 1 s and after 2 s"


def test_silent_origin_makes_nobody_wait_twice(tmp_path: Path) -> None:
    """With `failures` on a site with one origin, its deadline is waited for so many times only."""

    def silent(peer: Peer) -> None:
        peer.request()
        peer.more()

    with running(silent) as origin:
        site = {"origins": origin.url, "health": {"failures": 1}, "deadlines": {"first_byte": 1}}
        with guarding(tmp_path, site) as gate:
            got = ask(gate.port, get("/"))
            assert (got.status, reason(gate, got)) == (504, "origin-timeout")
            until(lambda: ask(gate.port, get("/")).status == 503)
            got = ask(gate.port, get("/"))
            if got.status == 503:
                assert reason(gate, got) == "origin-down"


def test_probes_find_out_before_anybody_asks(tmp_path: Path, pair: tuple[Origin, Origin]) -> None:
    """One origin answers probes with 500, and not one request goes there until it is well again."""
    sick, well = pair
    ill = threading.Event()
    ill.set()

    def reply(request: Request) -> bytes:
        if request.target == b"/health.asp" and ill.is_set():
            return answer(b"no", status="500 Internal Server Error")
        return echo(request)

    def asked(origin: Origin) -> list[Request]:
        return [request for request in origin.requests if request.target != b"/health.asp"]

    sick.script = answering(reply)
    health = {"path": "/health.asp", "interval": 1, "rise": 1, "fall": 1, "slow_start": 0}
    with guarding(tmp_path, {"origins": [sick.url, well.url], "health": health}) as gate:
        until(lambda: f"origin {sick.url} is down: GET /health.asp: answered 500" in gate.said)
        for number in range(20):
            assert ask(gate.port, get(f"/{number}")).status == 200
        assert (len(asked(sick)), len(asked(well))) == (0, 20)
        key = ("stopgap_origin_up", sick.url, "site0")
        assert gate.counts()[key] == 0
        ill.clear()
        until(lambda: f"origin {sick.url} is up again" in gate.said)
        for number in range(20):
            assert ask(gate.port, get(f"/{number}")).status == 200
        assert len(asked(sick)) == 10 and gate.counts()[key] == 1
    probes = [request for request in sick.requests if request.target == b"/health.asp"]
    assert {request.values(b"user-agent")[0] for request in probes} == {b"stopgap-health"}


@pytest.mark.parametrize("workers", [1, 2])
def test_the_cap_holds(workers: int, tmp_path: Path) -> None:
    """Forty clients at once, five connections; counted where they arrive."""
    most, lock, now, peak = 5, threading.Lock(), [0], [0]

    def counts(peer: Peer) -> None:
        with lock:
            now[0] += 1
            peak[0] = max(peak[0], now[0])
        try:
            while (request := peer.request()) is not None:
                time.sleep(0.01)
                peer.send(echo(request))
        finally:
            with lock:
                now[0] -= 1

    with running(counts) as origin:
        site = {"origins": origin.url, "connections": most, "deadlines": {"connect": 30}}
        with guarding(tmp_path, site, workers=workers) as gate:
            failed: list[Answer] = []

            def client(name: int) -> None:
                with Client(gate.port) as connection:
                    for number in range(5):
                        got = connection.ask(get(f"/{name}/{number}"))
                        if got.status != 200:
                            failed.append(got)

            threads = [threading.Thread(target=client, args=(name,)) for name in range(40)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert failed == []
            assert served(origin) == [200]
            assert peak[0] <= most
            if workers == 1:
                assert peak[0] == most


def test_a_reload_keeps_the_connections_of_unchanged_origins(tmp_path: Path) -> None:
    with running() as origin:
        site = {"origins": origin.url, "connections": 1}
        with guarding(tmp_path, site) as gate:
            assert ask(gate.port, get("/1")).status == 200
            file = tmp_path / "stopgap.toml"
            file.write_text(file.read_text().replace("connections = 1", "connections = 3"))
            assert gate.admins("/reload", "POST")[0] == 200
            assert ask(gate.port, get("/2")).status == 200
            assert len(origin.peers) == 1


# What may have run on one origin is never tried on another


DEATHS = {
    "after the request": b"",
    "in the status line": b"HTTP/1.1 20",
    "in the head": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: ",
    "after an interim answer": b"HTTP/1.1 100 Continue\r\n\r\n",
    "in the body": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
}
REQUESTS = {
    "get": get("/once"),
    "post": post("/once", b"abc"),
    "upload": post("/once", b"B" * 200_000),
    "delete": get("/once", method="DELETE"),
}


@pytest.fixture(scope="module")
def two() -> Iterator[tuple[Origin, Origin]]:
    with running() as one, running() as other:
        yield one, other


@pytest.fixture(scope="module")
def between(folder: Path, two: tuple[Origin, Origin]) -> Iterator[Gate]:
    urls = [origin.url for origin in two]
    sites = (
        {"hosts": ["held.test"], "origins": urls, "server": "iis5", "health": {"failures": 0}},
        {"hosts": ["streamed.test"], "origins": urls, "server": "iis10", "health": {"failures": 0}},
    )
    with guarding(folder / "between", *sites) as gate:
        yield gate


@pytest.mark.parametrize("host", [b"held.test", b"streamed.test"])
@pytest.mark.parametrize("warm", [False, True], ids=["fresh", "kept"])
@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("death", DEATHS.values(), ids=DEATHS)
def test_no_second_try(
    death: bytes, request_: bytes, warm: bool, host: bytes, between: Gate, two: tuple[Origin, Origin]
) -> None:
    """At most once, on one of the two; only a GET on a connection that was kept may come again, once."""

    def script(peer: Peer) -> None:
        while (request := peer.request()) is not None:
            if request.target != b"/once":
                peer.send(answer(b"warm"))
                continue
            peer.send(death)
            return

    for origin in two:
        origin.hang_up()
        origin.forget()
        origin.script = script
    whole = request_.replace(b"intranet.test", host)
    with contextlib.ExitStack() as opened:
        if warm:  # a kept connection to each
            clients = [opened.enter_context(Client(between.port)) for _ in range(2)]
            for client in clients:
                client.send(get("/warm", host=host.decode()))
            assert [client.answer().status for client in clients] == [200, 200]
        client = opened.enter_context(Client(between.port))
        with contextlib.suppress(Cut, ConnectionResetError):
            assert client.ask(whole).status == 502
    came = [request for origin in two for request in origin.requests if request.target == b"/once"]
    silent = warm and whole.startswith(b"GET") and not death
    assert len(came) <= (2 if silent else 1)
    assert len(came) >= 1
