"""How is each proxy set up, so that all of them do the same work: one worker, one deny rule, X-Forwarded-For?

Everything runs on loopback in a temporary folder. A peer is a function from a `Place` and a port to
the command that serves there; `Place` starts it on the proxies' CPU and ends it with the bench.
"""

import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).parents[2]
DENIED = r"\.(ida|idq|printer|htr|htw|idc|shtml|stm|shtm)(/|$)"
BIG = 10 << 20  # bytes of the download
SMALL = 1 << 10  # bytes of every other answer

MODSECURITY_MODULES = ("ndk_http_module.so", "ngx_http_modsecurity_module.so")


class BenchError(Exception):
    """The bench cannot go on; the text says what is wrong and what to do."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def cpus() -> tuple[int, int]:
    """The CPU of the proxies and the CPU of load and origin: the first and the last this process may use."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


class Place:
    """A temporary folder with an origin, a certificate and the proxies that were started in it."""

    def __init__(self) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 65536)), hard))
        self.folder = Path(tempfile.mkdtemp(prefix="stopgap-bench-"))
        self.folder.chmod(0o755)  # nginx as root reads the download as another user
        self.origin = free_port()
        self.running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "Place":
        try:
            self.write("big.bin", "").write_bytes(bytes(BIG))
            certificate = [
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ]
            names = [
                "-keyout",
                str(self.key),
                "-out",
                str(self.certificate),
                "-days",
                "30",
                "-subj",
                "/CN=localhost",
            ]
            subprocess.run(["openssl", *certificate, *names], capture_output=True, check=True)
            self.write("both.pem", self.certificate.read_text() + self.key.read_text())
            self.start("origin", origin(self), self.origin, cpus()[1])
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def key(self) -> Path:
        return self.folder / "key.pem"

    @property
    def certificate(self) -> Path:
        return self.folder / "cert.pem"

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, "utf-8")
        return path

    def start(self, name: str, command: list[str], port: int, cpu: int) -> int:
        """Run a server on one CPU and wait until it listens; returns its process id."""
        log = self.folder / f"{name}-{port}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                ["taskset", "-c", str(cpu), *command],
                stdout=out,
                stderr=out,
                cwd=self.folder,
                start_new_session=True,
            )
        self.running.append(process)
        end = time.monotonic() + 30
        while time.monotonic() < end and process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                time.sleep(0.1)
            else:
                time.sleep(1)  # workers come up after the listener
                return process.pid
        raise BenchError(
            f"{name} does not listen on port {port}; it says:\n{log.read_text(errors='replace')[-2000:]}"
        )

    def stop(self, pid: int) -> None:
        """End one server and its children."""
        (process,) = (process for process in self.running if process.pid == pid)
        self.running.remove(process)
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(pid, number)
            except ProcessLookupError:
                break
            try:
                process.wait(2)
            except subprocess.TimeoutExpired:
                continue
        process.wait()

    def close(self) -> None:
        for process in list(self.running):
            self.stop(process.pid)
        shutil.rmtree(self.folder, ignore_errors=True)


def origin(place: Place) -> list[str]:
    config = f"""
worker_processes 1; daemon off; pid {place.folder}/origin.pid; error_log {place.folder}/origin.err;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; client_max_body_size 1g;
  client_body_temp_path {place.folder}/origin-body;
  server {{
    listen 127.0.0.1:{place.origin} backlog=4096;
    location /big.bin {{ root {place.folder}; }}
    location / {{ default_type text/html; return 200 "{"x" * SMALL}"; }}
  }}
}}"""
    return ["nginx", "-c", str(place.write("origin.conf", config))]


def nginx(place: Place, port: int, tls: bool) -> list[str]:
    return reverse_nginx(place, port, tls, "", "", f'location ~* "{DENIED}" {{ return 403; }}')


def modsecurity(place: Place, port: int, tls: bool) -> list[str]:
    rules = place.write(
        f"modsecurity-{port}.conf",
        "SecRuleEngine On\nSecRequestBodyAccess On\nSecResponseBodyAccess Off\nSecAuditEngine Off\n"
        # the rule set refuses the upload's content type unless its operator allows it
        'SecAction "id:900220,phase:1,nolog,pass,t:none,'
        "setvar:'tx.allowed_request_content_type=|application/octet-stream|'\"\n"
        "Include /etc/modsecurity/crs/crs-setup.conf\nInclude /usr/share/modsecurity-crs/rules/*.conf\n",
    )
    modules = "".join(f"load_module /usr/lib/nginx/modules/{module};\n" for module in MODSECURITY_MODULES)
    return reverse_nginx(place, port, tls, modules, f"modsecurity on; modsecurity_rules_file {rules};", "")


def reverse_nginx(place: Place, port: int, tls: bool, modules: str, http: str, server: str) -> list[str]:
    secure = f"ssl_certificate {place.certificate}; ssl_certificate_key {place.key};" if tls else ""
    config = f"""{modules}
worker_processes 1; daemon off;
pid {place.folder}/nginx-{port}.pid; error_log {place.folder}/nginx-{port}.err;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; {http}
  client_body_temp_path {place.folder}/nginx-body-{port}; proxy_temp_path {place.folder}/nginx-proxy-{port};
  upstream origin {{ server 127.0.0.1:{place.origin}; keepalive 256; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} {"ssl" if tls else ""} backlog=4096; {secure}
    client_max_body_size 30m; large_client_header_buffers 4 16k;
    {server}
    location / {{
      proxy_pass http://origin; proxy_http_version 1.1;
      proxy_set_header Connection ""; proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
  }}
}}"""
    return ["nginx", "-c", str(place.write(f"nginx-{port}.conf", config))]


def haproxy(place: Place, port: int, tls: bool) -> list[str]:
    config = f"""
global
  maxconn 8192
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  http-reuse always
frontend clients
  bind 127.0.0.1:{port} backlog 4096 {f"ssl crt {place.folder}/both.pem" if tls else ""}
  http-request deny if {{ path_reg -i {DENIED} }}
  http-request deny if {{ url_len gt 4096 }}
  option forwardfor
  default_backend origins
backend origins
  server origin 127.0.0.1:{place.origin}
"""
    return ["haproxy", "-db", "-f", str(place.write(f"haproxy-{port}.cfg", config))]


def mitmproxy(place: Place, port: int, tls: bool) -> list[str]:
    addon = place.write(
        "addon.py",
        f"import re\nfrom mitmproxy import http\nDENIED = re.compile(r'{DENIED}', re.I)\n"
        "def request(flow):\n    if DENIED.search(flow.request.path.split('?')[0]):\n"
        "        flow.response = http.Response.make(403)\n",
    )
    where = ["--listen-host", "127.0.0.1", "--listen-port", str(port), "--set", f"confdir={place.folder}"]
    mode = ["--mode", f"reverse:http://127.0.0.1:{place.origin}"]
    return [str(install_mitmproxy()), "--quiet", *where, *mode, "--scripts", str(addon)]


def install_mitmproxy() -> Path:
    """Where `tests/need.sh` has put it."""
    program = ROOT / ".venv" / "bench" / "mitmproxy" / "bin" / "mitmdump"
    done = subprocess.run(
        [ROOT / "tests" / "need.sh", "mitmproxy"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BenchError(f"{done.stderr[-1000:]}\n--peers leaves it out")
    return program


def stopgap(place: Place, port: int, tls: bool, admin: int | None = None) -> list[str]:
    """With every pack in force, those for strict sites too."""
    return serving(place, port, tls, admin, ["--origin", f"http://127.0.0.1:{place.origin}", "--strict"])


def two_packs(place: Place, port: int, tls: bool) -> list[str]:
    """Stopgap with Code Red and the limits alone: what the other rules cost is the ratio to it."""
    site = f"""[[site]]
name = "bench"
origins = "http://127.0.0.1:{place.origin}"
packs = ["code-red", "limits"]
"""
    return serving(place, port, tls, None, ["--config", str(place.write("two-packs.toml", site))])


def serving(place: Place, port: int, tls: bool, admin: int | None, what: list[str]) -> list[str]:
    secure = ["--tls-cert", str(place.certificate), "--tls-key", str(place.key)] if tls else []
    where = [
        "--listen",
        f"127.0.0.1:{port}",
        "--admin",
        f"127.0.0.1:{admin or free_port()}",
        "--workers",
        "1",
    ]
    program = str(Path(sys.executable).with_name("stopgap"))
    return [program, "serve", *what, *where, *secure]


PEERS: dict[str, Callable[[Place, int, bool], list[str]]] = {
    "stopgap": stopgap,
    "two-packs": two_packs,
    "nginx": nginx,
    "haproxy": haproxy,
    "modsecurity": modsecurity,
    "mitmproxy": mitmproxy,
}
