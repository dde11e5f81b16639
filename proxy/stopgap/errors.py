"""What can be wrong with what an operator wrote?

Every error that a file or a flag can cause is one of these. Each problem is one line that names the
file (with its line) or the flag, the key, what is wrong and what would be right. The command line prints
the lines and ends with exit code 2; nothing else catches them but a reload, which keeps the old state.
"""

import difflib
from collections.abc import Iterable


class InputError(Exception):
    """A file or flag is wrong. `problems` holds at least one line; `str()` joins them.

    Whatever would break a line or move a cursor is escaped: names and values come from outside.
    """

    def __init__(self, *problems: str) -> None:
        self.problems = tuple(printable(problem) for problem in problems)
        super().__init__("\n".join(self.problems))


class ConfigError(InputError):
    """stopgap.toml or a command-line flag is wrong."""


class RuleError(InputError):
    """A rule pack is wrong; each line names file, line, rule and key."""


class Unreadable(InputError):
    """A file or folder cannot be read; who has its name from a key says which."""


class FormatError(InputError):
    """A file of a foreign format is wrong; each line names file, line and key."""


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean "server"?`, or the list of what is known when nothing is near and the list is short."""
    choices = sorted(set(known))
    close = difflib.get_close_matches(word, choices, n=1, cutoff=0.6)
    if close:
        return f'; did you mean "{close[0]}"?'
    return f"; known: {', '.join(choices)}" if choices and len(choices) <= 30 else ""


def printable(text: str) -> str:
    """`text` with control characters and lone surrogates escaped."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
