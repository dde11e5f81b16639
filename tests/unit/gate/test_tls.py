"""Is a TLS context modern, and does a wrong file say which and why?"""

import ssl
import subprocess
from pathlib import Path

import pytest

from stopgap.gate.messages import Tls
from stopgap.gate.tls import TlsError, context, load


def make(folder: Path, name: str, *options: str) -> Tls:
    tls = Tls(certificate=str(folder / f"{name}.pem"), key=str(folder / f"{name}.key"))
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-keyout", tls.key, "-out", tls.certificate, "-days", "2", "-subj", f"/CN={name}"),
            *(options or ("-nodes",)),
        ],
        check=True,
        capture_output=True,
    )
    return tls


def test_modern(tmp_path: Path) -> None:
    made = context(make(tmp_path, "a"))
    assert made.minimum_version == ssl.TLSVersion.TLSv1_2
    assert made.options & ssl.OP_NO_RENEGOTIATION
    load(made, make(tmp_path, "b"))


def test_missing_file(tmp_path: Path) -> None:
    tls = Tls(certificate=str(tmp_path / "none.pem"), key="none.key")
    with pytest.raises(TlsError, match=r"none\.pem: cannot be read: No such file"):
        context(tls)


def test_key_of_another_certificate(tmp_path: Path) -> None:
    a, b = make(tmp_path, "a"), make(tmp_path, "b")
    with pytest.raises(TlsError, match=r"b\.key: is not the key of the certificate in .*a\.pem"):
        context(Tls(certificate=a.certificate, key=b.key))


def test_encrypted_key(tmp_path: Path) -> None:
    with pytest.raises(TlsError, match=r"a\.key: is encrypted"):
        context(make(tmp_path, "a", "-passout", "pass:secret"))


def test_no_pem(tmp_path: Path) -> None:
    for name in ("x.pem", "x.key"):
        (tmp_path / name).write_text("not PEM")
    with pytest.raises(TlsError, match="both must be PEM files"):
        context(Tls(certificate=str(tmp_path / "x.pem"), key=str(tmp_path / "x.key")))
