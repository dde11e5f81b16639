"""Is each key of the TLS tables checked, and does an error say what would be right?"""

from pathlib import Path
from typing import Any

import pytest

from stopgap.config import Address, Certificate, OriginTls, load, tls
from stopgap.config.checks import At
from stopgap.config.model import OriginTlsText, TlsText
from stopgap.errors import ConfigError, InputError
from stopgap.tomlfile import parse

AT = At(parse("a.toml", b"key = 1\n"), ("key",))
SECURE = (Address("192.0.2.1", 443, tls=True),)
PRINT = "ab" * 32


def origin(**said: Any) -> OriginTls:
    return tls.origin(OriginTlsText(**said), SECURE, AT)


def test_files_must_be_readable(tmp_path: Path) -> None:
    cert = tmp_path / "c.pem"
    cert.write_text("x")
    with pytest.raises(ConfigError, match=r"a\.toml:1: key.key: .*k.pem: cannot be read: No such file"):
        tls.listening(TlsText(str(cert), str(tmp_path / "k.pem")), AT)
    with pytest.raises(ConfigError, match=r"a\.toml:1: key.ca: .*k.pem: cannot be read: No such file"):
        origin(ca=str(tmp_path / "k.pem"))


def test_nothing_said_of_an_origin() -> None:
    assert tls.origin(None, SECURE, AT) == OriginTls(verify=True, minimum="1.2")


@pytest.mark.parametrize(
    "said",
    [PRINT, PRINT.upper(), ":".join(["AB"] * 32), "sha256 Fingerprint=" + ":".join(["AB"] * 32)],
)
def test_fingerprint(said: str) -> None:
    assert origin(fingerprint=said).fingerprints == (PRINT,)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"fingerprint": "ab:cd"}, r'key.fingerprint: "ab:cd" is not a SHA-256'),
        ({"verify": False, "fingerprint": PRINT}, r"key.verify: with false nothing is checked"),
        ({"ca": __file__, "fingerprint": PRINT}, r"key.fingerprint: counts instead of any CA"),
        ({"cert": __file__}, r"key.cert: a client certificate has both cert and key; key is missing"),
        ({"key": __file__}, r"key.key: a client certificate has both cert and key; cert is missing"),
        ({"name": "*.example.org"}, r'key.name: "\*.example.org" has a star'),
        ({"name": "a b"}, r'key.name: "a b" is not a host'),
        ({"minimum": "1.4"}, r'key.minimum: "1.4" is no version of TLS; choose one of 1.0, 1.1, 1.2, 1.3'),
    ],
)
def test_refused(said: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=r"^a\.toml:1: " + why):
        origin(**said)


def test_only_for_https(tmp_path: Path) -> None:
    file = tmp_path / "stopgap.toml"
    file.write_text('[[site]]\nname = "a"\norigins = "http://192.0.2.1"\n[site.origin_tls]\nverify = false\n')
    with pytest.raises(ConfigError, match=r"stopgap.toml:4: site.origin_tls: is for https:// origins"):
        load(str(file))


def test_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "stopgap.toml"
    (tmp_path / "ca.pem").write_text("x")
    file.write_text(
        '[[site]]\nname = "a"\norigins = ["https://192.0.2.1", "https://[::1]:8443"]\n'
        '[site.origin_tls]\nca = "ca.pem"\nname = "kaikei.local"\nminimum = "1.0"\n'
    )
    (site,) = load(str(file)).sites
    assert [one.url for one in site.origins] == ["https://192.0.2.1:443", "https://[::1]:8443"]
    assert site.origin_tls == OriginTls(ca=str(tmp_path / "ca.pem"), name="kaikei.local", minimum="1.0")
    file.write_text(file.read_text().replace("minimum", "minimun"))
    with pytest.raises(InputError, match=r'7: site.origin_tls.minimun: unknown key; did you mean "minimum"'):
        load(str(file))


PAIR: dict[str, Any] = {"cert": __file__, "key": __file__}


def test_listening_in_full() -> None:
    other = Certificate(cert=__file__, key=__file__)
    text = TlsText(
        **PAIR, certificate=[other], minimum="1.0", client_ca=__file__, redirect=":80", redirect_port=443
    )
    made = tls.listening(text, AT)
    assert (made.certificates, made.minimum) == ((other, other), "1.0")
    assert (made.client_ca, made.client_auth) == (__file__, "require")
    assert (made.redirect, made.redirect_port) == ((Address("0.0.0.0", 80),), 443)
    assert tls.listening(TlsText(**PAIR), AT).client_auth == ""


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"client_auth": "maybe"}, 'key.client_auth: "maybe" is unknown; choose one of request, require'),
        ({"client_auth": "request"}, "key.client_auth: needs client_ca"),
        ({"client_ca": "/nowhere"}, "key.client_ca: /nowhere: cannot be read"),
        ({"redirect": "80"}, 'key.redirect: "80" is not an address'),
        ({"redirect_port": 65536}, "key.redirect_port: must be a port, not 65536"),
        ({"minimum": "SSLv3"}, 'key.minimum: "SSLv3" is no version of TLS'),
        (
            {"certificate": [Certificate("/nowhere", "/nowhere")]},
            "key.certificate.cert: /nowhere: cannot be read",
        ),
    ],
)
def test_listening_refused(said: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=r"^a\.toml:1: " + why):
        tls.listening(TlsText(**PAIR, **said), AT)


def test_hsts() -> None:
    assert tls.hsts(0, False, AT) == 0
    assert tls.hsts(31_536_000, True, AT) == 31_536_000
    with pytest.raises(ConfigError, match=r"^a\.toml:1: key: needs \[tls\]"):
        tls.hsts(1, False, AT)
    with pytest.raises(ConfigError, match=r"^a\.toml:1: key: must be between 0 \(none\) and"):
        tls.hsts(-1, True, AT)


def test_flags_beside_a_file_change_the_certificate_only(tmp_path: Path) -> None:
    file = tmp_path / "stopgap.toml"
    (tmp_path / "a.pem").write_text("x")
    file.write_text(
        '[tls]\ncert = "a.pem"\nkey = "a.pem"\nredirect = ":80"\n[[site]]\nname = "a"\norigins = "http://h"\n'
    )
    made = load(str(file), {"tls": PAIR}).tls
    assert made is not None
    assert (made.certificates[0].cert, made.redirect) == (__file__, (Address("0.0.0.0", 80),))
