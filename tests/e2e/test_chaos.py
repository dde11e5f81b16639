"""Does a worker keep its head among clients and origins that do whatever they like?

For a few seconds forty clients and two origins misbehave at random: they reset, cut, half-close,
pipeline, stall, answer early, late, too much or garbage, while policies are swapped. Then everybody
goes home, and nothing may be left: no client, no busy connection, no request that waits, no complaint.
A body that reached the wrong client would be seen, for each answer names the path that was asked for.
"""

import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from stopgap.gate import messages
from tests.unit.gate.running import Origin, Running
from tests.unit.gate.test_worker import reset

SECONDS = 4.0
CLIENTS = 40
HEAD = b" HTTP/1.1\r\nHost: h\r\n"


class Stream:
    """Reads heads and bodies off a socket; raises EOFError when it ends."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.kept = b""

    def _more(self) -> None:
        data = self.sock.recv(1 << 16)
        if not data:
            raise EOFError
        self.kept += data

    def until(self, mark: bytes) -> bytes:
        while mark not in self.kept:
            self._more()
        found, _, self.kept = self.kept.partition(mark)
        return found

    def exactly(self, size: int) -> bytes:
        while len(self.kept) < size:
            self._more()
        found, self.kept = self.kept[:size], self.kept[size:]
        return found

    def message(self) -> tuple[bytes, bytes]:
        """The next head and its body."""
        head = self.until(b"\r\n\r\n")
        lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        if b"transfer-encoding" in lines:
            body = b""
            while size := int(self.until(b"\r\n"), 16):
                body += self.exactly(size + 2)[:-2]
            self.exactly(2)
            return head, body
        return head, self.exactly(int(lines.get(b"content-length", b"0")))


def chunked(chance: random.Random) -> bytes:
    sizes = [chance.randrange(1, 100_000) for _ in range(chance.randrange(6))]
    return b"".join(b"%x\r\n%s\r\n" % (size, bytes(size)) for size in sizes) + b"0\r\n\r\n"


def ok(body: bytes, extra: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s" % (len(body), extra, body)


# What an origin may answer to a path: the bytes, and whether it goes on.
ANSWERS: list[tuple[int, Callable[[bytes, random.Random], tuple[bytes, bool]]]] = [
    (50, lambda path, chance: (ok(path), True)),
    (2, lambda path, chance: (b"", False)),
    (2, lambda path, chance: (b"garbage\r\n\r\n", False)),
    (2, lambda path, chance: (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", False)),
    (3, lambda path, chance: (ok(path) + b"surplus", True)),
    (3, lambda path, chance: (b"HTTP/1.1 200 OK\r\n\r\n" + bytes(chance.randrange(300_000)), False)),
    (
        9,
        lambda path, chance: (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(chance),
            True,
        ),
    ),
    (5, lambda path, chance: (ok(bytes(chance.randrange(3_000_000))), True)),
    (
        3,
        lambda path, chance: (
            b"HTTP/1.1 401 No\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n",
            True,
        ),
    ),
    (2, lambda path, chance: (b"HTTP/1.1 304 Not Modified\r\n\r\n", True)),
    (2, lambda path, chance: (b"HTTP/1.1 100 Continue\r\n\r\n" + ok(path), True)),
    (3, lambda path, chance: (ok(path, b"Connection: close\r\n"), False)),
]


def misbehaving_origin(sock: socket.socket) -> None:
    chance = random.Random()
    stream = Stream(sock)
    going_on = True
    try:
        while going_on:
            if chance.random() < 0.02:  # before the request is read
                sock.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
                return
            head, _ = stream.message()
            if chance.random() < 0.03:
                reset(sock.dup())
                return
            if chance.random() < 0.03:
                time.sleep(chance.random() / 3)
            (make,) = chance.choices([make for _, make in ANSWERS], [weight for weight, _ in ANSWERS])
            said, going_on = make(head.split(b" ")[1], chance)
            sock.sendall(said)
    except (OSError, EOFError):
        return


# What a client may ask for under a path: the bytes, and how many answers it expects.
REQUESTS: list[tuple[int, Callable[[bytes, random.Random], tuple[bytes, int]]]] = [
    (55, lambda path, chance: (b"GET " + path + HEAD + b"\r\n", 1)),
    (5, lambda path, chance: (b"GET /x.ida" + HEAD + b"\r\n", 1)),
    (5, lambda path, chance: (b"GET /bad\0" + HEAD + b"\r\n", 1)),
    (10, lambda path, chance: ((b"GET " + path + HEAD + b"\r\n") * 90, 90)),
    (10, lambda path, chance: (posted(path, bytes(chance.choice([10, 70_000, 300_000, 1_000_000]))), 1)),
    (
        10,
        lambda path, chance: (
            b"POST " + path + HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(chance),
            1,
        ),
    ),
]


def posted(path: bytes, body: bytes) -> bytes:
    return b"POST " + path + HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body


def misbehave_once(sock: socket.socket, chance: random.Random, seen: Counter[str]) -> None:
    stream = Stream(sock)
    for _ in range(chance.randrange(1, 8)):
        path = b"/p%d" % chance.randrange(10**9)
        (make,) = chance.choices([make for _, make in REQUESTS], [weight for weight, _ in REQUESTS])
        asked, answers = make(path, chance)
        fate = chance.random()
        sock.sendall(asked[: chance.randrange(len(asked))] if fate < 0.1 else asked)
        if fate < 0.04:
            reset(sock.dup())
            return
        if fate < 0.1:
            return
        if fate < 0.13:
            sock.shutdown(socket.SHUT_WR)
        elif fate < 0.16:
            time.sleep(0.5)
        for _ in range(answers):
            head, body = stream.message()
            seen[head[9:12].decode()] += 1
            if body.startswith(b"/p"):
                assert body == path
            if b"connection: close" in head.lower():
                return


@pytest.mark.parametrize("server", ["iis5", "iis6"])
def test_chaos(server: str) -> None:
    end = time.monotonic() + SECONDS
    seen: Counter[str] = Counter()
    faults: list[BaseException] = []

    def misbehaving_client(seed: int, worker: Running) -> None:
        chance = random.Random(seed)
        while time.monotonic() < end:
            try:
                with worker.connect() as sock:
                    misbehave_once(sock, chance, seen)
            except (AssertionError, TimeoutError) as fault:
                faults.append(fault)
            except (OSError, EOFError):
                seen["cut"] += 1

    with Origin(misbehaving_origin) as one, Origin(misbehaving_origin) as two, Running() as worker:
        limits: dict[str, Any] = {"connections": 6, "waiting": 30, "connect": 2.0, "write": 3.0}
        worker.use(one.url, two.url, server=server, **limits)
        clients = [
            threading.Thread(target=misbehaving_client, args=(seed, worker)) for seed in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        for version in range(4):
            time.sleep(SECONDS / 5)
            worker.use(one.url, *([two.url] * (version % 2)), server=server, version=str(version), **limits)
        for client in clients:
            client.join(30)
        assert not faults
        assert {"200", "404", "413", "502"} <= seen.keys()
        time.sleep(4)  # lingering ends, and what nobody reads is given up
        worker.send(messages.Ping(1))
        pong = worker.receive(messages.Pong)
        busy = [(state.busy, state.pinned) for state in pong.origins]
        assert (pong.clients, pong.waiting, *busy) == (0, 0, *[(0, 0)] * len(busy))
