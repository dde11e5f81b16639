"""Is an origin asked what and when it should be, and is each kind of answer told for what it is?"""

import itertools
from collections.abc import Iterator
from typing import cast

import msgspec
import pytest
import uvloop

from stopgap.gate import probe
from stopgap.gate.messages import Probe, Site
from stopgap.gate.worker import Gate
from tests.e2e.origins import Origin, Peer, free_port, running, until
from tests.unit.gate.fakes import SITE, House

PROBE = Probe(
    path="/health.asp",
    host="kaikei",
    interval=5.0,
    timeout=0.5,
    rise=1,
    fall=1,
    status=((200, 299), (401, 401)),
)


@pytest.fixture
def origin() -> Iterator[Origin]:
    with running() as running_:
        yield running_


def house(url: str, **changes: object) -> House:
    return House(
        Site(name="test", origins=(url,), counters=(0,), probe=msgspec.structs.replace(PROBE, **changes))
    )


def asked(at: House) -> str:
    """The error after one probe."""
    (origin,) = at.pool.origins
    assert at.pool.site.probe is not None
    uvloop.run(probe.ask(at.pool, origin, at.pool.site.probe))
    return origin.health.why


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", ""),
        (b"HTTP/1.0 204 \r\n", ""),
        (b"HTTP/1.1 401\n", ""),
        (b"HTTP/1.1 302 Found\r\n", "answered 302"),
        (b"HTTP/1.1 500 Internal Server Error\r\n", "answered 500"),
        (b"HTTP/1.1 2000 OK\r\n", "no answer in HTTP"),
        (b"SSH-2.0-OpenSSH\r\n", "no answer in HTTP"),
        (b"HTTP/1.1 20", "no answer in HTTP"),
        (b"x" * 100_000, "no answer in HTTP"),
        (b"", "no answer in HTTP"),
    ],
)
def test_answers(said: bytes, error: str, origin: Origin) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(said)

    origin.script = script
    assert asked(house(origin.url)) == (error and f"GET /health.asp: {error}")


def test_what_is_asked(origin: Origin) -> None:
    asked(house(origin.url))
    asked(house(origin.url, host=""))
    head = b"GET /health.asp HTTP/1.0\r\nHost: %s\r\nUser-Agent: stopgap-health\r\n\r\n"
    own = origin.url.removeprefix("http://").encode()
    assert [bytes(peer.raw) for peer in origin.peers] == [head % b"kaikei", head % own]


def test_silence_and_refusal(origin: Origin) -> None:
    origin.script = lambda peer: cast(None, peer.more() and peer.more())
    assert asked(house(origin.url)) == "GET /health.asp: no answer within 0.5 s"
    assert "refused" in asked(house(f"http://127.0.0.1:{free_port()}")).lower()


def test_when() -> None:
    at = house("http://192.0.2.1:80")
    due = []
    for second in range(60):
        probe.start(cast(Gate, at), at.now + second)
        due += [second] * len(at.work)
        for work in at.work:
            work.close()
        at.work.clear()
    gaps = [after - before for before, after in itertools.pairwise(due)]
    assert due[0] == 0 and min(gaps) >= 5 and max(gaps) <= 7


def test_probes_that_are_no_longer_wanted_keep_nobody_down() -> None:
    at = house("http://192.0.2.1:80")
    at.pool.probed(at.pool.origins[0], "answered 500", 1, 1)
    at.pool.site = SITE
    probe.start(cast(Gate, at), at.now)
    assert not at.pool.origins[0].health.shut and at.work == []


def test_its_connection_does_not_stay(origin: Origin) -> None:
    asked(house(origin.url))
    until(lambda: [peer.sock.fileno() for peer in origin.peers] == [-1])
