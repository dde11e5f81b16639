"""Is what the configuration says of TLS right, as far as one can see without using it?

Paths are taken from the folder of the file, and must be readable. Whether what stands in them can be used,
and what of it deserves a warning, is for `stopgap.gate.certificates`.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from stopgap.config.checks import At, address, host, listed
from stopgap.config.model import (
    CLIENT_AUTH,
    LONGEST_HSTS,
    VERSIONS,
    Address,
    Certificate,
    OriginTls,
    OriginTlsText,
    Tls,
    TlsText,
)

_SHA256 = re.compile(r"[0-9a-f]{64}")


def listening(text: TlsText, at: At) -> Tls:
    """How clients are spoken to."""
    if text.client_auth is not None and text.client_auth not in CLIENT_AUTH:
        raise (at / "client_auth").wrong(
            f'"{text.client_auth}" is unknown; choose one of {", ".join(CLIENT_AUTH)}'
        )
    if text.client_auth and not text.client_ca:
        raise (at / "client_auth").wrong("needs client_ca, a file of the CAs whose clients are let in")
    if not 0 <= text.redirect_port <= 65535:
        raise (at / "redirect_port").wrong(f"must be a port, not {text.redirect_port}")
    others = [_certificate(one, at / "certificate" / n) for n, one in enumerate(text.certificate)]
    return Tls(
        certificates=(_certificate(text, at), *others),
        minimum=version(text.minimum, at / "minimum"),
        client_ca=_file(text.client_ca, at / "client_ca") if text.client_ca else "",
        client_auth=(text.client_auth or "require") if text.client_ca else "",
        redirect=tuple(address(one, at / "redirect") for one in listed(text.redirect)),
        redirect_port=text.redirect_port,
    )


def hsts(seconds: int, secure: bool, at: At) -> int:
    """Seconds of Strict-Transport-Security. Where TLS ends before Stopgap it is for whoever ends it."""
    if not 0 <= seconds <= LONGEST_HSTS:
        raise at.wrong(f"must be between 0 (none) and {LONGEST_HSTS} seconds, not {seconds}")
    if seconds and not secure:
        raise at.wrong("needs [tls]: browsers heed it over TLS only")
    return seconds


def _certificate(text: TlsText | Certificate, at: At) -> Certificate:
    return Certificate(cert=_file(text.cert, at / "cert"), key=_file(text.key, at / "key"))


def origin(text: OriginTlsText | None, origins: Sequence[Address], at: At) -> OriginTls:
    """How the https origins of a site are spoken to; the defaults where nothing is said."""
    if text is None:
        return OriginTls()
    if not any(address.tls for address in origins):
        raise at.wrong("is for https:// origins, and this site has none")
    prints = tuple(_fingerprint(one, at / "fingerprint") for one in listed(text.fingerprint))
    if not text.verify and (text.ca or prints):
        raise (at / "verify").wrong("with false nothing is checked; leave out ca and fingerprint, or this")
    if prints and text.ca:
        raise (at / "fingerprint").wrong("counts instead of any CA; leave out ca, or this")
    if (text.cert is None) != (text.key is None):
        missing, given = ("key", "cert") if text.cert else ("cert", "key")
        raise (at / given).wrong(f"a client certificate has both cert and key; {missing} is missing")
    return OriginTls(
        verify=text.verify,
        ca=_file(text.ca, at / "ca") if text.ca else "",
        fingerprints=prints,
        name=_name(text.name, at / "name") if text.name else "",
        cert=_file(text.cert, at / "cert") if text.cert else "",
        key=_file(text.key, at / "key") if text.key else "",
        minimum=version(text.minimum, at / "minimum"),
    )


def version(value: str, at: At) -> str:
    if value not in VERSIONS:
        raise at.wrong(f'"{value}" is no version of TLS; choose one of {", ".join(VERSIONS)}, in quotes')
    return value


def _name(value: str, at: At) -> str:
    name = host(value, at)
    if "*" in name:
        raise at.wrong(f'"{value}" has a star; write one name that the certificate is good for')
    return name


def _fingerprint(value: str, at: At) -> str:
    digits = value.rpartition("=")[2].replace(":", "").strip().lower()
    if not _SHA256.fullmatch(digits):
        raise at.wrong(
            f'"{value}" is not a SHA-256; write what `openssl x509 -noout -fingerprint -sha256` prints'
        )
    return digits


def _file(value: str, at: At) -> str:
    document = at.document
    path = Path(document.file).parent / value if document.file else Path(value)
    try:
        path.open("rb").close()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise at.wrong(f"{path}: cannot be read: {why}") from None
    return str(path)
