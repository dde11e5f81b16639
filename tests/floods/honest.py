"""What do honest clients meet? Open-loop load from a process of its own.

Requests are due at fixed times, whatever became of the ones before; the latency of each counts from the time
it was due, so a stall is felt by all that fall into it. `python -m tests.floods.honest PORT RATE SECONDS`.
"""

import asyncio
import json
import sys
import time
from itertools import cycle

import uvloop

SOURCES = cycle(f"127.1.0.{number}" for number in range(1, 101))
ANSWER = b"It works"
PATIENCE = 20.0
EACH = 20
"""Requests a connection before the client closes it."""


class Honest:
    """The clients; connections that wait for work are in `kept`."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.kept: list[tuple[asyncio.StreamReader, asyncio.StreamWriter, int]] = []
        self.latencies: list[float] = []
        self.failed: list[str] = []

    async def one(self, due: float) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await self.ask()
        except (OSError, EOFError, TimeoutError, AssertionError) as error:
            self.failed.append(repr(error)[:120])
        else:
            self.latencies.append(time.perf_counter() - due)

    async def ask(self) -> None:
        if self.kept:
            reader, writer, served = self.kept.pop()
        else:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", self.port, local_addr=(next(SOURCES), 0)
            )
            served = 0
        writer.write(b"GET /index.html HTTP/1.1\r\nHost: intranet.test\r\nUser-Agent: honest\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head[:60]
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r")[0])
        assert ANSWER in await reader.readexactly(length)
        if served + 1 < EACH:
            self.kept.append((reader, writer, served + 1))
        else:
            writer.close()


async def run(port: int, rate: float, seconds: float) -> dict[str, object]:
    clients = Honest(port)
    begun, tasks = time.perf_counter(), []  # uvloop's own clock counts milliseconds
    for number in range(int(rate * seconds)):
        due = begun + number / rate
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.create_task(clients.one(due)))
    await asyncio.gather(*tasks)
    ordered = sorted(clients.latencies) or [float("inf")]
    return {
        "answered": len(clients.latencies),
        "failed": clients.failed,
        "p50": ordered[len(ordered) // 2] * 1e3,
        "p99": ordered[int(len(ordered) * 0.99)] * 1e3,
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])))))
