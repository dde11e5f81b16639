"""What can HAProxy refuse of Stopgap's rules? Lines for a frontend, with regexes of PCRE.

Each test is a named acl: several lines of one name are alternatives, the names after `if` must all hold. A
path is looked at decoded once, and decoded twice with `%u00HH` as `%HH`; HAProxy has no means for the rest.
"""

from collections.abc import Iterator, Sequence

from stopgap.config import Site
from stopgap.ruleset.formats.defence import PLAIN, Said, said
from stopgap.ruleset.formats.model import Exported
from stopgap.ruleset.formats.window import Spot
from stopgap.ruleset.model import Rule

HEAD = """\
# Stopgap's rules for HAProxy: defence in depth, not a replacement. They know plain spellings alone.
# These lines belong into a frontend or listen section with "mode http". HAProxy must be built with PCRE
# (`haproxy -vv` says so; Debian's is).
"""

_DECODED = "overlong UTF-8, %u beyond Latin-1, code pages, best fit and dot segments are not read as IIS does"

READS = {
    **PLAIN,
    "header": "a header without a value is not seen",
    "path": _DECODED,
    "query": "decoded twice at most; code pages and stray percent signs are not read as IIS does",
}
ACTS = {"block": "", "drop": "", "tarpit": "", "strip": ""}

FETCHES: dict[str, tuple[str, ...]] = {
    "method": ("method",),
    "host": ("req.hdr(host)",),
    "target": ("url",),
    "path.raw": ("path",),
    "query.raw": ("query",),
    "length": ("req.hdr(content-length)",),
    "header": ("req.fhdr({})",),
    "path": ("path,url_dec", "path,regsub(%u00,%,ig),url_dec,url_dec"),
    "query": ("query", "query,url_dec(1)", "query,url_dec(1),url_dec(1)"),
}
STATUSES = (400, 401, 403, 404, 405, 407, 408, 410, 413, 425, 429)
"""With which HAProxy can deny."""


def write(site: Site, rules: Sequence[Rule]) -> Exported:
    """The rules as lines for a frontend."""
    kept, notes = said(site, rules, READS, ACTS)
    text = HEAD + "".join("\n" + "\n".join(_lines(one)) + "\n" for one in kept)
    return Exported(text, tuple(notes))


def _lines(one: Said) -> Iterator[str]:
    yield f"    {one.comment}"
    names: dict[tuple[Spot, ...], str] = {}
    for spots in one.looks:
        names[spots] = f"stopgap-{one.number}-{len(names) + 1}"
        yield from _acls(names[spots], spots)
    for case in one.cases:
        asked = " ".join(("" if test.holds else "!") + names[test.spots] for test in case)
        for act in _acts(one):
            yield f"    http-request {act} if {asked}"


def _acls(name: str, spots: Sequence[Spot]) -> Iterator[str]:
    for spot in spots:
        kind, _, named = spot.source.partition(":")
        for fetch in FETCHES[kind]:
            yield f"    acl {name} {fetch.format(named)} -m reg '{spot.pattern}'"


def _acts(one: Said) -> Sequence[str]:
    if one.rule.action == "strip":
        return [f"del-header {name}" for name in one.rule.strip]
    status = one.status if one.status in STATUSES else 403
    known = {
        "block": f"deny deny_status {status}",
        "drop": "reject",
        "tarpit": f"tarpit deny_status {status}",
    }
    return [known[one.rule.action]]
