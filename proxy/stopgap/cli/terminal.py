"""How does a command speak: to which stream, in colour or not, and with which exit code?"""

import io
import sys
from collections.abc import Sequence
from typing import NoReturn, TextIO

import click
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from stopgap.errors import InputError

FINDINGS = 1
USAGE = 2
NOT_STARTED = 3


def console(stream: TextIO | None = None) -> Console:
    """A console that neither wraps nor guesses at markup; without a terminal it writes plain text.

    What the stream's encoding cannot hold is escaped, so that a Japanese title never stops a command.
    """
    target = stream or sys.stdout
    if isinstance(target, io.TextIOWrapper):
        target.reconfigure(errors="backslashreplace")
    return Console(file=target, highlight=False, soft_wrap=True, markup=False, emoji=False)


def print_table(rows: Sequence[Sequence[str]], numbers: int = 0) -> None:
    """Rows of one width a column, the first of them headings; the first so many columns are `numbers`.

    A kanji is two letters wide.
    """
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    out = console()
    for place, row in enumerate(rows):
        cells = []
        for number, (cell, width) in enumerate(zip(row, widths, strict=True)):
            space = " " * (width - cell_len(cell))
            cells.append(space + cell if number < numbers else cell + space)
        out.print(Text("  ".join(cells).rstrip(), "" if place else "dim"))


def counted(number: int, what: str) -> str:
    """`1 rule`, `2 rules`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def wrong_input(error: InputError) -> NoReturn:
    """Print every problem as its own line on standard error and end with exit code 2."""
    for problem in error.problems:
        click.echo(problem, err=True)
    raise SystemExit(USAGE)
