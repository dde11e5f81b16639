"""Does an origin connection notice what it must when nobody uses it, and how does one come to be?"""

import asyncio
import socket

from stopgap.gate import health
from stopgap.gate.messages import Site
from stopgap.gate.pool import Origin, Pool
from stopgap.gate.upstream import Upstream, dial
from tests.unit.gate.fakes import House


def test_idle_connection_that_talks_is_dropped() -> None:
    house = House()
    upstream, wire = house.idle()
    upstream.data_received(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    assert wire.state == "aborted"
    assert (house.pool.origins[0].idle, house.pool.origins[0].open) == ([], 0)


def test_idle_connection_that_closes_is_forgotten() -> None:
    house = House()
    upstream, wire = house.idle()
    assert upstream.eof_received() is False
    assert wire.state == "aborted"
    assert (house.pool.origins[0].idle, house.pool.origins[0].open) == ([], 0)


def test_dropping_twice_counts_once() -> None:
    house = House()
    upstream, _ = house.idle()
    upstream.drop()
    upstream.drop()
    assert house.pool.origins[0].open == 0


def test_room_ends_with_the_connection() -> None:
    house = House()
    upstream, _ = house.idle()
    upstream.pause_writing()

    async def wait() -> None:
        asyncio.get_running_loop().call_soon(upstream.drop)
        await upstream.room()

    asyncio.run(wait())


def outcome(url: str, connect: float = 5.0) -> Pool:
    """What a pool looks like after one dial."""

    async def run() -> Pool:
        ended = asyncio.Event()

        class Watched(Pool):
            def connected(self, upstream: Upstream) -> None:
                super().connected(upstream)
                ended.set()

            def failed(self, origin: Origin, tried: frozenset[str], reason: int, error: str) -> None:
                super().failed(origin, tried, reason, error)
                ended.set()

        site = Site(name="s", origins=(url,), counters=(0,), connect=connect)
        pool = Watched(site, dial, asyncio.get_running_loop().time)
        pool.origins[0].dialing = 1
        dial(pool, pool.origins[0], frozenset())
        await ended.wait()
        await asyncio.sleep(0)
        for upstream in pool.origins[0].idle.copy():
            upstream.drop()
        await asyncio.sleep(0)
        return pool

    return asyncio.run(run())


def test_dial() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        pool = outcome(f"http://127.0.0.1:{server.getsockname()[1]}")
    assert pool.origins[0].opened == 1


def test_dial_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    origin = outcome(f"http://127.0.0.1:{port}").origins[0]
    assert origin.health.counts[health.FAILURES.index("origin-refused")] == 1
    assert origin.health.error


def test_dial_that_takes_too_long() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        held = []
        for _ in range(2):  # what the queue takes; the next SYN is left unanswered
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
            held.append(sock)
        origin = outcome(f"http://127.0.0.1:{full.getsockname()[1]}", connect=0.2).origins[0]
        for sock in held:
            sock.close()
    assert origin.health.counts[health.FAILURES.index("origin-connect-timeout")] == 1
    assert origin.health.error == "no connection within 0.2 s"
