"""Is the ruleset in use that of the files, or an older one that a rollback brought back?

Of what comes from the files the texts are kept, so that it can be brought back later. A new day changes the
version, because exceptions run out, and says nothing about where the ruleset comes from.
"""

import time
from collections.abc import Callable

from stopgap.events.schema import stamp
from stopgap.gate.handover import Handover
from stopgap.ruleset.history import History, Kept, kept

FILES = "files"
DAY = "day"
"""Sources of a ruleset, beside the version that a rollback names."""


class Versions:
    """What was and what is in use. `all` is for any thread, everything else for the supervisor's.

    `rolled_back` is the version that the files gave last while an older one is in use, else "".
    """

    def __init__(self, used: Handover, say: Callable[[str], None]) -> None:
        """`used` is the first ruleset, from the files; it is kept when it is `taken`."""
        self._history = History(used.config.state, say)
        self._kept = self._files = used.activate.version
        self.rolled_back = ""

    def all(self) -> list[Kept]:
        """The rulesets that are kept, oldest first."""
        return self._history.all()

    def older(self, name: str) -> Kept:
        """The one whose version begins so; for "" the one before that in use. Raises `InputError`."""
        return self._history.find(name) if name else self._history.before(self._kept)

    def taken(self, used: Handover, source: str) -> None:
        """All workers use it: it comes from `FILES`, is the same on a new `DAY`, or was kept as `source`."""
        version = used.activate.version
        if source == FILES or (source == DAY and not self.rolled_back):
            self._kept = self._files = version
            self.rolled_back = ""
            texts = used.texts
            self._history.keep(kept(version, stamp(time.time()), used.config.document.file, texts))
        elif source != DAY:
            self._kept = source
            self.rolled_back = self._files if version != self._files else ""
