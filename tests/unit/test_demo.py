"""Does the pretend IIS 5 answer as an old Japanese intranet would, and show when the worm got through?"""

import threading
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from stopgap.demo import DOWNLOAD, Server


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def ask(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, str, bytes]:
    connection = HTTPConnection("127.0.0.1", port)
    connection.request(method, path, body)
    answer = connection.getresponse()
    got = answer.status, answer.headers["Server"], answer.read()
    connection.close()
    return got


@pytest.mark.parametrize(
    ("path", "shows"),
    [
        ("/", "Intranet"),
        ("/Default.asp", "Intranet"),
        ("/ja/", "社内ポータル"),
        ("/ja/%89%EF%8Cv.asp", "会計"),
        ("/ja/%E4%BC%9A%E8%A8%88.asp", "会計"),
        ("/form.asp", "送信"),
        ("/default.ida?NNNN%u9090=a", "The worm got through"),
        ("/x.%69dq", "The worm got through"),
    ],
)
def test_pages(port: int, path: str, shows: str) -> None:
    status, server, body = ask(port, "GET", path)
    assert (status, server) == (200, "Microsoft-IIS/5.0")
    assert shows in body.decode("cp932")


def test_form_reads_its_code_page(port: int) -> None:
    _, _, body = ask(port, "POST", "/form.asp", b"name=%8ER%93c%3Cb%3E")
    assert "山田&lt;b>" in body.decode("cp932")


def test_download(port: int) -> None:
    assert ask(port, "GET", "/download/setup.exe")[2] == DOWNLOAD


def test_shows_what_it_received(port: int) -> None:
    _, _, body = ask(port, "POST", "/received.asp?a=%93%FA", b"12345")
    assert body.startswith(b"POST /received.asp?a=%93%FA HTTP/1.1\nHost: 127.0.0.1")
    assert b"5 bytes of body" in body


def test_missing_page(port: int) -> None:
    status, _, body = ask(port, "GET", "/missing.asp")
    assert status == 404 and b"HTTP 404 - File not found" in body
    assert ask(port, "HEAD", "/")[2] == b""
