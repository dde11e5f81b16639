"""Does HTTP/2 through nginx or HAProxy before the gate weaken it, or harm anybody?

curl and h2load speak HTTP/2 to the front, which speaks HTTP/1.1 to the gate. What the front itself makes of
a target is seen without a gate: the recording origin stands in its place.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.fronts import FRONTS, standing
from tests.e2e.gate import Gate, guarding
from tests.e2e.origins import Origin

SPELLINGS = (
    *("/x.%2561sp", "/a//b.asp", "//a", "/a/../b.asp", "/a/./b.asp", "/a%5cb", "/a%5c..%5cb", "/%2e%2e/b"),
    *("/a%2fb", "/..%c0%af../b", "/%u0061", "/a;b=c", "/a%2500.gif", "/?a=%2561&b=//", "/a%20b", "/~a+b"),
    *("/%93%FA%96%7B.asp", "/%E4%BC%9A.asp", "/../../b", "/a%00b"),
)
ATTACKS = (
    "/default.ida?NNNNNNNN%u9090=a",
    "/x.%2569da",
    "/scripts/..%255c../winnt/system32/cmd.exe?/c+dir",
    "/scripts/..%c0%af../winnt/system32/cmd.exe?/c+dir",
    "/a//..%5cx.idq",
)
REFUSED_BY = {
    "nginx": ["/%2e%2e/b", "/%u0061", "/../../b", "/a%00b"],
    "haproxy": [],
}
"""What the front refuses itself."""


@pytest.fixture(scope="module", params=FRONTS)
def front(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def bare(front: str, folder: Path, shared: Origin, certificate: tuple[str, str]) -> Iterator[int]:
    """A front with the recording origin in the gate's place."""
    with standing(front, folder / f"{front}-bare", shared.port, certificate) as port:
        yield port


@pytest.fixture(scope="module")
def gate(front: str, folder: Path, shared: Origin) -> Iterator[Gate]:
    site = {"origins": shared.url, "server": "iis5", "packs": ["code-red", "iis-traversal", "iis-isapi"]}
    with guarding(folder / f"{front}-gate", site, trusted=["127.0.0.1"]) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(front: str, gate: Gate, folder: Path, certificate: tuple[str, str]) -> Iterator[int]:
    with standing(front, folder / f"{front}-guarded", gate.port, certificate) as port:
        yield port


def curl(
    port: int, target: str, *flags: str, body: str = "", client: str = "127.5.5.5"
) -> tuple[str, int, str]:
    """Version, status and event of an answer over HTTP/2."""
    command = ["curl", "--http2", "-sk", "--path-as-is", "-o", "/dev/null", "--interface", client, *flags]
    told = "%{http_version} %{http_code} %header{x-stopgap-event}"
    done = subprocess.run(
        [*command, "-w", told, f"https://127.0.0.1:{port}{target}"],
        input=body,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    version, status, event = done.stdout.split(" ")
    return version, int(status), event


def test_targets_arrive_as_sent_or_not_at_all(front: str, bare: int, origin: Origin) -> None:
    kept_out = []
    for target in SPELLINGS:
        before = len(origin.requests)
        version, status, _ = curl(bare, target)
        assert version == "2"
        came = [request.target.decode() for request in origin.requests[before:]]
        assert came == ([target] if status == 200 else []), target
        assert came or 400 <= status < 500, (target, status)
        if not came:
            kept_out.append(target)
    assert kept_out == REFUSED_BY[front]


@pytest.mark.parametrize("target", ATTACKS)
def test_attacks_are_refused_and_the_event_names_the_client(
    target: str, guarded: int, gate: Gate, origin: Origin
) -> None:
    client = f"127.5.6.{ATTACKS.index(target) + 1}"  # one who repeats itself has one event
    version, status, number = curl(guarded, target, "-H", "X-Forwarded-For: 192.0.2.66", client=client)
    assert version == "2" and 400 <= status < 500
    assert origin.requests == []
    event = gate.event(number)
    assert (event["source.ip"], event["url.original"].split("?")[0]) == (client, target.split("?")[0])


def test_honest_requests_pass(guarded: int, origin: Origin) -> None:
    assert curl(guarded, "/kaikei/list.asp?nendo=2001") == ("2", 200, "")
    assert curl(guarded, "/form.asp", "--data-binary", "@-", body="a=b&" * 50_000) == ("2", 200, "")
    first, second = origin.requests
    assert first.values(b"x-forwarded-proto") == [b"https"]
    assert second.body == b"a=b&" * 50_000


def test_many_streams_at_once(guarded: int, origin: Origin) -> None:
    done = subprocess.run(
        ["h2load", "-n", "1000", "-c", "4", "-m", "20", f"https://127.0.0.1:{guarded}/kaikei/list.asp"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert re.search(r"Application protocol: h2", done.stdout), done.stdout
    assert "1000 succeeded, 0 failed, 0 errored, 0 timeout" in done.stdout, done.stdout
    assert "status codes: 1000 2xx" in done.stdout, done.stdout
    assert len(origin.requests) == 1000
