"""What did each server behind the gate understand? nginx, Apache httpd, and a recorder that keeps all bytes.

Each answers 204 to what it understood and tells, once it is stopped, of which case each request was, with
its method, target and body. Nothing here parses what the others do: their logs say what they made of it.
"""

import json
import os
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.desync.reading import Meaning
from tests.e2e import origins
from tests.e2e.client import Cut, ask, get
from tests.e2e.origins import Peer, free_port, until

Understood = dict[int, list[Meaning]]
"""By the number of the case; 0 for a request that names none."""
EARLY = b"/early"
"""Answered before the body is read, so nobody says what the body was."""
ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"

NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
events {{ worker_connections 1024; }}
http {{
    log_format seen escape=json
        '{{"case":"$http_x_case","method":"$request_method","target":"$request_uri","body":"$request_body"}}';
    map $status $understood {{ 204 1; default 0; }}
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_body_buffer_size 1m;
    client_body_in_single_buffer on;
    large_client_header_buffers 4 64k;
    keepalive_requests 100000;
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        access_log {folder}/seen.log seen if=$understood;
        location /early {{ return 204; }}
        location / {{ proxy_pass http://unix:{folder}/end.sock; }}
    }}
    server {{
        listen unix:{folder}/end.sock backlog=1024;
        access_log off;
        return 204;
    }}
}}
"""
APACHE = """
ServerRoot {folder}
ServerName desync.test
Listen 127.0.0.1:{port}
PidFile {folder}/apache.pid
ErrorLog {folder}/error.log
LogLevel crit
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule lua_module {modules}/mod_lua.so
StartServers 1
ServerLimit 1
ThreadsPerChild 64
MaxRequestWorkers 64
AsyncRequestWorkerFactor 20
MaxKeepAliveRequests 0
KeepAliveTimeout 300
Timeout 300
LimitRequestLine 65536
LimitRequestFieldSize 65536
{user}
LogFormat "%{{seen}}n" seen
CustomLog {folder}/seen.log seen
LuaMapHandler ^ {folder}/seen.lua
"""
LUA = r"""
local function hex(text)
    return ((text or ""):gsub(".", function(byte) return string.format("%02x", byte:byte()) end))
end

function handle(r)
    local body = ""
    if not r.unparsed_uri:find("^/early") then
        body = r:requestbody() or ""
        if #body < tonumber(r.headers_in["Content-Length"] or 0) then return 400 end
    end
    local case = r.headers_in["X-Case"] or "0"
    r.notes["seen"] = table.concat({case, hex(r.method), hex(r.unparsed_uri), hex(body)}, " ")
    return 204
end
"""
MODULES = "/usr/lib/apache2/modules"


@dataclass
class Server:
    """One origin; `understood` is whole once it has stopped."""

    name: str
    url: str
    understood: Understood = field(default_factory=lambda: defaultdict(list))
    faults: list[str] = field(default_factory=list)
    """What no server may ever get, whatever it makes of it."""

    def note(self, case: str, method: bytes, target: bytes, body: bytes) -> None:
        number = int(case) if case.isdecimal() else 0
        self.understood[number].append(Meaning(method, target, b"" if target == EARLY else body))


@contextmanager
def recorder() -> Iterator[Server]:
    """Keeps the bytes of each connection, which must be plainly framed requests and nothing else."""
    server = Server("recorder", "")

    def script(peer: Peer) -> None:
        while (head := peer.head()) is not None:
            line, *lines = head[:-4].split(b"\r\n")
            fields = [(name.lower(), value[1:]) for name, _, value in (one.partition(b":") for one in lines)]
            names = [name for name, _ in fields]
            odd = b"transfer-encoding" in names or names.count(b"content-length") > 1
            if odd or names.count(b"host") != 1 or set(b"\r\n\0") & set(b"".join((line, *lines))):
                server.faults.append(f"the recorder got a head with two readings: {head!r}")
            method, target, _ = line.split(b" ")
            case = dict(fields).get(b"x-case", b"").decode("latin-1")
            if early := target == EARLY:
                server.note(case, method, target, b"")
                peer.send(ANSWER)
            end = peer.read + int(dict(fields).get(b"content-length", b"0"))
            while len(peer.raw) < end:
                if not peer.more():
                    break
            body, peer.read = bytes(peer.raw[peer.read : end]), end
            if len(peer.raw) < end:
                return
            if not early:
                server.note(case, method, target, body)
                peer.send(ANSWER)
        if len(peer.raw) > peer.read:
            server.faults.append(f"the recorder got half a head: {bytes(peer.raw[peer.read :])!r}")

    with origins.running(script) as origin:
        server.url = origin.url
        yield server


@contextmanager
def _process(command: list[str], port: int, stop: list[str]) -> Iterator[None]:
    """A server for a while, ended so that it finishes what it has in hand and writes its log."""
    environment = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin"}
    with subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL) as process:
        try:
            until(lambda: _up(port), 30)
            yield
            subprocess.run(stop, env=environment, check=True, timeout=60)
            process.wait(60)
        finally:
            process.terminate()


def _up(port: int) -> bool:
    try:
        return ask(port, get("/up", "X-Case: 0")).status == 204
    except (OSError, Cut):
        return False


@contextmanager
def real(name: str) -> Iterator[Server]:
    """A real server in a folder that its user may enter."""
    kind = REAL[name]
    with tempfile.TemporaryDirectory(prefix="stopgap-desync-") as place:
        folder, port = Path(place), free_port()
        folder.chmod(0o755)
        file = folder / f"{name}.conf"
        user = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
        file.write_text(kind.config.format(folder=folder, port=port, user=user, modules=MODULES), "utf-8")
        (folder / "seen.lua").write_text(LUA, "utf-8")
        server = Server(name, f"http://127.0.0.1:{port}")
        command = [word.format(folder=folder, file=file) for word in kind.command]
        with _process([*command, *kind.start], port, [*command, *kind.stop]):
            yield server
        for line in (folder / "seen.log").read_bytes().splitlines():  # of text, that would cut at 0x85 too
            kind.told(server, line.decode("latin-1"))
        server.understood[0] = [one for one in server.understood[0] if one.target != b"/up"]


def _nginx(server: Server, line: str) -> None:
    said = {key: value.encode("latin-1") for key, value in json.loads(line).items()}
    server.note(said["case"].decode(), said["method"], said["target"], said["body"])


def _apache(server: Server, line: str) -> None:
    if line != "-":
        case, *rest = line.split(" ")
        method, target, body = map(bytes.fromhex, rest)
        server.note(case, method, target, body)


@dataclass(frozen=True)
class Kind:
    """How a real server is told, started and stopped, and how a line of its log is read."""

    config: str
    command: tuple[str, ...]
    start: tuple[str, ...]
    stop: tuple[str, ...]
    told: Callable[[Server, str], None]


REAL = {
    "nginx": Kind(
        NGINX,
        ("nginx", "-p", "{folder}", "-e", "{folder}/error.log", "-c", "{file}"),
        (),
        ("-s", "quit"),
        _nginx,
    ),
    "apache": Kind(
        APACHE,
        ("apache2", "-d", "{folder}", "-f", "{file}"),
        ("-DFOREGROUND",),
        ("-k", "graceful-stop"),
        _apache,
    ),
}
