"""`stopgap top`: what does a running gate do just now, live in the terminal?

Exit codes: 0 it was quit, 2 wrong flag, 3 no gate answers at the start, or what it is drawn with is missing.
"""

import sys
import time
from importlib.util import find_spec

import click
import msgspec

from stopgap.cli import gate
from stopgap.cli.gate import Door, door_options
from stopgap.cli.terminal import NOT_STARTED
from stopgap.events.schema import Event
from stopgap.top.figures import Sample, counts

LIBRARY = "textual"
HOW = "pip install 'stopgap[top]', or into the same environment: pip install textual"
SECONDS = 5.0
"""Longest wait for one answer."""


@click.command("top", short_help="Watch a running gate live in the terminal.")
@door_options
@click.option(
    "--every",
    type=click.FloatRange(0.5, 60),
    default=1.0,
    metavar="SECONDS",
    help="How often the gate is asked. [1]",
)
def top(door: Door, every: float) -> None:
    """Watch a running gate live: traffic, refusals by rule, reason, client network and site, origins, events.

    It reads the admin address, changes nothing, and fits into 80 columns and 24 lines, also over ssh. Keys: 1
    to 6 choose a table, / filters the events, Enter shows one, p pauses, q quits.

    It is drawn with textual, which is an extra: pip install 'stopgap[top]'.

    \b
    Examples:
      stopgap top
      stopgap top -c /etc/stopgap/stopgap.toml
      ssh gate stopgap top --admin unix:/run/stopgap/admin.sock
    """
    if find_spec(LIBRARY) is None:
        click.echo(f"stopgap top: needs {LIBRARY}, which is not installed: {HOW}", err=True)
        raise SystemExit(NOT_STARTED)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        click.echo("stopgap top: needs a terminal; `stopgap status --json` is for programs", err=True)
        raise SystemExit(NOT_STARTED)
    from stopgap.top.screen import NoSample, Top

    gate.asked(door, "GET", "/status")

    def take() -> Sample:
        try:
            return sample(door)
        except gate.NoAnswer as error:
            raise NoSample(str(error)) from None

    Top(take, str(door.address), every).run()


def sample(door: Door) -> Sample:
    """What the gate tells now. Raises `NoAnswer`."""
    status = gate.ask(door, "GET", "/status", SECONDS)
    events = gate.ask(door, "GET", "/events", SECONDS)
    try:
        told = counts(gate.text(door, "/metrics", SECONDS))
        return Sample(time.monotonic(), told, status, msgspec.convert(events["events"], list[Event]))
    except (ValueError, KeyError, msgspec.ValidationError) as error:
        raise gate.NoAnswer(f"answers in other words than this version knows: {error}") from None
