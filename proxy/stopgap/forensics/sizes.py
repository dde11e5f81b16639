"""How large are the requests of honest clients, by the first folder of their path?

Of each folder and key a count of values is kept, so that any percentile can be told, within bounds.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from msgspec import Struct

MOST_PREFIXES = 200
"""Folders of a site that are counted one by one; those beyond are counted together."""
OTHERS = "(other folders)"
PER_MILLE = 999
MARGIN_PERCENT = 150
"""What is proposed is so much of the percentile."""

KEYS = ("target", "path", "segment", "segments", "query", "escapes")
"""The limits of a request line, as in `[site.limits]`."""
HEAD_KEYS = ("head", "header", "headers", "body")
"""Those of the rest, which a log does not show."""


class Measured(Struct, frozen=True):
    """Requests of one folder: how many, the percentile, the largest, and the percentile with its margin."""

    prefix: str
    requests: int
    percentile: int
    largest: int
    proposed: int


class Sizes:
    """Of one site."""

    def __init__(self) -> None:
        self._prefixes: dict[str, dict[str, Counter[int]]] = {}
        self.requests = 0
        self.largest: dict[str, int] = {}
        """By key, of all requests that pass."""

    def add(self, request: bytes, whole: bool, passes: bool) -> None:
        """Count a request; `whole`: its head and its body are known."""
        self.requests += 1
        target = target_of(request)
        prefix = folder(target)
        if prefix not in self._prefixes and len(self._prefixes) >= MOST_PREFIXES:
            prefix = OTHERS
        counts = self._prefixes.setdefault(prefix, {})
        for key, number in sizes(request, target, whole).items():
            counts.setdefault(key, Counter())[number] += 1
            if passes and number > self.largest.get(key, 0):
                self.largest[key] = number

    def overall(self, key: str) -> Counter[int]:
        """The count of values in all folders together."""
        total: Counter[int] = Counter()
        for counts in self._prefixes.values():
            total.update(counts.get(key, {}))
        return total

    def measured(self, key: str) -> Iterator[Measured]:
        """The folders in which this was seen, in name order."""
        for prefix, counts in sorted(self._prefixes.items()):
            if seen := counts.get(key):
                middle = percentile(seen)
                yield Measured(
                    prefix, seen.total(), middle, max(seen), rounded(middle * MARGIN_PERCENT / 100)
                )


def target_of(request: bytes) -> bytes:
    """The target in a request line, b"" where there is none."""
    parts = request.partition(b"\r\n")[0].split(b" ")
    return parts[1] if len(parts) > 1 else b""


def folder(target: bytes) -> str:
    """The first folder of a target's path, as it came: `/kaikei/`, or `/` for what lies at the top."""
    path = target.partition(b"?")[0]
    first, slash, _ = path.removeprefix(b"/").partition(b"/")
    shown = first[:64].decode("ascii", "backslashreplace")
    return f"/{shown}/" if slash and shown.isprintable() else "/"


def sizes(request: bytes, target: bytes, whole: bool) -> Mapping[str, int]:
    """The numbers of a request by the key of `[site.limits]`."""
    path, _, query = target.partition(b"?")
    steps = [step for step in path.split(b"/") if step]
    known = {
        "target": len(target),
        "path": len(path),
        "segment": max(map(len, steps), default=0),
        "segments": len(steps),
        "query": len(query),
        "escapes": target.count(b"%"),
    }
    if whole:
        head, _, body = request.partition(b"\r\n\r\n")
        fields = head.split(b"\r\n")[1:]
        known |= {
            "head": len(head) + 4,
            "header": max(map(len, fields), default=0),
            "headers": len(fields),
            "body": len(body),
        }
    return known


def percentile(seen: Counter[int]) -> int:
    """The number that all but one in a thousand stay within."""
    wanted = -(-seen.total() * PER_MILLE // 1000)
    passed = 0
    for number in sorted(seen):
        passed += seen[number]
        if passed >= wanted:
            break
    return number


def rounded(number: float) -> int:
    """The next number with two digits that count: 1234 becomes 1300."""
    whole = -(-number // 1)
    step = 10 ** max(len(str(int(whole))) - 2, 0)
    return int(-(-whole // step) * step)
