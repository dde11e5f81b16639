"""What goes through the gates in a soak? A table of kinds; each is one turn of one client.

A turn that does not get what it must get raises; what must fail (an origin that dies) is expected to.
"""

import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass
from socket import SO_LINGER, SOL_SOCKET

from tests.e2e.client import Client, Cut, chunked, get, post
from tests.e2e.nginx import LARGE
from tests.e2e.origins import Peer, answer, echo

FILES, TUNNEL = "files.test", "tunnel.test"
KEYS = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
BODY = bytes(range(256)) * 1200
RULES = """
[[rule]]
id = "sticky"
title = "Held up"
why = "A soak needs clients that are held up."
action = "tarpit"
match = { segment = ["tarpit"] }
block = ['GET /tarpit HTTP/1.1']
pass = ['GET /honest HTTP/1.1']
"""


def origin(peer: Peer) -> None:
    """Echo; switch, ask for a login or die where the path says so. Keeps nothing of what came."""
    while (request := peer.request()) is not None:
        del peer.raw[: peer.read]
        peer.read = 0
        peer.requests.clear()
        if request.target == b"/chat":
            peer.send(SWITCH)
            while data := peer.sock.recv(1 << 16):
                peer.send(data)
            return
        if request.target == b"/die":
            peer.send(answer(b"x" * 1000)[:500])
            return
        if request.target == b"/login":
            said = b"%d" % peer.number
            peer.send(answer(said, "WWW-Authenticate: NTLM TlRMTVNTUAAC", status="401 Unauthorized"))
            continue
        peer.send(echo(request))


@dataclass(frozen=True)
class Place:
    """Where the two gates listen."""

    plain: int
    tls: int
    trust: ssl.SSLContext


def same(got: object, wanted: object) -> None:
    if got != wanted:
        raise ValueError(f"{str(got)[:80]} instead of {str(wanted)[:80]}")


def kept(place: Place) -> None:
    with Client(place.plain) as client:
        for turn in range(20):
            same(client.ask(get(f"/{turn}")).body, b"GET /%d 0" % turn)


def fresh(place: Place) -> None:
    with Client(place.plain) as client:
        same(client.ask(get("/new", "Connection: close")).body, b"GET /new 0")


def secure(place: Place) -> None:
    with Client(place.tls, place.trust) as client:
        same(client.ask(get("/tls")).body, b"GET /tls 0")
        same(client.ask(post("/tls", BODY)).body, b"POST /tls %d" % len(BODY))


def upload(place: Place) -> None:
    with Client(place.plain) as client:
        same(client.ask(post("/up", BODY)).body, b"POST /up %d" % len(BODY))
        same(client.ask(chunked("/up", BODY, BODY)).body, b"POST /up %d" % (2 * len(BODY)))


def download(place: Place) -> None:
    with Client(place.plain) as client:
        same(client.ask(get("/large.bin", host=FILES)).body, LARGE)


def refusal(place: Place) -> None:
    with Client(place.plain) as client:
        same(bool(client.ask(get("/default.ida?" + "N" * 224 + "%u9090=a")).event), True)


def tarpit(place: Place) -> None:
    with Client(place.plain) as client:
        same(bool(client.ask(get("/tarpit")).event), True)


def login(place: Place) -> None:
    with Client(place.plain) as client:
        first = client.ask(get("/login"))
        same(first.status, 401)
        for _ in range(5):
            same(client.ask(get("/login", "Authorization: NTLM TlRMTVNTUAAD")).body, first.body)


def tunnel(place: Place) -> None:
    with Client(place.plain) as client:
        same(client.ask(get("/chat", *KEYS, host=TUNNEL)).status, 101)
        for _ in range(10):
            client.send(b"\x81\x05hello")
            same(client._take(7), b"\x81\x05hello")


def leaving(place: Place) -> None:
    """Clients that vanish: in a head, in a body, in an answer."""
    for sent in (get("/half")[:20], post("/half", BODY)[:9000], get("/large.bin", host=FILES)):
        with Client(place.plain) as client:
            client.send(sent)
            client.sock.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))


def dying(place: Place) -> None:
    with Client(place.plain) as client:
        try:
            same(client.ask(get("/die")).status, 502)
        except Cut:
            return


KINDS: dict[str, Callable[[Place], None]] = {
    "kept connection": kept,
    "new connection": fresh,
    "TLS": secure,
    "upload": upload,
    "download": download,
    "refusal": refusal,
    "tarpit": tarpit,
    "login": login,
    "tunnel": tunnel,
    "leaving client": leaving,
    "dying origin": dying,
}
