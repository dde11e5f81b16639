"""The configuration: `load` reads it, `Config` is what it says."""

from stopgap.config.load import load
from stopgap.config.model import Address, Config, Site, SiteException, Tls

__all__ = ["Address", "Config", "Site", "SiteException", "Tls", "load"]
