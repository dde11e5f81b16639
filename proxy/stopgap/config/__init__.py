"""The configuration: `load` reads it, `Config` is what it says."""

from stopgap.config.model import Address, Certificate, Config, Identity, OriginTls, Site, SiteException, Tls
from stopgap.config.resolve import load

__all__ = [
    "Address",
    "Certificate",
    "Config",
    "Identity",
    "OriginTls",
    "Site",
    "SiteException",
    "Tls",
    "load",
]
