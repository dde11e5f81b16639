"""How much memory does an idle client cost, how much a worker, and does it grow over a thousand reloads?

Idle clients are connections that have had one answer and stay open. The figure is the growth of the
resident memory of the proxy's processes over all of them, divided; what the kernel keeps for a socket
is not in it.
"""

import http.client
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.bench.load import CASES, HEADERS, HOST, PLAIN, load, processes, resident
from tests.bench.peers import PEERS, BenchError, Place, cpus, free_port, stopgap

CLIENTS = 2000
RELOADS = 1000
MARKS = (1, 10, 100, 250, 500, 750, 1000)  # reloads after which the memory is read


@dataclass
class MemoryResult:
    """KiB, all of it."""

    idle: dict[str, float] = field(default_factory=dict)
    """By peer, an idle client connection."""
    worker: int = 0
    """One worker after load."""
    supervisor: int = 0
    reloads: dict[int, int] = field(default_factory=dict)
    """The worker after so many reloads."""


# mitmproxy and ModSecurity are left out: what they keep for a client is little beside their requests' cost.
IDLE_PEERS = ("stopgap", "nginx", "haproxy")
STEPS = len(IDLE_PEERS) + len(MARKS)


def idle_client(place: Place, peer: str) -> float:
    port = free_port()
    pid = place.start(peer, PEERS[peer](place, port, False), port, cpus()[0])
    load(place, CASES["keepalive"], peer, port, pid, 2)
    pids = processes(pid)
    clients: list[socket.socket] = []
    try:
        open_clients(port, 100, clients)  # what the first ones allocate is no client's cost
        before = resident(pids)
        open_clients(port, CLIENTS, clients)
        time.sleep(1)
        return (resident(pids) - before) / CLIENTS
    finally:
        for client in clients:
            client.close()
        place.stop(pid)


def open_clients(port: int, count: int, clients: list[socket.socket]) -> None:
    request = "\r\n".join([f"GET {PLAIN} HTTP/1.1", f"Host: {HOST}", *HEADERS, "", ""]).encode()
    for _ in range(count):
        client = socket.create_connection(("127.0.0.1", port), 10)
        clients.append(client)
        client.sendall(request)
        if not client.recv(65536).startswith(b"HTTP/1.1 200"):
            raise BenchError("memory: a client was not answered")


def reload(admin: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", admin, timeout=30)
    try:
        connection.request("POST", "/reload", headers={"Content-Length": "0"})
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    if answer.status >= 300:
        raise BenchError(
            f"memory: a reload was answered {answer.status}: {text.decode(errors='replace')[:300]}"
        )


def reloads(place: Place, result: MemoryResult, step: Callable[[str], None]) -> None:
    port, admin = free_port(), free_port()
    pid = place.start("stopgap", stopgap(place, port, False, admin), port, cpus()[0])
    try:
        load(place, CASES["keepalive"], "stopgap", port, pid, 2)
        supervisor, worker = family(pid)
        result.worker, result.supervisor = resident([worker]), resident([supervisor])
        for count in range(1, RELOADS + 1):
            reload(admin)
            if count in MARKS:
                step(f"memory: {count} reloads")
                load(place, CASES["keepalive"], "stopgap", port, pid, 1)
                result.reloads[count] = resident([worker])
    finally:
        place.stop(pid)


def family(pid: int) -> tuple[int, int]:
    """The supervisor and its only worker."""
    found = processes(pid)
    if len(found) != 2:
        raise BenchError(f"memory: one worker was asked for, and {len(found) - 1} run")
    return found[0], found[1]


def measure(place: Place, peers: list[str], step: Callable[[str], None]) -> MemoryResult:
    """Measure; `step` is called `STEPS` times at most, with the name of what comes next."""
    result = MemoryResult()
    for peer in peers:
        if peer in IDLE_PEERS:
            step(f"memory: clients of {peer}")
            result.idle[peer] = idle_client(place, peer)
    if "stopgap" in peers:
        reloads(place, result, step)
    return result
