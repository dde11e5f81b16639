"""Which foreign formats does Stopgap read and write, and which module knows each?

A module that reads has `read(source) -> Imported`, one that writes `write(site, rules) -> Exported`. It is
imported when its format is asked for, so that nothing else of Stopgap waits for a parser.
"""

import importlib
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from stopgap.config import Site
from stopgap.errors import FormatError, nearest
from stopgap.ruleset.formats.model import Exported, Imported
from stopgap.ruleset.formats.source import Source
from stopgap.ruleset.model import Rule


class Format(Struct, frozen=True):
    """One row: what the format is, the module that knows it, and which ways that goes."""

    title: str
    module: str
    reads: bool = False
    writes: bool = False


FORMATS: dict[str, Format] = {
    "urlscan": Format(
        "urlscan.ini of URLScan 3.1; one of 2.5 is read too", "urlscan", reads=True, writes=True
    ),
    "urlscan-2.5": Format("urlscan.ini of URLScan 2.5", "urlscan25", writes=True),
    "webconfig": Format(
        "requestFiltering in web.config or applicationHost.config", "webconfig", reads=True, writes=True
    ),
    "haproxy": Format("HAProxy, lines for a frontend: defence in depth", "haproxy", writes=True),
    "nginx": Format("nginx, maps for the http block: defence in depth", "nginx", writes=True),
    "suricata": Format("rules of Suricata and Snort for HTTP", "suricata", reads=True, writes=True),
    "crowdsec": Format("virtual patches of CrowdSec AppSec (YAML)", "crowdsec", reads=True),
    "seclang": Format("ModSecurity, SecRules: defence in depth", "seclang", writes=True),
}


def readable() -> list[str]:
    """The names of the formats that can be imported."""
    return [name for name, one in FORMATS.items() if one.reads]


def writable() -> list[str]:
    """The names of the formats that can be exported."""
    return [name for name, one in FORMATS.items() if one.writes]


def read(name: str, source: Source) -> Imported:
    """What a foreign file says, in our words. Raises `FormatError` where anything in it is wrong."""
    result = _module(name, readable()).read(source)
    assert isinstance(result, Imported)  # noqa: S101 (the table says so)
    return result


def write(name: str, site: Site, rules: Sequence[Rule]) -> Exported:
    """A site and its active rules in a foreign format."""
    result = _module(name, writable()).write(site, rules)
    assert isinstance(result, Exported)  # noqa: S101 (the table says so)
    return result


def known(name: str, names: Sequence[str]) -> None:
    """Raise `FormatError` for a format that is not among `names`."""
    if name not in names:
        raise FormatError(f'FORMAT: no such format is called "{name}"{nearest(name, names)}')


def _module(name: str, names: Sequence[str]) -> Any:
    known(name, names)
    return importlib.import_module(f"{__name__}.{FORMATS[name].module}")
