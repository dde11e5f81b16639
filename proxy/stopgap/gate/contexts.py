"""What do the TLS contexts of both sides have in common: versions, and files that are used or refused?"""

import ssl
import warnings
from typing import Final

VERSIONS: Final = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}
OLD: Final = ("1.0", "1.1")
"""Versions that nobody should speak any more (RFC 8996)."""


class TlsError(Exception):
    """A certificate, key or CA cannot be used; the text names the file and says what to do.

    `key` is the key of the table that names the file.
    """

    def __init__(self, key: str, text: str) -> None:
        super().__init__(text)
        self.key = key


def since(made: ssl.SSLContext, minimum: str) -> None:
    """Speak versions from `minimum` on. Old ones sign with MD5 and SHA-1: they need security level 0."""
    if minimum in OLD:
        made.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that they are old is known
        made.minimum_version = VERSIONS[minimum]


def trust(made: ssl.SSLContext, key: str, file: str) -> None:
    """Take the certificates of a file for CAs. Raises TlsError."""
    try:
        made.load_verify_locations(file)
    except ssl.SSLError as exc:
        why = "holds no certificate in PEM" if exc.reason != "PEM_LIB" else "is not PEM"
        raise TlsError(key, f"{file}: {why}") from exc
    except OSError as exc:
        raise TlsError(key, f"{file}: cannot be read: {exc.strerror}") from exc


def load(made: ssl.SSLContext, cert: str, key: str) -> None:
    """Load a certificate chain and its key. Raises TlsError, and may then have changed the context."""
    for name, path in (("cert", cert), ("key", key)):
        try:
            with open(path, "rb"):
                pass
        except OSError as exc:
            raise TlsError(name, f"{path}: cannot be read: {exc.strerror}") from exc

    def encrypted() -> str:
        raise TlsError("key", f"{key}: is encrypted; give a key without a passphrase")

    try:
        made.load_cert_chain(cert, key, password=encrypted)
    except ssl.SSLError as exc:
        raise _unusable(cert, key, exc) from exc


def _unusable(cert: str, key: str, exc: ssl.SSLError) -> TlsError:
    if exc.reason == "KEY_VALUES_MISMATCH":
        return TlsError("key", f"{key}: is not the key of the certificate in {cert}")
    if exc.reason in ("EE_KEY_TOO_SMALL", "CA_MD_TOO_WEAK", "CA_KEY_TOO_SMALL"):
        return TlsError(
            "cert", f"{cert}: is too weak for today's TLS ({exc.reason}); use 2048 bit RSA and SHA-256"
        )
    return TlsError("cert", f"{cert}, {key}: cannot be used ({exc.reason or exc}); both must be PEM files")
