"""Does what the users of an application send arrive unchanged, and does each get the answer to his own?

Uploads of every kind and size for sites that hold bodies and sites that stream them, old and new clients,
pipelined and concurrent ones; before an origin that records, and before nginx, which is nobody's friend.
"""

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.client import Client, ask, chunked, get, post
from tests.e2e.gate import Gate, guarding
from tests.e2e.nginx import LARGE, Nginx
from tests.e2e.origins import Origin, until

IIS5, IIS10, NGINX = "iis5.test", "iis10.test", "nginx.test"
RANDOM = random.Random(7)
NOISE = RANDOM.randbytes(1 << 20)
SIZES = (0, 1, 1 << 10, (256 << 10) - 1, 256 << 10, (256 << 10) + 1, 1 << 20)


@pytest.fixture(scope="module")
def gate(folder: Path, shared: Origin, nginx: Nginx) -> Iterator[Gate]:
    old = {"server": "iis5", "codepage": 932, "packs": ["code-red", "limits"]}
    new = {"server": "iis10", "packs": ["code-red", "limits"]}
    sites = (
        {**old, "hosts": [IIS5], "origins": shared.url},
        {**new, "hosts": [IIS10], "origins": shared.url},
        {**old, "hosts": [NGINX], "origins": nginx.url},
    )
    with guarding(folder / "gate", *sites, workers=2) as running:
        yield running


def only(origin: Origin) -> tuple[bytes, bytes]:
    """Target and body of the one request that came."""
    (request,) = origin.requests
    assert len(origin.raw) == len(request.raw)
    return request.target, request.body


def test_the_head_is_written_anew_and_says_the_same(gate: Gate, origin: Origin) -> None:
    sent = get(
        "/a%20b.asp?q=%93%FA&r=1+2",
        "User-Agent: Mozilla/4.0 (compatible; MSIE 5.0; Windows NT)",
        "Accept-Language: ja",
        "Cookie: ASPSESSIONID=AAAA; b=c",
        "Connection: keep-alive, X-Hop",
        "X-Hop: 1",
        "Keep-Alive: 300",
        "X-Forwarded-For: 10.9.8.7",
        "Referer: http://intranet.test/",
        host=IIS5,
    )
    assert ask(gate.port, sent).status == 200
    assert origin.requests[0].raw == get(
        "/a%20b.asp?q=%93%FA&r=1+2",
        "User-Agent: Mozilla/4.0 (compatible; MSIE 5.0; Windows NT)",
        "Accept-Language: ja",
        "Cookie: ASPSESSIONID=AAAA; b=c",
        "Referer: http://intranet.test/",
        "X-Forwarded-For: 127.0.0.1",
        "X-Forwarded-Proto: http",
        "Via: 1.1 stopgap",
        host=IIS5,
    )


@pytest.mark.parametrize("host", [IIS5, IIS10])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("form", ["length", "chunks"])
def test_upload(form: str, size: int, host: str, gate: Gate, origin: Origin) -> None:
    body = NOISE[:size]
    pieces = [body[at : at + 60_000] for at in range(0, size, 60_000)]
    whole = post("/up.asp", body, host=host) if form == "length" else chunked("/up.asp", *pieces, host=host)
    answer = ask(gate.port, whole)
    assert (answer.status, answer.body) == (200, b"POST /up.asp %d" % size)
    assert only(origin) == (b"/up.asp", body)
    assert origin.requests[0].values(b"content-length") == [b"%d" % size]


@pytest.mark.parametrize("host", [IIS5, IIS10])
@pytest.mark.parametrize("form", ["length", "chunks"])
def test_upload_in_crumbs(form: str, host: str, gate: Gate, origin: Origin) -> None:
    body = NOISE[: 300 << 10]
    whole = post("/up.asp", body, host=host) if form == "length" else chunked("/up.asp", body, host=host)
    with Client(gate.port) as client:
        at, chance = 0, random.Random(1)
        while at < len(whole):
            step = chance.choice((1, 1, 7, 1460, 9000))
            client.send(whole[at : at + step])
            at += step
        assert client.answer().status == 200
    assert only(origin) == (b"/up.asp", body)


@pytest.mark.parametrize("host", [IIS5, IIS10])
@pytest.mark.parametrize("form", ["length", "chunks"])
def test_expect_continue(form: str, host: str, gate: Gate, origin: Origin) -> None:
    framing = "Content-Length: 5" if form == "length" else "Transfer-Encoding: chunked"
    with Client(gate.port) as client:
        client.send(get("/up.asp", framing, "Expect: 100-continue", method="POST", host=host))
        assert client.sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert origin.raw == b""
        client.send(b"hello" if form == "length" else b"5\r\nhello\r\n0\r\n\r\n")
        assert client.answer().status == 200
    assert only(origin) == (b"/up.asp", b"hello")
    assert origin.requests[0].values(b"expect") == []


@pytest.mark.parametrize("host", [IIS5, IIS10])
@pytest.mark.parametrize(
    "target",
    [
        "/%95%5C.html",  # 表 in Shift_JIS: its second byte is a backslash
        "/%83%5C%81%5B%83X.html",  # ソース
        "/%89%EF%8C%76/%97%5C%92%E8.asp?%95%5C=%94%5C%97%CD",  # 会計/予定?表=能力
        "/%E4%BC%9A%E8%A8%88.html",  # 会計 in UTF-8
        "/%E8%A1%A8/%E4%BA%88%E5%AE%9A.asp?q=%E3%81%82",
        "/caf%C3%A9.htm",
        "/a%20b%2Dc.htm?x=%2e%2E&y=..%2f",
    ],
)
def test_names(target: str, host: str, gate: Gate, origin: Origin) -> None:
    if host == IIS10 and target.startswith(("/%83", "/%89")):
        host = IIS5
    assert ask(gate.port, get(target, host=host)).status == 200
    assert only(origin) == (target.encode(), b"")


def test_http_1_0(gate: Gate, origin: Origin) -> None:
    with Client(gate.port) as client:
        answer = client.ask(get("/old", version="1.0", host=IIS5))
        assert (answer.status, answer.body) == (200, b"GET /old 0")
        assert client.closed()
    with Client(gate.port) as client:
        for _ in range(3):
            answer = client.ask(get("/old", "Connection: Keep-Alive", version="1.0", host=IIS5))
            assert (answer.status, answer.get(b"connection").lower()) == (200, b"keep-alive")
        assert client.ask(post("/old", b"abc", version="1.0", host=IIS5)).body == b"POST /old 3"
        assert client.closed()


def test_http_1_0_without_host_gets_one(gate: Gate, origin: Origin) -> None:
    assert ask(gate.port, b"GET /old HTTP/1.0\r\n\r\n").status in (200, 404)
    assert all(len(request.values(b"host")) == 1 for request in origin.requests)


def test_connection_close(gate: Gate, origin: Origin) -> None:
    with Client(gate.port) as client:
        assert client.ask(get("/", "Connection: close", host=IIS5)).status == 200
        assert client.closed()


@pytest.mark.parametrize("host", [IIS5, IIS10])
def test_pipelined_with_a_refusal_in_the_middle(host: str, gate: Gate, origin: Origin) -> None:
    requests = [
        get("/1", host=host),
        post("/2", b"two", host=host),
        get("/scripts/r%6fot.exe", host=host),
        get("/%2e%2e/3", host=host),
        chunked("/4", b"fo", b"ur", host=host),
        get("/5", method="HEAD", host=host),
        get("/6", host=host),
    ]
    with Client(gate.port) as client:
        client.send(b"".join(requests))
        answers = [client.answer(request.split(b" ")[0]) for request in requests]
        assert client.ask(get("/7", host=host)).body == b"GET /7 0"
    assert [answer.body for answer in answers if not answer.event] == [
        b"GET /1 0",
        b"POST /2 3",
        b"POST /4 4",
        b"",
        b"GET /6 0",
    ]
    assert [bool(answer.event) for answer in answers] == [False, False, True, True, False, False, False]
    assert sorted(request.target for request in origin.requests) == [b"/1", b"/2", b"/4", b"/5", b"/6", b"/7"]


def test_many_pipelined(gate: Gate, origin: Origin) -> None:
    with Client(gate.port) as client:
        client.send(b"".join(get(f"/{number}", host=IIS10) for number in range(500)))
        assert [client.answer().body for _ in range(500)] == [b"GET /%d 0" % number for number in range(500)]
    assert [request.target for request in origin.requests] == [b"/%d" % number for number in range(500)]


def test_half_closed_client_gets_its_answer(gate: Gate, origin: Origin) -> None:
    with Client(gate.port) as client:
        client.send(get("/last", host=IIS5))
        client.end()
        assert client.answer().body == b"GET /last 0"
        assert client.closed()


def mixed(client: Client, chance: random.Random, name: str) -> bool:
    """One exchange of a random kind; whether the answer is the right one."""
    host = chance.choice((IIS5, IIS10))
    data = chance.randbytes(chance.randrange(1, 400_000))
    kind = chance.randrange(6)
    if kind == 0:
        return client.ask(post(name, data, host=host)).body == b"POST %s %d" % (name.encode(), len(data))
    if kind == 1:
        return client.ask(chunked(name, data, host=host)).body == b"POST %s %d" % (name.encode(), len(data))
    if kind == 2:
        return client.ask(get("/large.bin", host=NGINX)).body == LARGE
    if kind == 3:
        return bool(client.ask(get(f"{name}/cmd.exe", host=host)).event)
    return client.ask(get(name, host=host)).body == b"GET %s 0" % name.encode()


def test_twenty_clients_at_once(gate: Gate, origin: Origin, nginx: Nginx) -> None:
    right: list[str] = []

    def use(number: int) -> None:
        chance = random.Random(number)
        for visit in range(5):
            with Client(gate.port) as client:
                names = [f"/{number}-{visit}-{turn}" for turn in range(5)]
                right.extend(name for name in names if mixed(client, chance, name))

    threads = [threading.Thread(target=use, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(right) == 20 * 5 * 5
    targets = [request.target for request in origin.requests]
    assert len(set(targets)) == len(targets)
    assert not any(b"cmd.exe" in target for target in targets)


# nginx as origin


def test_nginx_pages(gate: Gate, nginx: Nginx) -> None:
    with Client(gate.port) as client:
        assert client.ask(get("/", host=NGINX)).body == b"<p>It works, and nothing came through."
        head = client.ask(get("/", method="HEAD", host=NGINX))
        assert (head.status, head.get(b"content-length"), head.body) == (200, b"38", b"")
        assert client.ask(get("/%95%5C.html", host=NGINX)).body == "<p>表".encode("cp932")
        assert client.ask(get("/%E4%BC%9A%E8%A8%88.html", host=NGINX)).body == "<p>会計".encode()
        assert client.ask(get("/none", host=NGINX)).status == 404
        assert client.ask(get("/empty", host=NGINX)).status == 204
        assert client.ask(get("/moved", host=NGINX)).status == 302
        assert client.ask(get("/large.bin", host=NGINX)).body == LARGE
        part = client.ask(get("/large.bin", "Range: bytes=5-9", host=NGINX))
        assert (part.status, part.body) == (206, LARGE[5:10])
        fresh = client.ask(get("/", f"If-None-Match: {head.get(b'etag').decode()}", host=NGINX))
        assert (fresh.status, fresh.body) == (304, b"")
        assert client.ask(get("/default.asp", host=NGINX)).body == b"<p>Intranet"


@pytest.mark.parametrize(
    "last", [get("/x.ida", host=IIS5), get("/", host=IIS5)[:-2], b"", get("/b", host=IIS5)]
)
def test_who_has_closed_his_half_is_let_go_when_all_is_answered(
    last: bytes, gate: Gate, origin: Origin
) -> None:
    """Whatever stands behind the request in flight: one that is refused, half a one, nothing, another."""
    with Client(gate.port) as client:
        client.send(get("/a", host=IIS5) + last)
        client.end()
        assert client.answer().body == b"GET /a 0"
        if last.endswith(b"\r\n\r\n"):
            assert client.answer().status == (404 if b"ida" in last else 200)
        assert client.closed()


@pytest.mark.parametrize("form", ["length", "chunks", "expect"])
@pytest.mark.parametrize("size", [0, 10, 1 << 20])
def test_nginx_uploads(form: str, size: int, gate: Gate, nginx: Nginx) -> None:
    name = f"/upload/{form}-{size}.bin"
    body = NOISE[:size]
    if form == "chunks":
        whole = chunked(name, *([body] if body else []), method="PUT", host=NGINX)
    else:
        whole = post(name, body, *(["Expect: 100-continue"] * (form == "expect")), method="PUT", host=NGINX)
    assert ask(gate.port, whole).status in (201, 204)
    assert (nginx.folder / "www" / name[1:]).read_bytes() == body


def test_nginx_keeps_connections_only_without_bodies(gate: Gate, nginx: Nginx) -> None:
    """iis5: after a body no connection is used again (design section 4)."""
    with Client(gate.port) as client:
        for number in range(3):
            assert client.ask(get(f"/?{number}", host=NGINX)).status == 200
        assert client.ask(post("/upload/x", b"abc", method="PUT", host=NGINX)).status in (201, 204)
        assert client.ask(get("/?after", host=NGINX)).status == 200
    until(lambda: any("?after" in line for line in nginx.lines))
    place = {line.split(" ")[1]: int(line.split("|")[2]) for line in nginx.lines if "?" in line}
    assert place["/?2"] > place["/?0"]
    upload = next(int(line.split("|")[2]) for line in nginx.lines if " /upload/x " in line)
    assert place["/?after"] != upload + 1
