"""Is anybody ever answered as somebody else? Real NTLM and Negotiate logins through the real program.

The origin authenticates connections as IIS does (`windows.py`) and says in every answer for whom it takes the
client; around the logins go requests of nobody over pooled connections.
"""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.client import Client, Cut, get
from tests.e2e.gate import Gate, guarding
from tests.e2e.origins import Origin, Peer, until
from tests.e2e.windows import NOBODY, USERS, Login, Person, accounts, windows

HOSTS = ("iis5.test", "iis10.test")
SMALL = "small.test"
"""A site whose origin takes two connections at once."""
SCHEMES = ("NTLM", "Negotiate")
ROUNDS = 60
"""Requests of each of the twelve users, and of each of the four clients without a name."""
EACH = pytest.mark.parametrize("scheme", SCHEMES)
SITES = pytest.mark.parametrize("host", HOSTS)


@pytest.fixture(scope="module")
def gate(folder: Path, shared: Origin) -> Iterator[Gate]:
    sites = [{"hosts": [host], "origins": shared.url, "server": host[:-5]} for host in HOSTS]
    small = {"hosts": [SMALL], "origins": shared.url, "server": "iis5", "connections": 2}
    with accounts(folder), guarding(folder / "gate", *sites, small) as running:
        yield running


@pytest.fixture
def domain(origin: Origin) -> Origin:
    origin.script = windows
    return origin


@SITES
@EACH
def test_two_users(scheme: str, host: str, gate: Gate, domain: Origin) -> None:
    with Client(gate.port) as first, Client(gate.port) as second, Client(gate.port) as third:
        one, other = Person(first, "user0", scheme, host), Person(second, "user1", scheme, host)
        assert one.log_in("/in").body == b"user0 asked /in with 0"
        assert other.log_in("/in").body == b"user1 asked /in with 0"
        for turn in range(50):
            assert one.is_known(f"/{turn}")
            assert other.is_known(f"/{turn}", b"x" * 3000)
            assert third.ask(get("/", host=host)).status == 401
            assert third.ask(get("/public", host=host)).body == NOBODY + b" asked /public with 0"


@SITES
@EACH
def test_interleaved_handshakes(scheme: str, host: str, gate: Gate, domain: Origin) -> None:
    """One begins, the other logs in, the first goes on: each leg on its own connection."""
    with Client(gate.port) as first, Client(gate.port) as second:
        one, other = Person(first, "user0", scheme, host), Person(second, "user1", scheme, host)
        one.log_in("/", legs=1)
        assert other.log_in("/in").body == b"user1 asked /in with 0"
        assert one.ask("/").status == 401
        assert other.is_known("/x")
        one.client.sock.close()
        with Client(gate.port) as again:
            assert Person(again, "user0", scheme, host).log_in("/in").body == b"user0 asked /in with 0"


@SITES
@EACH
def test_a_body_on_every_leg(scheme: str, host: str, gate: Gate, domain: Origin) -> None:
    with Client(gate.port) as client:
        person = Person(client, "user2", scheme, host)
        assert person.log_in("/up", b"x" * 5000).body == b"user2 asked /up with 5000"
        assert person.is_known("/again")


@EACH
def test_a_wrong_secret_is_nobody(scheme: str, gate: Gate, domain: Origin) -> None:
    with Client(gate.port) as client, pytest.MonkeyPatch.context() as patch:
        patch.setitem(USERS, "user3", "wrong")
        assert Person(client, "user3", scheme, HOSTS[1]).log_in(legs=2).status == 401
        assert client.ask(get("/public", host=HOSTS[1])).body.startswith(NOBODY)


@SITES
@EACH
def test_a_reload_in_the_middle(scheme: str, host: str, gate: Gate, domain: Origin) -> None:
    """The handshake that has begun ends in a login, or is seen to have ended; nobody else gets it."""
    with Client(gate.port) as first, Client(gate.port) as second:
        one, other = Person(first, "user4", scheme, host), Person(second, "user5", scheme, host)
        assert one.log_in().status == 200
        other.log_in("/", legs=1)
        assert gate.admins("/reload", "POST")[0] == 200
        assert one.is_known("/after")
        assert other.ask("/").status == 401
        with Client(gate.port) as third:
            assert third.ask(get("/public", host=host)).body.startswith(NOBODY)


@SITES
@EACH
@pytest.mark.parametrize("leg", [1, 2])
def test_the_origin_closes_in_the_middle(
    leg: int, scheme: str, host: str, gate: Gate, origin: Origin
) -> None:
    def script(peer: Peer) -> None:
        login, legs = Login(), 0
        while (request := peer.request()) is not None:
            legs += bool(request.values(b"authorization"))
            if legs == leg and peer.number == 0:
                return
            peer.send(login.reply(request))

    origin.script = script
    with Client(gate.port) as client:
        person = Person(client, "user6", scheme, host)
        try:
            assert person.log_in().status == 502
        except (Cut, OSError):
            assert leg == 2
    with Client(gate.port) as client:
        assert client.ask(get("/public", host=host)).body.startswith(NOBODY)
        assert Person(client, "user7", scheme, host).log_in("/in").body == b"user7 asked /in with 0"


@SITES
def test_the_connection_ends_with_its_client(host: str, gate: Gate, domain: Origin) -> None:
    with Client(gate.port) as client:
        assert Person(client, "user8", "NTLM", host).log_in().status == 200
        owned = [peer for peer in domain.peers if b"Authorization" in peer.raw]
    until(lambda: all(peer.sock.fileno() < 0 for peer in owned))
    with Client(gate.port) as client:
        assert client.ask(get("/", host=host)).status == 401


@EACH
def test_the_cap_holds_for_logins(scheme: str, gate: Gate, domain: Origin) -> None:
    """Six users and nobody at an origin for two: who rests longest makes room."""
    with ExitStack() as opened:
        people = [
            Person(opened.enter_context(Client(gate.port)), f"user{number}", scheme, SMALL)
            for number in range(6)
        ]
        for person in people:
            assert person.log_in("/in").status == 200
            assert person.is_known("/again")
            assert sum(peer.sock.fileno() >= 0 for peer in domain.peers) <= 2
        assert [person.client.hung_up() for person in people] == [True] * 4 + [False] * 2
        with Client(gate.port) as nobody:
            assert nobody.ask(get("/public", host=SMALL)).body == NOBODY + b" asked /public with 0"
        assert people[5].is_known("/last")


@EACH
def test_many_users_among_nobodies(scheme: str, gate: Gate, domain: Origin) -> None:
    wrong: list[object] = []
    asked = [0]

    def use(user: str) -> None:
        host = HOSTS[len(user) % 2]
        for visit in range(2):  # the second after a logout: the browser was closed
            with Client(gate.port) as client:
                person = Person(client, user, scheme, host)
                if not person.log_in("/in").body.startswith(user.encode() + b" "):
                    wrong.append((user, visit))
                for turn in range(ROUNDS // 2):
                    asked[0] += 1
                    if not person.is_known(f"/{user}/{turn}", b"x" * (turn % 3 * 700)):
                        wrong.append((user, visit, turn))

    def pass_by(number: int) -> None:
        for turn in range(ROUNDS):
            with Client(gate.port) as client:
                for host in HOSTS:
                    asked[0] += 1
                    target = f"/public/{number}/{turn}"
                    got = client.ask(get(target, host=host)).body
                    if got != b"%s asked %s with 0" % (NOBODY, target.encode()):
                        wrong.append((number, turn, got))

    threads = [threading.Thread(target=use, args=(user,)) for user in USERS]
    threads += [threading.Thread(target=pass_by, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert asked[0] == len(USERS) * ROUNDS + 4 * ROUNDS * len(HOSTS)
