"""`stopgap rules mode` and `stopgap rules except`: change what a rule does on a site, with reason and owner.

Both write into the file of `--config`, comments kept, if `stopgap check` would accept that; a reload takes it
over. Exit codes: 0 written, 2 the flags or the file are wrong.
"""

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from stopgap import config
from stopgap.cli.configuration import config_option
from stopgap.cli.terminal import wrong_input
from stopgap.errors import ConfigError, InputError, nearest
from stopgap.ruleset import change
from stopgap.ruleset.change import Why
from stopgap.ruleset.propose import DAYS

_OPTIONS = (
    config_option("What to write.", required=True),
    click.option("--site", metavar="NAME", help="The site; needed where there are several."),
    click.option("--reason", metavar="TEXT", required=True, help="What it is for."),
    click.option("--owner", metavar="TEXT", required=True, help="Who answers for it."),
)


def _changing(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command("mode", short_help="Put a rule, pack, reason or site into another mode.")
@click.argument("mode", metavar="MODE")
@click.argument("name", metavar="[NAME]", required=False, default="")
@_changing
def mode(mode: str, name: str, file: str, site: str | None, reason: str, owner: str) -> None:
    """Put NAME, a rule, pack or reason of a site, into MODE: block, canary or detect. Without NAME it is the
    site itself.

    \b
    Example:
      stopgap rules mode detect ida-idq -c stopgap.toml --reason "a trial of two weeks" --owner sato
      stopgap reload
    """
    today = datetime.datetime.now(datetime.UTC).date()
    why = Why(reason, owner)
    _write(file, lambda text: change.mode(text, _site(file, site), name, mode, why, today))


@click.command("except", short_help="Make an exception to a rule on a path, or for clients.")
@click.argument("rule", metavar="RULE")
@_changing
@click.option("--path", metavar="GLOB", help="Where the rule does not count, such as '/search/*.idq'.")
@click.option("--client", "clients", multiple=True, metavar="NETWORK", help="For whom; may be repeated.")
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DAY",
    help=f"Its last day, in UTC. [{DAYS} days from now]",
)
def exception(
    rule: str,
    file: str,
    site: str | None,
    reason: str,
    owner: str,
    path: str | None,
    clients: tuple[str, ...],
    until: datetime.datetime | None,
) -> None:
    """Make an exception to RULE, a rule or an ambiguous reason, on a path or for clients.

    For a request that was refused `stopgap explain --event ID --except` finds the narrowest by itself.

    \b
    Example:
      stopgap rules except ida-idq -c stopgap.toml --path '/search/*.idq' \\
          --reason "the search of accounting" --owner sato
      stopgap reload
    """
    keys: dict[str, Any] = {"rule": rule}
    keys |= {"path": path} if path else {}
    keys |= {"clients": list(clients)} if clients else {}
    if len(keys) == 1:
        wrong_input(ConfigError("--path: give a path or --client; without both the rule would be off"))
    day = until or datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=DAYS)
    why = Why(reason, owner)
    _write(file, lambda text: change.exception(text, _site(file, site), keys, why, day.date()))


def _site(file: str, name: str | None) -> str:
    """The site to change. Raises `InputError`."""
    names = [site.name for site in config.load(file).sites]
    if name is None and len(names) == 1:
        return names[0]
    if name is None:
        raise ConfigError(f"--site: is missing; choose one of {', '.join(names)}")
    if name not in names:
        raise ConfigError(f'--site: no site is called "{name}"{nearest(name, names)}')
    return name


def _write(file: str, make: Callable[[str], str]) -> None:
    """Write what `make` makes of the text of a file, and show what has changed."""
    try:
        config.load(file)
        old = Path(file).read_bytes().decode()
        new = make(old)
        change.write(file, new)
    except InputError as error:
        wrong_input(error)
    click.echo("\n".join(change.difference(file, old, new)))
    click.echo(f"{file}: written; `stopgap reload` takes it over", err=True)
