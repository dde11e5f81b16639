"""What happens when a worker may open no further file: who is served, who is told, and does it spin?"""

import resource
from pathlib import Path

from tests.e2e.client import Client, Cut, get
from tests.e2e.gate import Gate, guarding
from tests.e2e.origins import Origin, until
from tests.e2e.scarcity import descriptors, limited, share

FILES, MOST = 128, 32
"""A limit of open files, and the clients that a worker takes with it: half of what 64 of its own leave."""
MANY = 100


def pid(gate: Gate) -> int:
    (worker,) = (one["pid"] for one in gate.status["workers"])
    return int(worker)


def served(client: Client, name: str) -> bool:
    """Whether this client gets its answer; otherwise it is closed at once."""
    try:
        return client.ask(get(name)).body == f"GET {name} 0".encode()
    except (OSError, Cut):
        return False


def test_clients_beyond_the_most_are_closed_and_counted(tmp_path: Path, origin: Origin) -> None:
    few = ("prlimit", f"--nofile={FILES}:{FILES}")
    with guarding(tmp_path, {"origins": origin.url}, before=few) as gate:
        clients = [Client(gate.port) for _ in range(MANY)]
        try:
            inside = [client for number, client in enumerate(clients) if served(client, f"/{number}")]
            assert len(inside) == MOST
            until(lambda: gate.counts()["stopgap_connections_shed_total",] == MANY - MOST)
            assert share(pid(gate), 1.0) < 0.25
            assert all(served(client, "/again") for client in inside)
            assert gate.admins("/reload", "POST")[0] == 200
            assert (
                f"{MOST} clients are the most that the limit of open files (LimitNOFILE) allows" in gate.said
            )
            for client in inside[:5]:
                client.sock.close()
            until(lambda: gate.counts()["stopgap_connections", "open"] == MOST - 5)
            with Client(gate.port) as later:
                assert served(later, "/later")
        finally:
            for client in clients:
                client.sock.close()


def test_no_descriptor_at_all(tmp_path: Path, origin: Origin) -> None:
    """Whoever is in stays in and is told by name; nobody else gets in, and no CPU is burnt over it."""
    with (
        guarding(tmp_path, {"origins": origin.url}) as gate,
        Client(gate.port) as first,
        Client(gate.port) as second,
    ):
        worker = pid(gate)
        assert served(first, "/1")
        until(lambda: gate.counts()["stopgap_connections", "open"] == 2)
        origin.hang_up()
        with limited(worker, resource.RLIMIT_NOFILE, descriptors(worker)[-1] + 1):
            waiting = [Client(gate.port) for _ in range(20)]
            try:
                assert share(worker, 2.0) < 0.25
                told = first.ask(get("/2"))
                assert told.status == 503
                assert gate.event(told.event)["stopgap.reason"] == "no-room"
                until(lambda: "Too many open files" in gate.status["sites"][0]["origins"][0]["error"])
                assert gate.status["sites"][0]["origins"][0]["up"]
                assert gate.admins("/reload", "POST")[0] == 200
            finally:
                for client in waiting:
                    client.sock.close()
        assert served(first, "/3") and served(second, "/4")
        with Client(gate.port) as third:
            assert served(third, "/5")
