"""Can every certificate, key and CA of the configuration be used, and what of TLS deserves a warning?"""

import datetime
import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from cryptography import x509

from stopgap.config import Config, Site
from stopgap.errors import ConfigError
from stopgap.gate import origin_tls, tls
from stopgap.gate.contexts import OLD, TlsError
from stopgap.gate.messages import Certificate, OriginTls, Tls

WARNING = datetime.timedelta(days=14)
"""So long before a certificate ends it is worth a line."""


class Checked(msgspec.Struct, frozen=True):
    """What the listeners get, if TLS ends here, and what is not wrong but worth a line."""

    listening: Tls | None
    warnings: tuple[str, ...]


def check(config: Config, today: datetime.date) -> Checked:
    """Try all files. Raises `ConfigError`."""
    listening = _listening(config)
    for index, site in enumerate(config.sites):
        with _told(config, "site", index, "origin_tls"):
            if (spoken := origins(site)) is not None:
                origin_tls.context(spoken)
    warnings = [*_of_origins(config, today), *(_of_listeners(config, listening, today) if listening else ())]
    return Checked(listening, tuple(warnings))


def origins(site: Site) -> OriginTls | None:
    """How the https origins of a site are spoken to, None where there are none."""
    if not any(address.tls for address in site.origins):
        return None
    spoken = site.origin_tls
    named = [name for name in (spoken.ca, spoken.cert, spoken.key) if name]
    files = hashlib.sha256(b"".join(hashlib.sha256(_bytes(name)).digest() for name in named)).hexdigest()
    return OriginTls(**msgspec.structs.asdict(spoken), files=files)


def names(file: str) -> tuple[str, ...]:
    """The names that the first certificate of a file is good for, in lower case. Raises TlsError."""
    certificate = _read(file)
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        good_for: Iterable[str] = found.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        good_for = [str(one.value) for one in common]
    except ValueError as error:
        raise TlsError("cert", f"{file}: has extensions that cannot be read: {error}") from None
    return tuple(name.lower() for name in good_for)


def _listening(config: Config) -> Tls | None:
    if config.tls is None:
        return None
    offered = Tls(
        certificates=(),
        minimum=config.tls.minimum,
        client_ca=config.tls.client_ca,
        require=config.tls.client_auth == "require",
    )
    certificates = []
    for number, one in enumerate(config.tls.certificates):
        with _told(config, *_place(number)):
            made = Certificate(cert=one.cert, key=one.key)
            tls.context(msgspec.structs.replace(offered, certificates=(made,)))
            certificates.append(msgspec.structs.replace(made, names=names(one.cert)))
    return msgspec.structs.replace(offered, certificates=tuple(certificates))


def _place(number: int) -> tuple[str | int, ...]:
    """Where the certificate of this number stands."""
    return ("tls", "certificate", number - 1) if number else ("tls",)


@contextmanager
def _told(config: Config, *path: str | int) -> Iterator[None]:
    """A file that cannot be used is told with its line and key."""
    try:
        yield
    except TlsError as error:
        whole = (*path[:1], error.key) if error.key == "client_ca" else (*path, error.key)
        key = ".".join(step for step in whole if isinstance(step, str))
        place = config.where(*whole) if config.document.file else f"--tls-{error.key}"
        raise ConfigError(f"{place}: {key}: {error}") from None


def _read(file: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(_bytes(file))[0]
    except ValueError as error:
        raise TlsError("cert", f"{file}: holds no certificate that can be read: {error}") from None


def _bytes(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError:
        return b""  # gone since the configuration was read: who uses it says so


def _of_listeners(config: Config, listening: Tls, today: datetime.date) -> Iterator[str]:
    if listening.minimum in OLD:
        yield f'{config.where("tls", "minimum")}: tls.minimum = "{listening.minimum}": {INSECURE}'
    for number, one in enumerate(listening.certificates):
        yield from _ending(config.where(*_place(number), "cert"), one.cert, today)
    known = {name for one in listening.certificates for name in one.names}
    for index, site in enumerate(config.sites):
        for host in site.hosts:
            if host != "*" and not {host, f"*.{host.partition('.')[2]}"} & known:
                place = config.where("site", index, "hosts")
                yield f'{place}: site "{site.name}": no certificate is good for "{host}"'


def _of_origins(config: Config, today: datetime.date) -> Iterator[str]:
    for index, site in enumerate(config.sites):
        place = f'{config.where("site", index, "origin_tls")}: site "{site.name}": origin_tls: '
        if not site.origin_tls.verify:
            yield f"{place}verify = false: whoever stands between here and the origin can read and change all"
        if site.origin_tls.minimum in OLD:
            yield f'{place}minimum = "{site.origin_tls.minimum}": {INSECURE}'
        if site.origin_tls.cert:
            yield from _ending(config.where("site", index, "origin_tls", "cert"), site.origin_tls.cert, today)


def _ending(place: str, file: str, today: datetime.date) -> Iterator[str]:
    end = _read(file).not_valid_after_utc.date()
    if end < today + WARNING:
        yield f"{place}: {file}: {'ended' if end < today else 'ends'} on {end}; renew it, and reload"


INSECURE = "nothing before TLS 1.2 is secure (RFC 8996)"
