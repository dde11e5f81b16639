"""`stopgap import`, `export`: what does another program's file mean here, and what do our rules mean there?

The result goes to standard output, the report of what was not kept as it was to standard error, a line each.
Exit codes: 0 all was kept, 1 something was lost (the result is printed all the same), 2 the input is wrong
and nothing is printed.
"""

import sys
from collections.abc import Sequence
from typing import Any

import click
from msgspec.structs import replace
from rich.text import Text

from stopgap import config
from stopgap.cli.configuration import config_option
from stopgap.cli.terminal import FINDINGS, console, wrong_input
from stopgap.errors import ConfigError, InputError, nearest
from stopgap.ruleset import formats, load
from stopgap.ruleset.formats import source, toml
from stopgap.ruleset.formats.model import Draft, Note
from stopgap.ruleset.formats.settle import settle
from stopgap.tomlfile import LARGEST

STANDARD_INPUT = "-"
NAME = "imported"


def _listing(names: Sequence[str]) -> str:
    width = max(map(len, names), default=0)
    rows = [f"  {name:<{width}}  {formats.FORMATS[name].title}" for name in names]
    return "\b\nFormats:\n" + "\n".join(rows)


@click.command("import", epilog=_listing(formats.readable()))
@click.argument("name", metavar="FORMAT")
@click.argument("file", metavar="FILE")
@click.option("--origin", "origins", multiple=True, metavar="URL", help="The server to protect. Repeatable.")
@click.option("--site", metavar="NAME", help=f"How the site is called. [{NAME}]")
@click.option("--server", metavar="TABLE", help="iis4 iis5 iis5.1 iis6 iis7 iis8 iis10. [any: all of them]")
@click.option("--codepage", type=int, metavar="N", help="Of the server, and of a FILE that is not Unicode.")
@click.option("--mode", metavar="MODE", help="block, canary or detect. [as FILE says]")
def import_(name: str, file: str, origins: tuple[str, ...], **given: Any) -> None:
    """Turn FILE into Stopgap's TOML on standard output; tell on standard error what could not be kept.

    A format with settings of a server (urlscan, webconfig) gives a configuration, ready for `stopgap check`
    and `serve` once it has an --origin; one with rules only gives a pack for a site's `rules`. Every line of
    FILE is in the result or in the report. "-" reads standard input.

    Exit codes: 0 all was kept, 1 something was lost, 2 FILE is wrong (nothing is printed).

    \b
      stopgap import urlscan urlscan.ini --origin http://192.0.2.10 > stopgap.toml
      stopgap check --config stopgap.toml
    """
    page, site = given["codepage"], given.pop("site")
    flags = {key: value for key, value in given.items() if value is not None}
    flags = {"name": site or NAME, "origins": list(origins), **flags}
    try:
        formats.known(name, formats.readable())
        _checked(flags)
        if file == STANDARD_INPUT:
            read = source.decode(sys.stdin.buffer.read(LARGEST + 1), "standard input", page)
        else:
            read = source.load(file, page)
        imported = settle(formats.read(name, replace(read, site=site)), read.file)
    except InputError as error:
        wrong_input(error)
    if imported.site:
        imported = replace(imported, site={**flags, **imported.site, **flags})
    click.echo(toml.written(imported), nl=False)
    _told(imported.report, len(imported.rules))


@click.command("export", epilog=_listing(formats.writable()))
@click.argument("name", metavar="FORMAT")
@config_option("Export this configuration.")
@click.option("--site", metavar="NAME", help="The site to export; needed where there are several.")
def export(name: str, file: str | None, site: str | None) -> None:
    """Write a site's rules and limits in FORMAT on standard output; tell on standard error what is lost.

    Without a configuration it is the packs that ship. What cannot be expressed there is told rule by rule.

    Exit codes: 0 all was kept, 1 something was lost, 2 a flag or file is wrong (nothing is printed).

    \b
      stopgap export urlscan --config stopgap.toml > urlscan.ini
    """
    try:
        formats.known(name, formats.writable())
        read = config.load(file, {} if file else {"origins": ["http://127.0.0.1"]})
        ruleset = load.load(read)
        chosen = _site(read, site)
        rules = [ruleset.rules[index] for index in ruleset.sites[chosen.name]]
        exported = formats.write(name, chosen, rules)
    except InputError as error:
        wrong_input(error)
    click.echo(exported.text, nl=False)
    _told(exported.report, len(rules))


def _checked(flags: Draft) -> None:
    """Raise what `check` would raise of the flags, before a file is read."""
    config.load(None, {**flags, "origins": flags["origins"] or ["http://127.0.0.1"]})


def _site(read: config.Config, name: str | None) -> config.Site:
    sites = {site.name: site for site in read.sites}
    if name is None and len(sites) > 1:
        raise ConfigError(f"--site: is missing; choose one of {', '.join(sites)}")
    if name is not None and name not in sites:
        raise ConfigError(f'--site: no site is called "{name}"{nearest(name, sites)}')
    return sites[name] if name else read.sites[0]


def _told(report: Sequence[Note], rules: int) -> None:
    """Print the report, then how much was lost; ends the command."""
    errors = console(sys.stderr)
    for note in report:
        errors.print(Text(str(note)))
    lost = sum(note.lost for note in report)
    errors.print(
        Text.assemble(
            f"{rules} rule{'' if rules == 1 else 's'}; ",
            (f"{lost} lost", "yellow") if lost else ("nothing lost", "green"),
        )
    )
    raise SystemExit(FINDINGS if lost else 0)
