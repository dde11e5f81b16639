"""What does the supervisor tell of itself, and what may it be asked to do?

The supervisor's thread replaces one frozen `Status` whenever something changed; the threads of the admin
server only read the newest. What changes the supervisor goes the other way as a question (`Source.ask`).
"""

from typing import TYPE_CHECKING, Protocol

import msgspec

from stopgap.ruleset.history import Kept

if TYPE_CHECKING:
    from stopgap.admin.metrics import Board
    from stopgap.events.writer import Writer
    from stopgap.gate.handover import Counters, Handover


class Worker(msgspec.Struct, frozen=True):
    """One worker process. `state`: see `stopgap.gate.keeper`; `exit`: how the last one ended."""

    index: int
    pid: int | None
    state: str
    restarts: int
    ruleset: str
    clients: int
    waiting: int
    exit: str


class Origin(msgspec.Struct, frozen=True):
    """One origin of a site: up when any worker reaches it; connections of all workers together."""

    url: str
    up: bool
    busy: int = 0
    idle: int = 0
    pinned: int = 0
    error: str = ""


class Excepted(msgspec.Struct, frozen=True):
    """One exception of a site and how often it let a request pass since the start."""

    id: str
    rule: str
    path: str | None
    clients: tuple[str, ...]
    fields: tuple[str, ...]
    reason: str
    owner: str
    until: str
    """Its last day (UTC), "" for none."""
    state: str
    """in-force, unused (in force, and never hit), expired"""
    hits: int
    preset: bool = False
    """It comes with the preset of the site."""


class Site(msgspec.Struct, frozen=True):
    """One site. `modes` are the rules and reasons in another mode than `mode`; `canary` is in percent."""

    name: str
    hosts: tuple[str, ...]
    server: str
    codepages: tuple[int, ...]
    mode: str
    canary: int
    modes: dict[str, str]
    on_error: str
    body: str
    rules: int
    exceptions: tuple[Excepted, ...]
    origins: tuple[Origin, ...]


class Evidence(msgspec.Struct, frozen=True):
    """What is kept of a site's requests: flows written since the start, bytes of them on disk."""

    site: str
    flows: int
    bytes: int


class Reload(msgspec.Struct, frozen=True):
    """The last time that a configuration was taken over, or refused: then `error` says why."""

    time: str
    unix: float
    ok: bool
    error: str = ""


class Status(msgspec.Struct, frozen=True):
    """The gate at one moment. `ruleset` is the hash of what is in use, "" before the first."""

    version: str
    started: str
    started_unix: float
    loaded_unix: float
    """When the rules in use were loaded."""
    state: str
    """starting, ready, draining"""
    ready: bool
    ruleset: str
    listen: tuple[str, ...]
    admin: str
    tls: bool
    sites: tuple[Site, ...]
    workers: tuple[Worker, ...]
    reload: Reload
    reloads: int
    events_written: int
    events_dropped: int
    syslog_dropped: int = 0
    """Events that the syslog server has not got."""
    evidence: tuple[Evidence, ...] = ()
    """Of the sites that keep some."""
    evidence_dropped: dict[str, int] = {}
    """Requests that should have been kept and were not, by where they were lost: worker, queue or disk."""
    redirect: tuple[str, ...] = ()
    """Addresses without TLS that send their clients to the others."""
    rolled_back: str = ""
    """The version that the files gave when they were last read, if an older one is in use by a rollback."""
    pid: int = 0
    """Process id of the supervisor; another one after an upgrade."""


class Answer(msgspec.Struct, frozen=True):
    """What became of a question: done or not, and one line for people."""

    ok: bool
    text: str


class Source(Protocol):
    """The supervisor as the admin server sees it; every member may be used from any thread."""

    @property
    def status(self) -> Status: ...

    @property
    def handover(self) -> "Handover":
        """The configuration and the rules in use."""

    @property
    def board(self) -> "Board": ...

    @property
    def counters(self) -> "Counters": ...

    @property
    def writer(self) -> "Writer":
        """Has the last events."""

    def rulesets(self) -> list[Kept]:
        """The rulesets that are kept, oldest first."""

    def ask(self, verb: str) -> Answer:
        """`reload [VERSION]`, `drain`, `upgrade` or `rollback [VERSION]`; returns when that is over."""
