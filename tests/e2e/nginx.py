"""What does a real web server make of what the gate sends?

nginx as origin, with its own configuration and files in a folder of the test, and a send buffer as small as
that of IIS: pages with English, Shift_JIS and UTF-8 names, a large file, an address that takes uploads, and a
log of each request line as it came.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.client import Cut, ask, get
from tests.e2e.origins import free_port, until

CONFIG = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    log_format came '$request|$request_length|$connection_requests|$http_host';
    access_log {folder}/access.log came;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 64m;
    types {{ text/html html htm asp; }}
    server {{
        listen 127.0.0.1:{port} sndbuf=64k;
        root {folder}/www;
        location /upload {{ dav_methods PUT; create_full_put_path on; }}
        location /empty {{ return 204; }}
        location /moved {{ return 302 /index.html; }}
    }}
}}
"""
LARGE = bytes(range(256)) * (4 << 10) * 8
"""8 MiB."""
PAGES = {
    "index.html": b"<p>It works, and nothing came through.",
    "default.asp": b"<p>Intranet",
    "会計.html": "<p>会計".encode(),
    "large.bin": LARGE,
}


@dataclass(frozen=True)
class Nginx:
    """A running nginx; `folder` holds its files."""

    port: int
    folder: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def lines(self) -> list[str]:
        """A line a request: request line|bytes of the request|its number on the connection|Host."""
        return (self.folder / "access.log").read_text("latin-1").splitlines()


@contextmanager
def running(folder: Path) -> Iterator[Nginx]:
    """nginx for a while."""
    www = folder / "www"
    www.mkdir(parents=True)
    (www / "upload").mkdir()
    for name, content in PAGES.items():
        (www / name).write_bytes(content)
    (Path(os.fsdecode(os.fsencode(www) + b"/" + "表.html".encode("cp932")))).write_bytes(
        "<p>表".encode("cp932")
    )
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, port=port), "utf-8")
    path = os.environ.get("PATH", "") + ":/usr/sbin"
    with subprocess.Popen(
        ["nginx", "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(config)],
        env={**os.environ, "PATH": path},
    ) as process:
        try:
            until(lambda: _up(port))
            yield Nginx(port, folder)
        finally:
            process.terminate()


def _up(port: int) -> bool:
    try:
        return ask(port, get("/")).status == 200
    except (OSError, Cut):
        return False
