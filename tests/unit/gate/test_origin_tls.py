"""Is the context of an origin what the site asks for, and does every failure have words of its own?"""

import ssl
from pathlib import Path

import pytest

from stopgap.gate.contexts import TlsError
from stopgap.gate.messages import OriginTls
from stopgap.gate.origin_tls import LEGACY_SERVER_CONNECT, REASONS, VERIFY, Secure, context


def test_by_default_all_is_checked() -> None:
    made = context(OriginTls())
    assert (made.verify_mode, made.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert made.minimum_version == ssl.TLSVersion.TLSv1_2
    assert not made.options & LEGACY_SERVER_CONNECT
    assert {"ECDHE-RSA-AES128-SHA", "AES128-SHA"} <= {one["name"] for one in made.get_ciphers()}


def test_old_servers() -> None:
    made = context(OriginTls(minimum="1.0"))
    assert made.minimum_version == ssl.TLSVersion.TLSv1
    assert made.security_level == 0
    assert made.options & LEGACY_SERVER_CONNECT


@pytest.mark.parametrize("wanted", [OriginTls(verify=False), OriginTls(fingerprints=("00" * 32,))])
def test_without_a_chain(wanted: OriginTls) -> None:
    made = context(wanted)
    assert (made.verify_mode, made.check_hostname) == (ssl.CERT_NONE, False)


def test_the_name_is_the_origins_unless_one_is_given() -> None:
    assert Secure(OriginTls()).options("192.0.2.1")["server_hostname"] == "192.0.2.1"
    assert Secure(OriginTls(name="kaikei.local")).options("192.0.2.1")["server_hostname"] == "kaikei.local"


def test_broken_files_say_which_key(tmp_path: Path) -> None:
    file = tmp_path / "x.pem"
    file.write_text("no PEM")
    with pytest.raises(TlsError, match=r"x\.pem: holds no certificate in PEM") as told:
        context(OriginTls(ca=str(file)))
    assert told.value.key == "ca"
    with pytest.raises(TlsError, match="both must be PEM files") as told:
        context(OriginTls(cert=str(file), key=str(file)))
    assert told.value.key == "cert"


@pytest.mark.parametrize("code", VERIFY)
def test_what_is_wrong_with_a_certificate(code: int) -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, "it is so"
    assert "{" not in Secure(OriginTls(verify=False)).explain(error, "192.0.2.1")


@pytest.mark.parametrize("reason", [*REASONS, "SOMETHING_NEW"])
def test_what_is_wrong_with_a_handshake(reason: str) -> None:
    error = ssl.SSLError(1, "it failed")
    error.reason = reason
    text = Secure(OriginTls(verify=False)).explain(error, "192.0.2.1")
    assert "{" not in text
    assert reason in REASONS or "SOMETHING_NEW" in text


def test_an_origin_that_hangs_up() -> None:
    assert "closed in the middle" in Secure(OriginTls(verify=False)).explain(ConnectionResetError(), "a")
