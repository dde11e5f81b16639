"""How is TLS spoken to an origin, and in plain words, why does a handshake not work?

What is made once for a site is a `Secure`; each new connection uses it. Old servers need more than an old
`minimum`: OpenSSL 3 signs nothing with MD5 or SHA-1 above security level 0, and refuses a server that cannot
renegotiate safely (RFC 5746). SSL 3, RC4 and triple DES are not in it at all.
"""

import hashlib
import ssl
from typing import Any, Final

from stopgap.gate.contexts import OLD, load, since, trust
from stopgap.gate.messages import OriginTls

LEGACY_SERVER_CONNECT: Final = 0x4
"""SSL_OP_LEGACY_SERVER_CONNECT, which Python names from 3.12 on."""


class Secure:
    """How the https origins of one site are spoken to. Immutable."""

    __slots__ = ("context", "wanted")

    def __init__(self, wanted: OriginTls) -> None:
        """Raises TlsError."""
        self.wanted = wanted
        self.context = context(wanted)

    def options(self, host: str) -> dict[str, Any]:
        """What the dialling of an origin takes beside host and port."""
        return {"ssl": self.context, "server_hostname": self.wanted.name or host}

    def stranger(self, transport: Any) -> str:
        """Why the certificate of a connection just made is none of those that are pinned; "" when it is."""
        pinned = self.wanted.fingerprints
        if not pinned:
            return ""
        shown = hashlib.sha256(transport.get_extra_info("ssl_object").getpeercert(True)).hexdigest()
        return "" if shown in pinned else f"its certificate has another fingerprint: {shown}"

    def explain(self, exc: BaseException, host: str) -> str:
        """Why a handshake failed, and what would help."""
        if isinstance(exc, ssl.SSLCertVerificationError):
            why = VERIFY.get(exc.verify_code, "its certificate is refused: {message}")
            return why.format(name=self.wanted.name or host, message=exc.verify_message)
        reason = (exc.reason or "") if isinstance(exc, ssl.SSLError) else "closed"
        why = REASONS.get(reason, "the TLS handshake failed: {reason}")
        return why.format(reason=reason or str(exc), minimum=self.wanted.minimum)


def context(wanted: OriginTls) -> ssl.SSLContext:
    """The context of the connections to an origin. Raises TlsError."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.options |= ssl.OP_NO_COMPRESSION
    made.set_ciphers("DEFAULT")  # OpenSSL's own: Python leaves out those that IIS 7 needs
    since(made, wanted.minimum)
    if wanted.minimum in OLD:
        made.options |= LEGACY_SERVER_CONNECT
    if not wanted.verify or wanted.fingerprints:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    elif wanted.ca:
        trust(made, "ca", wanted.ca)
        made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the server's own certificate will do
    else:
        made.load_default_certs()
    if wanted.cert:
        load(made, wanted.cert, wanted.key)
        made.post_handshake_auth = True
    return made


_UNKNOWN: Final = "its certificate comes from a CA that is not known here; name the CA in ca"
_WEAK: Final = (
    'its certificate is too weak for today\'s TLS ({message}); give its fingerprint and minimum = "1.0"'
)

VERIFY: Final = {
    9: "its certificate is not valid yet; is the clock right?",
    10: "its certificate has expired; renew it, or pin it by its fingerprint",
    18: "its certificate signs itself; name its file in ca, or give its fingerprint",
    19: _UNKNOWN,
    20: _UNKNOWN,
    21: _UNKNOWN,
    62: 'its certificate is not for "{name}"; set name to one that it is for',
    64: 'its certificate is not for "{name}"; set name to one that it is for',
    66: _WEAK,
    67: _WEAK,
    68: _WEAK,
}
"""By OpenSSL's X509_V_ERR_*."""

_OLD: Final = (
    'it speaks nothing as new as TLS {minimum}; set minimum = "1.0" (or "1.1") if it cannot be upgraded'
)
_PLAIN: Final = "it answers without TLS; write http:// instead of https://"
_CLOSED: Final = (
    "it closed in the middle of the handshake; it may speak no TLS, nothing newer than SSL 3, "
    "or nothing as new as TLS {minimum}"
)
_CLIENT: Final = "it refuses our client certificate ({reason}); see cert and key"

REASONS: Final = {
    "closed": _CLOSED,
    "UNEXPECTED_EOF_WHILE_READING": _CLOSED,
    "WRONG_VERSION_NUMBER": _PLAIN,
    "HTTP_REQUEST": _PLAIN,
    "RECORD_LAYER_FAILURE": _PLAIN,
    "PACKET_LENGTH_TOO_LONG": _PLAIN,
    "UNSUPPORTED_PROTOCOL": _OLD,
    "TLSV1_ALERT_PROTOCOL_VERSION": _OLD,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": (
        "it shares no cipher with us, or wants a client certificate (cert and key); RC4 and triple DES, "
        "all that Windows 2000 and 2003 have without KB948963, are spoken no more"
    ),
    "UNSAFE_LEGACY_RENEGOTIATION_DISABLED": (
        'it cannot renegotiate safely (RFC 5746); set minimum = "1.0" if it cannot be upgraded'
    ),
    "DH_KEY_TOO_SMALL": 'its Diffie-Hellman key is too small; set minimum = "1.0" if it cannot be upgraded',
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it wants a client certificate; give cert and key",
    "TLSV1_ALERT_UNKNOWN_CA": _CLIENT,
    "SSLV3_ALERT_BAD_CERTIFICATE": _CLIENT,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": _CLIENT,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _CLIENT,
    "SSLV3_ALERT_CERTIFICATE_REVOKED": _CLIENT,
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": _CLIENT,
    "TLSV1_ALERT_ACCESS_DENIED": _CLIENT,
    "TLSV1_ALERT_DECRYPT_ERROR": _CLIENT,
    "TLSV1_UNRECOGNIZED_NAME": "it knows no host of that name; set name",
}
"""By OpenSSL's reason of an error; an alert is what the origin says."""
