"""Does `stopgap top` say in one line why it cannot start, and read what the gate tells?"""

import json
from http.server import BaseHTTPRequestHandler

import msgspec
import pytest

from stopgap.cli import gate as asking
from stopgap.cli import top
from stopgap.cli.gate import Door
from stopgap.config import Address
from tests.unit.cli.runner import run
from tests.unit.cli.test_control import STATUS, Gate, Handler, gate
from tests.unit.events.test_find import EVENT

__all__ = ["gate"]

METRICS = '# TYPE stopgap_rejects_total counter\nstopgap_rejects_total{reason="stream"} 3.0\n'


def test_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(top, "find_spec", lambda name: None)
    done = run("top")
    assert (done.code, done.out) == (3, "")
    assert done.err == f"stopgap top: needs textual, which is not installed: {top.HOW}\n"
    assert "pip install 'stopgap[top]'" in done.err


def test_without_a_terminal() -> None:
    done = run("top")
    assert done.code == 3
    assert done.err == "stopgap top: needs a terminal; `stopgap status --json` is for programs\n"


def answers(monkeypatch: pytest.MonkeyPatch, pages: dict[str, tuple[str, bytes]]) -> None:
    def page(self: BaseHTTPRequestHandler) -> None:
        kind, body = pages[self.path]
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body)

    monkeypatch.setattr(Handler, "do_GET", page)


JSON = "application/json"
PAGES = {
    "/status": (JSON, json.dumps(STATUS).encode()),
    "/events": (JSON, msgspec.json.encode({"events": [EVENT]})),
    "/metrics": ("text/plain; version=0.0.4; charset=utf-8", METRICS.encode()),
}


def test_a_sample(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, PAGES)
    told = top.sample(Door(Address("127.0.0.1", gate.server_port)))
    assert told.counts == {("stopgap_rejects_total", "stream"): 3.0}
    assert list(told.events) == [EVENT]
    assert told.status == STATUS


@pytest.mark.parametrize(
    ("path", "page", "why"),
    [
        ("/metrics", (JSON, b"{}"), "answered 200 {}"),
        ("/metrics", ("text/plain", b"stopgap_rejects_total{ 3"), "in other words than this version knows"),
        ("/events", (JSON, b'{"events":[{}]}'), "in other words than this version knows"),
        ("/events", (JSON, b"{}"), "in other words than this version knows"),
        ("/status", ("text/html", b"<html>"), "answered 200 <html>"),
    ],
)
def test_another_program(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, path: str, page: tuple[str, bytes], why: str
) -> None:
    answers(monkeypatch, {**PAGES, path: page})
    with pytest.raises(asking.NoAnswer, match=why):
        top.sample(Door(Address("127.0.0.1", gate.server_port)))
