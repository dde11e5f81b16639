"""Which limits would what honest clients send ask for?

Of a thousand requests and more: what all but one in a thousand of each folder stay within, half as much
again, and never less than what passes today. It is proposed where more than one in a thousand needs more than
the limit of today, or where the limit is at least twice as much. Of fewer requests, such as those of an event
log: the size of what was refused, if it came from more than one client or on more than one day.
"""

from collections.abc import Sequence

from msgspec import Struct

from stopgap.config import Config, edit
from stopgap.forensics.caught import Caught, Group
from stopgap.forensics.sizes import (
    HEAD_KEYS,
    KEYS,
    MARGIN_PERCENT,
    Measured,
    Sizes,
    percentile,
    rounded,
    sizes,
    target_of,
)
from stopgap.ruleset.exceptions import LIMITS

OF_QUERY = ("target", "query", "escapes")
"""Limits of which a log without queries tells nothing."""
LEAST = 1000
"""Requests of a site from which a percentile in a thousand means something."""
LEAST_IN_FOLDER = 100
"""Those of a folder that may raise a limit of the whole site."""


FLOORS = {
    **{"target": 512, "path": 256, "segment": 64, "segments": 16, "query": 256, "escapes": 64},
    **{"head": 4096, "header": 2048, "headers": 32, "body": 65_536},
}
"""Nothing smaller is proposed: users who have not come yet are not told by a percentile."""


class Limit(Struct, frozen=True):
    """A limit of a site as it is and as it could be; `refused`: requests that it catches today."""

    site: str
    key: str
    today: int
    proposed: int
    refused: int
    folders: tuple[Measured, ...]


def limits(
    read: Config, text: str, caught: Caught, shows: frozenset[str]
) -> tuple[str, list[Limit], dict[tuple[int, str], str]]:
    """The text with the limits, the limits, and by site and key why one that refuses is left as it is.

    `shows` are the parts of a request that all files show.
    """
    found: list[Limit] = []
    weak: dict[tuple[int, str], str] = {}
    for index, site in enumerate(read.sites):
        seen = caught.sizes.get(index, Sizes())
        met = [one for one in caught.groups.values() if one.site == index and one.name in LIMITS]
        regular = _regular(met, caught.marked)
        for key in (*KEYS, *HEAD_KEYS):
            groups = [one for one in met if LIMITS[one.name] == key]
            today, overall = site.limits[key], seen.overall(key)
            folders = tuple(seen.measured(key))
            number = 0
            if overall.total() >= LEAST and ("query" in shows or key not in OF_QUERY):
                number = _of_many(key, folders, percentile(overall), today, seen.largest.get(key, 0))
            elif overall.total() < LEAST:
                number = _of_few(regular, key, today)
                if groups and not number:
                    weak[index, key] = "of one client on one day, or of clients that attack"
            if number and number != today:
                refused = sum(group.requests for group in groups)
                found.append(Limit(site.name, key, today, number, refused, folders))
                text = edit.with_limit(text, site.name, key, number)
    return text, found, weak


def _of_many(key: str, folders: tuple[Measured, ...], overall: int, today: int, passing: int) -> int:
    """The limit that folders and site ask for, 0 where that of today is right."""
    common = max([overall, *(one.percentile for one in folders if one.requests >= LEAST_IN_FOLDER)])
    number = max(rounded(common * MARGIN_PERCENT / 100), rounded(passing), FLOORS[key])
    return number if common > today or number * 2 <= today else 0


def _of_few(regular: Sequence[Group], key: str, today: int) -> int:
    """The limit that what was refused asks for, 0 where it asks for none.

    One limit hides another, so that each is looked at for every request that met any.
    """
    largest = max(
        (
            sizes(request, target_of(request), False).get(key, 0)
            for group in regular
            for request in group.examples
        ),
        default=0,
    )
    return rounded(largest * MARGIN_PERCENT / 100) if largest > today else 0


def _regular(groups: Sequence[Group], marked: set[str]) -> list[Group]:
    """Those of clients that do not attack, if they are several, or came on several days."""
    honest = [group for group in groups if not (group.clients and group.clients <= marked)]
    clients = {client for group in honest for client in group.clients}
    days = {day for group in honest for day in group.days}
    return honest if len(clients) > 1 or len(days) > 1 else []
