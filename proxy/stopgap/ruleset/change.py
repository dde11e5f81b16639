"""How does a change of modes or exceptions get into the configuration, right or not at all?

The command line and the dashboard write by these: the text is changed in place, read and compiled as a whole,
and only then put into the file. Who wanted it and why stands beside it.
"""

import datetime
import difflib
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from stopgap import config, texts
from stopgap.config import edit
from stopgap.config.model import CHOICES
from stopgap.errors import ConfigError, nearest, printable
from stopgap.ruleset import lint, load, spec
from stopgap.ruleset.model import Ruleset

LONGEST = 200
"""Characters of a reason or an owner."""


class Why(Struct, frozen=True):
    """Who answers for a change, and what it is for. Raises `ConfigError` by `checked`."""

    reason: str
    owner: str

    def checked(self) -> "Why":
        """The same without space around; both must be there, on one line."""
        told = Why(self.reason.strip(), self.owner.strip())
        for name, text in (("reason", told.reason), ("owner", told.owner)):
            if not text:
                raise ConfigError(f"{name}: is missing; a change says why and whose it is")
            if not text.isprintable() or len(text) > LONGEST:
                raise ConfigError(f"{name}: must be one line of at most {LONGEST} characters")
        return told


def mode(text: str, site: str, name: str, mode: str, why: Why, today: datetime.date) -> str:
    """`text` with a rule, pack or reason of a site in another mode; with the site itself for name "".

    Raises `InputError`.
    """
    if mode not in CHOICES["mode"]:
        raise ConfigError(f'mode: "{mode}" is unknown{nearest(mode, CHOICES["mode"])}')
    told = why.checked()
    note = f"{today} {told.owner}: {mode}: {told.reason}"
    return edit.with_mode(text, site, name, mode, note)


def exception(text: str, site: str, keys: Mapping[str, Any], why: Why, until: datetime.date) -> str:
    """`text` with one more exception of a site; `keys` say to what and where. Raises `InputError`."""
    told = why.checked()
    return edit.with_exception(
        text, site, {**keys, "reason": told.reason, "owner": told.owner, "until": until}
    )


def checked(file: str, text: str) -> Ruleset:
    """The rules of a configuration whose file would hold `text`. Raises `InputError`."""
    with texts.replaced({file: text.encode()}):
        changed = config.load(file)
        ruleset = load.load(changed)
        spec.compiled(spec.build(changed, ruleset))
    return ruleset


def write(file: str, text: str) -> None:
    """Put `text` into the file if `stopgap check` would accept it. Raises `InputError`."""
    if problems := lint.problems(checked(file, text).rules):
        raise ConfigError(*problems)
    edit.replace(file, text)


def difference(file: str, old: str, new: str) -> list[str]:
    """What changes, as the lines of a unified difference, for people: a glob may hold what a client sent."""
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), file, file, lineterm="")
    return [printable(line.expandtabs()) for line in lines]
