"""The core: it owns the bytes. No I/O, no threads; Python owns the sockets.

One `Policy` is compiled from the rules and the sites and never changes. One `Worker` a process
holds the active policy, the slot of the counters and the events not yet written. One `Session` a
client connection takes the bytes of both sides and answers each chunk with a command and the bytes
that go with it. Whoever holds the sockets carries the command out; the table is below.

Commands of `Session.receive` (client bytes):

======== =================================================================================
WAIT     nothing to do (the payload is empty)
FORWARD  payload is a whole request: send it to an origin of `session.site`
OPEN     payload is a head and the first body bytes: send it; BODY commands follow
BODY     payload is body bytes of the open request
END      payload is the last body bytes of the open request
HOLD     payload is body bytes to keep, in memory or on disk, until SEND
SEND     payload is a head: send it, then all that was held; the request is complete
ANSWER   payload goes to the client (100 Continue, a refusal); the connection goes on
CLOSE    payload goes to the client, then the connection closes (anything held or open is dropped)
PAUSE    stop reading from the client until the answer is finished
TUNNEL   (after an answer of 101) payload goes to the origin as it is
TARPIT   write nothing, read nothing, and wait: `expire` gives CLOSE with the answer (anything
         held or open is dropped); closing at once is allowed too
======== =================================================================================

Commands of `Session.respond`, `Session.lost` and `Session.fail` (origin side):

======== =================================================================================
WAIT     nothing to write yet
RELAY    write the chunk just given, as it is, to the client
WRITE    payload goes to the client; the answer goes on
FINISH   payload goes to the client; the answer is complete; the origin connection is reusable
RETIRE   as FINISH, but the origin connection must be closed
PIN      as FINISH, but the origin connection belongs to this client until it closes (NTLM)
CLOSE    payload goes to the client, then both connections close
TUNNEL   payload goes to the client; from here bytes are relayed both ways by the same calls
======== =================================================================================

Two flags may be set on FINISH, RETIRE and PIN (and MORE on ANSWER, HOLD and WAIT):

MORE     another command is ready: call `receive(b"")` at once
LAST     close the client connection after writing
"""

from typing import Final, TypeAlias, final

WAIT: Final = 0
FORWARD: Final = 1
OPEN: Final = 2
BODY: Final = 3
END: Final = 4
HOLD: Final = 5
SEND: Final = 6
ANSWER: Final = 7
CLOSE: Final = 8
PAUSE: Final = 9
RELAY: Final = 10
WRITE: Final = 11
FINISH: Final = 12
RETIRE: Final = 13
PIN: Final = 14
TUNNEL: Final = 15
TARPIT: Final = 16
MORE: Final = 64
LAST: Final = 128

_Event: TypeAlias = tuple[
    int, int, int, int, str, str, str, str, int, str, str, int, str, bytes, int, str, bytes, str, str, int
]

_Captured: TypeAlias = tuple[int, int, str, str, bool, bytes, int, str, bool, bool]

BOARD_WORDS: Final[int]
"""Length of one worker's slot on the board, in 64-bit words."""

RATE_WORDS: Final[int]
"""Length of the tables that all workers share, in 64-bit words: the rates (2 MiB) and the connections that
are open now (128 KiB). They never grow.

Word 0 counts the entries that made room for others while they still counted. Word 1 is written by whoever
makes the memory: a random number, so that nobody can foresee which clients share a place.
"""

class PolicyError(ValueError):
    """The specification of a policy is wrong; the text names rule or site, key and what is wrong."""

@final
class Policy:
    """Rules and sites, compiled. Immutable; shared by all sessions of a worker."""

    def __new__(cls, spec: bytes) -> Policy:
        """Compile a specification (JSON, UTF-8; its shape is `stopgap.ruleset.spec`).

        Raises `PolicyError`.
        """

    def judge(self, request: bytes, site: int | None = None) -> tuple[int, int, int] | None:
        """Judge one whole request (head and body) as the gate would, modes and actions aside: also what
        would only be detected, or stripped, is found.

        `site` overrides the choice by Host. None: it passes. Otherwise (reason, rule, reading):
        indexes into `reasons()`, the specification's rules (-1: no rule) and `explain`'s readings.
        """

    def explain(self, request: bytes, site: int | None = None) -> bytes:
        """Everything about one request as JSON.

        {"site": str, "server": str, "mode": str, "method": str, "target": str, "host": str,
         "verdict": {"tier", "reason", "status", "rule", "reading", "offset", "action", "mode"} | null,
         "readings": [{"path": str, "resolved": str, "steps": [str], "names": [str]}],
         "queries": [{"query": str, "steps": [str]}],
         "findings": [{"tier", "reason", "rule": str | null, "field": str | null, "reading": int,
                       "offset": int, "text": str, "found": str, "excepted": int | null,
                       "action": str, "mode": str}],
         "forwarded": str | null}

        "mode" is the site's; in the verdict and the findings the mode in force for that rule or reason,
        and "action" the rule's ("block" where there is none). The verdict is the first finding that is
        carried out for some client, else the first of all. "found" stands in findings of rules only;
        "excepted" is the index of the exception. A rule with a rate gives findings that are "counted", and
        never the verdict: one request is over no rate. Strings hold bytes >= 0x80 that are not UTF-8 as
        \\xHH; `forwarded` is the head as the origin would get it, without the headers that rules strip.
        """

    @property
    def sites(self) -> list[str]:
        """Names of the sites, in the order of `Session.site`."""

    @property
    def rules(self) -> list[str]:
        """Ids of the rules, in the order of the specification."""

    def modes(self, site: int) -> list[tuple[str, str, str]]:
        """The mode in force for each rule of a site, then for each reason, as judgement has it.

        Each: (rule id or reason, a reason that it gives or labels, "block", "canary" or "detect").
        """

    def cost(self) -> list[tuple[str, str]]:
        """What wakes each rule: (rule id, trigger), e.g. ("ida-idq", "extension: ida, idq")."""

    def timed(self, requests: list[bytes], rounds: int) -> list[tuple[str, int, int, int]]:
        """What judging `requests`, each `rounds` times, costs.

        Rows of (name, nanoseconds, times woken, times matched): first "(head)", "(readings)" of the path
        and "(prefilter)", then one for each rule. Only rules that a request wakes are evaluated; judgement
        goes on behind a match. Readings of query and body are made by who first asks for them, mostly the
        prefilter.
        """

@final
class Worker:
    """The state of one worker process: active policy, counters, events."""

    def __new__(cls, board: memoryview, seed: int, rates: memoryview) -> Worker:
        """`board` is this worker's slot: a writable, contiguous buffer of BOARD_WORDS 64-bit words ("Q").
        `seed` makes event ids unique; take it from os.urandom. `rates` is such a buffer of RATE_WORDS words,
        the same for all workers."""

    def activate(self, policy: Policy) -> None:
        """Use this policy from the next request on; requests in flight keep theirs."""

    def session(self, address: str, tls: bool, trusted: bool, redirect: int = 0) -> Session:
        """A session for a new client connection. `address` is the client's IP address;
        `trusted` peers may set X-Forwarded-For, and its last address is then the client of events,
        exceptions and canary shares. Counts the connection, and refuses it (`Session.closed`) where the
        client, no trusted peer, opens more than the policy's `new_connections` a minute or has
        `client_connections` open, or where `max_connections` of everybody are. With `redirect`, a
        port, requests are judged as ever, but those that pass are not forwarded: ANSWER or CLOSE sends the
        client to the same URL with https on that port."""

    def events(self) -> list[_Event]:
        """Take what was refused, detected or stripped since the last call; call about once a second.

        A client refused for the same rule or reason again within 60 s adds to a count instead of
        a line; the count comes as a second tuple with the same id when the minute is over.
        Each: (id, count, age of the first in ms, age of the last in ms, site, action, tier, reason,
        status, rule or "", reading (its steps), offset, method, target (cut at 2048 bytes),
        target length, host, user agent (cut at 256), client address, mode, cause).
        `action` is what was done: "refused", "detected" (forwarded all the same), "dropped",
        "tarpitted" or "stripped" (forwarded without the rule's headers); "exploit-answered" tells that
        the origin answered with 2xx or 5xx, its `status`, what a rule had detected: `cause` is the id of
        the detection (0 in all others). `mode` is the mode in force: "block", "canary" (detected: the
        client is not in the share) or "detect". `count` is 0 for the line of the first, and for a
        summary the number of further ones it stands for.
        """

    def evidence(self) -> tuple[list[_Captured], int]:
        """Take what was held of the requests behind new events, and of those that were drawn as a sample, on
        sites that keep such; call it together with `events`, and how many more there were since.

        Each: (id of its event, or one of its own if it passed, age in ms, site, client address, TLS, bytes,
        where the head ends or 0 if that cannot be told, form of the body, cut, passed). The body is "sent" or
        "decoded" (it came in chunks; what they held). `cut`: more was there than is given. A worker gives at
        most 1 MiB at once and 128 KiB a second; a request counts as 2 KiB more than it has, and what passed
        may use half.
        """

    def leave(self) -> None:
        """The process is about to end. From here on each answer whose head is not written yet says
        `Connection: close` and has LAST; between two requests a session expires after two seconds."""

    def flush(self) -> None:
        """End every open minute, so that `events` returns all counts (before exit)."""

@final
class Session:
    """One client connection: bytes in, commands out."""

    site: int
    """Index of the site of the request in progress (see `Policy.sites`)."""
    retriable: bool
    """The request in progress may be sent again: idempotent, no body, nothing answered yet."""
    busy: bool
    """A request is in progress (head complete, answer not finished)."""
    fault: int | None
    """What the exchange that ended last failed with at the origin, an index into `reasons()`; None: it ended
    well. Ask when a step has ended it."""
    belongs: int | None
    """Index of the origin that the request in progress belongs to by its cookie; None: to none."""
    closed: bool
    """Nothing more is read. True for a new session: there are too many connections; close it."""

    def receive(self, data: bytes) -> tuple[int, bytes]:
        """Bytes from the client."""

    def respond(self, data: bytes) -> tuple[int, bytes]:
        """Bytes from the origin."""

    def lost(self) -> tuple[int, bytes]:
        """The origin closed its connection."""

    def fail(self, reason: int) -> tuple[int, bytes]:
        """The origin could not be used; `reason` is an index into `reasons()` of tier "failed"."""

    def carried(self, origin: int) -> None:
        """The origin of this index has the request: the answer brings its cookie to who has not got it."""

    def turn_away(self, reason: int) -> None:
        """Count and report that the connection is closed unread, for a reason of tier "failed"."""

    def expire(self) -> tuple[int, bytes]:
        """Called about once a second: WAIT, or what to do because a deadline has passed.
        CLOSE for the client's own deadlines and after TARPIT; RETIRE or CLOSE for the origin's (drop
        its connection)."""

    def end(self) -> None:
        """The client closed. A declared body that did not come is counted as body-cut."""

def reasons() -> list[tuple[str, str, int, str, str]]:
    """The closed table of reasons: (name, tier, HTTP status, IIS sub-status or "", sentence)."""

def servers() -> list[str]:
    """Names of the server tables: iis4 iis5 iis5.1 iis6 iis7 iis8 iis10 any."""

def codepages() -> list[int]:
    """The code pages that a site may name."""

def limits(server: str) -> dict[str, int]:
    """The default limits of a server table, by the key of [site.limits]; bytes or counts."""

def deadlines() -> dict[str, float]:
    """The default deadlines, by the key of [site.deadlines]; seconds (body_rate: bytes a second)."""

def buffers_body(server: str) -> bool:
    """Whether a server table's default is `body = "buffer"`."""

def board() -> list[tuple[str, int, int]]:
    """The layout of a slot: (name, first word, words). Regions, in 64-bit words:

    requests[site 256][passed, refused, detected],
    rules[counter 16384][refused, detected, dropped, tarpitted, stripped],
    reasons[reason 128][refused, detected], exceptions[counter 4096][requests that it let pass],
    filter_seconds and request_seconds [a count a bucket, not cumulative; the last has no upper
    bound][sum in nanoseconds], connections_opened, connections_closed, events_dropped; and those
    that only Python writes: origin_errors[origin 256][failure 8], origin_connections_opened[256],
    origin_connections_reused[256], heartbeat, connections_shed. Last present: this worker's part of the
    connections that are open, which a new `Worker` takes out of the whole.
    """

def buckets() -> dict[str, list[float]]:
    """Upper bounds in seconds of the histograms "filter_seconds" and "request_seconds"."""

def readings(
    target: bytes, server: str, codepages: list[int]
) -> list[tuple[bytes, bytes, list[str], list[str]]]:
    """Every reading of a target's path: (decoded path, resolved path, steps, anomalies).

    Paths are lower-case ASCII with `/` for `\\`; what is not ASCII is UTF-8. The anomalies are names of
    ambiguous reasons found in that reading. For tests and `explain`.
    """
