"""Is a TLS context modern, and does a wrong file say which and why?"""

import ssl
import subprocess
from pathlib import Path

import pytest

from stopgap.gate.contexts import TlsError
from stopgap.gate.messages import Certificate, Tls
from stopgap.gate.tls import Front, context


def offer(cert: Path | str, key: Path | str) -> Tls:
    return Tls(certificates=(Certificate(str(cert), str(key)),))


def make(folder: Path, name: str, *options: str) -> Certificate:
    made = Certificate(cert=str(folder / f"{name}.pem"), key=str(folder / f"{name}.key"))
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-keyout", made.key, "-out", made.cert, "-days", "2", "-subj", f"/CN={name}"),
            *(options or ("-nodes",)),
        ],
        check=True,
        capture_output=True,
    )
    return made


def test_modern(tmp_path: Path) -> None:
    made = context(Tls(certificates=(make(tmp_path, "a"),)))
    assert made.minimum_version == ssl.TLSVersion.TLSv1_2
    assert made.options & ssl.OP_NO_RENEGOTIATION
    assert (made.verify_mode, made.sni_callback) == (ssl.CERT_NONE, None)


def test_clients_of_old(tmp_path: Path) -> None:
    made = context(Tls(certificates=(make(tmp_path, "a"),), minimum="1.0"))
    assert (made.minimum_version, made.security_level) == (ssl.TLSVersion.TLSv1, 0)


@pytest.mark.parametrize(("require", "mode"), [(True, ssl.CERT_REQUIRED), (False, ssl.CERT_OPTIONAL)])
def test_certificates_of_clients(tmp_path: Path, require: bool, mode: ssl.VerifyMode) -> None:
    one = make(tmp_path, "a")
    assert context(Tls(certificates=(one,), client_ca=one.cert, require=require)).verify_mode == mode
    with pytest.raises(TlsError, match=r"a\.key: holds no certificate in PEM") as told:
        context(Tls(certificates=(one,), client_ca=one.key))
    assert told.value.key == "client_ca"


def test_the_front_makes_handshakes_with_the_newest_context(tmp_path: Path) -> None:
    front, contexts = (
        Front(ssl.PROTOCOL_TLS_SERVER),
        [context(Tls(certificates=(make(tmp_path, name),))) for name in ("a", "b")],
    )
    with pytest.raises(ssl.SSLError, match="no certificate yet"):
        front.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)
    for newest in contexts:
        front.current = newest
        assert front.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True).context is newest


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(TlsError, match=r"none\.pem: cannot be read: No such file"):
        context(offer(tmp_path / "none.pem", "none.key"))


def test_key_of_another_certificate(tmp_path: Path) -> None:
    a, b = make(tmp_path, "a"), make(tmp_path, "b")
    with pytest.raises(TlsError, match=r"b\.key: is not the key of the certificate in .*a\.pem"):
        context(offer(a.cert, b.key))


def test_encrypted_key(tmp_path: Path) -> None:
    with pytest.raises(TlsError, match=r"a\.key: is encrypted"):
        context(Tls(certificates=(make(tmp_path, "a", "-passout", "pass:secret"),)))


def test_no_pem(tmp_path: Path) -> None:
    for name in ("x.pem", "x.key"):
        (tmp_path / name).write_text("not PEM")
    with pytest.raises(TlsError, match="both must be PEM files"):
        context(offer(tmp_path / "x.pem", tmp_path / "x.key"))
