"""Does a client's connection end as it should: after its answer, bounded, and late from the tarpit?"""

import pytest

from stopgap._core import CLOSE, FINISH, FORWARD, LAST, OPEN, TARPIT
from stopgap.gate import ending
from tests.unit.gate.fakes import House
from tests.unit.gate.running import Origin, Running, keep_alive


def test_refusal_lingers_until_the_client_closes() -> None:
    house = House()
    client, wire = house.client()
    house.script.expect("receive", b"bad", CLOSE, b"400")
    client.data_received(b"bad")
    client.data_received(b"x" * 1000)
    assert wire.state == "half"
    assert client.eof_received() is False


@pytest.mark.parametrize(("leaving", "state"), [(True, "half"), (False, "closed")])
def test_a_client_that_did_not_ask_for_the_end_may_have_sent_more(leaving: bool, state: str) -> None:
    house = House()
    house.leaving = leaving
    upstream, _ = house.idle()
    client, wire = house.client()
    house.script.expect("receive", b"GET", FORWARD, b"GET")
    house.script.expect("respond", b"200", FINISH | LAST, b"200")
    client.data_received(b"GET")
    upstream.data_received(b"200")
    assert (wire.take(), wire.state) == (b"200", state)
    if leaving:
        client.data_received(b"GET")
        assert wire.take() == b""


def test_lingering_has_an_end() -> None:
    house = House()
    client, wire = house.client()
    house.script.expect("receive", b"bad", CLOSE, b"400")
    client.data_received(b"bad")
    for _ in range(17):
        client.data_received(bytes(65536))
    assert wire.state == "aborted"


def test_a_client_that_lingered_is_gone_with_its_connection() -> None:
    """One that held itself would wait for the collector of cycles, which seldom runs in a worker."""
    with Origin(keep_alive) as origin, Running() as worker:
        worker.use(origin.url)
        for _ in range(50):
            worker.ask(b"no request\r\n\r\n")
        before = worker.resident()
        for _ in range(1500):
            assert worker.ask(b"no request\r\n\r\n").startswith(b"HTTP/1.1 400 ")
        assert worker.resident() - before < 512


def test_tls_is_closed_without_lingering() -> None:
    house = House()
    client, wire = house.client(tls=True)
    house.script.expect("receive", b"bad", CLOSE, b"400")
    client.data_received(b"bad")
    assert wire.state == "closed"


def test_tarpit_holds_without_reading_until_the_session_expires() -> None:
    house = House()
    client, wire = house.client()
    house.script.expect("receive", b"worm", TARPIT)
    client.data_received(b"worm")
    assert (wire.paused(), wire.state, wire.take()) == (True, "open", b"")
    assert house.tarpit == {client}
    client.settle(CLOSE, b"404")
    assert (wire.paused(), wire.state, wire.take()) == (False, "half", b"404")
    assert client.eof_received() is False
    wire.close()
    assert house.tarpit == set()


def test_tarpit_gives_up_the_exchange() -> None:
    house = House()
    _, origin = house.idle()
    client, _ = house.client()
    house.script.expect("receive", b"head", OPEN, b"head")
    house.script.expect("receive", b"bad", TARPIT)
    client.data_received(b"head")
    client.data_received(b"bad")
    assert (origin.state, client.upstream) == ("aborted", None)


def test_a_client_that_leaves_the_tarpit_gives_its_place_back() -> None:
    house = House()
    client, wire = house.client()
    house.script.expect("receive", b"worm", TARPIT)
    client.data_received(b"worm")
    wire.abort()
    assert house.tarpit == set()


def test_a_full_tarpit_closes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "TARPIT_PLACES", 1)
    house = House()
    for state in ("open", "closed"):
        client, wire = house.client()
        house.script.expect("receive", b"worm", TARPIT)
        client.data_received(b"worm")
        assert (wire.state, wire.take()) == (state, b"")
    assert len(house.tarpit) == 1
