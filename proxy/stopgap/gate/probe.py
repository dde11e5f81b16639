"""Is an origin well, though nobody asks it anything?

`[site.health] path` says what to ask it now and then: one request on a connection of its own, of which no
more than the status line is read. Every worker asks for itself, a little off the beat, so that there is no
one who asks for all and may be the one that hangs; a gate asks `workers` times in an interval. What the
answers mean is in `health.py`. The sweep that comes once a second starts what is due.
"""

import asyncio
import random
import re
from typing import TYPE_CHECKING, Final

from stopgap.gate.messages import Probe
from stopgap.gate.pool import Origin, Pool
from stopgap.gate.upstream import BROKEN

if TYPE_CHECKING:
    from stopgap.gate.worker import Gate

MOST: Final = 1024
"""Bytes of a status line."""
JITTER: Final = 0.1
"""How much earlier or later than its interval a probe may be."""
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])[ \r\n]")


def start(gate: "Gate", now: float) -> None:
    """Begin the probes that are due at this time (monotonic seconds)."""
    for pool in gate.pools:
        probe = pool.site.probe
        for origin in pool.origins:
            if probe is None:
                if origin.health.ill:
                    pool.probed(origin, "", 1, 1)
            elif now >= origin.due:
                origin.due = now + probe.timeout + probe.interval * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
                gate.spawn(ask(pool, origin, probe))


async def ask(pool: Pool, origin: Origin, probe: Probe) -> None:
    """One probe, and what its answer means."""
    error = await answer(pool, origin, probe)
    pool.probed(origin, error and f"GET {probe.path}: {error}", probe.rise, probe.fall)


async def answer(pool: Pool, origin: Origin, probe: Probe) -> str:
    """What is wrong with the answer; "" for nothing."""
    options = origin.secure.options(origin.host) if origin.secure is not None else {}
    writer = None
    try:
        async with asyncio.timeout(probe.timeout):
            reader, writer = await asyncio.open_connection(origin.host, origin.port, limit=MOST, **options)
            if origin.secure is not None and (stranger := origin.secure.stranger(writer.transport)):
                return stranger
            host = probe.host or origin.url.partition("://")[2]
            head = f"GET {probe.path} HTTP/1.0\r\nHost: {host}\r\nUser-Agent: stopgap-health\r\n\r\n"
            writer.write(head.encode("ascii"))
            line = await reader.readuntil(b"\n")
    except TimeoutError:
        return f"no answer within {probe.timeout:g} s"
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return "no answer in HTTP"
    except OSError as exc:
        if origin.secure is not None and isinstance(exc, BROKEN):
            return origin.secure.explain(exc, origin.host)
        return exc.strerror or str(exc)
    finally:
        if writer is not None:
            writer.transport.abort()
    status = _STATUS.match(line)
    if status is None:
        return "no answer in HTTP"
    code = int(status[1])
    return "" if any(low <= code <= high for low, high in probe.status) else f"answered {code}"
