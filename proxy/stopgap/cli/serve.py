"""`stopgap serve`: serve before which origin, on which address, how strictly?

Flags alone make one site; a file can have many. Flags given beside a file win over it. Events go to standard
output as JSON lines, everything for people to standard error. Exit codes: 0 ended as told, 2 a flag or file
is wrong, 3 could not start (port in use, no right to it, workers that do not live), 130 interrupted
before anything was served.
"""

import contextlib
import functools
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import click

from stopgap import __version__, config
from stopgap.cli.configuration import config_option
from stopgap.cli.terminal import NOT_STARTED, wrong_input
from stopgap.errors import ConfigError, InputError
from stopgap.gate import succession
from stopgap.gate.sockets import StartError
from stopgap.gate.supervisor import Supervisor

LISTEN = "127.0.0.1:8080"
DEMO = {
    "server": "iis5",
    "codepage": [932, 1252],
    "modes": {"script-as-localhost": "detect"},  # everybody tries the demo at localhost
}
FATES = {
    "block": "refuses",
    "canary": "for some clients refuses, for all others judges, logs AND FORWARDS",
    "detect": "judges, logs AND FORWARDS",
}
WORM = "N" * 32 + "%u9090%u6858%ucbd3%u7801=a"


@click.command(short_help="Serve before an origin, or before a pretend one with --demo.")
@click.option("--origin", "origins", multiple=True, metavar="URL", help="The server to protect. Repeatable.")
@click.option(
    "--listen", multiple=True, metavar="ADDRESS", help=f"Where clients connect. [{LISTEN}] Repeatable."
)
@click.option("--admin", metavar="ADDRESS", help="Metrics and control; off for none. [127.0.0.1:9901]")
@click.option("--admin-token-file", metavar="FILE", help="What the admin address asks for; see the docs.")
@click.option("--workers", type=int, metavar="N", help="Worker processes. [one a CPU]")
@click.option("--user", metavar="NAME", help="Whom to become, as root, once the ports are bound.")
@click.option("--group", metavar="NAME", help="With which group. [that of --user]")
@click.option("--tls-cert", metavar="FILE", help="PEM certificate chain; makes every address HTTPS.")
@click.option("--tls-key", metavar="FILE", help="PEM key of the certificate.")
@click.option("--preset", metavar="NAME", help="A ready-made site, such as iis5-asp or exchange2000-owa.")
@click.option("--strict", is_flag=True, default=None, help="Use the policy packs too.")
@click.option(
    "--mode", metavar="MODE", help="block; canary: for some clients; detect: judge, log, forward. [block]"
)
@click.option("--server", metavar="TABLE", help="iis4 iis5 iis5.1 iis6 iis7 iis8 iis10. [any: all of them]")
@click.option(
    "--codepage", type=int, multiple=True, metavar="N", help="Of the server. [1252 932] Repeatable."
)
@click.option("--rules", multiple=True, metavar="PATH", help="A pack of your own, or a folder. Repeatable.")
@click.option(
    "--trusted", multiple=True, metavar="CIDR", help="Peers whose X-Forwarded-For holds. Repeatable."
)
@click.option("--log", metavar="FILE", help="Where events go. [-: standard output]")
@config_option("stopgap.toml [STOPGAP_CONFIG]")
@click.option("--demo", is_flag=True, help="Start a pretend IIS 5, serve before it, say what to try.")
def serve(file: str | None, demo: bool, tls_cert: str | None, tls_key: str | None, **given: Any) -> None:
    """Serve before an origin: judge every request, refuse or forward it.

    Flags win over the file: --listen, --admin*, --workers, --user, --group, --tls-*, --trusted and --log
    replace its keys; --preset, --strict, --server, --codepage, --mode and --rules replace those of every
    site; --origin replaces the origins of a file with one site. HUP reloads, USR2 upgrades, TERM drains, a
    second TERM or INT ends at once.
    """
    _open_standard_streams()
    try:
        flags = {key: list(value) if isinstance(value, tuple) else value for key, value in given.items()}
        flags = {key: value for key, value in flags.items() if value is not None and value != []}
        flags |= _tls(tls_cert, tls_key)
        if demo and (file or flags.get("origins")):
            raise ConfigError("--demo: brings its own origin; leave out --origin and --config")
        if not file:
            flags.setdefault("listen", [LISTEN])
        with _pretend_origin(demo) as origin:
            if origin:
                flags = {**DEMO, **flags, "origins": [origin]}
            before = succession.predecessor()
            with succession.explained(before):
                code = _run(Supervisor(functools.partial(config.load, file, flags), before=before), demo)
    except InputError as error:
        wrong_input(error)
    except StartError as error:
        click.echo(f"stopgap: {error}", err=True)
        code = NOT_STARTED
    raise SystemExit(code)


def _open_standard_streams() -> None:
    """Started without standard streams: no socket may get their numbers, or events would go to a client."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _run(supervisor: Supervisor, demo: bool) -> int:
    def ready() -> None:
        with contextlib.suppress(OSError):
            click.echo("\n".join(banner(supervisor, demo)), err=True)

    return supervisor.run(ready)


def _tls(cert: str | None, key: str | None) -> dict[str, dict[str, str]]:
    if cert and key:
        return {"tls": {"cert": cert, "key": key}}
    if cert or key:
        missing, given = ("--tls-key", "--tls-cert") if cert else ("--tls-cert", "--tls-key")
        raise ConfigError(f"{missing}: is missing; {given} needs it")
    return {}


@contextlib.contextmanager
def _pretend_origin(wanted: bool) -> Iterator[str]:
    """Start the pretend IIS and give its URL; "" when it is not wanted."""
    if not wanted:
        yield ""
        return
    command = [sys.executable, "-P", "-m", "stopgap.demo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as process:  # noqa: S603
        try:
            line = process.stdout.readline().strip() if process.stdout else ""
            if not line:
                raise StartError("the pretend IIS did not start")
            yield line
        finally:
            process.terminate()


def banner(supervisor: Supervisor, demo: bool) -> list[str]:
    """What a person wants to see at the start: where, before what, with which rules, in which mode."""
    status, ruleset = supervisor.status, supervisor.handover.ruleset
    scheme = "https" if status.tls else "http"
    urls = [f"{scheme}://{address}" for address in status.listen]
    lines = [f"stopgap {__version__} serves on {' '.join(urls)}"]
    for site in status.sites:
        pages = "/".join(map(str, site.codepages))
        origins = " ".join(origin.url for origin in site.origins)
        lines.append(f"  before  {origins}  (site {site.name}: server {site.server}, code page {pages})")
        lines.append(
            f"  mode    {site.mode}: {FATES[site.mode]} what {site.rules} rules and the grammar forbid"
        )
    packs = " ".join(pack.name for pack in ruleset.packs)
    lines.append(f"  rules   {len(ruleset.rules)} in {packs or 'no pack'}; ruleset {status.ruleset}")
    if status.redirect:
        plain = " ".join(f"http://{address}" for address in status.redirect)
        lines.append(f"  redirects {plain} to {urls[0]}")
    if status.admin:
        page = "" if status.admin.startswith("unix:") else f"dashboard http://{status.admin}/; "
        lines.append(f"  admin   {status.admin}  ({page}stopgap status --admin {status.admin})")
    lines.append(f"  workers {len(status.workers)}")
    return [*lines, *(_to_try(urls[0]) if demo else [])]


def _to_try(url: str) -> list[str]:
    return [
        "  try     "
        + "\n          ".join(
            [
                f"curl -i {url}/",
                f"curl -i '{url}/default.ida?{WORM}'",
                f"curl -i '{url}/x.%2569da'",
                f"curl -i --path-as-is '{url}/scripts/..%c0%af../winnt/system32/cmd.exe?/c+dir'",
                "stopgap explain 'GET /x.%2569da HTTP/1.0'",
            ]
        )
    ]
