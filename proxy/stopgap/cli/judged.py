"""What is shown of one request that is judged: its readings, what matched, what nearly let it pass, and what
would become of it elsewhere?

The same for a request of the command line, of an event and of a line of a log.
"""

import datetime
from collections.abc import Callable
from typing import Any

import click
import msgspec
from msgspec import Struct
from rich.text import Text

from stopgap.cli import gate, versions
from stopgap.cli.terminal import console
from stopgap.config import Config
from stopgap.ruleset import load, spec
from stopgap.ruleset.diff import Side
from stopgap.ruleset.elsewhere import under
from stopgap.ruleset.explain import Explanation, read, render
from stopgap.ruleset.model import Rule
from stopgap.ruleset.nearly import nearly, sentence


class View(Struct, frozen=True):
    """By what a request is judged. `also` are the names of --also; `table` gives the configuration with
    another server table; `side` what a name of --also stands for that is none."""

    config: Config
    also: tuple[str, ...]
    as_json: bool
    table: Callable[[str], Config]
    side: Callable[[str], Side]


def other_sides(admin: str | None, file: str | None) -> Callable[[str], Side]:
    """What a configuration, pack or kept version is; the gate is asked only for a version."""
    return lambda name: versions.side(name, gate.door(admin, None, file), None)


def show(
    view: View, site: int | None, request: bytes, client: str = "", more: dict[str, Any] | None = None
) -> tuple[Explanation, dict[str, Rule]]:
    """Print it, as JSON with the keys of `more` before it; gives the explanation, and the rules by id.

    Raises `InputError`.
    """
    ruleset = load.load(view.config)
    built = spec.build(view.config, ruleset)
    explained = spec.compiled(built).explain(request, site)
    seen = read(explained)
    today = datetime.datetime.now(datetime.UTC).date()
    near = nearly(view.config, ruleset, seen, request, client, today)
    also = list(under(view.also, view.config, site, request, view.table, view.side))
    rules = {rule.id: rule for rule in ruleset.rules}
    if view.as_json:
        told = {**(more or {}), **msgspec.json.decode(explained), "nearly": near, "also": also}
        click.echo(msgspec.json.encode(told).decode())
        return seen, rules
    out = console()
    out.print(render(seen, rules, built.excepted.get(seen.site, ())), end="")
    for one in near:
        out.print(Text.assemble(("nearly    ", "dim"), sentence(one)))
    for other in also:
        out.print(Text.assemble(("also      ", "dim"), f"{other.name}: {other.fate}"))
    return seen, rules
