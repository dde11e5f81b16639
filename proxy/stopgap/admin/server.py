"""Who may ask what of the admin address, and what is answered?

The standard library's HTTP server, a few threads at most. Where there is a token, everything but `OPEN` asks
for it. Reading is GET; what changes something is POST, and only from this machine. A web page must not reach
it through the browser of an operator: on a TCP address a Host that is a name other than `localhost` is
refused (DNS rebinding needs a name), and so is what carries `Origin`. One request a connection; bodies are
not read, and nothing of a request is repeated but a name in JSON.
"""

import hmac
import ipaddress
import socketserver
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import msgspec

from stopgap.admin.metrics import Metrics
from stopgap.admin.status import Answer, Source
from stopgap.errors import InputError, printable
from stopgap.events.find import is_id
from stopgap.events.writer import KEPT
from stopgap.ruleset.history import chosen

if TYPE_CHECKING:
    from socket import socket

THREADS = 16
"""Connections at once; further ones are closed unanswered."""
SECONDS = 5.0
"""Longest wait for a byte of a client."""
LONGEST = 120.0
"""Longest life of a connection."""

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"


class Reply(msgspec.Struct, frozen=True):
    status: int
    kind: str
    body: bytes


class Asked(msgspec.Struct, frozen=True):
    """What a route may look at."""

    source: Source
    metrics: Metrics
    accept: str
    name: str
    """What stands behind the route in the path, `/events/NAME`, with control characters escaped."""


def _json(status: int, value: Any) -> Reply:
    return Reply(status, JSON, msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")


def _text(status: int, text: str) -> Reply:
    return Reply(status, TEXT, text.encode() + b"\n")


def _metrics(asked: Asked) -> Reply:
    body, kind = asked.metrics.exposition(asked.accept)
    return Reply(200, kind, body)


def _livez(_: Asked) -> Reply:
    return _text(200, "alive")


def _readyz(asked: Asked) -> Reply:
    status = asked.source.status
    return _text(200 if status.ready else 503, status.state)


def _status(asked: Asked) -> Reply:
    status = asked.source.status
    uptime = round(time.time() - status.started_unix, 3)
    return _json(200, {**msgspec.to_builtins(status), "uptime_seconds": uptime})


def _rules(asked: Asked) -> Reply:
    ruleset = asked.source.ruleset
    sites = asked.source.status.sites
    rules = [
        {
            "id": rule.id,
            "title": rule.title,
            "pack": rule.pack,
            "servers": rule.servers,
            "severity": rule.severity,
            "refs": rule.refs,
            "modes": {
                site.name: site.modes.get(rule.id, site.mode)
                for site in sites
                if index in ruleset.sites.get(site.name, ())
            },
        }
        for index, rule in enumerate(ruleset.rules)
    ]
    return _json(200, {"ruleset": asked.source.status.ruleset, "rules": rules})


def _events(asked: Asked) -> Reply:
    return _json(200, {"events": asked.source.recent()})


def _event(asked: Asked) -> Reply:
    found = asked.source.event(int(asked.name, 16)) if is_id(asked.name) else None
    if found is None:
        return _json(404, Answer(False, f"no event {asked.name} is among the last {KEPT}"))
    return _json(200, found)


def _rulesets(asked: Asked) -> Reply:
    in_use = asked.source.status.ruleset
    rows = [
        {"version": one.version, "time": one.time, "in_use": one.version == in_use}
        for one in asked.source.rulesets()
    ]
    return _json(200, {"rulesets": rows})


def _ruleset(asked: Asked) -> Reply:
    try:
        return _json(200, chosen(asked.source.rulesets(), asked.name))
    except InputError as error:
        return _json(404, Answer(False, str(error)))


def _question(verb: str) -> Callable[[Asked], Reply]:
    def route(asked: Asked) -> Reply:
        answer = asked.source.ask(f"{verb} {asked.name}".rstrip())
        return _json(200 if answer.ok else 409, answer)

    return route


ROUTES: dict[str, tuple[str, Callable[[Asked], Reply]]] = {
    "/metrics": ("GET", _metrics),
    "/livez": ("GET", _livez),
    "/readyz": ("GET", _readyz),
    "/status": ("GET", _status),
    "/rules": ("GET", _rules),
    "/events": ("GET", _events),
    "/rulesets": ("GET", _rulesets),
    "/rollback": ("POST", _question("rollback")),
    "/reload": ("POST", _question("reload")),
    "/drain": ("POST", _question("drain")),
    "/upgrade": ("POST", _question("upgrade")),
}


NAMED: dict[str, tuple[str, Callable[[Asked], Reply]]] = {
    "/reload": ("POST", _question("reload")),
    "/events": ("GET", _event),
    "/rulesets": ("GET", _ruleset),
    "/rollback": ("POST", _question("rollback")),
}
"""Routes that take a name after another slash."""

OPEN = ("/livez", "/readyz")
"""What a load balancer may ask without the token: one word each."""

FIELDS = {401: ("WWW-Authenticate", "Bearer")}
"""Header fields of some answers."""


def routed(path: str) -> tuple[str, Callable[[Asked], Reply], str] | None:
    """Method, route and name of a path."""
    if path in ROUTES:
        return (*ROUTES[path], "")
    before, _, name = path.rpartition("/")
    return (*NAMED[before], name) if name and before in NAMED else None


class _Handler(BaseHTTPRequestHandler):
    server: "AdminServer"
    timeout = SECONDS
    server_version = "stopgap"
    sys_version = ""

    def do_GET(self) -> None:
        self._answer(self._reply("GET"))

    def do_HEAD(self) -> None:
        self._answer(self._reply("GET"))

    def do_POST(self) -> None:
        self._answer(self._reply("POST"))

    def _reply(self, method: str) -> Reply:
        path = self.path.partition("?")[0]
        local = isinstance(self.client_address, str)
        if not local and not host_allowed(self.headers.get_all("Host", []), self.server.names):
            return _text(421, "this Host is not served here; ask by IP address or localhost")
        if "Origin" in self.headers:
            return _text(403, "a web page may not ask")
        if path not in OPEN and not self._known():
            return _text(401, "this needs the token: Authorization: Bearer, with what admin_token_file holds")
        if (found := routed(path)) is None:
            return _text(404, f"nothing here; there is {' '.join(ROUTES)}")
        wanted, route, name = found
        if method != wanted:
            return _text(405, f"this takes {wanted} only")
        if method == "POST" and not local and not ipaddress.ip_address(self.client_address[0]).is_loopback:
            return _text(403, "only this machine may do this; use `stopgap reload` or `stopgap drain` on it")
        server = self.server
        return route(Asked(server.source, server.metrics, self.headers.get("Accept", ""), printable(name)))

    def _known(self) -> bool:
        """Whether the token was given, if one is asked for."""
        token = self.server.token
        kind, _, given = self.headers.get("Authorization", "").partition(" ")
        right = hmac.compare_digest(given.strip().encode(), token.encode())
        return not token or (right and kind.lower() == "bearer")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the library itself refuses; its own page would repeat the request."""
        self.close_connection = True
        self._answer(_text(code, f"{code:d} {HTTPStatus(code).phrase}"))

    def _answer(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(reply.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if reply.status in FIELDS:
            self.send_header(*FIELDS[reply.status])
        if reply.status == 405:
            found = routed(self.path.partition("?")[0])
            self.send_header("Allow", found[0] if found else "GET")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests to the admin address are not logged."""


class AdminServer(socketserver.ThreadingMixIn, HTTPServer):
    """Answers on a listening socket that was opened elsewhere; see `stopgap.gate.sockets`."""

    daemon_threads = True
    block_on_close = False

    def __init__(
        self, door: "socket", source: Source, metrics: Metrics, token: str = "", names: tuple[str, ...] = ()
    ) -> None:
        """`token` may be replaced at any time; `names`: further host names, in lower case, that it has."""
        socketserver.BaseServer.__init__(self, door.getsockname(), _Handler)
        self.socket = door
        self.source = source
        self.metrics = metrics
        self.token = token
        self.names = frozenset((*names, "localhost"))
        self._living: dict[Any, float] = {}
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, name="admin", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Answer no more; what is being answered goes on."""
        if self._thread.ident is not None:
            self.shutdown()
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            full = len(self._living) >= THREADS
            if not full:
                self._living[request] = time.monotonic()
        if full:
            self.shutdown_request(request)
        else:
            super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._living.pop(request, None)

    def service_actions(self) -> None:
        """Twice a second: end connections that have lived too long."""
        now = time.monotonic()
        with self._lock:
            old = [request for request, begun in self._living.items() if now - begun > LONGEST]
        for request in old:
            self.shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away in the middle is no news."""


def host_allowed(values: list[str], names: frozenset[str]) -> bool:
    """Whether a Host header names this address: an IP address or one of `names`, with any port.

    No Host at all is what old health checks send, and what no browser does.
    """
    if len(values) != 1:
        return not values
    value = values[0].strip().lower()
    host = value[1:].partition("]")[0] if value.startswith("[") else value.partition(":")[0]
    if host in names:
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
