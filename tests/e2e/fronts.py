"""How do nginx and HAProxy stand before a gate, with the very files of deploy/?

Only the ports and the paths of the certificate are replaced; nginx's file is put where an operator's
nginx.conf would include it.
"""

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.origins import free_port, until

DEPLOY = Path(__file__).parents[2] / "deploy"
AROUND = """
daemon off; master_process off; pid {folder}/front.pid; error_log {folder}/front.err;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {inner}
}}
"""

Command = Callable[[Path, int, int, tuple[str, str]], list[str]]


def replaced(name: str, pairs: dict[str, str]) -> str:
    """A file of deploy/ with other places in it, each of which must be there."""
    text = (DEPLOY / name).read_text("utf-8")
    for old, new in pairs.items():
        assert old in text, f"{name} has no {old}"
        text = text.replace(old, new)
    return text


def nginx(folder: Path, port: int, gate: int, certificate: tuple[str, str]) -> list[str]:
    pairs = {
        "listen 443 ssl http2;  ": f"listen 127.0.0.1:{port} ssl http2;  ",
        "127.0.0.1:8080": f"127.0.0.1:{gate}",
        "/etc/stopgap/tls/fullchain.pem": certificate[0],
        "/etc/stopgap/tls/key.pem": certificate[1],
    }
    config = folder / "front.conf"
    config.write_text(AROUND.format(folder=folder, inner=replaced("nginx/stopgap.conf", pairs)), "utf-8")
    return ["nginx", "-p", str(folder), "-e", str(folder / "front.err"), "-c", str(config)]


def haproxy(folder: Path, port: int, gate: int, certificate: tuple[str, str]) -> list[str]:
    both = folder / "both.pem"
    both.write_text("".join(Path(part).read_text("ascii") for part in certificate), "ascii")
    pairs = {
        "bind :443 ": f"bind 127.0.0.1:{port} ",
        "127.0.0.1:8080": f"127.0.0.1:{gate}",
        "/etc/stopgap/tls/both.pem": str(both),
    }
    config = folder / "haproxy.cfg"
    config.write_text(replaced("haproxy/haproxy.cfg", pairs), "utf-8")
    return ["haproxy", "-db", "-f", str(config)]


FRONTS: dict[str, Command] = {"nginx": nginx, "haproxy": haproxy}


@contextmanager
def standing(name: str, folder: Path, gate: int, certificate: tuple[str, str]) -> Iterator[int]:
    """A front for a while; its port."""
    folder.mkdir()
    port = free_port()
    command = FRONTS[name](folder, port, gate, certificate)
    said = folder / "said"
    path = os.environ.get("PATH", "") + ":/usr/sbin"
    with (
        said.open("wb") as out,
        subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, "PATH": path}) as process,
    ):
        try:
            until(lambda: process.poll() is not None or listens(port))
            assert process.poll() is None, said.read_text("utf-8")
            yield port
        finally:
            process.terminate()


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
