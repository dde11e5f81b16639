"""Does anything go wrong for anybody while something happens to the gate?

`Load` are clients in threads of their own, each with one request after the other on a kept connection. They
note every answer that is not the right one and every request that got none, and connect again. Like any
client they leave a connection when an answer says `Connection: close`, and do not use one that was closed
while they did not use it. Nothing is asked twice: what fails once is counted.
"""

import ssl
import threading
import time
from types import TracebackType

from tests.e2e.client import Client, Cut, get
from tests.e2e.origins import until


class Load:
    """So many clients, from `with` to its end."""

    def __init__(
        self,
        port: int,
        clients: int,
        close_every: int = 0,
        pause: float = 0.0,
        other: int | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`close_every`: so many requests a connection; 0: as many as it takes. `pause`: seconds between two
        requests. `other`: the port of a second gate, for when nobody listens on the first."""
        self.ports = [port] if other is None else [port, other]
        self.tls = tls
        self.answered = 0
        self.moved = 0
        """Connections made to the second gate."""
        self.told = 0
        """Answers that said that they were the last."""
        self.wrong: list[str] = []
        self.broken: list[str] = []
        self.unbegun: list[str] = []
        """Those of `broken` whose connection had answered nothing yet."""
        self._close_every = close_every
        self._pause = pause
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

    @property
    def failed(self) -> list[str]:
        """All that went wrong."""
        return self.wrong + self.broken

    def goes_on(self, more: int = 50) -> None:
        """Wait until so many more requests were answered."""
        wanted = self.answered + more
        until(lambda: self.answered > wanted)

    def _use(self, number: int) -> None:
        turn = served = 0
        while not self._over.is_set():
            try:
                served = 0
                with self._connected() as client:
                    while not self._over.is_set() and (not self._close_every or served < self._close_every):
                        turn += 1
                        served += 1
                        if self._ask(client, f"/{number}-{turn}") or self._left(client):
                            break
            except (OSError, Cut) as error:
                self.broken.append(f"{number}-{turn}: {error!r}")
                if served <= 1:
                    self.unbegun.append(self.broken[-1])
                time.sleep(0.01)

    def _connected(self) -> Client:
        try:
            return Client(self.ports[0], self.tls)
        except ConnectionRefusedError:
            if len(self.ports) == 1:
                raise
        client = Client(self.ports[1], self.tls)
        with self._lock:
            self.moved += 1
        return client

    def _ask(self, client: Client, name: str) -> bool:
        """One request; whether its answer was the last one."""
        got = client.ask(get(name))
        if (got.status, got.body) != (200, f"GET {name} 0".encode()):
            self.wrong.append(f"{name}: {got.status} {got.body[:50]!r}")
        last = got.get(b"connection").lower() == b"close"
        with self._lock:
            self.answered += 1
            self.told += last
        return last

    def _left(self, client: Client) -> bool:
        """Whether the connection ended during the pause."""
        if self._pause:
            self._over.wait(self._pause)
            return client.hung_up()
        return False
