"""What does a TLS listener offer?

TLS 1.2 and later unless older clients must be let in, HTTP/1.1 only, no renegotiation; the rest is OpenSSL's
default. Old IIS cannot speak this to a browser of today, which is one more reason to end TLS here.
"""

import ssl
from typing import Any

from stopgap.gate.contexts import load, since, trust
from stopgap.gate.messages import Certificate, Tls


class Front(ssl.SSLContext):
    """What the listeners are given once: each handshake is made with the newest context, `current`, and a
    connection keeps the one that it was made with."""

    current: ssl.SSLContext | None = None

    def wrap_bio(self, *given: Any, **named: Any) -> ssl.SSLObject:
        if self.current is None:
            raise ssl.SSLError("no certificate yet")
        return self.current.wrap_bio(*given, **named)


def context(tls: Tls) -> ssl.SSLContext:
    """The context of the listeners, with a certificate for each name. Raises TlsError."""
    contexts = [_context(tls, certificate) for certificate in tls.certificates]
    named: dict[str, ssl.SSLContext] = {}
    for certificate, made in zip(tls.certificates, contexts, strict=True):
        for name in certificate.names:
            named.setdefault(name, made)

    def choose(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        """A star stands for one label (RFC 6125 6.4.3)."""
        asked = (name or "").lower().removesuffix(".")
        found = named.get(asked) or named.get(f"*.{asked.partition('.')[2]}")
        if found is not None:
            connection.context = found

    first = contexts[0]
    if len(contexts) > 1:
        first.sni_callback = choose
    return first


def _context(tls: Tls, certificate: Certificate) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    since(made, tls.minimum)
    made.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    made.set_alpn_protocols(["http/1.1"])
    load(made, certificate.cert, certificate.key)
    if tls.client_ca:
        trust(made, "client_ca", tls.client_ca)
        made.verify_mode = ssl.CERT_REQUIRED if tls.require else ssl.CERT_OPTIONAL
    return made
