"""`stopgap rules versions` and `rules diff`: which rulesets are kept, and what lies between two?

What is compared may be a kept version (its beginning is enough), a configuration, a pack or a folder of
packs. Exit codes: 0 the same, 1 they differ, 2 a file is wrong or there is no such version, 3 no gate
answers.
"""

import os
import re
from pathlib import Path

import click
import msgspec
from rich.text import Text

from stopgap import texts, tomlfile
from stopgap.cli import gate
from stopgap.cli.terminal import FINDINGS, console, wrong_input
from stopgap.errors import ConfigError, InputError
from stopgap.ruleset import diff, history, load
from stopgap.ruleset.history import FOLDER, Kept

STATE = click.option(
    "--state", envvar="STATE_DIRECTORY", metavar="DIR", help="The state folder of a gate. [STATE_DIRECTORY]"
)

_VERSION = re.compile("[0-9a-f]+")


@click.command("versions", short_help="List the rulesets that are kept for a rollback.")
@gate.door_options
@STATE
def versions(door: gate.Door, state: str | None) -> None:
    """List the rulesets that are kept, oldest first: of a running gate, or in the folder of --state."""
    if state:
        try:
            rows = [(one.version, one.time, "") for one in history.read(folder_of(state))]
        except InputError as error:
            wrong_input(error)
    else:
        told = gate.asked(door, "GET", "/rulesets")["rulesets"]
        rows = [(one["version"], one["time"], "in use" if one["in_use"] else "") for one in told]
    out = console()
    for version, time, note in rows:
        out.print(Text.assemble(f"{version}  {time}", (f"  {note}" if note else "", "bold green")))


@click.command("diff", short_help="Say what lies between two versions, configurations or packs.")
@click.argument("old", metavar="A")
@click.argument("new", metavar="B")
@gate.door_options
@STATE
def diff_rules(old: str, new: str, door: gate.Door, state: str | None) -> None:
    """Say what lies between A and B: rules, sites, limits, exceptions, modes, and vectors judged otherwise.

    Each is a configuration, a pack, a folder of packs, or the version of a ruleset that a gate keeps: in the
    folder of --state, or told by the running gate. The beginning of a version is enough.

    \b
    Examples:
      stopgap rules diff stopgap.toml stopgap.toml.new
      stopgap rules diff 5f1c2a9b /etc/stopgap/stopgap.toml
    """
    try:
        found = diff.differences(side(old, door, state), side(new, door, state))
    except InputError as error:
        wrong_input(error)
    out = console()
    colours = {"+": "green", "-": "red", "~": ""}
    for line in found:
        out.print(Text(line, colours[line[0]]))
    if not found:
        out.print(Text(f"{old} and {new} are the same"))
    raise SystemExit(FINDINGS if found else 0)


def side(name: str, door: gate.Door, state: str | None) -> diff.Side:
    """The side of a configuration, a pack, a folder of packs or a version. Raises `InputError`."""
    path = Path(name)
    if path.is_dir():
        return diff.of_packs(name, load.pack_files(name))
    if path.exists() or "/" in name or name.endswith(".toml"):
        is_config = "site" in tomlfile.read(name).data
        return diff.of_config(name, name) if is_config else diff.of_packs(name, [name])
    if not _VERSION.fullmatch(name):
        raise ConfigError(
            f"{name}: there is no such file or folder, and a version has only digits and a to f"
        )
    return side_of(name, kept_by(name, door, state))


def side_of(name: str, kept: Kept) -> diff.Side:
    """The side of a ruleset that is kept. Raises `InputError`."""
    with texts.replaced(kept.files(), alone=True):
        if kept.config:
            return diff.of_config(name, kept.config)
        return diff.of_packs(name, [file for file in kept.files() if Path(file).parent.name != "presets"])


def folder_of(state: str) -> Path:
    """Where a gate with this state folder keeps its rulesets; systemd may name several folders."""
    folder = Path(state.partition(os.pathsep)[0])
    if not folder.is_dir():
        raise ConfigError(f"--state: {folder}: there is no such folder")
    return folder / FOLDER


def in_use(door: gate.Door, state: str | None) -> Kept:
    """The ruleset in use: of a running gate, or the last one in the state folder.

    Raises `InputError`, and `NoAnswer` when no gate answers.
    """
    if state:
        known = history.read(folder_of(state))
        if not known:
            raise ConfigError(f"--state: {folder_of(state)}: no ruleset is kept there")
        return known[-1]
    told = gate.ask(door, "GET", "/rulesets", gate.SECONDS)["rulesets"]
    used = [one["version"] for one in told if one["in_use"]]
    if not used:
        raise ConfigError(f"the gate on {door.address} does not keep the ruleset that it uses; name another")
    return kept_by(used[0], door, state)


def kept_by(name: str, door: gate.Door, state: str | None) -> Kept:
    """The one whose version begins so: in the state folder, or of a running gate. Raises `InputError`."""
    if state:
        return history.chosen(history.read(folder_of(state)), name)
    told = gate.asked(door, "GET", f"/rulesets/{name}")
    if "texts" not in told:
        raise ConfigError(told["text"])
    return msgspec.convert(told, Kept)
