"""Does a client with its cookie stay at its origin, whatever the gate goes through?

Three origins, two workers; every request comes over a connection of its own unless said otherwise.
"""

import contextlib
import os
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.certificates import self_signed
from tests.e2e.client import Answer, Client, ask, get, post
from tests.e2e.gate import Gate, guarding
from tests.e2e.origins import Origin, running, until

COOKIE = "STOPGAP"


@pytest.fixture
def three() -> Iterator[list[Origin]]:
    with running() as one, running() as two, running() as other:
        yield [one, two, other]


def site(origins: list[Origin]) -> dict[str, object]:
    return {"origins": [origin.url for origin in origins], "sticky": {"cookie": COOKIE}}


def brought(got: Answer) -> str:
    """The pair that an answer brings; "" where it brings none."""
    fields = dict(got.fields)
    if b"set-cookie" not in fields:
        return ""
    pair, _, rest = fields[b"set-cookie"].decode().partition("; ")
    assert rest == "Path=/; HttpOnly" and fields[b"cache-control"] == b"private"
    assert pair.startswith(f"{COOKIE}=") and "127" not in pair
    return pair


def test_the_cookie_is_secure_where_the_client_is(tmp_path: Path, three: list[Origin]) -> None:
    cert, key = self_signed(tmp_path)
    context = ssl.create_default_context(cafile=cert)
    with guarding(tmp_path, site(three), tls={"cert": cert, "key": key}) as gate:
        with Client(gate.port, context) as client:
            brings = dict(client.ask(get("/first")).fields)[b"set-cookie"].decode()
        pair, _, rest = brings.partition("; ")
        assert rest == "Path=/; HttpOnly; Secure"
        home = served(three)
        with Client(gate.port, context) as client:
            assert b"set-cookie" not in dict(client.ask(get("/again", f"Cookie: {pair}")).fields)
        assert served(three) == [2 * count for count in home]


def served(origins: list[Origin]) -> list[int]:
    return [len(origin.requests) for origin in origins]


def restart_workers(gate: Gate) -> None:
    """Kill every worker, and wait for those that follow."""
    before = {worker["pid"] for worker in gate.status["workers"]}
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    until(
        lambda: all(
            worker["pid"] not in before and worker["state"] == "serving" for worker in gate.status["workers"]
        ),
        30,
    )


def test_a_client_stays(tmp_path: Path, three: list[Origin]) -> None:
    """100 requests, with a reload and new workers in between; the origin sees every cookie but the gate's."""
    with guarding(tmp_path, site(three), workers=2) as gate:
        pair = brought(ask(gate.port, get("/first")))
        assert pair
        home = served(three).index(1)
        for number in range(100):
            if number == 40:
                assert gate.admins("/reload", "POST")[0] == 200
            if number == 70:
                restart_workers(gate)
            fields = ('Cookie: a=b;  c = "d"', f"Cookie: e=f; {pair}; ASPSESSIONIDQQ=X; g", f"Cookie: {pair}")
            request = post("/", b"body", *fields) if number % 3 else get("/", *fields)
            got = ask(gate.port, request)
            assert (got.status, brought(got)) == (200, "")
        assert served(three) == [101 if index == home else 0 for index in range(3)]
        cookies = [
            [value for name, value in request.fields if name == b"cookie"]
            for request in three[home].requests[-100:]
        ]
        assert cookies.count([b'a=b;  c = "d"', b"e=f; ASPSESSIONIDQQ=X; g"]) == 100
        assert pair.encode() not in three[home].raw


def test_clients_are_spread_and_move(tmp_path: Path, three: list[Origin]) -> None:
    """Whoever has no cookie, or a forged one, goes to the least busy origin; when it dies, to another one."""
    with contextlib.ExitStack() as mortal:
        origins = [*three[:2], mortal.enter_context(running())]
        with guarding(tmp_path, site(origins), workers=2) as gate:
            with Client(gate.port) as client:
                pairs = [brought(client.ask(get("/"))) for _ in range(30)]
                assert served(origins) == [10, 10, 10] and len(set(pairs)) == 3
                for forged in ("0", "", "1" * 16, "../\\", pairs[0].partition("=")[2] + "x"):
                    assert brought(client.ask(get("/", f"Cookie: {COOKIE}={forged}"))) in pairs
            mortal.close()
            answers = [ask(gate.port, get("/", f"Cookie: {pair}")) for pair in sorted(set(pairs))]
            assert [got.status for got in answers] == [200] * 3
            (moved,) = filter(None, map(brought, answers))
            before = served(three)
            for _ in range(10):
                got = ask(gate.port, get("/", f"Cookie: {moved}"))
                assert moved in pairs and (got.status, brought(got)) == (200, "")
            assert sorted(now - then for now, then in zip(served(three), before, strict=True)) == [0, 0, 10]


def test_with_one_origin_there_is_no_choice(tmp_path: Path, three: list[Origin]) -> None:
    """The cookie is taken out, and none is brought."""
    with guarding(tmp_path, site(three[:1])) as gate, Client(gate.port) as client:
        assert [brought(client.ask(get("/", f"Cookie: {COOKIE}=x"))) for _ in range(2)] == ["", ""]
        assert COOKIE.encode() not in three[0].raw
