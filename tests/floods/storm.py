"""How does an operator make a storm to practise on? So many attacks at a gate, from 32 addresses at once.

`python -m tests.floods.storm --port 8081 --requests 1000000`: Code Red and Nimda by turns, as fast as they
are refused. It ends with what it saw; the exit code is 1 if anything but a refusal came back.
"""

import argparse
import asyncio
import sys
from collections import Counter

import uvloop
from rich.console import Console
from rich.progress import Progress

from tests.floods.attack import CODE_RED, NIMDA, Client

CLIENTS = 32


async def attacker(seen: Counter[str], port: int, number: int, requests: int) -> None:
    """Make so many requests from one address; a connection that the gate ends is followed by another."""
    left = requests
    while left:
        async with Client(seen, port, f"127.4.0.{number + 1}") as client:
            while left:
                left -= 1
                if not await client.ask((CODE_RED, NIMDA)[left % 2]):
                    break


async def storm(port: int, requests: int, progress: Progress) -> Counter[str]:
    seen = Counter[str]()
    task = progress.add_task("attacks", total=requests)
    shares = [requests // CLIENTS + (number < requests % CLIENTS) for number in range(CLIENTS)]
    running = asyncio.gather(*(attacker(seen, port, number, share) for number, share in enumerate(shares)))
    while not running.done():
        await asyncio.wait([running], timeout=0.2)
        progress.update(task, completed=seen.total() - seen["opened"])
    await running
    return seen


def main() -> int:
    parser = argparse.ArgumentParser(description="Code Red and Nimda at full speed, to practise on.")
    parser.add_argument("--port", type=int, required=True, help="where the gate listens on 127.0.0.1")
    parser.add_argument("--requests", type=int, default=1_000_000)
    asked = parser.parse_args()
    console = Console(stderr=True)
    try:
        with Progress(console=console) as progress:
            seen = uvloop.run(storm(asked.port, asked.requests, progress))
    except OSError as error:
        console.print(f"127.0.0.1:{asked.port}: {error.strerror or error}; is a gate there?", style="red")
        return 3
    print(f"attacks {asked.requests}, refused {seen['refused']}, served {seen['served']}")
    return int(seen["refused"] != asked.requests)


if __name__ == "__main__":
    sys.exit(main())
