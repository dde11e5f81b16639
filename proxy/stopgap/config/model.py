"""What can be configured, as frozen data: the resolved `Config`, and the shape of stopgap.toml.

`Config` and what it holds is complete: every default is filled in. The `...Text` structs are what an
operator may write; msgspec refuses every key that they do not have.
"""

import datetime
from typing import Any

from msgspec import UNSET, Struct, UnsetType, field

from stopgap.tomlfile import Document

LISTEN = "0.0.0.0:8080"
ADMIN = "127.0.0.1:9901"
CODEPAGES = (1252, 932)
DOUBLE_BYTE = frozenset({932, 936, 949, 950})

CHOICES: dict[str, tuple[str, ...]] = {
    "mode": ("block", "detect"),
    "body": ("buffer", "stream"),
    "raw_bytes": ("refuse", "query", "allow"),
}


class Address(Struct, frozen=True):
    """A TCP address, or the path of a Unix socket (then `host` is "" and `port` 0)."""

    host: str
    port: int
    path: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"unix:{self.path}" if self.path else f"{host}:{self.port}"


class Tls(Struct, frozen=True):
    """Paths of certificate chain and key (PEM) of the listening side."""

    cert: str
    key: str


class SiteException(Struct, frozen=True):
    """Where a rule, or an ambiguous or denied reason, does not count. See `stopgap.ruleset.exceptions`."""

    rule: str
    reason: str
    path: str | None = None
    clients: tuple[str, ...] = ()
    compat: str | None = None
    owner: str = ""
    until: datetime.date | None = None


class Site(Struct, frozen=True):
    """One protected server: hosts in lower case, origins as addresses, every limit and deadline present.

    `packs` None means every pack that ships with Stopgap. `rules` are paths of packs, or of folders of packs.
    """

    name: str
    hosts: tuple[str, ...]
    origins: tuple[Address, ...]
    server: str
    codepages: tuple[int, ...]
    mode: str
    packs: tuple[str, ...] | None
    rules: tuple[str, ...]
    body: str
    raw_bytes: str
    upgrade: tuple[str, ...]
    limits: dict[str, int]
    deadlines: dict[str, float]
    exceptions: tuple[SiteException, ...]


class Config(Struct, frozen=True):
    """All that a Stopgap process is told. `document` leads errors found later back to their line."""

    sites: tuple[Site, ...]
    listen: tuple[Address, ...]
    admin: Address | None
    workers: int
    trusted: tuple[str, ...]
    tls: Tls | None
    log: str
    document: Document

    def where(self, *path: str | int) -> str:
        """`file:line` of a key, such as `where("site", 0, "packs")`; the flag when there is no file."""
        if self.document.file:
            return self.document.where(path)
        return "--" + str(path[-1]) if path else "command line"


class SiteText(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    origins: str | list[str]
    hosts: str | list[str] = "*"
    server: str = "any"
    codepage: int | list[int] = field(default_factory=lambda: list(CODEPAGES))
    mode: str = "block"
    packs: list[str] | None = None
    rules: str | list[str] = field(default_factory=list)
    body: str | None = None
    raw_bytes: str | None = None
    upgrade: str | list[str] = field(default_factory=list)
    limits: dict[str, Any] = field(default_factory=dict)
    deadlines: dict[str, Any] = field(default_factory=dict)
    exception: list["ExceptionText"] = field(default_factory=list)


class ExceptionText(Struct, frozen=True, forbid_unknown_fields=True):
    rule: str
    reason: str
    path: str | None = None
    clients: str | list[str] = field(default_factory=list)
    compat: str | None = None
    owner: str = ""
    until: datetime.date | None = None


class TlsText(Struct, frozen=True, forbid_unknown_fields=True):
    cert: str
    key: str


class FileText(Struct, frozen=True, forbid_unknown_fields=True):
    site: list[SiteText]
    listen: str | list[str] = LISTEN
    admin: str = ADMIN
    workers: int | UnsetType = UNSET
    trusted: str | list[str] = field(default_factory=list)
    tls: TlsText | None = None
    log: str = "-"


SHAPES: dict[str, type] = {"": FileText, "site": SiteText, "site.exception": ExceptionText, "tls": TlsText}
