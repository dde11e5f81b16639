"""Does an answer give away which server stands behind the gate, and on which address?

KB218180, CVE-2000-0649, CVE-2002-0422 and CVE-2002-0419: old servers put their own address in Location,
Content-Location and the realm of Basic. A site that asks for it gets answers without.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.client import Answer, ask, get
from tests.e2e.gate import Gate, guarding
from tests.e2e.origins import Origin, answering

SCRUBBED, USUAL = "scrubbed.test", "usual.test"
BANNERS = (
    "Server: Microsoft-IIS/5.0",
    "X-Powered-By: ASP.NET",
    "X-AspNet-Version: 1.1.4322",
    "MicrosoftOfficeWebServer: 5.0_Pub",
    "MicrosoftSharePointTeamServices: 6.0.2.5530",
)
FIELDS = {  # what the origin says, what the client of a site that scrubs gets
    "Location: http://10.1.2.3/login.asp?a=b": "/login.asp?a=b",
    "Location: http://127.0.0.1:8000/x": "/x",
    "Location: https://192.168.0.9/x": "https://scrubbed.test/x",
    "Content-Location: http://172.16.0.1/Default.htm": "/Default.htm",
    "Location: http://www.example.jp/10.1.2.3": "http://www.example.jp/10.1.2.3",
    "Location: /already/relative": "/already/relative",
    'WWW-Authenticate: Basic realm="10.1.2.3"': 'Basic realm="scrubbed.test"',
    "WWW-Authenticate: NTLM TlRMTVNTUAACAAAA": "NTLM TlRMTVNTUAACAAAA",
    "WWW-Authenticate: Negotiate": "Negotiate",
    'WWW-Authenticate: Digest realm="10.1.2.3", nonce="a"': 'Digest realm="10.1.2.3", nonce="a"',
}


@pytest.fixture(scope="module")
def gate(folder: Path, shared: Origin) -> Iterator[Gate]:
    sites = (
        {"hosts": [SCRUBBED], "origins": shared.url, "scrub": {"server": True, "addresses": True}},
        {"hosts": [USUAL], "origins": shared.url},
    )
    with guarding(folder / "gate", *sites) as running:
        yield running


def answered(gate: Gate, origin: Origin, host: str, *fields: str) -> Answer:
    said = "\r\n".join(["HTTP/1.1 302 Moved", *fields, "Content-Length: 2"]).encode() + b"\r\n\r\nok"
    origin.script = answering(lambda _: said)
    got = ask(gate.port, get("/a/b/c", host=host))
    assert (got.status, got.body) == (302, b"ok")
    return got


@pytest.mark.parametrize("field", FIELDS)
def test_v_ipleak_addresses_of_the_network_behind(field: str, gate: Gate, origin: Origin) -> None:
    name, _, value = field.partition(": ")
    key = name.lower().encode()
    around = ("X-Before: 10.1.2.3", field, "X-After: 10.1.2.3")
    got = answered(gate, origin, SCRUBBED, *around)
    assert got.get(key) == FIELDS[field].encode()
    assert (got.get(b"x-before"), got.get(b"x-after")) == (b"10.1.2.3", b"10.1.2.3")
    assert answered(gate, origin, USUAL, *around).get(key) == value.encode()


def test_the_origins_own_port(gate: Gate, origin: Origin) -> None:
    got = answered(gate, origin, SCRUBBED, f"Location: {origin.url}/x")
    assert got.get(b"location") == b"/x"


def test_banners(gate: Gate, origin: Origin) -> None:
    names = {line.partition(":")[0].lower().encode() for line in BANNERS}
    got = answered(gate, origin, SCRUBBED, "X-Before: 1", *BANNERS, "X-After: 2")
    assert not names & {name for name, _ in got.fields}
    assert (got.get(b"x-before"), got.get(b"x-after")) == (b"1", b"2")
    got = answered(gate, origin, USUAL, *BANNERS)
    assert names <= {name for name, _ in got.fields}
