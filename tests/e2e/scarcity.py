"""How does a test take something away from a running process, and give it back?"""

import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def limited(pid: int, what: int, most: int) -> Iterator[None]:
    """For a while the process may have no more of `what` (`resource.RLIMIT_...`) than `most`."""
    soft, hard = resource.prlimit(pid, what)
    resource.prlimit(pid, what, (most, hard))
    try:
        yield
    finally:
        with suppress(ProcessLookupError):  # it may have died of it
            resource.prlimit(pid, what, (soft, hard))


def descriptors(pid: int) -> list[int]:
    """The numbers of its open files and sockets."""
    return sorted(int(one.name) for one in Path(f"/proc/{pid}/fd").iterdir())


def seconds(pid: int) -> float:
    """CPU time that it has used."""
    times = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")


def share(pid: int, during: float) -> float:
    """The part of one CPU that it uses in the next seconds."""
    before, began = seconds(pid), time.monotonic()
    time.sleep(during)
    return (seconds(pid) - before) / (time.monotonic() - began)
