"""On which sockets does Stopgap listen, and how is each address opened?

Every worker has its own socket for every address (`SO_REUSEPORT`), and the supervisor opens and keeps them
all: when a worker dies, connections wait in its queue until the next one takes over. Because two
programs of one user may share a port that way unnoticed, each address is first bound once without
`SO_REUSEPORT`; that fails when anybody else listens. Sockets of systemd (`LISTEN_FDS`) are used instead
of opening an address that they cover, and so are those that another supervisor hands over (`succession.py`).
If there are more of them than workers, a worker has several: in the queue of each somebody may wait. If there
are fewer, as with the one of systemd, workers share: to open more may need rights that are given up by then.
"""

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from stopgap.config import Address

BACKLOG = 4096
"""Connections that wait in the queue of one socket; the kernel cuts it to net.core.somaxconn."""
UNSENT = 128 << 10
"""Bytes of an answer that the kernel takes ahead of what it sends to a client (TCP_NOTSENT_LOWAT, tcp(7)):
else clients that do not read are given megabytes each. Every accepted socket inherits it."""
SPENT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""With what the kernel refuses a socket when descriptors or memory are used up."""
FIRST_INHERITED = 3
"""systemd passes its sockets from this descriptor on (sd_listen_fds(3))."""

_WHY = {
    errno.EADDRINUSE: "the port is in use by another program",
    errno.EACCES: "this user may not listen there; a port below 1024 needs CAP_NET_BIND_SERVICE",
    errno.EPERM: "this user may not listen there",
    errno.EADDRNOTAVAIL: "this machine does not have that address",
    errno.EAFNOSUPPORT: "this machine does not speak that address family",
}


class StartError(Exception):
    """The gate cannot start; the text is one line that names what cannot be had and says why."""


Handed = Mapping[str, Sequence[socket.socket]]
"""Sockets by the address for which they were opened."""


def listeners(
    addresses: Sequence[Address], workers: int, handed: Handed | None = None
) -> list[list[socket.socket]]:
    """For each worker its sockets, in the order of `addresses`; inheritable, non-blocking, listening.

    Port 0 takes a free port, the same for all workers. Of the sockets `handed` over copies are used.
    Raises `StartError`.
    """
    rows: list[list[socket.socket]] = [[] for _ in range(workers)]
    with contextlib.ExitStack() as undo:
        given = {str(bound(sock)): [undo.enter_context(sock)] for sock in _inherited()}
        opened = undo.enter_context(contextlib.ExitStack())
        for address in addresses:
            if address.path:
                raise StartError(
                    f"cannot listen on {address}: clients come over TCP; only admin may be a Unix socket"
                )
            known = _known(address, {**given, **(handed or {})})
            chosen = address if known else _probe(address)
            for index, row in enumerate(rows):
                mine = known[index::workers] or known[index % len(known) :][:1] if known else ()
                for sock in [sock.dup() for sock in mine] or [_listen(chosen, reuse_port=True)]:
                    opened.enter_context(sock)
                    sock.setblocking(False)
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)
                    sock.set_inheritable(True)
                    row.append(sock)
        opened.pop_all()
    return rows


def by_address(
    addresses: Sequence[Address], rows: Sequence[Sequence[socket.socket]]
) -> dict[str, list[socket.socket]]:
    """What `listeners` gave, by the address for which it was opened."""
    places = dict.fromkeys(bound(sock) for sock in rows[0])
    return {
        str(address): [sock for row in rows for sock in row if bound(sock) == place]
        for address, place in zip(addresses, places, strict=True)
    }


def listener(address: Address, handed: Mapping[str, socket.socket] | None = None) -> socket.socket:
    """One listening socket of the supervisor's own (the admin address). Raises `StartError`."""
    if handed and str(address) in handed:
        return handed[str(address)].dup()
    if not address.path:
        return _listen(address, reuse_port=False)
    _remove_stale(address)
    mask = os.umask(0o117)
    try:
        return _listen(address, reuse_port=False)
    finally:
        os.umask(mask)


def adopted(fd: int) -> socket.socket:
    """A listening socket that was inherited.

    It never blocks, and neither do its copies. All processes that hold it share that flag, and Python's `dup`
    sets it anew: for a moment the `accept` of a worker that serves would wait, and with it all its clients.
    """
    sock = socket.socket(fileno=fd)
    sock.setblocking(False)
    return sock


def connect(address: Address, seconds: float) -> socket.socket:
    """A connected socket for the control commands. Raises `OSError`."""
    if not address.path:
        return socket.create_connection((address.host, address.port), timeout=seconds)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(seconds)
        sock.connect(address.path)
    except OSError:
        sock.close()
        raise
    return sock


def bound(sock: socket.socket) -> Address:
    """The address that a socket got (the port, where 0 was asked for)."""
    name = sock.getsockname()
    return Address("", 0, str(name)) if sock.family == socket.AF_UNIX else Address(name[0], name[1])


def _known(address: Address, handed: Handed) -> Sequence[socket.socket]:
    """The sockets that were opened for this address, or are bound to it."""
    name = str(address)
    return next((socks for asked, socks in handed.items() if name in (asked, str(bound(socks[0])))), ())


def _probe(address: Address) -> Address:
    """Make sure that nobody else listens there, and settle host and port."""
    with _bind(address, reuse_port=False) as sock:
        return bound(sock)


def _listen(address: Address, reuse_port: bool) -> socket.socket:
    sock = _bind(address, reuse_port)
    try:
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise _refused(address, error) from None
    return sock


def _bind(address: Address, reuse_port: bool) -> socket.socket:
    sock = None
    try:
        family, where = _resolve(address)
        sock = socket.socket(family, socket.SOCK_STREAM)
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(where)
    except (OSError, UnicodeError) as error:
        if sock is not None:
            sock.close()
        raise _refused(address, error) from None
    return sock


def _resolve(address: Address) -> tuple[socket.AddressFamily, str | tuple[str, int]]:
    if address.path:
        return socket.AF_UNIX, address.path
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, where = found[0]
    return family, (str(where[0]), int(where[1]))


def _refused(address: Address, error: OSError | UnicodeError) -> StartError:
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, socket.gaierror | UnicodeError):
        why = f"{address.host} is not an address or name of this machine"
    else:
        why = _WHY.get(number or 0, error.strerror or str(error))
    return StartError(f"cannot listen on {address}: {why}")


def _remove_stale(address: Address) -> None:
    """Remove the Unix socket that a dead supervisor left; one that answers stays."""
    path = Path(address.path)
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return
        connect(address, 1.0).close()
    except ConnectionRefusedError:
        path.unlink(missing_ok=True)
    except OSError:
        return


def _inherited() -> list[socket.socket]:
    """The listening sockets that systemd passed to this process."""
    count = os.environ.get("LISTEN_FDS", "")
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or not count.isdecimal():
        return []
    for name in ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    return [adopted(FIRST_INHERITED + n) for n in range(int(count))]
