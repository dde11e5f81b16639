"""How do events reach a syslog server, and what if it is away?

As RFC 5424 says, one message an event: over UDP one a datagram (RFC 5426), over TCP with its length in front
(RFC 6587, octet counting), or as a datagram to the socket of a server on this machine. The message is the
record in its format, without structured data. All waiting is that of the output's thread: a server that
cannot be reached, or takes nothing for `STALL` seconds, is `Away`, and what was not sent is sent later.

Syslog has no receipt. What a server had taken into its buffers when it died is lost, and nobody can count it.
"""

import contextlib
import os
import select
import socket
import time
from typing import Final

from stopgap.config.model import Syslog
from stopgap.events.formats import Record
from stopgap.events.output import Away
from stopgap.say import say

FACILITY: Final = 16
"""local0"""
ALERT, PLAIN = 4, 5
"""Severities: warning, notice."""
STALL: Final = 3.0
"""Seconds that a connection or a message may take."""
UNANSWERED: Final = 60_000
"""Milliseconds that a TCP server may leave what was sent before the connection counts as dead."""
REFUSAL: Final = 0.1
"""Seconds in which a machine without a server on the port is expected to say so."""
QUIET: Final = 60.0
"""Seconds between two lines about a server that is away."""
LONGEST_NAME: Final = 255


class Sender:
    """One server, used by one thread. `server` may be replaced at any time; None: records go nowhere."""

    def __init__(self, server: Syslog | None) -> None:
        self.server = server
        self._used: Syslog | None = None
        self._sock: socket.socket | None = None
        self._name = _ascii(socket.gethostname())
        self._rest = memoryview(b"")
        self._away = False
        self._complained = -QUIET

    def put(self, record: Record) -> bool:
        """Send one record; False when there is no server. Raises `Away`."""
        server = self.server
        if server is not self._used:
            self.close()
            self._used, self._away = server, False
        if server is None:
            return False
        try:
            self._send(server, record)
        except OSError as error:
            if not (server.kind == "tcp" and self._sock and isinstance(error, TimeoutError)):
                self.close()
            self._complain(server, error.strerror or str(error))
            raise Away from None
        if self._away:
            say(f"syslog {server}: takes events again")
            self._away, self._complained = False, -QUIET
        return True

    def _send(self, server: Syslog, record: Record) -> None:
        """Raises `OSError`; after a timeout of TCP the rest of the record is still to be sent."""
        if self._sock is not None and server.kind == "tcp" and _ended(self._sock):
            self.close()
        fresh = self._sock is None
        sock = self._sock = self._sock or _connected(server)
        if not self._rest:
            message = worded(record, self._name)
            self._rest = memoryview(b"%d %b" % (len(message), message) if server.kind == "tcp" else message)
        while self._rest:
            self._rest = self._rest[sock.send(self._rest) :]
        if fresh and server.kind == "udp":
            _refused(sock)

    def reopen(self) -> None:
        """Connect anew."""
        self.close()

    def close(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None
        self._rest = memoryview(b"")

    def _complain(self, server: Syslog, why: str) -> None:
        self._away = True
        now = time.monotonic()
        if now - self._complained >= QUIET:
            self._complained = now
            say(f"syslog {server}: takes no events: {why}; they wait, and when too many do they are dropped")


def worded(record: Record, name: str) -> bytes:
    """The message that tells of a record (RFC 5424, section 6)."""
    priority = FACILITY * 8 + (ALERT if record.alert else PLAIN)
    head = f"<{priority}>1 {record.time} {name} stopgap {os.getpid()} {record.action} - "
    return head.encode() + record.line


def _ascii(name: str) -> str:
    """A host name as the header can hold it."""
    return "".join(letter for letter in name if "!" <= letter <= "~")[:LONGEST_NAME] or "-"


def _connected(server: Syslog) -> socket.socket:
    """Raises `OSError`."""
    place = server.address
    if server.kind == "tcp":
        sock = socket.create_connection((place.host, place.port), STALL)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNANSWERED)
        return sock
    if server.kind == "unix":
        return _datagrams(socket.AF_UNIX, place.path)
    family, *_, where = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_DGRAM)[0]
    return _datagrams(family, where)


def _datagrams(family: int, place: str | tuple[object, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.settimeout(STALL)
        sock.connect(place)
    except OSError:
        sock.close()
        raise
    return sock


def _refused(sock: socket.socket) -> None:
    """Wait a moment for the machine to say that nobody listens there. Raises `OSError` if it does."""
    sock.settimeout(REFUSAL)
    with contextlib.suppress(TimeoutError):
        sock.recv(1)
    sock.settimeout(STALL)


def _ended(sock: socket.socket) -> bool:
    """Whether a server has closed its connection; what it says otherwise is of no interest.

    Raises `OSError`.
    """
    waiting = select.poll()
    waiting.register(sock, select.POLLIN)
    return bool(waiting.poll(0)) and not sock.recv(4096)
