"""How many connections does an origin get, and when is it taken for down?

Values as written and where they stand in; what is not given follows from the server and from how many origins
the site has.
"""

import re
from collections.abc import Sequence

from stopgap.config.checks import At
from stopgap.config.model import Address, Health, HealthText

CONNECTIONS = {"iis4": 256, "iis5": 256, "iis5.1": 10, "any": 256}
"""Most connections to one origin. Windows XP (IIS 5.1) takes ten and answers further ones with 403.9."""
USUAL_CONNECTIONS = 1024
"""The same for the servers that do not stand there."""
MOST_CONNECTIONS = 65_536
FAILURES = 5
"""How many in a row put an origin out where the site has others."""
MOST_FAILURES = 1000
LONGEST = 3600
"""Seconds of the times."""
PROBES = ("interval", "timeout", "rise", "fall", "status")
"""Keys that mean nothing without `path`."""
USUAL = {key: getattr(HealthText(), key) for key in PROBES}
_PATH = re.compile(r"/[!-~]{0,1023}")
_STATUS = re.compile(r"([0-9]{3})(?:-([0-9]{3}))?")


def connections(given: int | None, server: str, workers: int, at: At) -> int:
    """The most connections to one origin; each worker has at least one."""
    if given is None:
        return max(workers, CONNECTIONS.get(server, USUAL_CONNECTIONS))
    if not workers <= given <= MOST_CONNECTIONS:
        raise at.wrong(
            f"must be between {workers} (one for each of the workers) and {MOST_CONNECTIONS}, not {given}"
        )
    return given


def health(text: HealthText | None, origins: Sequence[Address], at: At) -> Health:
    """When an origin is out; a site with one origin has nothing to send its requests to instead."""
    text = text or HealthText()
    usual = FAILURES if len(origins) > 1 else 0
    failures = usual if text.failures is None else text.failures
    _within(failures, (0, MOST_FAILURES), at / "failures")
    _within(text.slow_start, (0, LONGEST), at / "slow_start")
    _within(text.interval, (1, LONGEST), at / "interval")
    _within(text.timeout, (0.1, LONGEST), at / "timeout")
    _within(text.rise, (1, MOST_FAILURES), at / "rise")
    _within(text.fall, (1, MOST_FAILURES), at / "fall")
    if text.path and not _PATH.fullmatch(text.path):
        raise (at / "path").wrong(f'"{text.path}" must be a path in ASCII, such as "/health.asp"')
    if not text.path and (alone := next((key for key in PROBES if getattr(text, key) != USUAL[key]), "")):
        raise (at / alone).wrong('is for probes; name what they ask, such as path = "/health.asp"')
    status = text.status if isinstance(text.status, list) else [text.status]
    return Health(
        failures=failures,
        slow_start=float(text.slow_start),
        path=text.path,
        interval=float(text.interval),
        timeout=float(text.timeout),
        rise=text.rise,
        fall=text.fall,
        status=tuple(_range(one, at / "status") for one in status),
    )


def _within(value: float, bounds: tuple[float, float], at: At) -> None:
    low, high = bounds
    if not low <= value <= high:
        raise at.wrong(f"must be between {low:g} and {high:g}, not {value:g}")


def _range(value: str | int, at: At) -> tuple[int, int]:
    """`200` or `200-399`."""
    found = _STATUS.fullmatch(str(value))
    low, high = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 100 <= low <= high <= 599:
        raise at.wrong(f'"{value}" is no range of statuses; write "200-399", 401 or a list of such')
    return low, high
