"""How is the Request Filtering of IIS 7 and later read and written?"""

from collections.abc import Sequence

from stopgap.config import Site
from stopgap.ruleset.formats.filter_in import drafted
from stopgap.ruleset.formats.filter_out import recovered
from stopgap.ruleset.formats.model import Exported, Imported
from stopgap.ruleset.formats.source import Source
from stopgap.ruleset.formats.webconfig_in import Reader
from stopgap.ruleset.formats.webconfig_out import printed
from stopgap.ruleset.model import Rule


def read(source: Source) -> Imported:
    """A web.config or applicationHost.config in our words. Raises `FormatError`."""
    reader = Reader(source)
    given = reader.filter()
    return drafted(given, source, "webconfig", reader.report)


def write(site: Site, rules: Sequence[Rule]) -> Exported:
    """A site and its rules as a web.config."""
    given, report = recovered(site, rules)
    return printed(given, report)
