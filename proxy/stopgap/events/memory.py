"""Which events are remembered, in how much memory, and how are they read in order?

Each event is kept packed, some 230 bytes of it, and has the next number; the oldest go when there are too
many, or when all together are too large. One thread puts events in, any thread reads. Under the lock nothing
but references is copied, so whoever puts something in waits for a reader a few milliseconds at most.
"""

import threading
from collections import deque
from collections.abc import Iterable
from itertools import islice

import msgspec

from stopgap.gate.messages import EventLine

ROOM = 640
"""Bytes that an event may take on average, by which the budget for so many of them is reckoned."""
OVERHEAD = 48
"""Bytes that an entry takes beside what is packed."""

News = tuple[EventLine, float]
"""What came, and when (Unix seconds)."""

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(News)
_HEAD = b"\x92\xdc\x00\x14"
"""Begins every entry: an array of two, of which the first is one of twenty and begins with the event's id."""


class Page(msgspec.Struct, frozen=True):
    """Events that follow each other, oldest first. `begin` is the number of the first of them."""

    begin: int
    news: list[News]
    first: int
    """Number of the oldest event that is remembered."""
    next: int
    """Number that the next event will get."""


class Memory:
    """The last `most` events; `most` may be changed at any time."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._entries: deque[bytes] = deque()
        self._size = 0
        self._next = 0
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """Bytes that all events take."""
        return self._size

    def put(self, lines: Iterable[EventLine], now: float) -> None:
        """Remember them; for one thread."""
        fresh = [_ENCODER.encode((line, now)) for line in lines]
        with self._lock:
            self._entries.extend(fresh)
            self._next += len(fresh)
            self._size += sum(map(len, fresh)) + OVERHEAD * len(fresh)
            while len(self._entries) > self.most or self._size > self.most * ROOM:
                self._size -= len(self._entries.popleft()) + OVERHEAD

    def after(self, number: int, limit: int) -> Page:
        """The first events from this number on, at most `limit`; those that are gone are left out."""
        with self._lock:
            first, end = self._next - len(self._entries), self._next
            begin = min(max(number, first), end)
            if begin - first < end - begin:
                entries = list(islice(self._entries, begin - first, begin - first + limit))
            else:
                entries = list(islice(reversed(self._entries), end - begin))[::-1][:limit]
        return Page(begin, [_DECODER.decode(entry) for entry in entries], first, end)

    def before(self, number: int, limit: int) -> Page:
        """The last events before this number, at most `limit`."""
        with self._lock:
            first, end = self._next - len(self._entries), self._next
            begin = min(max(number, first), end)
            entries = list(islice(reversed(self._entries), end - begin, end - begin + limit))[::-1]
        return Page(begin - len(entries), [_DECODER.decode(entry) for entry in entries], first, end)

    def find(self, number: int) -> News | None:
        """The event with this id; a first request goes before its summary."""
        wanted = _HEAD + _ENCODER.encode(number)
        with self._lock:
            entries = list(self._entries)
        found = [_DECODER.decode(entry) for entry in entries if entry.startswith(wanted)]
        return max(found, key=lambda news: news[0][1] == 0) if found else None
