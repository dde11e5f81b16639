"""`stopgap reload --gate DIR`: would what is on disk newly refuse what real users sent?

The files are judged by the ruleset that the gate uses and by the one that its files would give now. Only
where nothing is newly refused the gate is asked to reload, and only to the version that was judged: what has
been changed meanwhile it refuses.
"""

from pathlib import Path

import click
from rich.text import Text

from stopgap.cli import gate, versions
from stopgap.cli.comparison import Chosen, compared
from stopgap.cli.gate import Door
from stopgap.cli.terminal import FINDINGS, NOT_STARTED, USAGE, console, wrong_input
from stopgap.errors import ConfigError, InputError
from stopgap.forensics import report
from stopgap.forensics.replay import NEWLY_PASSED, NEWLY_REFUSED
from stopgap.ruleset import diff, spec
from stopgap.ruleset.history import Kept

TOP = 10
"""Paths that are shown of a rule."""


def reload_gated(door: Door, file: str | None, folder: str, site: str | None, answered: str | None) -> int:
    """Judge, show, and reload if nothing is newly refused; the exit code."""
    try:
        kept = versions.in_use(door, None)
        candidate = diff.of_config(found := _file(kept, file), found)
        active = versions.side_of(f"version {kept.version} of {kept.time}, in use", kept)
        if active.config is None or candidate.config is None:
            raise ConfigError("--gate: the gate has no configuration file, so that nothing could be judged")
        version = spec.build(candidate.config, candidate.ruleset).version
        told = compared(Chosen(_files(folder), None, site, answered, "gate", TOP), candidate, active)
    except InputError as error:
        wrong_input(error)
    except gate.NoAnswer as error:
        click.echo(f"stopgap: no gate answers on {door.address}: {error}", err=True)
        return NOT_STARTED
    out = console()
    refused = told.of(NEWLY_REFUSED)
    if refused:
        for line in report.render(told):
            out.print(line)
        what = "is a request" if refused == 1 else f"are {refused:,} requests"
        text = f"not reloaded, nothing has changed: in {folder} {what} that {found} would newly refuse"
        click.echo(text, err=True)
        return FINDINGS
    passed = told.of(NEWLY_PASSED)
    out.print(Text(f"{folder}: {told.requests:,} requests, none newly refused, {passed:,} newly passed"))
    if told.not_shown:
        out.print(Text(f"not shown {', '.join(told.not_shown)}: the files do not hold them"))
    answer = gate.asked(door, "POST", f"/reload/{version}")
    click.echo(answer["text"], err=not answer["ok"])
    return 0 if answer["ok"] else USAGE


def _file(kept: Kept, named: str | None) -> str:
    """The configuration that the gate would read. Raises `ConfigError`."""
    if not kept.config:
        raise ConfigError("--gate: the gate was started without a configuration file: there is no other one")
    used = Path(kept.config)
    if named is None:
        if not used.is_absolute() or not used.is_file():
            raise ConfigError(f"--gate: the gate reads {used}, which is not here; name it with --config FILE")
        return kept.config
    if used.is_absolute() and used.exists() and not (Path(named).exists() and used.samefile(named)):
        raise ConfigError(f"--gate: the gate reads {used}, not {named}; that is what would be reloaded")
    return named


def _files(folder: str) -> list[str]:
    """Every file in the folder, and in those within, in name order. Raises `ConfigError`."""
    if not Path(folder).exists():
        raise ConfigError(f"--gate: {folder}: there is no such folder")
    inside = [Path(folder)] if Path(folder).is_file() else sorted(Path(folder).rglob("*"))
    files = [str(one) for one in inside if one.is_file() and not one.name.startswith(".")]
    if not files:
        raise ConfigError(f"--gate: {folder}: holds no file")
    return files
