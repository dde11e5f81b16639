"""How is an urlscan.ini of URLScan 2.5 written?"""

from collections.abc import Sequence

from stopgap.config import Site
from stopgap.ruleset.formats import urlscan
from stopgap.ruleset.formats.model import Exported
from stopgap.ruleset.formats.urlscan_out import V2
from stopgap.ruleset.model import Rule


def write(site: Site, rules: Sequence[Rule]) -> Exported:
    """A site and its rules as an urlscan.ini of 2.5."""
    return urlscan.write(site, rules, V2)
