"""Which certificate does a client get, which clients get in, and who comes without TLS?

curl is the client where it shows what people meet; the rest is raw sockets.
"""

import ssl
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest

from tests.e2e.certificates import Authority
from tests.e2e.client import Client, Cut, ask, get, post
from tests.e2e.gate import Gate, guarding
from tests.e2e.load import Load
from tests.e2e.origins import Origin, answer, answering, echo

YEAR = 31_536_000
NAMES = {"first": ("one.test", "localhost"), "second": ("two.test",), "third": ("*.three.test", "three.test")}


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority.made(folder / "ca")


@pytest.fixture(scope="module")
def pairs(authority: Authority) -> dict[str, tuple[str, str]]:
    """By name of the certificate, its paths."""
    return {name: authority.issue(name, *(f"DNS:{one}" for one in good)) for name, good in NAMES.items()}


@pytest.fixture(scope="module")
def trust(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority.ca)


def offering(pairs: dict[str, tuple[str, str]], **more: Any) -> dict[str, Any]:
    """The table [tls] with all certificates, the first as the default."""
    (cert, key), *others = pairs.values()
    return {"cert": cert, "key": key, "certificate": [{"cert": c, "key": k} for c, k in others], **more}


@pytest.fixture(scope="module")
def gate(folder: Path, shared: Origin, pairs: dict[str, tuple[str, str]]) -> Iterator[Gate]:
    hosts = ["one.test", "two.test", "*.three.test", "localhost"]
    site = {"hosts": hosts, "origins": shared.url, "packs": ["code-red"], "hsts": YEAR}
    tls = offering(pairs, redirect=["127.0.0.1:0"])
    with guarding(folder / "gate", site, tls=tls, workers=2) as running:
        yield running


def curl(*arguments: str) -> str:
    done = subprocess.run(
        ["curl", "-sS", "-m", "30", *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def shown(port: int, trust: ssl.SSLContext, name: str | None) -> str:
    """Common name of the certificate that a client gets, whatever it thinks of it."""
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.load_verify_locations(cadata="".join(map(ssl.DER_cert_to_PEM_cert, trust.get_ca_certs(True))))
    blind.check_hostname = False
    with Client(port, blind, name=name) as client:
        assert isinstance(client.sock, ssl.SSLSocket)
        subject: Any = (client.sock.getpeercert() or {})["subject"]
        return str(subject[0][0][1])


@pytest.mark.parametrize(
    ("name", "certificate"),
    [
        ("one.test", "first"),
        ("two.test", "second"),
        ("TWO.test", "second"),
        ("a.three.test", "third"),
        ("three.test", "third"),
        ("a.b.three.test", "first"),
        ("unknown.test", "first"),
        (None, "first"),
    ],
)
def test_the_certificate_for_the_name(
    gate: Gate, trust: ssl.SSLContext, name: str | None, certificate: str
) -> None:
    assert shown(gate.port, trust, name) == certificate


@pytest.mark.parametrize("host", ["one.test", "two.test", "a.three.test"])
def test_curl_is_content(gate: Gate, authority: Authority, host: str) -> None:
    there = f"{host}:{gate.port}:127.0.0.1"
    said = curl("-i", "--cacert", authority.ca, "--resolve", there, f"https://{host}:{gate.port}/a")
    assert said.startswith("HTTP/1.1 200 ")
    assert said.endswith("GET /a 0")
    assert said.count(f"\nStrict-Transport-Security: max-age={YEAR}\n") == 1


def test_curl_is_sent_to_tls(gate: Gate, authority: Authority) -> None:
    there = [f"one.test:{port}:127.0.0.1" for port in (gate.plain, gate.port)]
    resolve = [part for one in there for part in ("--resolve", one)]
    url = f"http://one.test:{gate.plain}/a/%41?x=%0d%0aSet-Cookie:y"
    said = curl("-i", "-L", "--cacert", authority.ca, *resolve, url)
    assert f"\nLocation: https://one.test:{gate.port}/a/%41?x=%0d%0aSet-Cookie:y\n" in said
    assert said.startswith("HTTP/1.1 301 ")
    assert said.endswith("GET /a/%41?x=%0d%0aSet-Cookie:y 0")
    plain = curl("-i", *resolve, url)
    assert "Strict-Transport" not in plain and "Set-Cookie: " not in plain


def test_without_tls_nothing_reaches_an_origin(gate: Gate, origin: Origin) -> None:
    with Client(gate.plain) as client:
        client.send(
            get("/1", host="one.test") + get("/2?q", host="TWO.test:80") + get("/x.ida", host="one.test")
        )
        first, second, third = (client.answer() for _ in range(3))
        assert (first.status, first.get(b"location")) == (301, b"https://one.test:%d/1" % gate.port)
        assert (second.status, second.get(b"location")) == (301, b"https://TWO.test:%d/2?q" % gate.port)
        assert (third.status, gate.event(third.event)["rule.id"]) == (404, "ida-idq")
        unknown = client.ask(get("/", host="evil.test"))
        assert (unknown.status, gate.event(unknown.event)["stopgap.reason"]) == (404, "unknown-host")
        posted = client.ask(post("/p", b"x" * 100_000, host="one.test"))
        assert (posted.status, posted.get(b"connection")) == (308, b"close")
        assert client.closed()
    nameless = ask(gate.plain, b"GET / HTTP/1.0\r\n\r\n")
    assert (nameless.status, gate.event(nameless.event)["stopgap.reason"]) == (400, "missing-host")
    assert origin.raw == b""


@pytest.mark.parametrize("bad", [b"/\r\nX: y", b"/a\nb", b"/a b", b"/\x00", b"/\x7f", b"/\x1b"])
def test_no_line_is_smuggled_into_a_redirect(gate: Gate, bad: bytes) -> None:
    with Client(gate.plain) as client:
        client.send(get(bad, host="one.test"))
        assert client.answer().status == 400
    with Client(gate.plain) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: one.test" + bad[1:] + b"\r\n\r\n")
        got = client.answer()
        assert got.status == 400 or got.get(b"location") == b"https://one.test:%d/" % gate.port


def test_hsts_is_the_sites_own_and_on_refusals_too(gate: Gate, trust: ssl.SSLContext, origin: Origin) -> None:
    origin.script = answering(lambda request: answer(b"", "strict-transport-security: max-age=1"))
    with Client(gate.port, trust) as client:
        got = client.ask(get("/", host="one.test"))
        assert [value for name, value in got.fields if name == b"strict-transport-security"] == [
            b"max-age=%d" % YEAR
        ]
        refused = client.ask(get("/x.ida", host="one.test"))
        assert (refused.status, refused.get(b"strict-transport-security")) == (404, b"max-age=%d" % YEAR)
    origin.script = answering(echo)


@pytest.fixture(scope="module")
def guests(authority: Authority, folder: Path) -> dict[str, tuple[str, str]]:
    """Clients: one of ours, one of an authority that nobody knows, one whose time is over."""
    stranger = Authority.made(folder / "stranger")
    return {
        "ours": authority.issue("ours"),
        "stranger": stranger.issue("theirs"),
        "expired": authority.issue("late", days=-1),
    }


def as_client(authority: Authority, pair: tuple[str, str] | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority.ca)
    if pair:
        context.load_cert_chain(*pair)
    return context


def gets_in(port: int, context: ssl.SSLContext) -> bool:
    try:
        with Client(port, context) as client:
            return client.ask(get("/", host="localhost")).status == 200
    except (OSError, Cut):
        return False


@pytest.mark.parametrize(("how", "alone"), [("require", False), ("request", True)])
def test_certificates_of_clients(
    tmp_path: Path,
    shared: Origin,
    authority: Authority,
    pairs: dict[str, tuple[str, str]],
    guests: dict[str, tuple[str, str]],
    how: str,
    alone: bool,
) -> None:
    tls = offering(pairs, client_ca=authority.ca, client_auth=how)
    with guarding(tmp_path / "gate", {"origins": shared.url}, tls=tls) as gate:
        let_in = {name: gets_in(gate.port, as_client(authority, pair)) for name, pair in guests.items()}
        assert let_in == {"ours": True, "stranger": False, "expired": False}
        assert gets_in(gate.port, as_client(authority, None)) is alone


def test_old_clients_where_they_are_let_in(
    tmp_path: Path, shared: Origin, authority: Authority, pairs: dict[str, tuple[str, str]]
) -> None:
    old = ssl.create_default_context(cafile=authority.ca)
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1
    with guarding(tmp_path / "gate", {"origins": shared.url}, tls=offering(pairs, minimum="1.0")) as gate:
        assert 'tls.minimum = "1.0": nothing before TLS 1.2 is secure' in gate.said
        with Client(gate.port, old) as client:
            assert isinstance(client.sock, ssl.SSLSocket)
            assert client.sock.version() == "TLSv1"
            assert client.ask(get("/")).status == 200


def test_certificates_change_under_load(
    tmp_path: Path, shared: Origin, authority: Authority, trust: ssl.SSLContext
) -> None:
    made = [authority.issue(name, "DNS:localhost") for name in ("old", "new", "newest")]
    names = ("cert.pem", "key.pem")

    def install(pair: tuple[str, str]) -> None:
        for source, name in zip(pair, names, strict=True):
            copyfile(source, tmp_path / name)

    install(made[0])
    tls = {"cert": str(tmp_path / names[0]), "key": str(tmp_path / names[1])}
    with guarding(tmp_path / "gate", {"origins": shared.url}, tls=tls, workers=2) as gate:
        with (
            Client(gate.port, trust) as first,
            Load(gate.port, 4, tls=trust) as kept,
            Load(gate.port, 4, close_every=3, tls=trust) as fresh,
        ):
            assert first.ask(get("/before")).status == 200
            seen = [shown(gate.port, trust, "localhost")]
            for pair in (made[1], made[2], made[0], made[1]):
                install(pair)
                assert gate.admins("/reload", "POST")[0] == 200
                seen.append(shown(gate.port, trust, "localhost"))
            (tmp_path / names[0]).write_text("not PEM")
            status, why = gate.admins("/reload", "POST")
            assert (status, "tls.cert: " in why) == (409, True)
            seen.append(shown(gate.port, trust, "localhost"))
            assert first.ask(get("/after")).status == 200
        assert seen == ["old", "new", "newest", "old", "new", "new"]
        assert (kept.wrong, kept.broken, fresh.wrong, fresh.broken) == ([], [], [], [])
        assert min(kept.answered, fresh.answered) > 10
