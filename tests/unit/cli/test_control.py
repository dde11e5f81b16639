"""Do `status`, `reload`, `drain` and the others ask a running gate, and say in one line when they cannot?"""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from click.testing import CliRunner

from stopgap.cli import main

STATUS = {
    "version": "0.1.0",
    "state": "ready",
    "ready": True,
    "listen": ["127.0.0.1:80"],
    "uptime_seconds": 3661.5,
    "ruleset": "abcd",
    "reload": {"ok": False, "time": "2026-11-24T00:00:00Z", "error": "code-red.toml:3: wrong"},
    "sites": [
        {
            "name": "会計",
            "mode": "canary",
            "canary": 10,
            "on_error": "forward",
            "modes": {"ida-idq": "block", "short-name": "detect", "stream": "detect"},
            "exceptions": [
                {
                    "id": "0a1b2c3d",
                    "rule": "ida-idq",
                    "path": "/search/*.idq",
                    "state": "in-force",
                    "hits": 12,
                    "until": "2027-03-31",
                    "owner": "Web 担当",
                    "preset": False,
                },
                {"id": "4e5f6071", "hits": 0, "preset": True},
            ],
            "server": "iis5",
            "codepages": [932],
            "rules": 3,
            "origins": [
                {
                    "url": "http://192.0.2.1:80",
                    "up": False,
                    "busy": 1,
                    "idle": 2,
                    "pinned": 0,
                    "error": "refused",
                }
            ],
        }
    ],
    "workers": [
        {
            "index": 0,
            "pid": 42,
            "state": "serving",
            "clients": 1,
            "waiting": 0,
            "restarts": 2,
            "exit": "killed",
        }
    ],
}


class Gate(HTTPServer):
    """Answers as the admin server does; `status` and `answer` are what it says."""

    status = STATUS
    answer = (200, {"ok": True, "text": "done"})
    asked = ""


class Handler(BaseHTTPRequestHandler):
    server: Gate

    def do_GET(self) -> None:
        self._say(200, self.server.status)

    def do_POST(self) -> None:
        self.server.asked = self.path
        self._say(*self.server.answer)

    def _say(self, code: int, value: object) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(value).encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def gate() -> Iterator[Gate]:
    with Gate(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def run(gate: Gate, *words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, [*words, "--admin", f"127.0.0.1:{gate.server_port}"])
    return done.exit_code, done.stdout, done.stderr


def test_status_for_people(gate: Gate) -> None:
    code, out, _ = run(gate, "status")
    assert code == 0
    assert "ready on 127.0.0.1:80 for 1:01:01; ruleset abcd" in out
    assert "code-red.toml:3: wrong" in out
    lines = [" ".join(line.split()) for line in out.splitlines()[3:]]
    assert lines == [
        "会計 canary 10 % iis5 932 3 http://192.0.2.1:80 DOWN 1 2 refused",
        "site 会計: what cannot be judged is FORWARDED",
        "site 会計: mode block for ida-idq",
        "site 会計: mode detect for short-name, stream",
        "exception site rule path state hits until owner",
        "0a1b2c3d 会計 ida-idq /search/*.idq in-force 12 2027-03-31 Web 担当",
        "worker pid state clients waiting restarts last end",
        "0 42 serving 1 0 2 killed",
    ]


def test_status_for_programs(gate: Gate) -> None:
    code, out, _ = run(gate, "status", "--json")
    assert (code, json.loads(out)) == (0, STATUS)


def test_a_rollback_is_told(gate: Gate) -> None:
    gate.status = {**STATUS, "rolled_back": "beef"}
    assert "rolled back from beef; the files say beef, which a reload takes over\n" in run(gate, "status")[1]
    assert run(gate, "rollback") == (0, "done\n", "")
    assert gate.asked == "/rollback"
    assert run(gate, "rollback", "a/b?c") == (0, "done\n", "")
    assert gate.asked == "/rollback/a%2Fb%3Fc"


def test_not_ready(gate: Gate) -> None:
    gate.status = {**STATUS, "ready": False, "state": "draining"}
    assert run(gate, "status")[0] == 1


@pytest.mark.parametrize("verb", ["reload", "drain", "rollback", "upgrade"])
def test_verbs(gate: Gate, verb: str) -> None:
    assert run(gate, verb) == (0, "done\n", "")
    assert gate.asked == f"/{verb}"
    gate.answer = (409, {"ok": False, "text": "x.toml:3: wrong"})
    assert run(gate, verb) == (2, "", "x.toml:3: wrong\n")


@pytest.mark.parametrize("verb", ["status", "reload", "drain", "rollback", "upgrade"])
def test_nobody_answers(verb: str) -> None:
    done = CliRunner().invoke(main, [verb, "--admin", "127.0.0.1:1"])
    assert done.exit_code == 3
    assert done.stderr == "stopgap: no gate answers on 127.0.0.1:1: Connection refused\n"
    done = CliRunner().invoke(main, [verb, "--admin", "unix:/no/such.sock"])
    assert done.exit_code == 3
    assert done.stderr == "stopgap: no gate answers on unix:/no/such.sock: No such file or directory\n"


def test_another_program_answers(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    def page(self: BaseHTTPRequestHandler) -> None:
        self.send_response(404)
        self.end_headers()
        self.wfile.write("<html>\n\x1b[31m 会計\n</html>".encode())

    monkeypatch.setattr(Handler, "do_GET", page)
    told = f"stopgap: no gate answers on 127.0.0.1:{gate.server_port}: answered 404 <html>\n"
    assert run(gate, "status") == (3, "", told)


def test_a_wrong_address() -> None:
    done = CliRunner().invoke(main, ["status", "--admin", "nowhere"])
    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith('--admin: "nowhere" is not an address')
