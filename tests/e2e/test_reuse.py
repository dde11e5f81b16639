"""Which origin connection carries whose requests?

NTLM authenticates a connection, so one that saw it belongs to one client; before iis6 no connection is used
again after a body; a connection that died of age is replaced unseen, but only for what may be sent twice.
"""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.client import Answer, Client, chunked, get, post
from tests.e2e.gate import Gate, guarding
from tests.e2e.origins import Origin, Peer, answer, until

IIS5, IIS10 = "iis5.test", "iis10.test"
CHALLENGE = b"NTLM TlRMTVNTUAACAAAA"


@pytest.fixture(scope="module")
def gate(folder: Path, shared: Origin) -> Iterator[Gate]:
    sites = (
        {"hosts": [IIS5], "origins": shared.url, "server": "iis5"},
        {"hosts": [IIS10], "origins": shared.url, "server": "iis10"},
    )
    with guarding(folder / "gate", *sites) as running:
        yield running


def windows(peer: Peer) -> None:
    """As IIS does: a connection is somebody's after the third leg, and all on it is done in his name."""
    user, asked = b"", False
    while (request := peer.request()) is not None:
        given = (request.values(b"authorization") or [b""])[0]
        if given.startswith(b"NTLM 3"):
            assert asked, "the third leg came on another connection than the second"
            user = given[6:]
        if user:
            peer.send(answer(b"you are %s on %d" % (user, peer.number)))
        elif given.startswith(b"NTLM 1"):
            asked = True
            peer.send(answer(b"", f"WWW-Authenticate: {CHALLENGE.decode()}", status="401 Unauthorized"))
        else:
            peer.send(answer(b"", "WWW-Authenticate: NTLM", status="401 Unauthorized"))


def log_in(client: Client, user: str, host: str) -> Answer:
    assert client.ask(get("/", host=host)).status == 401
    challenged = client.ask(get("/", "Authorization: NTLM 1", host=host))
    assert challenged.get(b"www-authenticate") == CHALLENGE
    return client.ask(get("/", f"Authorization: NTLM 3{user}", host=host))


@pytest.mark.parametrize("host", [IIS5, IIS10])
def test_ntlm_of_two_clients(host: str, gate: Gate, origin: Origin) -> None:
    origin.script = windows
    with Client(gate.port) as one, Client(gate.port) as other, Client(gate.port) as nobody:
        first, second = log_in(one, "yamada", host).body, log_in(other, "tanaka", host).body
        assert first.startswith(b"you are yamada on ")
        assert second.startswith(b"you are tanaka on ")
        for _ in range(5):
            assert one.ask(get("/a", host=host)).body == first
            assert other.ask(post("/b", b"x" * 70_000, host=host)).body == second
            assert one.ask(chunked("/c", b"y" * 70_000, host=host)).body == first
            assert nobody.ask(get("/", host=host)).status == 401
    for peer in origin.peers:
        names = {
            value[6:] for one in peer.requests for value in one.values(b"authorization") if value[5:6] == b"3"
        }
        assert len(names) <= 1


@pytest.mark.parametrize("size", [200_000, 300_000, 1 << 20])
def test_a_held_upload_does_not_log_out(size: int, gate: Gate, origin: Origin) -> None:
    """Bodies above 256 KiB go by way of a file."""
    origin.script = windows
    with Client(gate.port) as client:
        mine = log_in(client, "yamada", IIS5).body
        for turn in range(20):
            assert client.ask(post("/up", b"x" * size, host=IIS5)).body == mine, turn
            assert client.ask(get("/", host=IIS5)).body == mine, turn


def test_ntlm_of_many_clients_at_once(gate: Gate, origin: Origin) -> None:
    origin.script = windows
    wrong: list[object] = []

    def use(user: str) -> None:
        with Client(gate.port) as client:
            mine = log_in(client, user, IIS5).body
            if not mine.startswith(b"you are %s on" % user.encode()):
                wrong.append((user, mine))
            wrong.extend(
                got for got in (client.ask(get("/", host=IIS5)).body for _ in range(10)) if got != mine
            )

    threads = [threading.Thread(target=use, args=(f"user{number}",)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_ntlm_connection_ends_with_its_client(gate: Gate, origin: Origin) -> None:
    origin.script = windows
    with Client(gate.port) as client:
        log_in(client, "yamada", IIS5)
        (owned,) = [peer for peer in origin.peers if len(peer.requests) >= 2]
    until(lambda: owned.sock.fileno() < 0)
    with Client(gate.port) as client:
        assert client.ask(get("/", host=IIS5)).status == 401


def test_ntlm_client_ends_with_its_connection(gate: Gate, origin: Origin) -> None:
    """A client must not go on as if it were still logged in."""
    origin.script = windows
    with Client(gate.port) as client:
        log_in(client, "yamada", IIS5)
        origin.hang_up()
        assert client.closed()


def test_no_reuse_after_a_body_before_iis6(gate: Gate, origin: Origin) -> None:
    with Client(gate.port) as client:
        for number in range(4):
            assert client.ask(get(f"/{number}", host=IIS5)).status == 200
            assert client.ask(post(f"/{number}", b"abc", host=IIS5)).status == 200
            assert client.ask(chunked(f"/{number}", b"abc", host=IIS5)).status == 200
    for peer in origin.peers:
        assert all(not request.body for request in peer.requests[:-1])


def test_reuse_after_a_body_since_iis6(gate: Gate, origin: Origin) -> None:
    with Client(gate.port) as client:
        for number in range(4):
            assert client.ask(post(f"/{number}", b"abc", host=IIS10)).status == 200
            assert client.ask(get(f"/{number}", host=IIS10)).status == 200
    assert [len(peer.requests) for peer in origin.peers] == [8]


def closing_the_second(peer: Peer) -> None:
    """The first connection answers once, and closes when it is asked again, as if it had idled too long."""
    while (request := peer.request()) is not None:
        if peer.number == 0 and len(peer.requests) > 1:
            return
        peer.send(answer(b"%d" % peer.number))
        if request.target == b"/last":
            return


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_stale_connection_is_replaced_once(method: str, gate: Gate, origin: Origin) -> None:
    origin.script = closing_the_second
    with Client(gate.port) as client:
        assert client.ask(get("/1", host=IIS10)).body == b"0"
        origin_answer = client.ask(get("/2", method=method, host=IIS10))
        assert (origin_answer.status, origin_answer.event) == (200, "")
    assert [len(peer.requests) for peer in origin.peers] == [2, 1]


def test_nothing_is_tried_a_third_time(gate: Gate, origin: Origin) -> None:
    def never_again(peer: Peer) -> None:
        if peer.number == 0 and peer.request() is not None:
            peer.send(answer(b"once"))
        peer.request()

    origin.script = never_again
    with Client(gate.port) as client:
        assert client.ask(get("/1", host=IIS10)).body == b"once"
        refused = client.ask(get("/2", host=IIS10))
    assert (refused.status, gate.event(refused.event)["stopgap.reason"]) == (502, "origin-closed")
    assert [request.target for request in origin.requests] == [b"/1", b"/2", b"/2"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PROPPATCH"])
@pytest.mark.parametrize("body", [b"", b"abc"])
def test_what_changes_something_is_never_sent_twice(
    body: bytes, method: str, gate: Gate, origin: Origin
) -> None:
    origin.script = closing_the_second
    with Client(gate.port) as client:
        assert client.ask(get("/1", host=IIS10)).body == b"0"
        assert client.ask(post("/2", body, method=method, host=IIS10)).status == 502
    assert [request.target for request in origin.requests] == [b"/1", b"/2"]
