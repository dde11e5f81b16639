"""Which of many groups differ in nothing but a number, a date or a name in their path?

Groups of one site and rule whose paths differ in one segment, or in the last and one other, become one group
with `*` there, the last segment's extension kept, once there are more than `MERGED` of them. An exception is
then for a few patterns, and not for thousands of paths.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from stopgap.forensics.caught import KEPT, Group
from stopgap.ruleset.exceptions import LIMITS

MERGED = 5
"""More paths than this that are alike become one."""
MOST_SEGMENTS = 10
"""Deeper paths are left as they are."""

_EXTENSION = re.compile(r"\.[^./*\[\]]{1,8}$")


def merged(groups: Iterable[Group]) -> list[Group]:
    """The groups, those that are alike as one; the most frequent first, else by name."""
    found = list(groups)
    wildest = max((one.path.count("/") for one in found), default=0)
    for back in range(min(wildest, MOST_SEGMENTS)):
        found = list(_together(found, (back,)))
    for back in range(1, min(wildest, MOST_SEGMENTS)):
        found = list(_together(found, (0, back)))
    return sorted(found, key=lambda one: (-one.requests, one.site, one.name, one.path))


def _together(groups: Sequence[Group], places: tuple[int, ...]) -> Iterator[Group]:
    """Join those that are alike but for the segments at `places`, counted from the last."""
    alike: dict[tuple[int, str, str], list[Group]] = {}
    for group in groups:
        alike.setdefault((group.site, group.name, _wild(group, places)), []).append(group)
    for (site, name, path), same in alike.items():
        if len(same) <= MERGED:
            yield from same
        else:
            yield _joined(Group(site, name, path, wide=True), same)


def _wild(group: Group, places: tuple[int, ...]) -> str:
    """The path with stars; as it is where that would say too little, or where it is too odd."""
    segments = group.path.split("/")
    if group.name in LIMITS or "**" in group.path or max(places) >= len(segments) - 1:
        return group.path
    for place in places:
        segment = segments[-1 - place]
        kept = _EXTENSION.search(segment) if place == 0 else None
        segments[-1 - place] = "*" + (kept[0] if kept else "")
    return "/".join(segments)


def _joined(one: Group, same: Sequence[Group]) -> Group:
    for each in same:
        one.requests += each.requests
        one.clients |= each.clients
        one.days |= each.days
        for request, example in each.examples.items():
            if len(one.examples) < KEPT:
                one.examples.setdefault(request, example)
    return one
