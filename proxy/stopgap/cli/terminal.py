"""How does a command speak: to which stream, in colour or not, and with which exit code?"""

import io
import sys
from typing import NoReturn, TextIO

import click
from rich.console import Console

from stopgap.errors import InputError

FINE = 0
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


def wrong_input(error: InputError) -> NoReturn:
    """Print every problem as its own line on standard error and end with exit code 2."""
    for problem in error.problems:
        click.echo(problem, err=True)
    raise SystemExit(USAGE)
