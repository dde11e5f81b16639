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

CANARY = 10
"""Percent of clients for whom a canary blocks where nothing else is said."""

VERSIONS = ("1.0", "1.1", "1.2", "1.3")
"""The versions of TLS that can be the oldest one spoken."""

CHOICES: dict[str, tuple[str, ...]] = {
    "mode": ("block", "canary", "detect"),
    "body": ("buffer", "stream"),
    "raw_bytes": ("refuse", "query", "allow"),
    "on_error": ("refuse", "forward"),
}


CLIENT_AUTH = ("request", "require")
"""What may be done about the certificate of a client; without one it is not asked for."""

FORMATS = ("ecs", "ocsf", "combined")
"""In which words an event can be told; see `stopgap.events.formats`."""

REMEMBERED = 100_000
"""Events that a gate keeps in memory where nothing else is said."""

LONGEST_HSTS = 10 * 365 * 86_400
"""Seconds; more is surely a mistake."""


class Address(Struct, frozen=True):
    """A TCP address, or the path of a Unix socket (then `host` is "" and `port` 0).

    `tls` is for origins: `https://` instead of `http://`.
    """

    host: str
    port: int
    path: str = ""
    tls: bool = False

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self}"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"unix:{self.path}" if self.path else f"{host}:{self.port}"


class Certificate(Struct, frozen=True, forbid_unknown_fields=True):
    """Paths of a certificate chain and of its key (PEM)."""

    cert: str
    key: str


class Tls(Struct, frozen=True):
    """How clients are spoken to. The first certificate is shown to who asks for none of the names.

    `client_auth` is "" where no certificate is asked for; `redirect` are addresses without TLS that send
    their clients to `redirect_port`, 0 for the port of the first address in `listen`.
    """

    certificates: tuple[Certificate, ...]
    minimum: str = "1.2"
    client_ca: str = ""
    client_auth: str = ""
    redirect: tuple[Address, ...] = ()
    redirect_port: int = 0


class OriginTls(Struct, frozen=True):
    """How a site's https origins are spoken to. Paths of PEM files are "" where there is none.

    `name` is "" for the host of each origin; with `fingerprints` (SHA-256 of a certificate, lower case) only
    they count. `minimum` is a version of `VERSIONS`.
    """

    verify: bool = True
    ca: str = ""
    fingerprints: tuple[str, ...] = ()
    name: str = ""
    cert: str = ""
    key: str = ""
    minimum: str = "1.2"


class Identity(Struct, frozen=True):
    """A user of this machine, with the group and all other groups that its processes get."""

    user: str
    group: str
    uid: int
    gid: int
    groups: tuple[int, ...]


class Scrub(Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out of a site's answers: what names the server, and addresses of the network behind."""

    server: bool = False
    addresses: bool = False


class Health(Struct, frozen=True):
    """When an origin is taken for down, and how it comes back.

    With `failures` in a row it is out (0: never); `slow_start` seconds after its return it has its usual
    share of requests again. `path` is asked every `interval` seconds ("": never); an answer within `timeout`
    whose status is in one of the ranges is a good one, and `rise` good or `fall` bad ones in a row count.
    """

    failures: int = 0
    slow_start: float = 10.0
    path: str = ""
    interval: float = 5.0
    timeout: float = 2.0
    rise: int = 2
    fall: int = 3
    status: tuple[tuple[int, int], ...] = ((200, 399),)


class Sticky(Struct, frozen=True):
    """The cookie that keeps a client at its origin, and its value for each origin, in their order."""

    cookie: str
    values: tuple[str, ...]


class Evidence(Struct, frozen=True):
    """What is kept of a site's requests: within so many `bytes` on disk, those that are refused or detected,
    and a share of those that pass (0 to 1). `body` bytes of each body; `redact` are further secret headers.
    """

    bytes: int
    passes: float
    body: int
    redact: tuple[str, ...]


class Rotation(Struct, frozen=True):
    """A log never grows beyond `size` bytes; so many older ones are kept beside it."""

    size: int
    keep: int


class Syslog(Struct, frozen=True):
    """Where a syslog server takes records: over `udp` or `tcp`, or (`unix`) at the path of a socket."""

    kind: str
    address: Address

    def __str__(self) -> str:
        return str(self.address) if self.kind == "unix" else f"{self.kind}://{self.address}"


class Telling(Struct, frozen=True):
    """How events are told: in which of `FORMATS`, and where beside `Config.log`.

    `masked`: nobody is told more of a client than its network.
    """

    format: str = "ecs"
    rotation: Rotation | None = None
    syslog: Syslog | None = None
    masked: bool = False
    remembered: int = REMEMBERED
    """So many of the last events are kept in memory for the admin address."""


class SiteException(Struct, frozen=True):
    """Where a rule, or an ambiguous or denied reason, does not count. See `stopgap.ruleset.exceptions`.

    `id` is made of site, rule, path, clients and fields: while they stay, its hits are counted together.
    `where` is the `file:line` that it was read from. One of the site's `preset` counts where the site has the
    rule.
    """

    rule: str
    reason: str
    path: str | None = None
    clients: tuple[str, ...] = ()
    compat: str | None = None
    owner: str = ""
    until: datetime.date | None = None
    fields: tuple[str, ...] = ()
    id: str = ""
    where: str = ""
    preset: bool = False


class Site(Struct, frozen=True):
    """One protected server: hosts in lower case, origins as addresses, every limit and deadline present.

    `packs` None means every pack that ships but for the policy packs, which `strict` adds. `rules` are paths
    of packs, or of folders of packs. `modes` differ from `mode` for a rule, pack or reason; `methods` () are
    all that the grammar takes; `canary` is the percentage of clients, 0 where nothing is a canary.
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
    preset: str = ""
    strict: bool = False
    canary: int = 0
    modes: dict[str, str] = {}
    methods: tuple[str, ...] = ()
    on_error: str = "refuse"
    scrub: Scrub = Scrub()
    origin_tls: OriginTls = OriginTls()
    hsts: int = 0
    """Seconds of Strict-Transport-Security on answers over TLS; 0: none."""
    connections: int = 512
    """Most connections to one origin, of all workers together."""
    health: Health = Health()
    sticky: Sticky | None = None
    """None: each request goes to the least busy origin."""
    evidence: Evidence | None = None
    """None: nothing is kept of its requests."""


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
    telling: Telling = Telling()
    state: str = ""
    """Folder for what outlives a restart, "" for none."""
    new_connections: int = 0
    """Connections that one client may open a minute; 0: any number."""
    client_connections: int = 0
    """Connections that one client may have open at once; 0: any number."""
    max_connections: int = 0
    """Connections that all clients may have open at once; 0: what the limit of open files allows."""
    proxy_protocol: tuple[str, ...] = ()
    """Networks of the peers whose connections begin with a PROXY header."""
    admin_token_file: str = ""
    """Path of the token that the admin address asks for, "" for none."""
    identity: Identity | None = None
    """As whom the gate runs once its ports are bound; None: as it was started."""

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where clients connect: the addresses of `listen`, then those of `tls.redirect`."""
        return (*self.listen, *(self.tls.redirect if self.tls else ()))

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
    preset: str | None = None
    codepage: int | list[int] = field(default_factory=lambda: list(CODEPAGES))
    mode: str = "block"
    canary: int | None = None
    modes: dict[str, Any] = field(default_factory=dict)
    strict: bool = False
    packs: list[str] | None = None
    rules: str | list[str] = field(default_factory=list)
    body: str | None = None
    raw_bytes: str | None = None
    on_error: str = "refuse"
    scrub: Scrub = field(default_factory=Scrub)
    origin_tls: "OriginTlsText | None" = None
    hsts: int = 0
    connections: int | None = None
    health: "HealthText | None" = None
    sticky: "StickyText | None" = None
    evidence: "EvidenceText | None" = None
    methods: str | list[str] | None = None
    upgrade: str | list[str] = field(default_factory=list)
    limits: dict[str, Any] = field(default_factory=dict)
    deadlines: dict[str, Any] = field(default_factory=dict)
    exception: list["ExceptionText"] = field(default_factory=list)


class ExceptionText(Struct, frozen=True, forbid_unknown_fields=True):
    rule: str
    reason: str
    path: str | None = None
    clients: str | list[str] = field(default_factory=list)
    fields: str | list[str] = field(default_factory=list)
    compat: str | None = None
    owner: str = ""
    until: datetime.date | None = None


class OriginTlsText(Struct, frozen=True, forbid_unknown_fields=True):
    verify: bool = True
    ca: str | None = None
    fingerprint: str | list[str] = field(default_factory=list)
    name: str = ""
    cert: str | None = None
    key: str | None = None
    minimum: str = "1.2"


class HealthText(Struct, frozen=True, forbid_unknown_fields=True):
    failures: int | None = None
    slow_start: float = 10.0
    path: str = ""
    interval: float = 5.0
    timeout: float = 2.0
    rise: int = 2
    fall: int = 3
    status: str | int | list[str | int] = "200-399"


class StickyText(Struct, frozen=True, forbid_unknown_fields=True):
    cookie: str
    secret_file: str | None = None


class EvidenceText(Struct, frozen=True, forbid_unknown_fields=True):
    bytes: int | str = "64 MiB"
    passes: float = 0.0
    body: int | str = "64 KiB"
    redact: str | list[str] = field(default_factory=list)


class TlsText(Struct, frozen=True, forbid_unknown_fields=True):
    cert: str
    key: str
    certificate: list[Certificate] = field(default_factory=list)
    minimum: str = "1.2"
    client_ca: str | None = None
    client_auth: str | None = None
    redirect: str | list[str] = field(default_factory=list)
    redirect_port: int = 0


class RotateText(Struct, frozen=True, forbid_unknown_fields=True):
    size: int | str = "100 MiB"
    keep: int = 5


class FileText(Struct, frozen=True, forbid_unknown_fields=True):
    site: list[SiteText]
    rule: list[dict[str, Any]] = field(default_factory=list)
    listen: str | list[str] = LISTEN
    admin: str = ADMIN
    admin_token_file: str | None = None
    user: str | None = None
    group: str | None = None
    workers: int | UnsetType = UNSET
    trusted: str | list[str] = field(default_factory=list)
    new_connections: int = 0
    client_connections: int = 0
    max_connections: int = 0
    proxy_protocol: str | list[str] = field(default_factory=list)
    tls: TlsText | None = None
    log: str = "-"
    log_format: str = "ecs"
    log_rotate: RotateText | None = None
    syslog: str | None = None
    mask_clients: bool = False
    remember_events: int = REMEMBERED
    state: str | None = None


SHAPES: dict[str, type] = {
    "": FileText,
    "site": SiteText,
    "site.exception": ExceptionText,
    "site.scrub": Scrub,
    "site.origin_tls": OriginTlsText,
    "site.health": HealthText,
    "site.sticky": StickyText,
    "site.evidence": EvidenceText,
    "log_rotate": RotateText,
    "tls": TlsText,
    "tls.certificate": Certificate,
}
