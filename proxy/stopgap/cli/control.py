"""`stopgap status`, `reload`, `rollback`, `upgrade` and `drain`: what is a running gate asked over its admin
address?

Exit codes: 0 ready or done, 1 not ready or stopped by `--gate`, 2 wrong flag, a refused reload, rollback or
upgrade, 3 nothing answers there.
"""

import json
from typing import Any
from urllib.parse import quote

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stopgap.cli.gate import Door, asked, door_options
from stopgap.cli.gated import reload_gated
from stopgap.cli.terminal import FINDINGS, USAGE, console, wrong_input
from stopgap.errors import ConfigError

WIDTH = 200
"""Columns that a table may take where there is no terminal."""


@click.command()
@door_options
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
def status(door: Door, as_json: bool) -> None:
    """Show how a running gate is; exit code 0 when it is ready."""
    told = asked(door, "GET", "/status")
    if as_json:
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        _show(told)
    raise SystemExit(0 if told["ready"] else FINDINGS)


@click.command()
@door_options
@click.option(
    "--gate",
    "folder",
    metavar="DIR",
    help="Reload only if nothing is newly refused of what the logs, HAR and flow files in DIR hold.",
)
@click.option("--site", metavar="NAME", help="With --gate: the site that judges. [that of the Host]")
@click.option(
    "--answered", metavar="N[-N]", help="With --gate: only requests that were answered so, such as 200-399."
)
def reload(door: Door, folder: str | None, site: str | None, answered: str | None) -> None:
    """Load configuration and rules anew; a mistake changes nothing and is told.

    With --gate the files on disk are first compared with the ruleset in use, as `stopgap replay` does it, on
    all files in DIR. Where a request is newly refused the differences are shown, nothing is changed and the
    exit code is 1. The gate takes over only what was compared: files that are changed meanwhile it refuses.

    \b
    Exit codes:
      0  reloaded
      1  something is newly refused (--gate); nothing has changed
      2  a flag or a file is wrong, or the gate has refused the reload; nothing has changed
      3  no gate answers

    \b
    Examples:
      stopgap reload
      stopgap reload -c /etc/stopgap/stopgap.toml --gate /var/lib/stopgap/users --answered 200-399
    """
    if folder is not None:
        file = click.get_current_context().params["file"]
        raise SystemExit(reload_gated(door, file, folder, site, answered))
    for flag, value in (("--site", site), ("--answered", answered)):
        if value is not None:
            wrong_input(ConfigError(f"{flag}: goes with --gate only"))
    _told(asked(door, "POST", "/reload"))


@click.command()
@door_options
def drain(door: Door) -> None:
    """Take no new connections, finish what runs, then end."""
    _told(asked(door, "POST", "/drain"))


@click.command()
@door_options
def upgrade(door: Door) -> None:
    """Hand over to the program as it is installed now, without a lost request.

    The gate starts it with its own command line. It takes the listening sockets over, loads and checks
    everything and starts its workers; only when all of them serve, the old ones finish what runs and end. If
    it cannot start, the old ones go on, and this says why. Counters begin anew.
    """
    _told(asked(door, "POST", "/upgrade"))


@click.command()
@click.argument("version", required=False, metavar="[VERSION]")
@door_options
def rollback(version: str | None, door: Door) -> None:
    """Use the ruleset before the one in use, or VERSION, again.

    It is made of the texts that were kept of it, configuration and packs, and all of its vectors are run
    first; a mistake changes nothing. The files stay as they are: `stopgap status` says what they say, and the
    next reload or restart takes them over. `stopgap rules versions` lists what is kept; the beginning of a
    version is enough.

    \b
    Examples:
      stopgap rollback
      stopgap rollback 5f1c2a9b
    """
    _told(asked(door, "POST", f"/rollback/{quote(version, safe='')}" if version else "/rollback"))


def _told(answer: dict[str, Any]) -> None:
    click.echo(answer["text"], err=not answer["ok"])
    raise SystemExit(0 if answer["ok"] else USAGE)


def _show(told: dict[str, Any]) -> None:
    out = console()
    if not out.is_terminal:
        out.width = WIDTH
    colour = "green" if told["ready"] else "yellow"
    uptime = int(told["uptime_seconds"])
    out.print(
        Text.assemble(
            f"stopgap {told['version']} ",
            (told["state"], f"bold {colour}"),
            f" on {', '.join(told['listen'])} for {uptime // 3600}:{uptime // 60 % 60:02}:{uptime % 60:02};",
            f" ruleset {told['ruleset'] or 'none yet'}",
        )
    )
    if told.get("rolled_back"):
        files = told["rolled_back"]
        out.print(
            Text(f"rolled back from {files}; the files say {files}, which a reload takes over", "yellow")
        )
    if not told["reload"]["ok"]:
        out.print(
            Text(f"last reload, {told['reload']['time']}, was refused: {told['reload']['error']}", "red")
        )
    sites = _table("site", "mode", "server", "code pages", "rules", "origin", "", "busy", "idle", "error")
    for site in told["sites"]:
        for origin in site["origins"]:
            sites.add_row(
                *(site["name"], moded(site), site["server"], " ".join(map(str, site["codepages"]))),
                *(str(site["rules"]), origin["url"], "up" if origin["up"] else "DOWN"),
                *(str(origin["busy"]), str(origin["idle"] + origin["pinned"]), origin["error"]),
            )
    out.print(sites)
    for site in told["sites"]:
        if site["on_error"] == "forward":
            out.print(Text(f"site {site['name']}: what cannot be judged is FORWARDED", "yellow"))
    _show_modes(told["sites"], out)
    _show_exceptions(told["sites"], out)
    _show_evidence(told, out)
    workers = _table("worker", "pid", "state", "clients", "waiting", "restarts", "last end")
    for worker in told["workers"]:
        row = (worker[key] for key in ("index", "pid", "state", "clients", "waiting", "restarts", "exit"))
        workers.add_row(*("" if cell is None else str(cell) for cell in row))
    out.print(workers)


def moded(site: dict[str, Any]) -> str:
    """The mode of a site: `block`, or `canary 10 %`."""
    return f"{site['mode']} {site['canary']} %" if site["mode"] == "canary" else str(site["mode"])


def _show_modes(sites: list[dict[str, Any]], out: Console) -> None:
    """The rules and reasons that are in another mode than their site, a line for each mode."""
    for site in sites:
        for mode in dict.fromkeys(site["modes"].values()):
            names = ", ".join(name for name, one in site["modes"].items() if one == mode)
            share = f" {site['canary']} %" if mode == "canary" else ""
            out.print(Text(f"site {site['name']}: mode {mode}{share} for {names}"))


def _show_exceptions(sites: list[dict[str, Any]], out: Console) -> None:
    """The exceptions of each site, and those of its preset that let something pass."""
    exceptions = _table("exception", "site", "rule", "path", "state", "hits", "until", "owner")
    for site in sites:
        for one in site["exceptions"]:
            if one["preset"] and not one["hits"]:
                continue
            words = (one[key] for key in ("rule", "path", "state", "hits", "until", "owner"))
            exceptions.add_row(
                one["id"], site["name"], *("" if word is None else str(word) for word in words)
            )
    if exceptions.row_count:
        out.print(exceptions)


def _show_evidence(told: dict[str, Any], out: Console) -> None:
    """What is kept of requests, and what was not."""
    kept = _table("evidence of", "requests", "KiB on disk")
    for one in told.get("evidence", ()):
        kept.add_row(one["site"], str(one["flows"]), str(one["bytes"] // 1024))
    if kept.row_count:
        out.print(kept)
    lost = {where: count for where, count in told.get("evidence_dropped", {}).items() if count}
    if lost:
        where = ", ".join(f"{where} {count}" for where, count in lost.items())
        out.print(Text(f"requests not kept as evidence: {where}", "yellow"))


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
