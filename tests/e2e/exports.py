"""Do HAProxy, nginx and ModSecurity load what was exported for them, and what do they refuse?

Each runs with the export and a server behind it that answers 204 to everything: what is not 204 was refused
by the program, by a rule or by its own grammar.
"""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.client import Client, Cut
from tests.e2e.origins import free_port, until

PASSED = 204
ENVIRONMENT = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin"}
MODULES = "/usr/lib/nginx/modules"

NGINX = """
{modules}
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    large_client_header_buffers 8 64k;
    {http}
    server {{ listen 127.0.0.1:{behind}; return 204; }}
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size 0;
        proxy_ignore_client_abort on;
        {server}
        location / {{ proxy_pass http://127.0.0.1:{behind}; }}
    }}
}}
"""
HAPROXY = """
global
    maxconn 512
    tune.bufsize 131072
    tune.http.maxhdr 1024
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend guarded
    bind 127.0.0.1:{port}
{export}
    http-request return status 204
"""


def _file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def haproxy(folder: Path, export: str, port: int) -> list[str]:
    """The command of an HAProxy with these lines in its frontend."""
    return [
        "haproxy",
        "-db",
        "-f",
        str(_file(folder, "haproxy.cfg", HAPROXY.format(export=export, port=port))),
    ]


def _nginx(folder: Path, port: int, modules: str, http: str, server: str) -> list[str]:
    text = NGINX.format(
        folder=folder, port=port, behind=free_port(), modules=modules, http=http, server=server
    )
    return [
        "nginx",
        "-p",
        str(folder),
        "-e",
        str(folder / "error.log"),
        "-c",
        str(_file(folder, "nginx.conf", text)),
    ]


def nginx(folder: Path, export: str, port: int) -> list[str]:
    """The command of an nginx that includes these maps."""
    maps = _file(folder, "stopgap.conf", export)
    return _nginx(folder, port, "", f"include {maps};", "if ($stopgap) { return 404; }")


def seclang(folder: Path, export: str, port: int) -> list[str]:
    """The command of an nginx whose ModSecurity has these rules."""
    rules = _file(
        folder, "rules.conf", f"SecRuleEngine On\nSecRequestBodyAccess On\nSecAuditEngine Off\n{export}"
    )
    names = ("ndk_http_module.so", "ngx_http_modsecurity_module.so")
    modules = "\n".join(f"load_module {MODULES}/{name};" for name in names)
    return _nginx(folder, port, modules, "", f"modsecurity on;\n        modsecurity_rules_file {rules};")


PROGRAMS: dict[str, Callable[[Path, str, int], list[str]]] = {
    "haproxy": haproxy,
    "nginx": nginx,
    "seclang": seclang,
}
CHECK = {"haproxy": ["-c"], "nginx": ["-t"], "seclang": ["-t"]}


def complaint(program: str, folder: Path, export: str) -> str:
    """What the program says of an export that it does not load; "" when it loads it."""
    command = [*PROGRAMS[program](folder, export, free_port()), *CHECK[program]]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False, timeout=60)
    return "" if done.returncode == 0 else done.stderr + done.stdout


@contextmanager
def running(program: str, folder: Path, export: str) -> Iterator[int]:
    """The program for a while; its port."""
    port = free_port()
    with subprocess.Popen(PROGRAMS[program](folder, export, port), env=ENVIRONMENT) as process:
        try:
            until(lambda: process.poll() is not None or status(port, b"GET / HTTP/1.0\r\n\r\n") == PASSED)
            yield port
        finally:
            process.terminate()


def status(port: int, request: bytes) -> int:
    """The status that a request gets; 0 where the program only closes."""
    try:
        with Client(port) as client:
            client.send(request)
            client.end()
            return client.answer(request.partition(b" ")[0]).status
    except (Cut, OSError):
        return 0
