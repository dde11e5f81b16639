"""Whom does a rate refuse, and after which requests? Workers that share one table, without sockets."""

from collections.abc import Callable, Iterable

import pytest

from stopgap import _core
from tests.conversation import OK, words
from tests.policies import extension, rule, site, specification

DAY = 86_400
CLIENT, OTHER = "192.0.2.7", "192.0.2.8"


def rated(**rate: object) -> _core.Policy:
    rules = [{**rule("axd", extension("axd")), "rate": {"over": 2, "per": DAY, **rate}}]
    return _core.Policy(specification([site()], rules))


class Gate:
    """Workers that share a table of rates, all with the same policy."""

    def __init__(self, policy: _core.Policy, workers: int = 1) -> None:
        self.rates = words(_core.RATE_WORDS)
        self.policy = policy
        self.workers = [self.worker() for _ in range(workers)]

    def worker(self) -> _core.Worker:
        worker = _core.Worker(words(_core.BOARD_WORDS), 1, self.rates)
        worker.activate(self.policy)
        return worker

    def ask(
        self,
        target: str,
        client: str = CLIENT,
        worker: int = 0,
        head: Iterable[str] = (),
        body: str = "",
        answer: bytes = OK,
        trusted: bool = False,
    ) -> int:
        """The status that the client gets."""
        session = self.workers[worker].session(client, False, trusted)
        method = "POST" if body else "GET"
        lines = [f"{method} {target} HTTP/1.1", "Host: h", *head]
        lines += [f"Content-Length: {len(body)}"] if body else []
        command, payload = session.receive("\r\n".join([*lines, "", body]).encode())
        if command & ~_core.MORE != _core.FORWARD:
            return int(payload[9:12])
        session.respond(answer)
        return int(answer[9:12])

    def statuses(self, *targets: str, client: str = CLIENT) -> list[int]:
        return [self.ask(target, client) for target in targets]


def test_two_workers_count_together_and_one_that_is_restarted_goes_on() -> None:
    gate = Gate(rated(), workers=2)
    assert [gate.ask("/a.axd", worker=turn % 2) for turn in range(4)] == [200, 200, 429, 429]
    gate.workers[1] = gate.worker()
    assert gate.ask("/a.axd", worker=1) == 429
    assert gate.ask("/a.axd", OTHER, worker=1) == 200
    assert gate.ask("/a.asp") == 200


def test_neighbours_in_an_ipv6_network_are_one_client() -> None:
    gate = Gate(rated(over=1))
    assert gate.ask("/a.axd", "2001:db8:1:2::1") == 200
    assert gate.ask("/a.axd", "2001:db8:1:2:3::4") == 429
    assert gate.ask("/a.axd", "2001:db8:1:3::1") == 200
    assert gate.ask("/a.axd", "::ffff:192.0.2.9") == 200
    assert gate.ask("/a.axd", "192.0.2.9") == 429


def test_behind_a_trusted_proxy_its_clients_are_counted() -> None:
    gate = Gate(rated(over=1))
    seen = [
        gate.ask("/a.axd", head=[f"X-Forwarded-For: 198.51.100.{number}"], trusted=True)
        for number in (1, 2, 3, 1)
    ]
    assert seen == [200, 200, 200, 429]


@pytest.mark.parametrize(
    ("field", "name", "other"),
    [
        ("param", "d", lambda gate, value: gate.ask(f"/a.axd?x=1&D={value}")),
        ("path", None, lambda gate, value: gate.ask(f"/{value}.axd?{id(value)}")),
        ("header", "x-d", lambda gate, value: gate.ask("/a.axd", head=[f"X-D: {value}"])),
        ("cookie", "d", lambda gate, value: gate.ask("/a.axd", head=[f"Cookie: a=b; d={value}"])),
        ("form", "d", lambda gate, value: gate.ask("/a.axd", body=f"a=b&d={value}")),
    ],
)
def test_different_values(field: str, name: str | None, other: Callable[[Gate, str], int]) -> None:
    gate = Gate(rated(distinct={"field": field, "name": name}))
    assert [other(gate, value) for value in "aaaaabbbb"] == [200] * 9
    assert 429 in [other(gate, value) for value in "cdefgh"]
    assert gate.ask("/a.axd", OTHER) == 200


def test_without_the_field_nothing_is_counted() -> None:
    gate = Gate(rated(over=1, distinct={"field": "param", "name": "d"}))
    assert gate.statuses(*["/a.axd?x=1"] * 5) == [200] * 5


def test_only_requests_that_were_answered_so_are_counted() -> None:
    gate = Gate(rated(answers=[404, 500]))
    missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    assert [gate.ask("/a.axd") for _ in range(5)] == [200] * 5
    assert [gate.ask("/a.axd", answer=missing) for _ in range(5)] == [404, 404, 404, 429, 429]
    assert gate.ask("/a.axd") == 429
    assert gate.ask("/a.axd", OTHER) == 200


def test_a_body_makes_no_second_match() -> None:
    match = {
        "any": [extension("axd"), {"field": "form", "name": "a", "test": "equals", "value": ["evil"]}],
    }
    rules = [{**rule("axd", match), "rate": {"over": 2, "per": DAY}}]
    gate = Gate(_core.Policy(specification([site()], rules)))
    assert [gate.ask("/a.axd", body="a=evil") for _ in range(3)] == [200, 200, 429]
    assert gate.ask("/a.asp", body="a=evil") == 429


def test_what_is_excepted_does_not_count() -> None:
    rules = [{**rule("axd", extension("axd")), "rate": {"over": 1, "per": DAY}}]
    one = site(exceptions=[{"rule": "axd", "path": "/known/**"}])
    gate = Gate(_core.Policy(specification([one], rules)))
    assert gate.statuses(*["/known/a.axd"] * 3, "/a.axd", "/a.axd") == [200] * 4 + [429]


def test_in_detect_mode_it_is_told_and_forwarded() -> None:
    rules = [{**rule("axd", extension("axd")), "rate": {"over": 1, "per": DAY}}]
    gate = Gate(_core.Policy(specification([site(mode="detect")], rules)))
    assert gate.statuses(*["/a.axd"] * 3) == [200] * 3
    told = gate.workers[0].events()
    assert [(event[5], event[7], event[9]) for event in told] == [("detected", "rate-exceeded", "axd")]


def test_one_request_is_judged_by_its_match_alone() -> None:
    policy = rated()
    request = b"GET /a.axd HTTP/1.1\r\nHost: h\r\n\r\n"
    assert policy.judge(request) is None
    seen = policy.explain(request)
    assert b'"verdict":null' in seen and b'"counted":true' in seen and b'"rule":"axd"' in seen


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        ({"over": 0}, "rate.over: 0 is not between 1 and 1000000"),
        ({"per": 86_401}, "rate.per: 86401 is not between 1 and 86400"),
        ({"answers": [99]}, "rate.answers: 99 is not between 100 and 599"),
        ({"over": 61, "distinct": {"field": "path", "name": None}}, "rate.over: 61 is not between 1 and 60"),
        ({"distinct": {"field": "query", "name": "x"}}, "rate.distinct: must be a named param"),
        ({"distinct": {"field": "param", "name": None}}, "rate.distinct: must be a named param"),
    ],
)
def test_a_wrong_rate_is_told(rate: dict[str, object], text: str) -> None:
    with pytest.raises(_core.PolicyError, match=f'rule "axd": {text}'):
        rated(**rate)


def opened(gate: Gate, client: str = CLIENT, worker: int = 0, trusted: bool = False) -> bool:
    """Whether a new connection is taken."""
    return not gate.workers[worker].session(client, False, trusted).closed


def test_two_workers_count_the_connections_of_a_client_together() -> None:
    gate = Gate(_core.Policy(specification([site()], [], new_connections=3)), workers=2)
    assert [opened(gate, worker=turn % 2) for turn in range(6)] == [True] * 3 + [False] * 3
    assert opened(gate, OTHER) and opened(gate, OTHER, worker=1)
    assert [opened(gate, trusted=True) for _ in range(5)] == [True] * 5
    told = [gate.workers[n].events() for n in range(2)]
    assert [[(event[7], event[17], event[18]) for event in events] for events in told] == [
        [("too-many-connections", CLIENT, "block")]
    ] * 2
    session = gate.workers[0].session(CLIENT, False, False)
    assert session.receive(b"GET / HTTP/1.0\r\n\r\n") == (_core.WAIT, b"")


def test_connections_from_one_ipv6_network_are_one_client() -> None:
    gate = Gate(_core.Policy(specification([site()], [], new_connections=1)))
    assert [opened(gate, f"2001:db8:1:2::{n}") for n in (1, 2)] == [True, False]
    assert opened(gate, "2001:db8:1:3::1")


def test_without_a_number_no_connection_is_counted() -> None:
    gate = Gate(_core.Policy(specification([site()], [])))
    assert all(opened(gate) for _ in range(1000))
    assert not any(gate.rates[2:])


@pytest.mark.parametrize("key", ["new_connections", "client_connections", "max_connections"])
def test_a_number_of_connections_must_fit_the_table(key: str) -> None:
    with pytest.raises(_core.PolicyError, match=f"{key}: 1000001 is not between 0 and 1000000"):
        _core.Policy(specification([site()], [], **{key: 1_000_001}))


def reasons(gate: Gate) -> list[str]:
    return [event[7] for worker in gate.workers for event in worker.events()]


def test_two_workers_count_together_what_a_client_has_open() -> None:
    gate = Gate(_core.Policy(specification([site()], [], client_connections=3)), workers=2)
    there = [gate.workers[turn % 2].session(CLIENT, False, False) for turn in range(3)]
    assert [session.closed for session in there] == [False] * 3
    assert [opened(gate, worker=worker) for worker in (0, 1, 0)] == [False] * 3
    assert opened(gate, OTHER) and opened(gate, trusted=True)
    assert set(reasons(gate)) == {"too-many-connections"}
    there[1].end()
    there[1].end()
    again = gate.workers[0].session(CLIENT, False, False)
    assert not again.closed and not opened(gate)
    for session in (there[0], there[2], again):
        session.end()
    assert [opened(gate) for _ in range(4)] == [True] * 3 + [False]


def test_what_a_dead_worker_had_open_is_forgotten_by_the_next_in_its_slot() -> None:
    gate = Gate(_core.Policy(specification([site()], [], client_connections=2)))
    board = words(_core.BOARD_WORDS)
    for _ in range(3):
        worker = _core.Worker(board, 1, gate.rates)
        worker.activate(gate.policy)
        kept = [worker.session(CLIENT, False, False) for _ in range(3)]
        assert [session.closed for session in kept] == [False, False, True]


def test_an_ipv6_network_has_its_connections_together() -> None:
    gate = Gate(_core.Policy(specification([site()], [], client_connections=2)))
    assert [opened(gate, f"2001:db8:1:2::{n}") for n in (1, 2, 3)] == [True, True, False]
    assert opened(gate, "2001:db8:1:3::1")


def test_all_clients_together_have_no_more_than_the_gate_takes() -> None:
    gate = Gate(_core.Policy(specification([site()], [], max_connections=4)), workers=2)
    there = [gate.workers[n % 2].session(f"192.0.2.{n}", False, n == 0) for n in range(6)]
    assert [session.closed for session in there] == [False] * 4 + [True] * 2
    assert not opened(gate, trusted=True)
    assert set(reasons(gate)) == {"gate-full"}
    for session in there:
        session.end()
    assert [opened(gate) for _ in range(5)] == [True] * 4 + [False]


def test_a_reload_that_sets_a_number_counts_from_then_on() -> None:
    gate = Gate(_core.Policy(specification([site()], [])))
    before = gate.workers[0].session(CLIENT, False, False)
    gate.workers[0].activate(_core.Policy(specification([site()], [], client_connections=1)))
    counted = gate.workers[0].session(CLIENT, False, False)
    before.end()
    assert not counted.closed and not opened(gate)
    counted.end()
    assert opened(gate)


def test_a_connection_that_is_turned_away_is_reported() -> None:
    gate = Gate(_core.Policy(specification([site()], [])))
    session = gate.workers[0].session(CLIENT, False, False)
    session.turn_away([name for name, *_ in _core.reasons()].index("gate-full"))
    assert session.closed and reasons(gate) == ["gate-full"]
    with pytest.raises(IndexError):
        session.turn_away(0)


def test_the_table_must_be_whole_and_writable() -> None:
    for wrong in (words(_core.RATE_WORDS - 1), words(_core.RATE_WORDS).toreadonly()):
        with pytest.raises(ValueError, match="rates: needs a writable buffer of RATE_WORDS words"):
            _core.Worker(words(_core.BOARD_WORDS), 1, wrong)
