"""What does a TLS listener offer?

TLS 1.2 and later, HTTP/1.1 only, no renegotiation; the rest is OpenSSL's default. Old IIS cannot
speak this to a browser of today, which is one more reason to end TLS here.
"""

import ssl

from stopgap.gate.messages import Tls


class TlsError(Exception):
    """A certificate or key cannot be used; the text names the file and says what to do."""


def context(tls: Tls) -> ssl.SSLContext:
    """The context of the listeners. Raises TlsError."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    made.set_alpn_protocols(["http/1.1"])
    load(made, tls)
    return made


def load(context: ssl.SSLContext, tls: Tls) -> None:
    """Load certificate and key; new handshakes of a context in use get the new ones.

    Raises TlsError, and may then have changed the context: try a new `context` first.
    """
    for path in (tls.certificate, tls.key):
        try:
            with open(path, "rb"):
                pass
        except OSError as exc:
            raise TlsError(f"{path}: cannot be read: {exc.strerror}") from exc

    def encrypted() -> str:
        raise TlsError(f"{tls.key}: is encrypted; give a key without a passphrase")

    try:
        context.load_cert_chain(tls.certificate, tls.key, password=encrypted)
    except ssl.SSLError as exc:
        raise TlsError(_explain(tls, exc)) from exc


def _explain(tls: Tls, exc: ssl.SSLError) -> str:
    if exc.reason == "KEY_VALUES_MISMATCH":
        return f"{tls.key}: is not the key of the certificate in {tls.certificate}"
    if exc.reason in ("EE_KEY_TOO_SMALL", "CA_MD_TOO_WEAK", "CA_KEY_TOO_SMALL"):
        return f"{tls.certificate}: is too weak for today's TLS ({exc.reason}); use 2048 bit RSA and SHA-256"
    return f"{tls.certificate}, {tls.key}: cannot be used ({exc.reason or exc}); both must be PEM files"
