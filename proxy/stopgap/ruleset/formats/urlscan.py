"""How is an urlscan.ini read, and one of URLScan 3.1 written?"""

from collections.abc import Sequence

from stopgap.config import Site
from stopgap.ruleset.formats.filter_in import drafted
from stopgap.ruleset.formats.filter_out import recovered
from stopgap.ruleset.formats.model import Exported, Imported
from stopgap.ruleset.formats.source import Source
from stopgap.ruleset.formats.urlscan_in import Reader
from stopgap.ruleset.formats.urlscan_out import V3, Version, printed
from stopgap.ruleset.model import Rule


def read(source: Source) -> Imported:
    """An urlscan.ini in our words. Raises `FormatError`."""
    reader = Reader(source)
    given = reader.filter()
    return drafted(given, source, "urlscan", reader.report)


def write(site: Site, rules: Sequence[Rule], version: Version = V3) -> Exported:
    """A site and its rules as an urlscan.ini."""
    given, report = recovered(site, rules)
    return printed(given, version, report)
