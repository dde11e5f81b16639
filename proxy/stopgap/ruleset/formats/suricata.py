"""How do rules of Suricata and Snort come in, and ours go out as theirs?"""

from stopgap.ruleset.formats.suricata_read import read
from stopgap.ruleset.formats.suricata_write import write

__all__ = ["read", "write"]
