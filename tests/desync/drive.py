"""What does the gate do with each case, and what did the servers behind it make of that?

Three gates, one before each server, each with a site for `any`, `iis5` and `iis6`. A case goes to all three
over a connection of its own. When all is said the gates and servers end, and their accounts are compared
with the test's own reading: see `judge`.
"""

import asyncio
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from tests.desync.reading import Readings, readings
from tests.desync.requests import KINDS, Case
from tests.desync.servers import EARLY, Server, real, recorder
from tests.e2e.gate import guarding

AT_ONCE = 24
"""Cases under way at the same time; three connections each."""
PATIENCE = 60.0
"""Seconds after which a connection that is still open is a fault."""
WAITING = 0.5
"""Seconds that a client waits for the gate to say something before it sends its body all the same."""
HEAD = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n")


@dataclass(frozen=True)
class Answer:
    """One final answer. `own`: of the gate itself; `last`: it says that the connection closes."""

    status: int
    own: bool
    last: bool


@dataclass(frozen=True)
class Said:
    """What one gate said. `rest`: bytes after the answers; `closed`: the connection ended."""

    answers: tuple[Answer, ...]
    rest: bytes
    closed: bool


@dataclass
class Outcome:
    """How many cases of each family were refused by the gate or by a server, arrived, or never were whole."""

    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    faults: list[str] = field(default_factory=list)

    def count(self, family: str, said: Mapping[str, Said]) -> None:
        first = [one.answers[0] for one in said.values() if one.answers]
        kind = (
            "unfinished"
            if len(first) < len(said)
            else "refused"
            if any(answer.own for answer in first)
            else "arrived"
            if all(answer.status == 204 for answer in first)
            else "by a server"
        )
        self.counts[family][kind] += 1

    def add(self, other: "Outcome") -> None:
        for family, counts in other.counts.items():
            self.counts[family] += counts
        self.faults += other.faults


def answers(raw: bytes, methods: Iterable[bytes]) -> tuple[tuple[Answer, ...], bytes]:
    """The whole answers in what came, and the bytes after them. A bad request may have been a HEAD or not."""
    found: list[Answer] = []
    asked = iter(methods)
    at = 0
    while (head := HEAD.match(raw, at)) is not None:
        status, fields = int(head[1]), head[2].lower()
        end = head.end()
        if status >= 200:
            length = re.search(rb"^content-length: (\d+)\r", fields, re.M)
            method = next(asked, b"HEAD" if end == len(raw) else b"GET")
            if method != b"HEAD" and status not in (204, 304):
                if length is not None:
                    end += int(length[1])
                elif b"transfer-encoding: chunked" in fields:
                    last = raw.find(b"0\r\n\r\n", end)
                    end = last + 5 if last >= 0 else len(raw) + 1
                if end > len(raw):
                    break
            found.append(Answer(status, b"x-stopgap-event:" in fields, b"connection: close" in fields))
        at = end
    return tuple(found), raw[at:]


async def converse(port: int, case: Case, read: Readings) -> Said:
    """Send a case and listen to the end. The client ends what is still open when all is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    methods = [request.method for request in read.requests]
    raw, closed, ended = b"", True, False
    try:
        for number, group in enumerate(case.steps):
            if number:
                with suppress(TimeoutError):
                    raw += await asyncio.wait_for(reader.read(1 << 16), WAITING)
            for segment in group:
                writer.write(segment)
                await writer.drain()
                await asyncio.sleep(0)
        while True:
            if read.end == "open" and not ended and len(answers(raw, methods)[0]) >= len(methods):
                writer.write_eof()
                ended = True
            data = await asyncio.wait_for(reader.read(1 << 16), PATIENCE)
            if not data:
                break
            raw += data
    except OSError as error:
        closed = not isinstance(error, TimeoutError)
    finally:
        writer.close()
    return Said(*answers(raw, methods), closed)


def judge(
    case: Case, read: Readings, said: Mapping[str, Said], servers: Mapping[str, Server]
) -> Iterator[str]:
    """What is wrong with a case. Requests that the servers answered are those of the reading, each once."""
    early = any(request.target == EARLY for request in read.requests)
    for name, one in said.items():
        got = sorted(servers[name].understood[case.number])
        passed = [answer.status == 204 for answer in one.answers]
        meant = sorted(request for request, through in zip(read.requests, passed, strict=False) if through)
        if any(passed[len(read.requests) :]):
            yield f"{name} answered a request that has not one reading"
        if got != meant:
            yield f"{name} understood {got}, which is not {meant}"
        if not one.closed or one.rest:
            yield f"{name}: the connection {'says more: ' + repr(one.rest) if one.rest else 'stays open'}"
        if len(passed) > len(read.requests) + (read.end != "over"):
            yield f"{name}: more answers than requests: {one.answers}"
        if len(passed) < len(read.requests) and not early and not (one.answers and one.answers[-1].last):
            yield f"{name}: {len(read.requests)} requests, and only {one.answers}"
    gates = {tuple(answer.own for answer in one.answers[:1]) for one in said.values()}
    if len(gates) > 1:
        yield f"the gates differ: {said}"


def run(folder: Path, cases: Sequence[Case]) -> Outcome:
    """Send all cases to all three servers and compare what became of them."""
    outcome = Outcome()
    read = {case.number: readings(case.bytes, EARLY) for case in cases}
    with ExitStack() as stack:
        behind = [stack.enter_context(each) for each in (recorder(), real("nginx"), real("apache"))]
        with ExitStack() as gates:
            ports = {
                server.name: gates.enter_context(guarding(folder / server.name, *sites(server.url))).port
                for server in behind
            }
            said = uvloop.run(_all(ports, cases, read))
    servers = {server.name: server for server in behind}
    for case in cases:
        wrong = list(judge(case, read[case.number], said[case.number], servers))
        outcome.faults += [f"{case.family} {case.bytes!r}: {each}" for each in wrong]
        outcome.count(case.family, said[case.number])
    for server in behind:
        outcome.faults += [*server.faults, *(f"{server.name} got {one}" for one in server.understood[0])]
    return outcome


def sites(origin: str) -> list[dict[str, Any]]:
    """A site for each kind of server; `any` is for all other hosts as well."""
    hosts = {kind: [f"{kind}.test"] for kind in KINDS}
    hosts["any"].append("*")
    return [{"name": kind, "hosts": hosts[kind], "server": kind, "origins": [origin]} for kind in KINDS]


async def _all(
    ports: Mapping[str, int], cases: Sequence[Case], read: Mapping[int, Readings]
) -> dict[int, dict[str, Said]]:
    said: dict[int, dict[str, Said]] = {}
    waiting = iter(cases)

    async def client() -> None:
        for case in waiting:
            told = await asyncio.gather(*(converse(port, case, read[case.number]) for port in ports.values()))
            said[case.number] = dict(zip(ports, told, strict=True))

    await asyncio.gather(*(client() for _ in range(AT_ONCE)))
    return said
