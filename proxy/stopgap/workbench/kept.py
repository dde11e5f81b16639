"""How much does the workbench remember?

So many flows, so many bytes: the oldest that are over go first, but none that is held or on its way. A large
answer is handed through as it comes, and its beginning alone is kept. Requests are never handed through: they
are judged as a whole, and their size is bounded by the limit of the site (see `wire`).
"""

from typing import Protocol

from mitmproxy import flow as flows
from mitmproxy import http

LARGE = 1024 * 1024
"""Bytes of an answer that are kept; a larger one, or one of unknown length, is handed through."""
OVERHEAD = 16 * 1024
"""Bytes that a flow takes beside its bodies, about."""


class Store(Protocol):
    """What mitmproxy's view of flows can do."""

    def get_by_id(self, flow_id: str) -> flows.Flow | None:
        """The flow with this id, if it is still there."""

    def remove(self, flows: list[flows.Flow]) -> None:
        """Forget flows."""


class Through:
    """Hands the body of an answer through, and keeps its beginning."""

    def __init__(self) -> None:
        self.beginning = bytearray()

    def __call__(self, chunk: bytes) -> bytes:
        self.beginning += chunk[: LARGE - len(self.beginning)]
        return chunk


class Kept:
    """The addon that lets go of old flows; `store` None: nobody keeps any (mitmdump)."""

    def __init__(self, store: Store | None, most: int, most_bytes: int) -> None:
        self._store = store
        self._most = most
        self._most_bytes = most_bytes
        self._sizes: dict[str, int] = {}
        """By the id of a flow, the oldest first."""
        self._bytes = 0

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """The head of an answer has come: is its body kept whole?"""
        answer = flow.response
        if not flow.live or answer is None or answer.raw_content is not None:
            return
        length = answer.headers.get("content-length", "")
        if not (length.isdigit() and int(length) <= LARGE):
            answer.stream = Through()

    def response(self, flow: http.HTTPFlow) -> None:
        """The answer is complete."""
        if flow.response and isinstance(flow.response.stream, Through):
            flow.response.data.content = bytes(flow.response.stream.beginning)
            flow.response.stream = False
        self._weigh(flow)

    def request(self, flow: http.HTTPFlow) -> None:
        """The request is complete."""
        self._weigh(flow)

    def error(self, flow: http.HTTPFlow) -> None:
        """There will be no answer."""
        self._weigh(flow)

    def _weigh(self, flow: http.HTTPFlow) -> None:
        if self._store is None:
            return
        bodies = [flow.request.raw_content, flow.response.raw_content if flow.response else None]
        size = OVERHEAD + 2 * sum(len(body) for body in bodies if body)
        self._bytes += size - self._sizes.get(flow.id, 0)
        self._sizes[flow.id] = size
        over = self._over(flow)
        if over:
            self._store.remove(over)

    def _over(self, newest: http.HTTPFlow) -> list[flows.Flow]:
        """The oldest flows that there is no room for."""
        gone: list[flows.Flow] = []
        for number in list(self._sizes):
            if len(self._sizes) <= self._most and self._bytes <= self._most_bytes:
                break
            old = self._store.get_by_id(number) if self._store else None
            if number != newest.id and (old is None or not (old.intercepted or old.live)):
                self._bytes -= self._sizes.pop(number)
                gone += [old] if old else []
        return gone
