"""Does an operator get along with the workbench: look, hold, edit, send again, save, and read once more?

The real program, with mitmweb's own interface asked as its page does.
"""

import json
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mitmproxy", reason="mitmproxy needs Python 3.12")

from mitmproxy import http
from mitmproxy.io import FlowReader

from tests.e2e.gate import ENVIRONMENT, PROGRAM
from tests.e2e.origins import Origin, answer, answering, free_port, running, until

XSRF = "00112233445566778899aabbccddeeff"
LOGIN = re.compile(r"http://127\.0\.0\.1:\d+/\?token=(\w+)")
PAGE = b"<title>Request not completed</title>"


class Workbench:
    """A running workbench and its pages."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self.port, self.web = free_port(), free_port()
        self._said = folder / "said"
        places = ("--listen", f"127.0.0.1:{self.port}", "--web-port", str(self.web))
        with self._said.open("wb") as said:
            self.process = subprocess.Popen(
                [PROGRAM, "workbench", *places, *flags], stdout=said, stderr=said, env=ENVIRONMENT, cwd=folder
            )
        until(lambda: "Ctrl-C" in self.said or self.process.poll() is not None, 60)
        assert self.process.poll() is None, self.said
        found = LOGIN.search(self.said)
        self.token = found[1] if found else ""

    @property
    def said(self) -> str:
        return self._said.read_text("utf-8")

    def ask(self, method: str, path: str, body: Any = None, token: str | None = None) -> tuple[int, bytes]:
        """What the page would ask of mitmweb."""
        connection = HTTPConnection("127.0.0.1", self.web, timeout=60)
        headers = {"Cookie": f"_mitmproxy_xsrf={XSRF}", "X-XSRFToken": XSRF}
        headers["Authorization"] = f"Bearer {self.token if token is None else token}"
        connection.request(method, path, None if body is None else json.dumps(body), headers | JSON)
        reply = connection.getresponse()
        told = reply.read()
        connection.close()
        return reply.status, told

    @property
    def flows(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.ask("GET", "/flows")[1])
        return found

    def command(self, name: str, *arguments: str) -> Any:
        status, told = self.ask("POST", f"/commands/{name}", {"arguments": arguments})
        assert status == 200, told
        return json.loads(told)

    def get(self, method: str, path: str, body: bytes | None = None) -> tuple[int, dict[str, str], bytes]:
        """A client's request, and the answer."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body, {"Host": "kaikei.test"})
        reply = connection.getresponse()
        told = reply.status, dict(reply.getheaders()), reply.read()
        connection.close()
        return told


JSON = {"Content-Type": "application/json"}


@contextmanager
def workbench(folder: Path, *flags: str) -> Iterator[Workbench]:
    bench = Workbench(folder, *flags)
    try:
        yield bench
    finally:
        bench.process.send_signal(signal.SIGINT)
        code = bench.process.wait(60)
    assert code == 0, bench.said
    assert "Traceback" not in bench.said
    assert "rror" not in bench.said


def held(bench: Workbench, path: str, edit: dict[str, Any]) -> tuple[str, tuple[int, dict[str, str], bytes]]:
    """POST to `path`, which is held; edit it; let it go. The comment while it was held, and the answer."""
    got: list[tuple[int, dict[str, str], bytes]] = []
    client = threading.Thread(daemon=True, target=lambda: got.append(bench.get("POST", path, b"a=1")))
    client.start()
    waiting: list[dict[str, Any]] = []

    def is_held() -> bool:
        waiting[:] = [flow for flow in bench.flows if flow["intercepted"] and flow["comment"]]
        return bool(waiting)

    until(is_held, 60)
    (flow,) = waiting
    assert bench.ask("PUT", f"/flows/{flow['id']}", {"request": edit})[0] == 200
    assert bench.ask("POST", f"/flows/{flow['id']}/resume")[0] == 200
    client.join(60)
    return flow["comment"], got[0]


def targets(origin: Origin) -> list[bytes]:
    return [request.target for request in origin.requests]


def test_an_operator_looks_holds_edits_sends_again_saves_and_reads(tmp_path: Path) -> None:
    saved, exceptions = tmp_path / "流れ.flows", tmp_path / "例外.toml"
    with running(answering(lambda request: answer(b"here"))) as origin:
        flags = ("--origin", f"http://127.0.0.1:{origin.port}", "--server", "iis5", "--codepage", "932")
        with workbench(tmp_path, *flags, "--hold", "~m POST") as bench:
            assert bench.ask("GET", "/flows", token="wrong")[0] == 403
            assert bench.get("GET", "/ok.asp")[2] == b"here"

            status, fields, page = bench.get("GET", "/x.%2569da")
            assert (status, PAGE in page) == (404, True)
            number = fields["X-Stopgap-Event"]
            (refused,) = [flow for flow in bench.flows if flow["request"]["path"] == "/x.%2569da"]
            assert refused["marked"] == "⛔"
            assert refused["comment"].startswith("stopgap: refused with 404: extension-denied, rule ida-idq")
            assert refused["comment"].endswith(f"read as /x.ida [percent > percent-2], event {number}")
            shown = bench.ask("GET", f"/flows/{refused['id']}/response/content/Auto.json")[1]
            assert "rule      ida-idq" in json.loads(shown)["text"]

            comment, (status, _, page) = held(bench, "/ok.asp", {"path": "/y.ida"})
            assert (comment, status, PAGE in page) == ("stopgap: passes", 404, True)
            comment, (status, _, page) = held(bench, "/y.ida", {"path": "/edited.asp"})
            assert comment.startswith("stopgap: refused with 404: extension-denied")
            assert (status, page) == (200, b"here")
            assert targets(origin) == [b"/ok.asp", b"/edited.asp"]

            assert bench.ask("POST", f"/flows/{refused['id']}/replay")[0] == 200
            until(lambda: number not in flow_of(bench, refused["id"])["comment"], 60)
            again = flow_of(bench, refused["id"])
            assert again["comment"].startswith("stopgap: refused with 404: extension-denied")
            assert again["response"]["status_code"] == 404
            assert len(origin.requests) == 2

            chosen = f"~comment {again['comment'][-16:]}"
            vector = bench.command("stopgap.vector", chosen, "block")["value"]
            assert vector.endswith("block = ['GET /x.%2569da HTTP/1.1']\n")
            told = bench.command("stopgap.exception", chosen, "検索", "sato", str(exceptions))["value"]
            assert exceptions.read_text("utf-8") == told + "\n"
            assert 'rule = "ida-idq"' in told
            status, why = bench.ask("PUT", "/options", {"stream_large_bodies": "1k"})
            assert (status, b"cannot be changed in the workbench" in why) == (400, True)
            bench.command("save.file", "@all", str(saved))

    with saved.open("rb") as file:
        flows = [flow for flow in FlowReader(file).stream() if isinstance(flow, http.HTTPFlow)]
    assert [flow.metadata["workbench.fate"] for flow in flows] == ["passes", "refused", "refused", "passes"]
    read = [PROGRAM, "workbench", "--read", str(saved), "--no-web", "--server", "iis5", "--mode", "detect"]
    done = subprocess.run(read, capture_output=True, text=True, env=ENVIRONMENT, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "detected: extension-denied, rule ida-idq" in done.stdout
    assert "GET /x.%2569da" in done.stdout


def flow_of(bench: Workbench, number: str) -> dict[str, Any]:
    (flow,) = [flow for flow in bench.flows if flow["id"] == number]
    return flow


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with running(answering(lambda request: answer(b"here"))) as origin:
        taken = f"127.0.0.1:{origin.port}"
        for where in (["--listen", taken, "--no-web"], ["--web-port", str(origin.port)]):
            flags = ["--origin", f"http://{taken}", "--listen", f"127.0.0.1:{free_port()}", *where]
            done = subprocess.run(
                [PROGRAM, "workbench", *flags],
                capture_output=True,
                text=True,
                env=ENVIRONMENT,
                timeout=60,
                check=False,
            )
            assert done.returncode == 3, done.stdout + done.stderr
            assert str(origin.port) in done.stdout + done.stderr
            assert "Traceback" not in done.stdout + done.stderr
