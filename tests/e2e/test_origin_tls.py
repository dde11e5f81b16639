"""Is TLS to an origin checked as configured, and does the status say why a handshake can't work?"""

import ssl
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.certificates import Authority, fingerprint, self_signed
from tests.e2e.client import Client, ask, get, post
from tests.e2e.gate import Gate, guarding
from tests.e2e.origins import Peer, answer, free_port, running, until

GOOD = ("DNS:localhost", "IP:127.0.0.1")


def speaking(
    pair: tuple[str, str], client_ca: str = "", most: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> ssl.SSLContext:
    """The context of a server of any age: the newest version that it speaks is `most`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, most
    context.load_cert_chain(*pair)
    if client_ca:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def no_tls(peer: Peer) -> None:
    """A server without TLS does not wait for the end of what is no request."""
    peer.more()
    peer.send(answer(b"", status="400 Bad Request"))


class Town:
    """The origins and certificates of this file, and the sites before them."""

    def __init__(self, folder: Path, opened: ExitStack) -> None:
        folder.mkdir()
        self.ours = Authority.made(folder / "ours")
        self.other = Authority.made(folder / "other")
        issue = self.ours.issue
        self.pairs = {
            "good": issue("good", *GOOD),
            "expired": issue("expired", *GOOD, days=-1),
            "named": issue("named", "DNS:other.test"),
            "weak": issue("weak", *GOOD, key=("-newkey", "rsa:1024", "-nodes")),
            "client": issue("client"),
            "stranger": self.other.issue("stranger"),
            "self": self_signed(folder),
        }
        good, v1, v1_2 = self.pairs["good"], ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_2
        contexts = {
            **{name: speaking(self.pairs[name]) for name in ("good", "expired", "named", "weak", "self")},
            "old": speaking(good, most=v1),
            "asks": speaking(good, self.ours.ca),
            "asks12": speaking(good, self.ours.ca, v1_2),
        }
        self.origins = {name: opened.enter_context(running(tls=tls)) for name, tls in contexts.items()}
        self.plain = opened.enter_context(running(no_tls))

    def site(self, host: str, origin: str, **spoken: Any) -> dict[str, Any]:
        """A site before one of the origins; what is not said of TLS is said by leaving it out."""
        if origin == "plain":
            url = self.plain.url.replace("http:", "https:")
        else:
            url = f"https://127.0.0.1:{free_port()}" if origin == "nobody" else self.origins[origin].url
        site: dict[str, Any] = {"hosts": [f"{host}.test"], "origins": url}
        return {**site, "origin_tls": spoken} if spoken else site

    def sites(self) -> list[dict[str, Any]]:
        ca = {"ca": self.ours.ca}
        mine, theirs = (
            {"cert": pair[0], "key": pair[1]} for pair in (self.pairs["client"], self.pairs["stranger"])
        )
        site = self.site
        return [
            site("good", "good", **ca),
            site("localhost", "good", **ca, name="localhost"),
            site("system", "good"),
            site("wrong-ca", "good", ca=self.other.ca),
            site("unverified", "self", verify=False),
            site("self", "self"),
            site("self-ca", "self", ca=self.pairs["self"][0], name="localhost"),
            site("leaf-ca", "good", ca=self.pairs["good"][0]),
            site("expired", "expired", **ca),
            site("expired-pinned", "expired", fingerprint=fingerprint(self.pairs["expired"][0])),
            site("pinned-two", "good", fingerprint=["00" * 32, fingerprint(self.pairs["good"][0])]),
            site("other-pin", "good", fingerprint="00" * 32),
            site("wrong-name", "named", **ca),
            site("right-name", "named", **ca, name="other.test"),
            site("weak", "weak", **ca),
            site("weak-old", "weak", **ca, minimum="1.0"),
            site("old", "old", **ca),
            site("old-allowed", "old", **ca, minimum="1.0"),
            site("asks", "asks", **ca),
            site("asks-mine", "asks", **ca, **mine),
            site("asks-theirs", "asks", **ca, **theirs),
            site("asks12", "asks12", **ca),
            site("asks12-mine", "asks12", **ca, **mine),
            site("plain", "plain", **ca),
            site("nobody", "nobody"),
        ]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with ExitStack() as opened:
        yield Town(tmp_path_factory.mktemp("tls") / "town", opened)


@pytest.fixture(scope="module")
def gate(folder: Path, town: Town) -> Iterator[Gate]:
    with guarding(folder / "gate", *town.sites()) as running_gate:
        yield running_gate


WORKS = (
    "good",
    "localhost",
    "unverified",
    "self-ca",
    "leaf-ca",
    "expired-pinned",
    "pinned-two",
    "right-name",
    "weak-old",
    "old-allowed",
    "asks-mine",
    "asks12-mine",
)
CANNOT = {
    "system": "its certificate comes from a CA that is not known here; name the CA in ca",
    "wrong-ca": "its certificate comes from a CA that is not known here; name the CA in ca",
    "self": "its certificate signs itself; name its file in ca, or give its fingerprint",
    "expired": "its certificate has expired; renew it, or pin it by its fingerprint",
    "other-pin": "its certificate has another fingerprint: ",
    "wrong-name": 'its certificate is not for "127.0.0.1"; set name to one that it is for',
    "weak": "its certificate is too weak for today's TLS",
    "old": 'it speaks nothing as new as TLS 1.2; set minimum = "1.0"',
    "asks": "it wants a client certificate; give cert and key",
    "asks-theirs": "it refuses our client certificate (TLSV1_ALERT_UNKNOWN_CA); see cert and key",
    "asks12": "wants a client certificate (cert and key)",
    "plain": "it answers without TLS; write http:// instead of https://",
}


@pytest.mark.parametrize("host", WORKS)
def test_a_handshake_that_works(gate: Gate, host: str) -> None:
    got = ask(gate.port, get("/a", host=f"{host}.test"))
    assert (got.status, got.body) == (200, b"GET /a 0")


def test_a_handshake_that_cannot_work(gate: Gate) -> None:
    answers = {host: ask(gate.port, get("/a", host=f"{host}.test")) for host in CANNOT}
    reasons = {host: gate.event(got.event)["stopgap.reason"] for host, got in answers.items()}
    assert {host: got.status for host, got in answers.items()} == dict.fromkeys(CANNOT, 502)
    assert reasons == dict.fromkeys(CANNOT, "origin-tls")
    said: dict[str, str] = {}

    def told() -> bool:
        hosts = {site["hosts"][0].removesuffix(".test"): site["origins"][0] for site in gate.status["sites"]}
        said.update((host, hosts[host]["error"]) for host in CANNOT)
        return all(said.values())

    until(told, 20)
    assert {host: why for host, why in CANNOT.items() if why not in said[host]} == {}, said
    key = ("stopgap_origin_errors_total", town_url(gate, "old"), "origin-tls")
    until(lambda: gate.counts()[key] == 1)  # a worker writes it to the board twice a second


def town_url(gate: Gate, host: str) -> str:
    """The origin of a site, as metrics call it."""
    urls = {site["hosts"][0]: site["origins"][0]["url"] for site in gate.status["sites"]}
    return str(urls[f"{host}.test"])


def test_nobody_is_there(gate: Gate) -> None:
    got = ask(gate.port, get("/a", host="nobody.test"))
    assert (got.status, gate.event(got.event)["stopgap.reason"]) == (502, "origin-refused")


def test_one_handshake_serves_many_requests(gate: Gate, town: Town) -> None:
    origin = town.origins["good"]
    before = len(origin.peers)
    with Client(gate.port) as client:
        for number in range(50):
            assert client.ask(get(f"/{number}", host="localhost.test")).status == 200
        assert client.ask(post("/up", b"x" * 300_000, host="localhost.test")).body == b"POST /up 300000"
    assert len(origin.peers) - before <= 2  # iis4 and 5 are never asked again after a body


def test_the_clients_connection_outlives_a_failed_handshake(gate: Gate) -> None:
    with Client(gate.port) as client:
        for host, status in (("old", 502), ("good", 200), ("asks", 502), ("good", 200)):
            assert client.ask(get("/", host=f"{host}.test")).status == status


def test_an_origin_that_says_nothing_is_left_and_keeps_no_connection(tmp_path: Path) -> None:
    left: list[bool] = []

    def silent(peer: Peer) -> None:
        while peer.more():
            pass
        left.append(True)

    with running(silent) as origin:
        url = origin.url.replace("http:", "https:")
        with guarding(tmp_path / "gate", {"origins": url, "deadlines": {"connect": 1}}) as gate:
            got = ask(gate.port, get("/"))
            assert (got.status, gate.event(got.event)["stopgap.reason"]) == (504, "origin-connect-timeout")
            until(lambda: left)


def test_reload(tmp_path: Path, town: Town) -> None:
    ca, ours, other = (tmp_path / "ca.pem", *(Path(one.ca).read_text() for one in (town.ours, town.other)))
    ca.write_text(ours)
    with (
        guarding(tmp_path / "gate", town.site("one", "good", ca=str(ca))) as gate,
        Client(gate.port) as client,
    ):
        said = [client.ask(get("/", host="one.test")).status]
        ca.write_text("not PEM")
        status, why = gate.admins("/reload", "POST")
        assert (status, "site.origin_tls: " in why or "site.origin_tls.ca: " in why) == (409, True), why
        assert "holds no certificate in PEM" in why
        said.append(client.ask(get("/", host="one.test")).status)
        for text in (other, ours):
            ca.write_text(text)
            assert gate.admins("/reload", "POST")[0] == 200
            said.append(client.ask(get("/", host="one.test")).status)
        assert said == [200, 200, 502, 200]
