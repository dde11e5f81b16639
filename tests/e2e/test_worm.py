"""Does Code Red, or any worm of its time, get one byte to the server, in whatever way it is spelled?

Real requests over real sockets, in front of an origin that records and in front of nginx. The spellings are
those that some IIS would read as `.ida`, `.idq`, `cmd.exe` or `root.exe`, as the oracle says: every one that
takes one operator, and as many compositions of two to four as STOPGAP_SPELLINGS says (400).
"""

import itertools
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from stopgap import _core
from tests.e2e.client import Client, ask, get
from tests.e2e.gate import Gate, serving
from tests.e2e.nginx import Nginx
from tests.e2e.origins import Origin, until
from tests.oracle.model import SERVERS
from tests.oracle.spellings import OPERATORS, Resource, compose, reaching

SAMPLE = int(os.environ.get("STOPGAP_SPELLINGS", "400"))
PAGES = (1252, 932)

N, X = b"N" * 224, b"X" * 224
TAIL = (
    b"%u9090%u6858%ucbd3%u7801%u9090%u6858%ucbd3%u7801%u9090%u6858%ucbd3%u7801%u9090%u9090%u8190%u00c3"
    b"%u0003%u8b00%u531b%u53ff%u0078%u0000%u00=a"
)
CODE_RED = (
    b"GET /default.ida?"
    + N
    + TAIL
    + b"  HTTP/1.0\r\nContent-type: text/xml\nHOST:www.worm.com\n Accept: */*\n"
    + b"Content-length: 3569 \r\n\r\n"
    + bytes(range(256)) * 13
    + b"\x90" * 241
)
"""As it came over the wire: bare line feeds, a folded field, a GET with a body."""
CLEAN_RED = (
    b"GET /default.ida?"
    + X
    + TAIL
    + b" HTTP/1.0\r\nContent-type: text/xml\r\nContent-length: 3379\r\n\r\n"
    + b"\xc8" * 3379
)
"""Code Red II with a head that keeps the grammar."""

ATTACKS = {
    "code-red": CODE_RED,
    "code-red-2": CLEAN_RED,
    "code-red without a body": get(b"/default.ida?" + N + TAIL, version="1.0"),
    "code-red in HTTP/1.1": get(b"/default.ida?" + N + TAIL),
    "double escape": get("/x.%2569da"),
    "overlong, backslash, path-info": get("/a%c0%af..%5cx.IDQ/p.gif"),
    "no version": b"GET /default.ida?" + N + b"\r\n",
    "no version, no name": b"GET /\r\n\r\n",
    "search": b"SEARCH /" + b"\xb1\x02" * (16 << 10) + b" HTTP/1.1\r\nHost: intranet.test\r\n\r\n",
    "percent-u": get("/x.%u0069da"),
    "full width": get("/x.%uff49%uff44%uff41"),
    "absolute form": get("http://intranet.test/default.ida?NNNN"),
    "stream": get("/default.ida::$DATA"),
    "nul": get("/default.ida%00.gif"),
    "head": get("/default.ida", method="HEAD"),
    "hidden behind a length": (
        b"POST /form.asp HTTP/1.1\r\nHost: intranet.test\r\nContent-Length: 4\r\nContent-Length: 60\r\n\r\n"
        b"a=bcGET /default.ida HTTP/1.1\r\nHost: intranet.test\r\n\r\n"
    ),
    "hidden behind chunks": (
        b"POST /form.asp HTTP/1.1\r\nHost: intranet.test\r\n"
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\n\r\nGET /default.ida HTTP/1.1\r\nHost: intranet.test\r\n\r\n"
    ),
}
NIMDA = (
    *("/scripts/root.exe", "/MSADC/root.exe", "/c/winnt/system32/cmd.exe", "/d/winnt/system32/cmd.exe"),
    "/scripts/..%255c../winnt/system32/cmd.exe",
    "/_vti_bin/..%255c../..%255c../..%255c../winnt/system32/cmd.exe",
    "/_mem_bin/..%255c../..%255c../..%255c../winnt/system32/cmd.exe",
    "/msadc/..%255c../..%255c../..%255c/..%c1%1c../..%c1%1c../..%c1%1c../winnt/system32/cmd.exe",
    *(
        f"/scripts/..{form}../winnt/system32/cmd.exe"
        for form in ("%c1%1c", "%c0%2f", "%c0%af", "%c1%9c", "%%35%63", "%%35c", "%25%35%63", "%252f")
    ),
)
GUARDED = {
    b"/default.ida": Resource("extension", "ida"),
    b"/scripts/x.idq": Resource("extension", "idq"),
    b"/scripts/root.exe": Resource("segment", "root.exe"),
    b"/scripts/../../winnt/system32/cmd.exe": Resource("segment", "cmd.exe"),
}
MARK = get("/mark.htm")


@pytest.fixture(scope="module")
def gate(folder: Path, shared: Origin) -> Iterator[Gate]:
    with serving(folder / "recorded", "--origin", shared.url) as running:
        yield running


def refused(port: int, request: bytes) -> str:
    """Send a request that must not pass; the id of its event."""
    with Client(port) as client:
        client.send(request)
        answer = client.answer(request.split(b" ")[0])
    assert 400 <= answer.status < 600, answer
    assert answer.event, answer
    return answer.event


def nothing_but_the_mark(gate: Gate, origin: Origin) -> None:
    assert ask(gate.port, MARK).status == 200
    assert [request.target for request in origin.requests] == [b"/mark.htm"]
    assert origin.raw == origin.requests[0].raw


@pytest.mark.parametrize("name", ATTACKS)
def test_attack(name: str, gate: Gate, origin: Origin) -> None:
    refused(gate.port, ATTACKS[name])
    nothing_but_the_mark(gate, origin)


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_byte_by_byte_behind_a_good_request(name: str, gate: Gate, origin: Origin) -> None:
    with Client(gate.port) as client:
        assert client.ask(MARK).status == 200
        for at in range(min(len(ATTACKS[name]), 700)):
            client.send(ATTACKS[name][at : at + 1])
        client.send(ATTACKS[name][700:])
        assert client.answer(ATTACKS[name].split(b" ")[0]).event
    assert [request.target for request in origin.requests] == [b"/mark.htm"]
    assert origin.raw == origin.requests[0].raw


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_nimda(version: str, gate: Gate, origin: Origin) -> None:
    events = [refused(gate.port, get(f"{path}?/c+dir", version=version)) for path in NIMDA]
    nothing_but_the_mark(gate, origin)
    assert len(events) == 16


def test_nimda_has_its_name_in_the_events(gate: Gate, origin: Origin) -> None:
    event = gate.event(refused(gate.port, get(f"{NIMDA[0]}?/c+dir")))
    assert event["rule.id"] == "nimda-probe"


def test_code_red_has_its_name_in_the_events(gate: Gate, origin: Origin) -> None:
    event = gate.event(refused(gate.port, ATTACKS["code-red in HTTP/1.1"]))
    assert event["rule.id"] == "code-red-1"
    assert event["url.original"].startswith("/default.ida?NNNN")


def test_nginx_sees_nothing(tmp_path: Path, nginx: Nginx) -> None:
    with serving(tmp_path / "nginx", "--origin", nginx.url, "--server", "iis5", "--codepage", "932") as gate:
        before = len(nginx.lines)
        for request in [*ATTACKS.values(), *(get(f"{path}?/c+dir", version="1.0") for path in NIMDA)]:
            refused(gate.port, request)
        assert ask(gate.port, get("/")).body == b"<p>It works, and nothing came through."
        until(lambda: len(nginx.lines) > before)  # it writes a line after the answer
        assert [line.split("|")[0] for line in nginx.lines[before:]] == ["GET / HTTP/1.1"]


def works(target: bytes, resource: Resource) -> bool:
    """Whether some server would be reached; a space would end the target on the wire."""
    where = itertools.product(SERVERS, PAGES)
    return b" " not in target and any(any(reaching(target, resource, server, page)) for server, page in where)


def spellings() -> Iterator[bytes]:
    """Every spelling by one operator of what is guarded."""
    for start, resource in GUARDED.items():
        for operator in OPERATORS.values():
            yield from (target for target in operator.spell(start) if works(target, resource))


def compositions() -> Iterator[bytes]:
    """Spellings of spellings, the same at each run."""
    chance = random.Random(0)
    names = sorted(OPERATORS)
    while True:
        start, resource = chance.choice(list(GUARDED.items()))
        target = compose(start, chance.sample(names, chance.randint(2, 4)), chance.randrange)
        if target is not None and works(target, resource):
            yield target


def test_no_spelling_gets_through(gate: Gate, origin: Origin) -> None:
    sent = {*spellings(), *itertools.islice(compositions(), SAMPLE)}
    assert len(sent) > 3000
    through = []
    with Client(gate.port) as first:
        client = first
        for target in sent:
            answer = client.ask(get(target).replace(b"intranet.test", b"vector.test"))
            if not answer.event:
                through.append(target)
            if answer.get(b"connection") == b"close":
                client.sock.close()
                client = Client(gate.port)
        client.sock.close()
    assert through == []
    nothing_but_the_mark(gate, origin)


def test_every_reason_that_refuses_is_one_of_the_table(gate: Gate) -> None:
    known = {name for name, tier, *_ in _core.reasons() if tier != "failed"}
    assert gate.events and {event["stopgap.reason"] for event in gate.events} <= known
