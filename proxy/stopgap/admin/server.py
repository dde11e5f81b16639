"""Who may ask what of the admin address, and what is answered?

The standard library's HTTP server, a few threads at most. Where there is a token, everything but what is
`opened` asks for it. Reading is GET; what changes something is POST, and only from this machine. No web page
but the dashboard, which comes from here, must reach it through the browser of an operator: on a TCP address a
Host that is a name other than `localhost` is refused (DNS rebinding needs a name), and so is every `Origin`
but this address itself. One request a connection; a body is read only where it is wanted, as JSON of a few
kilobytes, and nothing of a request is repeated but a name in JSON. What is answered: `routes.py`.
"""

import hmac
import ipaddress
import socketserver
import threading
import time
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

from stopgap.admin.judge import Judge
from stopgap.admin.metrics import Metrics
from stopgap.admin.routes import BODIES, JSON, ROUTES, Asked, Reply, opened, plain, routed
from stopgap.admin.series import Series
from stopgap.admin.status import Source
from stopgap.errors import printable

if TYPE_CHECKING:
    from socket import socket

THREADS = 16
"""Connections at once; further ones are closed unanswered."""
SECONDS = 5.0
"""Longest wait for a byte of a client."""
LONGEST = 120.0
"""Longest life of a connection."""

LONGEST_BODY = 16 * 1024
"""Bytes of a body; those that are read are a few names and sentences."""
ASKS = "X-Stopgap-Asks"
"""A header that a form on another page cannot send. What a page changes, it asks with it."""

FIELDS = {401: ("WWW-Authenticate", "Bearer")}
"""Header fields of some answers."""


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
        path, _, query = self.path.partition("?")
        local, server = isinstance(self.client_address, str), self.server
        if (not local or "Origin" in self.headers) and not host_allowed(
            self.headers.get_all("Host", []), server.names
        ):
            return plain(421, "this Host is not served here; ask by IP address or localhost")
        if why := foreign(self.headers, method, opened(path)):
            return plain(403, why)
        if not opened(path) and not self._known():
            return plain(401, "this needs the token: Authorization: Bearer, with what admin_token_file holds")
        if (found := routed(path)) is None:
            return plain(404, f"nothing here; there is {' '.join(ROUTES)}")
        wanted, route, name = found
        if method != wanted:
            return plain(405, f"this takes {wanted} only")
        near = local or ipaddress.ip_address(self.client_address[0]).is_loopback
        if method == "POST" and not near:
            return plain(403, "only this machine may do this; use `stopgap reload` or `stopgap drain` on it")
        body = self._body() if path in BODIES else b""
        if isinstance(body, Reply):
            return body
        return route(
            Asked(
                source=server.source,
                metrics=server.metrics,
                series=server.series,
                judge=server.judge,
                accept=self.headers.get("Accept", ""),
                name=printable(name),
                query=query,
                body=body,
                near=near,
            )
        )

    def _body(self) -> bytes | Reply:
        """The body of a request that wants one, or why it is not read."""
        if self.headers.get_content_type() != JSON or "Content-Type" not in self.headers:
            return plain(415, f"this takes a body of Content-Type: {JSON}")
        lengths = self.headers.get_all("Content-Length", [])
        if "Transfer-Encoding" in self.headers or len(lengths) != 1:
            return plain(411, "this takes a body with one Content-Length")
        if not (lengths[0].isascii() and lengths[0].isdigit() and len(lengths[0]) < 10):
            return plain(400, "Content-Length must be a number")
        if int(lengths[0]) > LONGEST_BODY:
            return plain(413, f"this takes a body of at most {LONGEST_BODY} bytes")
        body = self.rfile.read(int(lengths[0]))
        return body if len(body) == int(lengths[0]) else plain(400, "the body ended early")

    def _known(self) -> bool:
        """Whether the token was given, if one is asked for."""
        token = self.server.token
        kind, _, given = self.headers.get("Authorization", "").partition(" ")
        right = hmac.compare_digest(given.strip().encode(), token.encode())
        return not token or (right and kind.lower() == "bearer")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the library itself refuses; its own page would repeat the request."""
        self.close_connection = True
        self._answer(plain(code, f"{code:d} {HTTPStatus(code).phrase}"))

    def _answer(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(reply.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        for name, value in reply.fields:
            self.send_header(name, value)
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
        self.series = Series(source)
        self.judge = Judge()
        self.token = token
        self.names = frozenset((*names, "localhost"))
        self._living: dict[Any, float] = {}
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, name="admin", daemon=True)

    def start(self) -> None:
        self.series.start()
        self._thread.start()

    def close(self) -> None:
        """Answer no more; what is being answered goes on."""
        if self._thread.ident is not None:
            self.shutdown()
        self.series.close()
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


def foreign(fields: Message, method: str, opened: bool) -> str:
    """Why what a browser says of the page that asks is not allowed, or "".

    No program sends any of this. The dashboard's own requests name the origin that they go to, as the Host
    has it, and those that change something carry `ASKS`, for which a browser would ask us first if they came
    from elsewhere. A link may lead to what is `opened`; nothing there is data.
    """
    site = fields.get("Sec-Fetch-Site", "none").lower()
    origins = [origin.lower() for origin in fields.get_all("Origin", [])]
    hosts = [f"http://{host.strip().lower()}" for host in fields.get_all("Host", [])]
    if origins and (len(origins) > 1 or origins != hosts):
        return "a web page of another origin may not ask"
    if site not in ("same-origin", "none") and (method == "POST" or not opened):
        return "a web page of another site may not ask"
    if method == "POST" and (origins or site == "same-origin") and fields.get(ASKS) != "dashboard":
        return f"a web page changes nothing without {ASKS}: dashboard"
    return ""


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
