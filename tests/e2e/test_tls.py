"""Does HTTPS on the listening side carry all that plain HTTP does?"""

import random
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.client import Client, chunked, get, post
from tests.e2e.gate import Gate, guarding
from tests.e2e.nginx import LARGE, Nginx
from tests.e2e.origins import Origin

NGINX = "nginx.test"


@pytest.fixture(scope="module")
def gate(folder: Path, shared: Origin, nginx: Nginx, certificate: tuple[str, str]) -> Iterator[Gate]:
    cert, key = certificate
    sites = (
        {"hosts": ["*"], "origins": shared.url, "server": "iis5", "packs": ["code-red"]},
        {"hosts": [NGINX], "origins": nginx.url, "server": "iis10"},
    )
    with guarding(folder / "gate", *sites, tls={"cert": cert, "key": key}, workers=2) as running:
        yield running


@pytest.fixture(scope="module")
def trust(certificate: tuple[str, str]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate[0])


def test_requests(gate: Gate, trust: ssl.SSLContext, origin: Origin) -> None:
    body = random.Random(0).randbytes(1 << 20)
    with Client(gate.port, trust) as client:
        assert client.ask(get("/a")).body == b"GET /a 0"
        assert client.ask(post("/b", body)).body == b"POST /b %d" % len(body)
        assert client.ask(chunked("/c", body)).body == b"POST /c %d" % len(body)
        assert client.ask(get("/x.%2569da")).event
        client.send(get("/1") + get("/2") + get("/x.ida") + get("/3"))
        assert [client.answer().status for _ in range(4)] == [200, 200, 404, 200]
        assert client.ask(get("/last", "Connection: close")).status == 200
        assert client.closed()
    assert all(request.values(b"x-forwarded-proto") == [b"https"] for request in origin.requests)
    assert [request.body for request in origin.requests if request.body] == [body, body]


def test_download(gate: Gate, trust: ssl.SSLContext) -> None:
    with Client(gate.port, trust, receive=1 << 16) as client:
        assert client.ask(get("/large.bin", host=NGINX)).body == LARGE


def test_many_at_once(gate: Gate, trust: ssl.SSLContext, origin: Origin) -> None:
    right: list[bytes] = []

    def use(number: int) -> None:
        for turn in range(4):
            with Client(gate.port, trust) as client:
                right.extend(
                    name
                    for name in (b"/%d-%d" % (number, turn),)
                    if client.ask(get(name)).body == b"GET %s 0" % name
                )

    threads = [threading.Thread(target=use, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(right) == 64


def test_too_long_a_body_is_told(gate: Gate, trust: ssl.SSLContext, origin: Origin) -> None:
    with Client(gate.port, trust) as client:
        client.send(get("/up", "Content-Length: 999999999", method="POST"))
        assert client.answer().status == 413
    assert origin.raw == b""


def test_what_is_not_tls_gets_no_further(gate: Gate, origin: Origin) -> None:
    with Client(gate.port) as client:
        client.send(get("/"))
        assert not client.rest().startswith(b"HTTP/1.1 200")
    assert origin.raw == b""


def test_old_protocols_are_refused(gate: Gate, certificate: tuple[str, str]) -> None:
    old = ssl.create_default_context(cafile=certificate[0])
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with pytest.raises(OSError):
        Client(gate.port, old)
