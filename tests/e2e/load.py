"""Does anything go wrong for anybody while something happens to the gate?

`Load` are clients in threads of their own, each with one request after the other on a kept connection. They
note every answer that is not the right one and every connection that broke, and connect again.
"""

import threading
from types import TracebackType

from tests.e2e.client import Client, Cut, get


class Load:
    """So many clients, from `with` to its end."""

    def __init__(self, port: int, clients: int, close_every: int = 0) -> None:
        """`close_every`: so many requests a connection; 0: as many as it takes."""
        self.port = port
        self.answered = 0
        self.wrong: list[str] = []
        self.broken: list[str] = []
        self._close_every = close_every
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._use, args=(number,)) for number in range(clients)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _use(self, number: int) -> None:
        turn = 0
        while not self._over.is_set():
            try:
                with Client(self.port) as client:
                    served = 0
                    while not self._over.is_set() and (not self._close_every or served < self._close_every):
                        turn += 1
                        served += 1
                        self._ask(client, f"/{number}-{turn}")
            except (OSError, Cut) as error:
                self.broken.append(f"{number}-{turn}: {error!r}")

    def _ask(self, client: Client, name: str) -> None:
        got = client.ask(get(name))
        if (got.status, got.body) != (200, f"GET {name} 0".encode()):
            self.wrong.append(f"{name}: {got.status} {got.body[:50]!r}")
        with self._lock:
            self.answered += 1
