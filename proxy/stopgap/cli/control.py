"""`stopgap status`, `reload` and `drain`: what is a running gate asked over its admin address?

Exit codes: 0 ready or done, 1 not ready, 2 wrong flag or a refused reload, 3 nothing answers there.
"""

import http.client
import json
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from stopgap.cli.terminal import FINDINGS, NOT_STARTED, USAGE, console, wrong_input
from stopgap.config.checks import At, address
from stopgap.errors import InputError
from stopgap.gate import sockets
from stopgap.tomlfile import parse

ADMIN = "127.0.0.1:9901"
SECONDS = 100.0
"""Longest wait for an answer; a reload of many rules takes a while."""
WIDTH = 200
"""Columns that a table may take where there is no terminal."""

admin_option = click.option(
    "--admin", default=ADMIN, envvar="STOPGAP_ADMIN", metavar="ADDRESS", help=f"Of the gate. [{ADMIN}]"
)


@click.command()
@admin_option
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
def status(admin: str, as_json: bool) -> None:
    """Show how a running gate is; exit code 0 when it is ready."""
    told = _asked(admin, "GET", "/status")
    if as_json:
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        _show(told)
    raise SystemExit(0 if told["ready"] else FINDINGS)


@click.command()
@admin_option
def reload(admin: str) -> None:
    """Load configuration and rules anew; a mistake changes nothing and is told."""
    _told(_asked(admin, "POST", "/reload"))


@click.command()
@admin_option
def drain(admin: str) -> None:
    """Take no new connections, finish what runs, then end."""
    _told(_asked(admin, "POST", "/drain"))


def _told(answer: dict[str, Any]) -> None:
    click.echo(answer["text"], err=not answer["ok"])
    raise SystemExit(0 if answer["ok"] else USAGE)


def _asked(admin: str, method: str, path: str) -> Any:
    """The gate's answer; ends the command with one line when there is none."""
    try:
        where = address(admin, At(parse("", b""), ("admin",)))
    except InputError as error:
        wrong_input(error)
    connection = http.client.HTTPConnection(where.host or "localhost", where.port or 80, timeout=SECONDS)
    try:
        connection.sock = sockets.connect(where, SECONDS)
        connection.request(method, path)
        answer = connection.getresponse()
        body = answer.read()
        if answer.getheader("Content-Type") != "application/json":
            raise http.client.HTTPException(
                f"answered {answer.status} {body[:200].decode('utf-8', 'replace').strip()}"
            )
        return json.loads(body)
    except (OSError, http.client.HTTPException, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or "no answer"
        click.echo(f"stopgap: no gate answers on {where}: {why}", err=True)
        raise SystemExit(NOT_STARTED) from None
    finally:
        connection.close()


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
    if not told["reload"]["ok"]:
        out.print(
            Text(f"last reload, {told['reload']['time']}, was refused: {told['reload']['error']}", "red")
        )
    sites = _table("site", "mode", "server", "code pages", "rules", "origin", "", "busy", "idle", "error")
    for site in told["sites"]:
        for origin in site["origins"]:
            sites.add_row(
                *(site["name"], site["mode"], site["server"], " ".join(map(str, site["codepages"]))),
                *(str(site["rules"]), origin["url"], "up" if origin["up"] else "DOWN"),
                *(str(origin["busy"]), str(origin["idle"] + origin["pinned"]), origin["error"]),
            )
    out.print(sites)
    workers = _table("worker", "pid", "state", "clients", "waiting", "restarts", "last end")
    for worker in told["workers"]:
        row = (worker[key] for key in ("index", "pid", "state", "clients", "waiting", "restarts", "exit"))
        workers.add_row(*("" if cell is None else str(cell) for cell in row))
    out.print(workers)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
