"""What can be asked of Stopgap on the command line? One file a group of verbs; here they meet.

A verb's module is imported when the verb is used, so `stopgap --help` answers at once. Wrong flags and
arguments end in one line on standard error and exit code 2, an interrupt in 130, never in a traceback.
"""

import importlib
import sys
from collections.abc import Callable
from keyword import iskeyword
from typing import Any, NoReturn

import click

from stopgap import __version__

GROUPS: dict[str, dict[str, tuple[str, str]]] = {
    "Guard a server": {
        "serve": ("stopgap.cli.serve", "Serve before an origin, or before a pretend one with --demo."),
        "check": (
            "stopgap.cli.check",
            "Check configuration and rules, run all vectors, say what is in force.",
        ),
    },
    "Understand and tune": {
        "explain": (
            "stopgap.cli.explain",
            "Show every reading of a request, what matched, and the verdict; propose an exception.",
        ),
        "rules": ("stopgap.cli.rules", "List, show, test, compare and weigh rules."),
        "replay": (
            "stopgap.cli.replay",
            "Judge logs and recorded requests by another ruleset, and say what it would judge otherwise.",
        ),
        "tune": (
            "stopgap.cli.tune",
            "Propose limits and narrow exceptions from a detect period or logs, with their evidence.",
        ),
        "workbench": (
            "stopgap.cli.workbench",
            "Look into requests with mitmproxy: hold, edit, send again, and see the verdict.",
        ),
    },
    "Ask a running gate": {
        "status": ("stopgap.cli.control", "Show how a running gate is; exit code 0 when it is ready."),
        "top": ("stopgap.cli.top", "Watch it live in the terminal."),
        "reload": ("stopgap.cli.control", "Load configuration and rules anew; a mistake changes nothing."),
        "rollback": ("stopgap.cli.control", "Use the ruleset before this one again, or a named one."),
        "upgrade": ("stopgap.cli.control", "Hand over to the program as it is installed now."),
        "drain": ("stopgap.cli.control", "Finish what runs, then end."),
    },
    "Other programs": {
        "import": ("stopgap.cli.formats", "Turn urlscan.ini, web.config and others into Stopgap's TOML."),
        "export": ("stopgap.cli.formats", "Write rules and limits for other programs."),
    },
}
"""What verbs are for -> verb -> the module that has a command of the same name, and the line in `--help`."""

VERBS = {verb: row for group in GROUPS.values() for verb, row in group.items()}

EPILOG = """\b
Examples:
  stopgap serve --demo
  stopgap serve --origin http://192.0.2.10 --listen 0.0.0.0:80 --server iis5 --codepage 932
  stopgap explain 'GET /default.ida?NNNN%u9090=a HTTP/1.0'
  stopgap explain --event 5f1c2a9be0d34417 --config stopgap.toml --except
  stopgap rules diff stopgap.toml stopgap.toml.new
  stopgap replay access.log -c stopgap.toml.new
  stopgap tune events.log -c stopgap.toml --write proposed.toml
  stopgap rollback

Exit codes: 0 fine, 1 findings or not ready, 2 wrong flag or configuration, 3 could not start or reach it.
"""


def command_of(verb: str) -> click.Command:
    """The command of a verb; `import` is a word of Python, so that its function has a line behind it."""
    command = getattr(importlib.import_module(VERBS[verb][0]), f"{verb}_" if iskeyword(verb) else verb)
    assert isinstance(command, click.Command)  # noqa: S101 (the table above says so)
    return command


class Verbs(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return command_of(cmd_name) if cmd_name in VERBS else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, verbs in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(verb, text) for verb, (_, text) in verbs.items()])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """`stopgap -t` is `stopgap check`, as in nginx."""
        return super().parse_args(ctx, ["check", *args[1:]] if args[:1] == ["-t"] else args)

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Run, and turn what click raises into one line and an exit code."""
        sys.exit(told(lambda: super(Verbs, self).main(*args, **{**extra, "standalone_mode": False})))


def told(run: Callable[[], Any]) -> int:
    """Run a command; its exit code."""
    try:
        code = run()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 2
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "stopgap"
        click.echo(f"{path}: {error.format_message().rstrip('.')}; see `{path} --help`", err=True)
        return error.exit_code
    except click.ClickException as error:
        click.echo(f"stopgap: {error.format_message()}", err=True)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    return code if isinstance(code, int) else 0


@click.group(
    name="stopgap", cls=Verbs, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, "-V", "--version", message="stopgap %(version)s")
def main() -> None:
    """Stand before a web server that cannot be patched: read each request in every way that server might,
    refuse what would reach a known hole, forward the rest."""
