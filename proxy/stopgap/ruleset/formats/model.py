"""What comes of an import or an export, and what is told of all that does not come along?

Nothing of a foreign file is dropped in silence: every line of it is in the site, in a rule, or in the report.
"""

from typing import Any

from msgspec import Struct

Draft = dict[str, Any]
"""A `[[rule]]` or `[[site]]` as it will be written: the keys of the TOML file, in their order."""


class Note(Struct, frozen=True):
    """One line of the report: where it stands, what stands there, and what became of it.

    `lost` means that it does not hold as it did. Otherwise the meaning is kept by other means, such as the
    grammar that refuses every backslash anyway, or the line had no effect where it came from.
    """

    where: str
    what: str
    why: str
    lost: bool = True

    def __str__(self) -> str:
        return f"{self.where}: {'lost' if self.lost else 'kept'}: {self.what}: {self.why}"


class Imported(Struct, frozen=True):
    """A foreign file in our words. With `site` {} the format has no settings of a site: it is a pack."""

    rules: tuple[Draft, ...]
    report: tuple[Note, ...] = ()
    site: Draft = {}
    title: str = ""


class Exported(Struct, frozen=True):
    """A site in a foreign format, and what of it cannot be said there."""

    text: str
    report: tuple[Note, ...] = ()
