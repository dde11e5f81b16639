"""Does HAProxy tell a gate by PROXY protocol who the client is, with and without TLS, and nobody else?"""

import os
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.client import Client, Cut, get
from tests.e2e.fronts import listens, replaced
from tests.e2e.gate import Gate, guarding
from tests.e2e.origins import Origin, free_port, until

PEER = "127.0.0.8"
CLIENT = "127.0.7.7"
TRUSTED = "127.0.7.8"
HOWS = ("send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options unique-id,crc32c")


@contextmanager
def haproxy(folder: Path, gate: int, how: str, source: str = PEER) -> Iterator[int]:
    """HAProxy with the file of deploy/, connecting from `source`; its port."""
    folder.mkdir()
    port, file = free_port(), folder / "haproxy.cfg"
    pairs = {
        "bind :443": f"bind 127.0.0.1:{port}",
        "127.0.0.1:8443 send-proxy-v2": f"127.0.0.1:{gate} source {source} {how}",
    }
    file.write_text(replaced("haproxy/tcp.cfg", pairs), "ascii")
    path = os.environ.get("PATH", "") + ":/usr/sbin"
    with (
        (folder / "said").open("wb") as out,
        subprocess.Popen(
            ["haproxy", "-db", "-f", str(file)], stdout=out, stderr=out, env={**os.environ, "PATH": path}
        ) as process,
    ):
        try:
            until(lambda: process.poll() is not None or listens(port))
            assert process.poll() is None, (folder / "said").read_text("utf-8")
            yield port
        finally:
            process.terminate()


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "tls"])
def tls(request: pytest.FixtureRequest, certificate: tuple[str, str]) -> ssl.SSLContext | None:
    return ssl.create_default_context(cafile=certificate[0]) if request.param else None


@pytest.fixture(scope="module")
def gate(
    folder: Path, shared: Origin, tls: ssl.SSLContext | None, certificate: tuple[str, str]
) -> Iterator[Gate]:
    site = {"origins": shared.url, "packs": ["code-red"]}
    top: dict[str, Any] = {"proxy_protocol": PEER, "trusted": TRUSTED}
    if tls:
        top["tls"] = {"cert": certificate[0], "key": certificate[1]}
    with guarding(folder / f"gate-{tls is not None}", site, workers=2, **top) as running:
        yield running


@pytest.mark.parametrize("how", HOWS)
def test_haproxy_names_the_client(
    how: str, tmp_path: Path, gate: Gate, tls: ssl.SSLContext | None, origin: Origin
) -> None:
    said = get("/a.asp", "X-Forwarded-For: 192.0.2.66", "X-Forwarded-Proto: gopher")
    with haproxy(tmp_path / "front", gate.port, how) as port:
        for source, told in ((CLIENT, [CLIENT]), (TRUSTED, ["192.0.2.66", TRUSTED])):
            before = len(origin.requests)
            with Client(port, tls, source=source) as client:
                assert client.ask(said).status == 200
            (request,) = origin.requests[before:]
            assert b", ".join(request.values(b"x-forwarded-for")).decode().split(", ") == told
            proto = [b"gopher"] if source == TRUSTED else [b"https" if tls else b"http"]
            assert request.values(b"x-forwarded-proto") == proto
        worm = f"127.0.9.{HOWS.index(how) + (4 if tls else 1)}"  # one who repeats itself has one event
        with Client(port, tls, source=worm) as client:
            number = client.ask(get("/default.ida?NNNN%u9090=a")).event
    assert gate.event(number)["source.ip"] == worm


def test_a_peer_without_a_header_is_closed_and_named(
    tmp_path: Path, gate: Gate, tls: ssl.SSLContext | None, origin: Origin
) -> None:
    before = gate.counts().get(("stopgap_rejects_total", "proxy-header"), 0)
    for _ in range(3):
        with pytest.raises((OSError, Cut)), Client(gate.port, tls, source=PEER) as client:
            client.ask(get("/a.asp"))
    assert gate.counts()["stopgap_rejects_total", "proxy-header"] == before + 3
    until(lambda: any(event["stopgap.reason"] == "proxy-header" for event in gate.events))
    told = {event["source.ip"] for event in gate.events if event["stopgap.reason"] == "proxy-header"}
    assert told == {PEER}
    assert origin.requests == []


def test_from_anybody_else_a_header_is_a_malformed_request(
    gate: Gate, tls: ssl.SSLContext | None, origin: Origin
) -> None:
    with Client(gate.port, tls, source=CLIENT) as client:
        assert client.ask(get("/a.asp")).status == 200
    for header in (
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(12),
    ):
        with Client(gate.port, tls, source=CLIENT) as client:
            client.send(header + get("/b.asp"))
            assert client.answer().status == 400
    assert [request.target for request in origin.requests] == [b"/a.asp"]


def test_a_rate_counts_whom_the_header_names(tmp_path: Path, shared: Origin, origin: Origin) -> None:
    site = {"origins": shared.url}
    with (
        guarding(tmp_path / "gate", site, proxy_protocol=[PEER], new_connections=5) as gate,
        haproxy(tmp_path / "front", gate.port, "send-proxy-v2") as port,
    ):
        served = dict.fromkeys((CLIENT, TRUSTED), 0)
        for source in served:
            for _ in range(12):
                try:
                    with Client(port, source=source) as client:
                        served[source] += client.ask(get("/a.asp")).status == 200
                except (ConnectionError, Cut):
                    continue
        assert all(5 <= count <= 8 for count in served.values()), served
        until(lambda: len({event["source.ip"] for event in gate.events}) == 2)
