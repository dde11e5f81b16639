"""What does one case cost through one proxy? Sends the load, reads CPU time from /proc, checks the answers.

The figure is CPU time of the proxy's own processes a request, user and system: it holds on a busy
machine, where requests a second and latencies do not. Before the load one request of the case is
sent by hand and its answer compared with what the origin gives; after it wrk's own counts are read.
An answer that is not the expected one ends the bench: a fast wrong answer is no figure.
"""

import os
import re
import socket
import ssl
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.bench.peers import BIG, SMALL, BenchError, Place, cpus

TICK = os.sysconf("SC_CLK_TCK")
UPLOAD = 1 << 20
HOST = "intranet.example.co.jp"
HEADERS = (
    "User-Agent: Mozilla/5.0 (Windows NT 5.0; rv:1.7.3) Gecko/20040913 Firefox/0.10",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language: ja,en;q=0.5",
    "Accept-Encoding: gzip, deflate",
    "Referer: http://intranet.example.co.jp/kaikei/default.asp",
    "Cookie: ASPSESSIONIDQQGGGNKC=LMPKNHDCIHJPKLPFBKNJGDGD; lang=ja",
)
PLAIN = "/kaikei/shiwake/list.asp?nendo=2001&tsuki=08&page=3"
# /会計/仕訳一覧.asp in UTF-8, 日本 in Shift_JIS, full-width 8
JAPANESE = "/%E4%BC%9A%E8%A8%88/%E4%BB%95%E8%A8%B3%E4%B8%80%E8%A6%A7.asp?name=%93%FA%96%7B&tsuki=%EF%BC%98"
CODE_RED = "/default.ida?" + "N" * 224 + "%u9090%u6858%ucbd3%u7801=a"


@dataclass(frozen=True)
class Case:
    name: str
    target: str = PLAIN
    connections: int = 64
    length: int = SMALL
    tls: bool = False
    close: bool = False
    refused: bool = False
    upload: bool = False


CASES = {
    case.name: case
    for case in (
        Case("keepalive"),
        Case("japanese", target=JAPANESE),
        Case("close", close=True),
        Case("tls", tls=True),
        Case("handshake", tls=True, close=True),
        Case("refusal", target=CODE_RED, refused=True),
        Case("download", target="/big.bin", connections=8, length=BIG),
        Case("upload", target="/upload", connections=8, upload=True),
    )
}


@dataclass(frozen=True)
class Round:
    """One load: CPU microseconds a request, requests a second, latency in milliseconds."""

    cpu: float
    rate: float
    p50: float
    p99: float


def processes(pid: int) -> list[int]:
    """A process and all its descendants."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += processes(int(child))
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICK


def resident(pids: Iterable[int]) -> int:
    """Resident memory in KiB."""
    pattern = re.compile(r"^VmRSS:\s+(\d+) kB", re.M)
    found = (pattern.search(Path(f"/proc/{pid}/status").read_text()) for pid in pids)
    return sum(int(match[1]) for match in found if match)


def check(case: Case, port: int, peer: str) -> None:
    """Send one request of the case by hand; raise `BenchError` unless the answer is the expected one."""
    body = b"a=b&" * (UPLOAD // 4) if case.upload else b""
    lines = [
        f"{'POST' if case.upload else 'GET'} {case.target} HTTP/1.1",
        f"Host: {HOST}",
        *HEADERS,
        "Connection: close",
    ]
    if case.upload:
        lines += ["Content-Type: application/octet-stream", f"Content-Length: {len(body)}"]
    answer = exchange(port, case.tls, "\r\n".join([*lines, "", ""]).encode() + body)
    head, _, content = answer.partition(b"\r\n\r\n")
    status = head[9:12].decode()
    if case.refused and not status.startswith("4"):
        raise BenchError(f"{case.name}: {peer} answered {status or 'nothing'}, and a refusal was expected")
    if not case.refused and (status != "200" or len(content) != case.length):
        got = f"{status or 'nothing'} with {len(content)} bytes"
        raise BenchError(f"{case.name}: {peer} answered {got}, not 200 with {case.length}")


def exchange(port: int, tls: bool, request: bytes) -> bytes:
    connection = socket.create_connection(("127.0.0.1", port), 20)
    if tls:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # the certificate was made for this run
        connection = context.wrap_socket(connection)
    with connection:
        connection.sendall(request)
        answer = bytearray()
        while chunk := connection.recv(65536):
            answer += chunk
    return bytes(answer)


def load(place: Place, case: Case, peer: str, port: int, pid: int, seconds: int) -> Round:
    """Send the case's load for some seconds; raise `BenchError` when an answer was not the expected one."""
    command = [
        "taskset",
        "-c",
        str(cpus()[1]),
        "wrk",
        "-t1",
        f"-c{case.connections}",
        f"-d{seconds}s",
        "--latency",
    ]
    headers = [f"Host: {HOST}", *HEADERS, *(["Connection: close"] if case.close else [])]
    command += ["--timeout", "10s", *(word for header in headers for word in ("-H", header))]
    if case.upload:
        script = 'wrk.method="POST"\nwrk.body=string.rep("a=b&",262144)\n'
        script += 'wrk.headers["Content-Type"]="application/octet-stream"\n'
        command += ["-s", str(place.write("upload.lua", script))]
    pids = processes(pid)
    before = cpu_seconds(pids)
    done = subprocess.run(
        [*command, f"{'https' if case.tls else 'http'}://127.0.0.1:{port}{case.target}"],
        capture_output=True,
        text=True,
        check=False,
    )
    spent = cpu_seconds(pids) - before
    return measured(case, peer, done.stdout + done.stderr, spent)


def measured(case: Case, peer: str, output: str, spent: float) -> Round:
    """Read wrk's report."""
    count = number(r"(\d+) requests in", output)
    if not count:
        raise BenchError(f"{case.name}: {peer} answered no request; wrk says:\n{output}")
    wrong = number(r"Non-2xx or 3xx responses: (\d+)", output)
    if (case.refused and wrong != count) or (not case.refused and wrong):
        raise BenchError(f"{case.name}: {wrong:.0f} of {count:.0f} answers of {peer} were not 2xx")
    if broken := re.search(r"Socket errors: (.*)", output):
        raise BenchError(f"{case.name}: {peer} broke connections: {broken[1]}")
    return Round(
        cpu=spent * 1e6 / count,
        rate=number(r"Requests/sec:\s+([\d.]+)", output),
        p50=milliseconds("50%", output),
        p99=milliseconds("99%", output),
    )


def number(pattern: str, text: str) -> float:
    match = re.search(pattern, text)
    return float(match[1]) if match else 0.0


def milliseconds(percentile: str, text: str) -> float:
    match = re.search(rf"^\s+{percentile}\s+([\d.]+)(us|ms|s|m) *$", text, re.M)
    units = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}
    return float(match[1]) * units[match[2]] if match else 0.0
