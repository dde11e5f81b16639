"""What do supervisor and workers say to each other?

A worker is started as `python -m stopgap.gate.worker <Start as JSON>` and inherits the file
descriptors that `Start` names. Over the control socket (AF_UNIX, SOCK_STREAM) both sides send
frames: four bytes of length, big-endian, then one of the tagged structs below as JSON. `frame`
writes one; `commands()` (in a worker) and `reports()` (above it) cut the stream into them again.
Bytes travel as base64, which msgspec does by itself.

Order: worker sends Ready; supervisor sends Activate; worker compiles, starts to accept, sends
Activated (or Failed, and keeps what it had). Later Activates are reloads. Events come about twice a
second while there are any. After Drain the worker finishes what runs, sends Drained and exits; the
same happens, unasked, when the supervisor's end of the control socket closes.
"""

from typing import Generic, TypeVar

import msgspec

MAX_FRAME = 64 << 20
"""Longest frame taken from the other side, in bytes; a policy with all packs is far below it."""


class Listener(msgspec.Struct, frozen=True):
    """An inherited listening socket."""

    fd: int
    tls: bool = False
    redirect: int = 0
    """The port with TLS that its clients are sent to; 0: their requests go to an origin."""


class Start(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The one argument of a worker's command line."""

    index: int
    """Which worker this is, and which slot of the board is its own: words [index * BOARD_WORDS ...)."""
    control: int
    """File descriptor of the worker's end of the control socket."""
    board: int
    """File descriptor of the memfd that holds the board (all slots) and, behind it, the table of rates."""
    listen: list[Listener]


class OriginTls(msgspec.Struct, frozen=True):
    """As `stopgap.config.OriginTls`."""

    verify: bool = True
    ca: str = ""
    fingerprints: tuple[str, ...] = ()
    name: str = ""
    cert: str = ""
    key: str = ""
    minimum: str = "1.2"
    files: str = ""
    """Hash of the files named: when they have changed, the site's connections are made anew."""


class Probe(msgspec.Struct, frozen=True):
    """What origins are asked now and then (`stopgap.config.Health`)."""

    path: str
    host: str
    """The Host that is asked for; "" for the origin's own."""
    interval: float
    timeout: float
    rise: int
    fall: int
    status: tuple[tuple[int, int], ...]


class Site(msgspec.Struct, frozen=True):
    """What the gate must know of a site, in the order of the policy's sites."""

    name: str
    origins: tuple[str, ...]
    """`http://host:port` or `https://host:port`, at least one."""
    counters: tuple[int, ...]
    """Index of each origin on the board (`origin_*`), given by the supervisor; same order as `origins`."""
    connect: float = 5.0
    """Seconds that a connection to an origin may take; also the longest wait for a free one."""
    write: float = 60.0
    """Seconds that a peer may leave written bytes unread."""
    connections: int = 512
    """Most connections to one origin, those of NTLM logins not counted; from all workers in a message, and
    from one in its pool (`share`)."""
    failures: int = 0
    """So many failures in a row and an origin is out; 0: never."""
    slow_start: float = 10.0
    """Seconds until an origin that came back has its usual share again."""
    probe: Probe | None = None
    waiting: int = 1024
    """Most requests of this site that wait for a connection; the next one gets origin-busy."""
    idle: float = 50.0
    """Seconds that an unused connection to an origin is kept."""
    tls: OriginTls | None = None
    """How its https origins are spoken to; None where there are none."""
    sticky: bool = False
    """Whether a client's cookie says which origin its requests belong to."""


class Certificate(msgspec.Struct, frozen=True):
    """Paths of a certificate chain and its key (PEM), and the names it is good for, in lower case."""

    cert: str
    key: str
    names: tuple[str, ...] = ()


class Tls(msgspec.Struct, frozen=True):
    """What all TLS listeners offer."""

    certificates: tuple[Certificate, ...]
    """The first is for clients that name none of the names."""
    minimum: str = "1.2"
    client_ca: str = ""
    """Path of the CAs of client certificates; "": none is asked for."""
    require: bool = False
    """Without a certificate there is no connection."""


class Settings(msgspec.Struct, frozen=True):
    """What holds for all sites."""

    trusted: list[str] = []
    """Networks (CIDR) of peers that may set X-Forwarded-For."""
    proxy_protocol: list[str] = []
    """Networks (CIDR) of peers that begin with a PROXY header."""
    tls: Tls | None = None
    workers: int = 1
    """How many share the connections to an origin."""
    drain: float = 30.0
    """Seconds to finish what runs when the supervisor is gone and can say nothing."""
    spool: str | None = None
    """Folder for large request bodies that are held; None: the system's."""


class Activate(msgspec.Struct, frozen=True, tag="activate"):
    """Supervisor: use this policy from now on."""

    version: str
    spec: bytes
    """The specification for `_core.Policy`, JSON."""
    sites: list[Site]
    settings: Settings = Settings()


class Drain(msgspec.Struct, frozen=True, tag="drain"):
    """Supervisor: accept no more, finish what runs within so many seconds, exit."""

    seconds: float


class Ping(msgspec.Struct, frozen=True, tag="ping"):
    """Supervisor: are you alive?"""

    n: int


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """Worker: started; waits for the first policy."""


class Activated(msgspec.Struct, frozen=True, tag="activated"):
    """Worker: this policy is in use."""

    version: str


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """Worker: this policy could not be used; the one before it stays."""

    version: str
    error: str


class OriginState(msgspec.Struct, frozen=True):
    """One origin as one worker sees it."""

    site: str
    url: str
    up: bool
    busy: int
    """Connections that carry an exchange."""
    idle: int
    pinned: int
    """Connections that belong to one client (NTLM)."""
    error: str = ""
    """Why it is down, or what the worker lacked for a connection."""


class Pong(msgspec.Struct, frozen=True, tag="pong"):
    """Worker: alive; and how its origins and clients are."""

    n: int
    clients: int = 0
    waiting: int = 0
    origins: list[OriginState] = []


# id, count, first ms, last ms, site, action, tier, reason, status, rule, reading, offset,
# method, target, target length, host, user agent, client, mode, cause
EventLine = tuple[
    int, int, int, int, str, str, str, str, int, str, str, int, str, bytes, int, str, bytes, str, str, int
]


class Events(msgspec.Struct, frozen=True, tag="events"):
    """Worker: refusals since the last message; each as `_core.Worker.events` describes it."""

    lines: list[EventLine]


class Captured(msgspec.Struct, frozen=True, array_like=True):
    """What a worker held of one request, as `_core.Worker.evidence` describes it."""

    event: int
    age: int
    site: str
    client: str
    tls: bool
    raw: bytes
    head: int
    form: str
    cut: bool
    passed: bool


class Evidence(msgspec.Struct, frozen=True, tag="evidence"):
    """Worker: requests that are to be kept, each with its event, if it has one."""

    version: str
    """The ruleset that judged them."""
    kept: list[tuple[Captured, EventLine | None]]
    missing: int
    """How many more there were since the last message."""


class Drained(msgspec.Struct, frozen=True, tag="drained"):
    """Worker: nothing runs any more; exits now."""


Command = Activate | Drain | Ping
Report = Ready | Activated | Failed | Pong | Events | Evidence | Drained


def share(total: int, workers: int, index: int) -> int:
    """What one worker has of a number that all have together."""
    return total // workers + (index < total % workers)


def frame(message: Command | Report) -> bytes:
    """One message as bytes for the control socket."""
    body = msgspec.json.encode(message)
    return len(body).to_bytes(4, "big") + body


T = TypeVar("T")


class Frames(Generic[T]):
    """Cuts the bytes of a control socket into messages; made by `commands` or `reports`."""

    __slots__ = ("_buffer", "_decoder")

    def __init__(self, decoder: msgspec.json.Decoder[T]) -> None:
        self._buffer = bytearray()
        self._decoder = decoder

    def feed(self, data: bytes) -> list[T]:
        """The messages that these bytes complete.

        Raises `msgspec.DecodeError` on what the other side must not send.
        """
        buffer = self._buffer
        buffer += data
        messages = []
        while len(buffer) >= 4:
            length = int.from_bytes(buffer[:4], "big")
            if length > MAX_FRAME:
                raise msgspec.DecodeError(f"a control frame of {length} bytes, more than {MAX_FRAME}")
            if len(buffer) < 4 + length:
                break
            try:
                messages.append(self._decoder.decode(bytes(buffer[4 : 4 + length])))
            except UnicodeDecodeError as error:
                raise msgspec.DecodeError(f"a control frame is not UTF-8: {error}") from None
            del buffer[: 4 + length]
        return messages


def commands() -> Frames[Command]:
    """What a worker reads."""
    return Frames(msgspec.json.Decoder(Command))


def reports() -> Frames[Report]:
    """What the supervisor reads from one worker."""
    return Frames(msgspec.json.Decoder(Report))
