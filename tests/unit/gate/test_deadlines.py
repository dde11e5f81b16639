"""Does the sweep end what takes too long, and nothing else?"""

from typing import Any, cast

from stopgap._core import CLOSE, FORWARD, OPEN, RETIRE, WAIT
from stopgap.gate import flags, health
from stopgap.gate.deadlines import AT_ONCE, sweep
from stopgap.gate.worker import Gate
from tests.unit.gate.fakes import House, Script


def run(house: House, seconds: float) -> None:
    house.now += seconds
    sweep(cast(Gate, house), house.now)


def test_core_says_close() -> None:
    house = House()
    _, wire = house.client()
    house.script.expect("expire", None, CLOSE)
    run(house, 1)
    assert wire.state == "closed"


def test_many_are_looked_at_a_few_at_a_time() -> None:
    house = House()
    house.most = 1000
    wires = [house.client()[1] for _ in range(2 * AT_ONCE + 10)]
    for _ in wires[1:]:
        house.script.expect("expire", None, CLOSE)
    run(house, 1)
    assert sum(wire.state == "closed" for wire in wires) == AT_ONCE
    next(wire for wire in wires if wire.state == "open").abort()  # it leaves before its turn
    house.loop.run()
    assert sorted({wire.state for wire in wires}) == ["aborted", "closed"]
    assert not house.script.lines, "each was asked once, and the one that left was not"


def test_origin_that_does_not_answer() -> None:
    house = House()
    _, origin = house.idle()
    client, wire = house.client()
    house.script.expect("receive", b"GET", FORWARD, b"GET")
    client.data_received(b"GET")
    house.script.expect("expire", None, RETIRE, b"504")
    house.script.fault = health.TIMEOUT
    run(house, 1)
    assert (wire.take(), wire.state, origin.state) == (b"504", "open", "aborted")
    assert house.pool.origins[0].health.counts[health.FAILURES.index("origin-timeout")] == 1


def test_lingering_ends() -> None:
    house = House()
    client, wire = house.client()
    house.script.expect("receive", b"bad", CLOSE, b"400")
    client.data_received(b"bad")
    run(house, 1.5)
    assert wire.state == "half"
    run(house, 1)
    assert wire.state == "aborted"


def test_client_that_reads_nothing() -> None:
    house = House()
    client, wire = house.client()
    client.pause_writing()
    wire.unsent = 1000
    run(house, 59)
    wire.unsent = 999
    run(house, 59)
    assert wire.state == "open", "it has read something"
    run(house, 59)
    assert wire.state == "open"
    run(house, 2)
    assert wire.state == "aborted"


def test_client_that_does_not_take_the_last_bytes() -> None:
    house = House()
    _, wire = house.client()
    wire.state = "flushing"
    wire.unsent = 1000
    for _ in range(4):
        run(house, 30)
        assert wire.state == "flushing"
    run(house, 1)
    assert wire.state == "aborted"


def test_origin_that_takes_nothing() -> None:
    house = House()
    upstream, origin = house.idle()
    client, wire = house.client()
    house.script.expect("receive", b"POST", OPEN, b"POST")
    client.data_received(b"POST")
    origin.unsent = 1000
    upstream.pause_writing()
    run(house, 1)
    house.script.expect("expire", None, WAIT)
    house.script.expect("fail", "origin-timeout", RETIRE, b"504")
    run(house, 61)
    assert (wire.take(), origin.state) == (b"504", "aborted")


class Broken(Script):
    """A session with a fault."""

    def expire(self) -> tuple[int, bytes]:
        raise RuntimeError("fault")


def test_error_of_one_client_spares_the_others() -> None:
    house = House()
    broken, gone = house.client()
    broken.session = cast(Any, Broken())
    _, wire = house.client()
    house.script.expect("expire", None, CLOSE)
    run(house, 1)
    assert (gone.state, wire.state) == ("aborted", "closed")
    assert [str(fault) for fault in house.loop.faults] == ["fault"]


def test_idle_client_leaves_when_its_login_is_gone() -> None:
    house = House()
    client, wire = house.client()
    client.flags |= flags.LEAVING
    house.script.busy = True
    run(house, 1)
    assert wire.state == "open"
    house.script.busy = False
    run(house, 1)
    assert wire.state == "closed"


def test_idle_origin_connections_and_retired_pools() -> None:
    house = House()
    one, _ = house.idle()
    house.pool.retired = True
    house.pools, house.retired = [], [house.pool]
    run(house, 1)
    assert one.closed
    assert house.retired == []
