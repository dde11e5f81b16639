"""Who takes in a connection that is no client yet?

`Greeter` accepts on one listening socket, and `admit` makes a client of each connection: of a peer that
speaks PROXY protocol (`proxy_protocol.py`) when it has said for whom, on a TLS listener when the handshake
is done. It is counted before that: who has more connections than one may gets no handshake. Whoever fails
at either is told of with the address that it came from. Where neither is asked for, uvloop accepts by itself.
"""

import asyncio
import socket
import ssl
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from stopgap.gate import health
from stopgap.gate.client import Client
from stopgap.gate.proxy_protocol import SECONDS, NotAHeader, among, header
from stopgap.gate.sockets import SPENT

if TYPE_CHECKING:
    from stopgap._core import Session
    from stopgap.gate.worker import Gate

ACCEPTS: Final = 64
"""Connections accepted in one turn of the loop."""
PAUSE: Final = 1.0
"""Seconds without accepting when the kernel has no descriptor or memory left."""
HANDSHAKE: Final = 10.0
"""Seconds that a TLS handshake may take."""

_LEFT: Final = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
"""The client went away; nothing was wrong with what it offered."""


class Greeter:
    """Accepts on one listening socket, which it owns."""

    def __init__(
        self,
        gate: "Gate",
        listening: socket.socket,
        front: ssl.SSLContext | None,
        redirect: int,
    ) -> None:
        """`redirect`: the port to which its clients are sent, 0 for nowhere."""
        self._gate = gate
        self._listening = listening
        self._front = front
        self._redirect = redirect
        self._closed = False
        listening.setblocking(False)
        self._resume()

    def close(self) -> None:
        """Accept no more; who has connected is served."""
        if not self._closed:
            self._closed = True
            self._gate.loop.remove_reader(self._listening)
            self._listening.close()

    def _resume(self) -> None:
        if not self._closed:
            self._gate.loop.add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        for _ in range(ACCEPTS):
            try:
                sock, name = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in SPENT:
                    raise
                self._gate.loop.remove_reader(self._listening)
                self._gate.loop.call_later(PAUSE, self._resume)
                return
            if len(self._gate.clients) + self._gate.greeting >= self._gate.most:
                self._gate.shed += 1
                sock.close()
            else:
                self._gate.admit(sock, name, self._front, self._redirect)


def wrapped(front: ssl.SSLContext | None) -> dict[str, Any]:
    """How the loop is told of TLS."""
    if front is None:
        return {}
    return {"ssl": front, "ssl_handshake_timeout": HANDSHAKE, "ssl_shutdown_timeout": 2.0}


async def admit(
    gate: "Gate",
    sock: socket.socket,
    peer: str,
    front: ssl.SSLContext | None,
    redirect: int,
) -> None:
    """Make a client of a connection that was accepted outside the loop, once it has said who it is."""
    tls, session = front is not None, None
    try:
        sock.setblocking(False)
        address = peer
        if gate.proxies and among(peer, gate.proxies):
            async with asyncio.timeout(SECONDS):
                address = await header(gate.loop, sock) or peer
        session = gate.session(address, tls, redirect)
        if session.closed:
            session.end()
            sock.close()
            return
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = partial(Client, gate, tls, redirect, session)
        await gate.loop.connect_accepted_socket(client, sock, **wrapped(front))
    except (NotAHeader, TimeoutError):
        _fail(sock, gate.core.session(peer, tls, True), health.PROXY_HEADER)
    except ssl.SSLError as error:
        known = isinstance(error, _LEFT)
        if not known:
            gate.unsecured[error.reason or "UNKNOWN"] += 1
        _fail(sock, session, None if known else health.CLIENT_TLS)
    except OSError:  # it went, or took too long
        _fail(sock, session)
    finally:
        gate.greeting -= 1


def _fail(sock: socket.socket, session: "Session | None", reason: int | None = None) -> None:
    """Close, and note why for whom."""
    if session is not None:
        if reason is not None:
            session.turn_away(reason)
        session.end()
    sock.close()
