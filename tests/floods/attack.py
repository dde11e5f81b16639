"""What do hostile clients do? A flood is one coroutine a client, `size` of them at once, from many addresses.

`python -m tests.floods.attack NAME PORT SIZE SECONDS` runs one in a process of its own and prints what the
attackers saw: connections opened, requests refused and served, connections that the gate ended.
"""

import asyncio
import json
import random
import socket
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import uvloop

OPENING = 1000
"""New connections a second while a flood builds up."""
HOST = b"Host: intranet.test\r\n\r\n"
CODE_RED = b"GET /default.ida?" + b"N" * 224 + b"%u9090%u6858%ucbd3%u7801%u00=a HTTP/1.1\r\n" + HOST
NIMDA = b"GET /scripts/..%255c../winnt/system32/cmd.exe?/c+dir HTTP/1.1\r\n" + HOST
HONEST = b"GET /index.html HTTP/1.1\r\n" + HOST


class Client:
    """One connection of an attacker."""

    def __init__(self, seen: Counter[str], port: int, source: str, receive: int = 0) -> None:
        self.seen, self.port, self.source, self.receive = seen, port, source, receive

    async def __aenter__(self) -> "Client":
        sock = socket.socket()
        sock.setblocking(False)
        if self.receive:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive)
        try:
            sock.bind((self.source, 0))
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
            self.reader, self.writer = await asyncio.open_connection(sock=sock, limit=1 << 16)
        except OSError:
            sock.close()
            raise
        self.seen["opened"] += 1
        return self

    async def __aexit__(self, *error: object) -> None:
        self.writer.close()

    def send(self, data: bytes) -> None:
        if self.writer.is_closing() or self.reader.at_eof():
            raise ConnectionError
        self.writer.write(data)

    async def ask(self, data: bytes) -> bool:
        """Send a request and read its answer; whether the gate keeps the connection."""
        self.send(data)
        head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        await self.reader.readexactly(int(head.partition(b"content-length:")[2].partition(b"\r")[0]))
        self.seen["refused" if b"x-stopgap-event" in head else "served"] += 1
        return b"connection: close" not in head


Flood = Callable[[Client, int, asyncio.Event], Awaitable[None]]


async def slow_head(client: Client, number: int, over: asyncio.Event) -> None:
    client.send(b"GET / HTTP/1.1\r\n")
    while not over.is_set():
        client.send(b"X-%d: a\r\n" % random.randrange(1 << 30))
        await asyncio.sleep(1)


async def slow_body(client: Client, number: int, over: asyncio.Event) -> None:
    client.send(b"POST /upload/x HTTP/1.1\r\nContent-Length: 100000\r\n" + HOST)
    while not over.is_set():
        client.send(b"a=b&" * 5)
        await asyncio.sleep(1)


async def slow_reader(client: Client, number: int, over: asyncio.Event) -> None:
    client.send(b"GET /large.bin HTTP/1.1\r\n" + HOST)
    while not over.is_set():
        await asyncio.sleep(0.5)
        if not await client.reader.read(512):
            raise ConnectionError


async def idle(client: Client, number: int, over: asyncio.Event) -> None:
    await client.ask(HONEST)
    await over.wait()


async def new(client: Client, number: int, over: asyncio.Event) -> None:
    await client.ask(HONEST)


async def busy(client: Client, number: int, over: asyncio.Event) -> None:
    while not over.is_set() and await client.ask(HONEST):
        await asyncio.sleep(1)


async def worm(client: Client, number: int, over: asyncio.Event) -> None:
    attacks = (CODE_RED, NIMDA)
    while not over.is_set() and await client.ask(
        HONEST if random.random() < 0.05 else attacks[random.getrandbits(1)]
    ):
        pass


async def unlike(client: Client, number: int, over: asyncio.Event) -> None:
    while not over.is_set():
        if not await client.ask(b"GET /%032x.ida?%d HTTP/1.1\r\n" % (random.getrandbits(128), number) + HOST):
            return


@dataclass(frozen=True)
class Scenario:
    """A flood: what it is, and how many clients at once (of `new`: connections a second)."""

    flood: Flood
    size: int
    title: str
    japanese: str
    alone: bool = False
    """All from one address."""
    rate: bool = False
    """`size` is a rate."""
    exact: bool = False
    """The gate's count of refusals must be what the attackers saw."""
    workers: int = 1
    """Of the gate, which share a CPU: a worker takes half as many clients as it may open files."""


SCENARIOS = {
    "slow-heads": Scenario(slow_head, 4000, "4 000 slow heads", "遅いヘッド 4 000"),
    "slow-bodies": Scenario(slow_body, 2000, "2 000 slow bodies", "遅いボディ 2 000"),
    "slow-readers": Scenario(slow_reader, 200, "200 slow readers of 8 MiB", "8 MiB の遅い読み手 200"),
    "idle": Scenario(idle, 10_000, "10 000 idle connections", "アイドル接続 10 000", workers=2),
    "new": Scenario(new, 834, "50 000 new connections a minute", "毎分 50 000 の新規接続", rate=True),
    "one-client": Scenario(
        busy, 1000, "one client, 1 000 connections", "1 クライアントの 1 000 接続", alone=True
    ),
    "worms": Scenario(worm, 32, "95 % Code Red and Nimda", "Code Red と Nimda が 95 %", exact=True),
    "unlike": Scenario(unlike, 32, "refusals that never repeat", "繰り返さない拒否", exact=True),
}


async def run(name: str, port: int, size: int, seconds: float) -> Counter[str]:
    scenario, seen, over = SCENARIOS[name], Counter[str](), asyncio.Event()
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds

    def source(number: int) -> str:
        return "127.3.0.1" if scenario.alone else f"127.2.{number // 250 % 250}.{number % 250 + 1}"

    async def one(number: int) -> None:
        while loop.time() < end:
            try:
                async with Client(
                    seen, port, source(number), 4096 if scenario.flood is slow_reader else 0
                ) as client:
                    await scenario.flood(client, number, over)
            except (OSError, EOFError):
                seen["ended"] += 1
                await asyncio.sleep(0.2)
            if scenario.rate:
                return

    loop.call_at(end, over.set)
    tasks, begun, pace = [], loop.time(), size if scenario.rate else OPENING
    for number in range(int(size * seconds) if scenario.rate else size):
        if (wait := begun + number / pace - loop.time()) > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.create_task(one(number)))
    await over.wait()
    with suppress(TimeoutError):
        async with asyncio.timeout(15):
            await asyncio.gather(*tasks)
    return seen


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))))
