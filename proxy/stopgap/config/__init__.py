"""The configuration: `load` reads it, `Config` is what it says."""

from stopgap.config.model import Address, Config, Site, SiteException, Tls
from stopgap.config.resolve import load

__all__ = ["Address", "Config", "Site", "SiteException", "Tls", "load"]
