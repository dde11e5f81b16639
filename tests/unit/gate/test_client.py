"""Does the client's side carry out every command?"""

import pytest

from stopgap._core import (
    ANSWER,
    CLOSE,
    FINISH,
    FORWARD,
    LAST,
    MORE,
    PAUSE,
    PIN,
    RELAY,
    RETIRE,
    TUNNEL,
    WAIT,
    WRITE,
)
from stopgap.gate import flags
from tests.unit.gate.fakes import SITE, House

GET = b"GET / HTTP/1.1\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def test_usual_exchange() -> None:
    house = House()
    upstream, origin = house.idle()
    client, wire = house.client()
    for _ in range(2):
        house.script.expect("receive", GET, FORWARD, b"rewritten")
        house.script.expect("respond", OK, FINISH, b"answer")
        client.data_received(GET)
        assert origin.take() == b"rewritten"
        assert house.pool.origins[0].idle == []
        upstream.data_received(OK)
        assert wire.take() == b"answer"
        assert house.pool.origins[0].idle == [upstream]
        assert client.upstream is None
        assert client.request == b"", "an idle client keeps nothing of what it sent"
    assert client.flags == 0


def test_answer_in_pieces() -> None:
    house = House()
    upstream, _ = house.idle()
    client, wire = house.client()
    house.script.expect("receive", GET, FORWARD, b"rewritten")
    house.script.expect("respond", b"head", WRITE, b"HEAD")
    house.script.expect("respond", b"body", RELAY)
    house.script.expect("respond", b"part", WAIT)
    house.script.expect("respond", b"end", FINISH, b"END")
    client.data_received(GET)
    for piece in (b"head", b"body", b"part", b"end"):
        upstream.data_received(piece)
    assert wire.take() == b"HEADbodyEND"


def test_waits_for_a_connection() -> None:
    house = House()
    client, wire = house.client()
    house.script.expect("receive", GET, FORWARD, b"rewritten")
    client.data_received(GET)
    assert client.flags == flags.WAITING
    upstream, origin = house.connect()
    assert origin.take() == b"rewritten"
    house.script.expect("respond", OK, FINISH, b"answer")
    upstream.data_received(OK)
    assert wire.take() == b"answer"
    assert client.flags == 0


def test_too_many_wait() -> None:
    house = House(SITE.__class__(name="full", origins=SITE.origins, counters=(0,), waiting=0))
    client, wire = house.client()
    house.script.expect("receive", GET, FORWARD, b"rewritten")
    house.script.expect("fail", "origin-busy", FINISH, b"503")
    client.data_received(GET)
    assert wire.take() == b"503"
    assert wire.state == "open"


@pytest.mark.parametrize("flag", [0, LAST])
def test_answer_of_our_own(flag: int) -> None:
    house = House()
    client, wire = house.client()
    house.script.expect("receive", b"bad", CLOSE if flag else ANSWER, b"404")
    client.data_received(b"bad")
    assert wire.take() == b"404"
    assert wire.state == ("half" if flag else "open")


def test_more_follows_an_answer() -> None:
    house = House()
    client, wire = house.client()
    house.script.expect("receive", b"two", ANSWER | MORE, b"404")
    house.script.expect("receive", b"", ANSWER, b"405")
    client.data_received(b"two")
    assert wire.take() == b"404405"


def test_more_waits_until_the_client_reads() -> None:
    house = House()
    client, wire = house.client()
    client.pause_writing()
    assert wire.paused()
    house.script.expect("receive", b"two", ANSWER | MORE, b"404")
    client.data_received(b"two")
    house.script.expect("receive", b"", ANSWER, b"405")
    client.resume_writing()
    house.loop.run()
    assert wire.take() == b"404405"
    assert not wire.paused() and client.flags == 0


def test_last_closes() -> None:
    house = House()
    upstream, _ = house.idle()
    client, wire = house.client()
    house.script.expect("receive", GET, FORWARD, b"rewritten")
    house.script.expect("respond", OK, FINISH | LAST, b"answer")
    client.data_received(GET)
    upstream.data_received(OK)
    assert (wire.take(), wire.state) == (b"answer", "closed")
    assert house.script.ended
    assert house.pool.origins[0].idle == [upstream]


def test_retire_closes_the_origin_connection() -> None:
    house = House()
    upstream, origin = house.idle()
    client, wire = house.client()
    house.script.expect("receive", GET, FORWARD, b"rewritten")
    house.script.expect("respond", OK, RETIRE, b"answer")
    client.data_received(GET)
    upstream.data_received(OK)
    assert (wire.take(), wire.state, origin.state) == (b"answer", "open", "aborted")
    assert house.pool.origins[0].open == 0


def test_pipelined_requests_wait() -> None:
    house = House()
    upstream, origin = house.idle()
    client, wire = house.client()
    house.script.expect("receive", GET, FORWARD, b"one")
    house.script.expect("receive", GET * 9, PAUSE)
    client.data_received(GET)
    client.data_received(GET * 9)
    assert wire.paused()
    house.script.expect("respond", OK, FINISH | MORE, b"answer")
    house.script.expect("receive", b"", FORWARD, b"two")
    upstream.data_received(OK)
    house.loop.run()
    assert origin.take() == b"onetwo"
    assert not wire.paused()


def test_pinned_connection_serves_only_its_client() -> None:
    house = House()
    upstream, origin = house.idle()
    client, wire = house.client()
    house.script.expect("receive", GET, FORWARD, b"one")
    house.script.expect("respond", b"401", PIN, b"401")
    client.data_received(GET)
    upstream.data_received(b"401")
    first = house.pool.origins[0]
    assert (first.idle, first.open, first.pinned) == ([], 0, 1)
    house.script.expect("receive", GET, FORWARD, b"two")
    house.script.expect("respond", OK, PIN, b"answer")
    client.data_received(GET)
    upstream.data_received(OK)
    assert origin.take() == b"onetwo"
    assert (first.idle, first.open, first.pinned) == ([], 0, 1)
    wire.close()
    assert origin.state == "aborted"
    assert (first.open, first.pinned) == (0, 0)


def test_pinned_connection_that_closes_takes_its_client_along() -> None:
    house = House()
    upstream, origin = house.idle()
    client, wire = house.client()
    house.script.expect("receive", GET, FORWARD, b"one")
    house.script.expect("respond", b"401", PIN, b"401")
    client.data_received(GET)
    upstream.data_received(b"401")
    origin.close()
    assert wire.state == "closed"
    assert house.pool.origins[0].pinned == 0


@pytest.mark.parametrize("lost", [True, False])
def test_login_that_is_lost_ends_the_connection_after_the_answer(lost: bool) -> None:
    house = House()
    upstream, origin = house.idle()
    client, wire = house.client()
    house.script.expect("receive", GET, FORWARD, b"one")
    house.script.expect("respond", b"401", PIN, b"401")
    client.data_received(GET)
    upstream.data_received(b"401")
    house.script.expect("receive", GET, FORWARD, b"two")
    client.data_received(GET)
    if lost:
        house.script.expect("lost", None, RETIRE, b"HTTP/1.1 502")
        origin.close()
    else:
        house.script.expect("respond", OK, RETIRE, b"HTTP/1.1 200")
        upstream.data_received(OK)
    assert (wire.take()[:12], wire.state) == (b"401HTTP/1.1 ", "closed")
    assert (house.pool.origins[0].pinned, house.pool.origins[0].open) == (0, 0)


def test_tunnel() -> None:
    house = House()
    upstream, origin = house.idle()
    client, wire = house.client()
    house.script.expect("receive", GET, FORWARD, b"upgrade")
    house.script.expect("respond", b"101", TUNNEL, b"101")
    house.script.expect("receive", b"ping", TUNNEL, b"ping")
    house.script.expect("respond", b"pong", TUNNEL, b"pong")
    house.script.expect("lost", None, CLOSE)
    client.data_received(GET)
    upstream.data_received(b"101")
    client.data_received(b"ping")
    upstream.data_received(b"pong")
    assert (origin.take(), wire.take()) == (b"upgradeping", b"101pong")
    assert client.eof_received() is False
    origin.close()
    assert wire.state == "closed"


def test_stale_connection_is_retried_once() -> None:
    house = House()
    _, stale = house.idle()
    client, wire = house.client()
    house.script.retriable = True
    house.script.expect("receive", GET, FORWARD, b"rewritten")
    client.data_received(GET)
    stale.close()
    second, fresh = house.connect()
    assert fresh.take() == b"rewritten"
    second.reused = True
    house.script.expect("lost", None, RETIRE, b"HTTP/1.1 502")
    fresh.close()
    assert wire.take() == b"HTTP/1.1 502"
    assert house.dials == []


@pytest.mark.parametrize(("reused", "retriable"), [(False, True), (True, False)])
def test_what_is_not_retried(reused: bool, retriable: bool) -> None:
    house = House()
    upstream, origin = house.idle()
    client, wire = house.client()
    house.script.retriable = retriable
    house.script.expect("receive", GET, FORWARD, b"rewritten")
    client.data_received(GET)
    upstream.reused = reused
    house.script.expect("lost", None, RETIRE, b"HTTP/1.1 502")
    origin.close()
    assert wire.take() == b"HTTP/1.1 502"


def test_client_gone_in_the_middle() -> None:
    house = House()
    _, origin = house.idle()
    client, wire = house.client()
    house.script.expect("receive", GET, FORWARD, b"rewritten")
    client.data_received(GET)
    wire.close()
    assert origin.state == "aborted"
    assert house.script.ended and house.clients == set()


def test_client_gone_while_it_waits() -> None:
    house = House()
    client, wire = house.client()
    house.script.expect("receive", GET, FORWARD, b"rewritten")
    client.data_received(GET)
    wire.close()
    assert not house.pool.waiting
    house.connect()
    assert len(house.pool.origins[0].idle) == 1


def test_one_client_too_many() -> None:
    house = House()
    wires = [house.client()[1] for _ in range(house.most + 1)]
    assert [wire.state for wire in wires] == ["open", "open", "aborted"]
    assert (house.shed, len(house.clients), house.script.turned) == (1, 2, ["gate-full"])


def test_client_whose_session_is_closed_from_the_start() -> None:
    house = House()
    house.script.closed = True
    _, wire = house.client()
    assert (wire.state, house.shed, house.clients) == ("aborted", 0, set())


def test_half_closed_client_gets_its_answer() -> None:
    house = House()
    upstream, _ = house.idle()
    client, wire = house.client()
    assert client.eof_received() is False, "nothing is under way"
    house.script.expect("receive", GET, FORWARD, b"rewritten")
    house.script.expect("respond", OK, FINISH, b"answer")
    client.data_received(GET)
    assert client.eof_received() is True
    upstream.data_received(OK)
    assert (wire.take(), wire.state) == (b"answer", "closed")


def test_leaving_after_the_answer() -> None:
    house = House()
    upstream, _ = house.idle()
    client, wire = house.client()
    house.script.expect("receive", GET, FORWARD, b"rewritten")
    house.script.expect("respond", OK, FINISH, b"answer")
    client.data_received(GET)
    client.flags |= flags.LEAVING
    upstream.data_received(OK)
    assert (wire.take(), wire.state) == (b"answer", "closed")


def test_exchange_keeps_the_pools_of_its_policy() -> None:
    house = House()
    upstream, _ = house.idle()
    client, _ = house.client()
    house.script.expect("receive", GET, FORWARD, b"rewritten")
    house.script.expect("respond", OK, FINISH, b"answer")
    client.data_received(GET)
    client.flags |= flags.OUTDATED
    house.pools = [House().pool]
    upstream.data_received(OK)
    assert client.pools is house.pools and client.flags == 0
