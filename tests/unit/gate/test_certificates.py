"""Does a file that cannot be used stop a reload with its line and key, and what is warned of?"""

import datetime
from pathlib import Path

import pytest

from stopgap.config import load
from stopgap.errors import ConfigError
from stopgap.gate import certificates
from stopgap.gate.certificates import Checked
from tests.e2e.certificates import Authority, self_signed

SITE = '[[site]]\nname = "a"\norigins = "https://192.0.2.1"\n[site.origin_tls]\n'


def written(folder: Path, text: str) -> str:
    file = folder / "stopgap.toml"
    file.write_text(text)
    return str(file)


def check(folder: Path, text: str, days: int = 0) -> Checked:
    today = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=days)
    return certificates.check(load(written(folder, text)), today)


def test_wrong_files(tmp_path: Path) -> None:
    self_signed(tmp_path)
    (tmp_path / "x.pem").write_text("no PEM")
    right = '[tls]\ncert = "cert.pem"\nkey = "key.pem"\n'
    for text, why in (
        (SITE + 'ca = "x.pem"', r":5: site\.origin_tls\.ca: .*x\.pem: holds no certificate in PEM"),
        (SITE + 'key = "x.pem"\ncert = "cert.pem"', r":6: site\.origin_tls\.cert: .*cannot be used"),
        ('[tls]\ncert = "cert.pem"\nkey = "x.pem"\n' + SITE, r":2: tls\.cert: .*cannot be used"),
        (
            right + 'client_ca = "x.pem"\n' + SITE,
            r":4: tls\.client_ca: .*x\.pem: holds no certificate in PEM",
        ),
        (
            right + '[[tls.certificate]]\ncert = "cert.pem"\nkey = "x.pem"\n' + SITE,
            r":5: tls\.certificate\.cert: .*cannot be used",
        ),
    ):
        with pytest.raises(ConfigError, match="stopgap.toml" + why):
            check(tmp_path, text)


def test_flags(tmp_path: Path) -> None:
    _, key = self_signed(tmp_path)
    flags = {"origins": ["http://192.0.2.1"], "tls": {"cert": key, "key": key}}
    with pytest.raises(ConfigError, match=r"^--tls-cert: tls\.cert: .*cannot be used"):
        certificates.check(load(None, flags), datetime.date(2026, 1, 1))


def test_warnings_of_origins(tmp_path: Path) -> None:
    unverified, old = check(tmp_path, SITE + 'verify = false\nminimum = "1.1"').warnings
    assert 'site "a": origin_tls: verify = false: whoever stands between' in unverified
    assert 'minimum = "1.1": nothing before TLS 1.2 is secure' in old
    assert check(tmp_path, SITE).warnings == ()


def test_warnings_of_listeners(tmp_path: Path) -> None:
    self_signed(tmp_path)
    text = '[tls]\ncert = "cert.pem"\nkey = "key.pem"\nminimum = "1.0"\n' + SITE.replace(
        "origins", 'hosts = ["localhost", "www.example.jp"]\norigins'
    )
    old, ends, host = check(tmp_path, text).warnings
    assert 'stopgap.toml:4: tls.minimum = "1.0": nothing before TLS 1.2 is secure' in old
    assert "stopgap.toml:2: " in ends
    assert "cert.pem: ends on " in ends
    assert host.endswith('stopgap.toml:7: site "a": no certificate is good for "www.example.jp"')
    assert "cert.pem: ended on " in check(tmp_path, text, days=9).warnings[1]


def test_names(tmp_path: Path) -> None:
    authority = Authority.made(tmp_path / "ca")
    cert, _ = authority.issue("one", "DNS:One.test", "DNS:*.two.test", "IP:127.0.0.1")
    assert certificates.names(cert) == ("one.test", "*.two.test")
    assert certificates.names(authority.issue("Bare.test")[0]) == ("bare.test",)


def test_a_site_whose_files_change_is_another(tmp_path: Path) -> None:
    self_signed(tmp_path)
    (site,) = load(written(tmp_path, SITE + 'ca = "cert.pem"')).sites
    before = certificates.origins(site)
    assert certificates.origins(site) == before
    self_signed(tmp_path)
    assert certificates.origins(site) != before
