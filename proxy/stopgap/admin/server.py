"""Who may ask what of the admin address, and what is answered?

The standard library's HTTP server on a loopback address or a Unix socket, a few threads at most. Reading is
GET; what changes something is POST, and only from this machine. A web page must not reach it through the
browser of an operator: on a TCP address a Host that is a name other than `localhost` is refused (DNS
rebinding needs a name), and so is a POST that carries `Origin`. One request a connection; bodies are not
read.
"""

import ipaddress
import socketserver
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import msgspec

from stopgap.admin.metrics import Metrics
from stopgap.admin.status import Source

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
    rules = [
        {
            "id": rule.id,
            "title": rule.title,
            "pack": rule.pack,
            "servers": rule.servers,
            "severity": rule.severity,
            "refs": rule.refs,
            "sites": [name for name, indexes in ruleset.sites.items() if index in indexes],
        }
        for index, rule in enumerate(ruleset.rules)
    ]
    return _json(200, {"ruleset": asked.source.status.ruleset, "rules": rules})


def _events(asked: Asked) -> Reply:
    return _json(200, {"events": asked.source.recent()})


def _question(verb: str) -> Callable[[Asked], Reply]:
    def route(asked: Asked) -> Reply:
        answer = asked.source.ask(verb)
        return _json(200 if answer.ok else 409, answer)

    return route


ROUTES: dict[str, tuple[str, Callable[[Asked], Reply]]] = {
    "/metrics": ("GET", _metrics),
    "/livez": ("GET", _livez),
    "/readyz": ("GET", _readyz),
    "/status": ("GET", _status),
    "/rules": ("GET", _rules),
    "/events": ("GET", _events),
    "/reload": ("POST", _question("reload")),
    "/drain": ("POST", _question("drain")),
}


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
        if path not in ROUTES:
            return _text(404, f"nothing here; there is {' '.join(ROUTES)}")
        wanted, route = ROUTES[path]
        if method != wanted:
            return _text(405, f"{path} takes {wanted} only")
        if method == "POST" and "Origin" in self.headers:
            return _text(403, "a web page may not do this")
        if method == "POST" and not local and not ipaddress.ip_address(self.client_address[0]).is_loopback:
            return _text(403, "only this machine may do this; use `stopgap reload` or `stopgap drain` on it")
        server = self.server
        return route(Asked(server.source, server.metrics, self.headers.get("Accept", "")))

    def _answer(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(reply.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if reply.status == 405:
            self.send_header("Allow", ROUTES[self.path.partition("?")[0]][0])
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests to the admin address are not logged."""


class AdminServer(socketserver.ThreadingMixIn, HTTPServer):
    """Answers on a listening socket that was opened elsewhere; see `stopgap.gate.sockets`."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, door: "socket", source: Source, metrics: Metrics, names: tuple[str, ...] = ()) -> None:
        """`names`: further host names, in lower case, under which it may be asked."""
        socketserver.BaseServer.__init__(self, door.getsockname(), _Handler)
        self.socket = door
        self.source = source
        self.metrics = metrics
        self.names = frozenset((*names, "localhost"))
        self._living: dict[Any, float] = {}
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, name="admin", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Answer no more; what is being answered goes on."""
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
