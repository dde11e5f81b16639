"""`stopgap workbench`: which site before which origin, shown where, with how much memory?

What needs mitmproxy is imported when all flags are right. Exit codes: 0 ended by INT or TERM (or all was
read), 2 a flag, file or this Python is wrong, 3 it could not start.
"""

import importlib.util
import ipaddress
import sys
from pathlib import Path
from typing import Any

import click
import tomlkit

from stopgap import __version__, config, texts
from stopgap.cli.configuration import config_option
from stopgap.cli.terminal import NOT_STARTED, wrong_input
from stopgap.config import Address, Config
from stopgap.errors import ConfigError, InputError

LISTEN = "127.0.0.1:8082"
FLAGS = "(flags)"
"""What stands for the name of a file where there is none."""
MODES = {"script-as-localhost": "detect"}
"""Of the flags' site: who looks from this machine calls the site by this machine's name."""
ORIGIN = "http://127.0.0.1"
"""Of a configuration that only judges."""
LEAST_MEMORY = 768
FATES = {
    "block": "refuses",
    "canary": "for some clients refuses, for all others marks AND FORWARDS",
    "detect": "marks AND FORWARDS",
}
OLDEST = (3, 12)
"""The oldest Python on which mitmproxy 12 runs."""


@click.command(short_help="Look into requests with mitmproxy: hold, edit, send again, see the verdict.")
@click.option("--origin", metavar="URL", help="The server to send to. [the first of the site]")
@config_option("Judge as this configuration does.")
@click.option("--site", metavar="NAME", help="The site of FILE that judges. [its only one]")
@click.option("--server", metavar="TABLE", help="iis4 iis5 iis5.1 iis6 iis7 iis8 iis10. [any: all of them]")
@click.option(
    "--codepage", type=int, multiple=True, metavar="N", help="Of the server. [1252 932] Repeatable."
)
@click.option("--preset", metavar="NAME", help="A ready-made site, such as iis5-asp.")
@click.option("--mode", metavar="MODE", help="block, canary or detect. [block, or that of FILE]")
@click.option("--listen", default=LISTEN, show_default=True, metavar="ADDRESS", help="Where clients connect.")
@click.option("--expose", is_flag=True, help="Allow a --listen that other machines can reach.")
@click.option("--web-port", default=8081, show_default=True, metavar="N", help="Of mitmweb's pages.")
@click.option(
    "--no-web", is_flag=True, help="No pages: what happens goes to standard output, as in mitmdump."
)
@click.option("--hold", default="", metavar="FILTER", help='Hold requests that match: "~m POST"; "." is all.')
@click.option("--read", metavar="FLOWS", help="Show the flows of this file with the verdicts of now.")
@click.option("--keep", default=1000, show_default=True, metavar="N", help="Most flows; the oldest go first.")
@click.option("--memory", default=1024, show_default=True, metavar="MIB", help="Most memory of the process.")
def workbench(file: str | None, site: str | None, **given: Any) -> None:
    """Put mitmweb before an origin: each flow shows verdict, rule and reading, as the gate would judge it.

    Hold a request, edit it, let it go: it is judged anew. What is refused never reaches the origin; with
    --mode detect it is marked and forwarded. The command bar has stopgap.explain, stopgap.vector and
    stopgap.exception. It is a bench, and a front for the smallest sites: it costs about a hundred times
    what `stopgap serve` costs.

    \b
    Examples:
      stopgap workbench --origin http://192.0.2.10 --server iis5 --codepage 932
      stopgap workbench -c stopgap.toml --site kaikei --hold '~m POST'
      stopgap workbench -c stopgap.toml --site kaikei --read evidence.flows
    """
    try:
        _need_mitmproxy()
        _in_bounds(given)
        read, text = _configuration(file, given)
        _need_loopback(read.listen[0], given["expose"])
        from stopgap.workbench import run
        from stopgap.workbench.judge import Judge

        run.need_filter(given["hold"])
        if given["read"]:
            run.need_flows(given["read"])
        judge = Judge(read, text, site)
        _need_plain(judge.site.origin_tls)
    except InputError as error:
        wrong_input(error)
    bench = run.Bench(
        listen=read.listen[0],
        origin=judge.site.origins[0] if given["origin"] or (file and not given["read"]) else None,
        web_port=given["web_port"],
        web=not given["no_web"],
        hold=given["hold"],
        read=given["read"] or "",
        keep=given["keep"],
        memory=given["memory"],
    )
    try:
        run.run(bench, judge, lambda url: banner(bench, judge, url))
    except run.NotStarted as error:
        click.echo(f"stopgap: {error}", err=True)
        raise SystemExit(NOT_STARTED) from None
    raise SystemExit(0)


def banner(bench: Any, judge: Any, url: str) -> list[str]:
    """What a person wants to see at the start. `url`: of the pages, with their token; "" without pages."""
    site, lines = judge.site, [f"stopgap {__version__} workbench"]
    if bench.origin:
        lines += [f"  serves  http://{bench.listen}", f"  before  {bench.origin.url}"]
    pages = "/".join(map(str, site.codepages))
    lines.append(f"  judges  as site {site.name}: server {site.server}, code page {pages}")
    lines.append(
        f"  mode    {site.mode}: {FATES[site.mode]} what {len(judge.rules)} rules and the grammar forbid"
    )
    if bench.read:
        lines.append(f"  reads   {bench.read}")
    if bench.hold:
        lines.append(f"  holds   {bench.hold}")
    if url:
        lines.append(f"  look    {url}")
    lines += [f"  note    {one}" for one in judge.warnings]
    return [*lines, "  end     with Ctrl-C"]


def _need_mitmproxy() -> None:
    """Raise `ConfigError` where the workbench cannot run, and say what to do."""
    here = ".".join(map(str, sys.version_info[:2]))
    if sys.version_info < OLDEST:
        raise ConfigError(
            f"workbench: needs Python 3.12 or newer, because mitmproxy does; this is Python {here}. Install "
            "Stopgap for a newer one, with: python3.12 -m pip install 'stopgap[workbench]'"
        )
    if importlib.util.find_spec("mitmproxy") is None:
        raise ConfigError(
            "workbench: mitmproxy is not installed; install it with: "
            f"{sys.executable} -m pip install 'stopgap[workbench]'"
        )


def _in_bounds(given: dict[str, Any]) -> None:
    if not 1 <= given["web_port"] <= 65535:
        raise ConfigError(f"--web-port: must be between 1 and 65535, not {given['web_port']}")
    if given["keep"] < 1:
        raise ConfigError(f"--keep: must be at least 1, not {given['keep']}")
    if given["memory"] < LEAST_MEMORY:
        raise ConfigError(f"--memory: must be at least {LEAST_MEMORY} (MiB), not {given['memory']}")
    if given["hold"] and given["no_web"]:
        raise ConfigError("--hold: needs mitmweb's pages to let go of what is held; leave out --no-web")


def _configuration(file: str | None, given: dict[str, Any]) -> tuple[Config, str]:
    """The configuration, and the text of its file; flags alone are written as one."""
    site = {key: given[key] for key in ("server", "preset", "mode") if given[key] is not None}
    if given["codepage"]:
        site["codepage"] = list(given["codepage"])
    if given["origin"]:
        site["origins"] = [given["origin"]]
    flags = {**site, "listen": [given["listen"]]}
    if file:
        return config.load(file, flags), Path(file).read_bytes().decode()
    if not given["origin"] and not given["read"]:
        raise ConfigError(
            "--origin: is missing; give the server to send to, such as --origin http://192.0.2.10, "
            "a configuration with --config, or a file of flows with --read"
        )
    site.setdefault("origins", [ORIGIN])
    config.load(None, {**flags, **site})  # what is wrong is told by its flag
    text = tomlkit.dumps({"site": [{"name": "default", **site, "modes": MODES}]})
    with texts.replaced({FLAGS: text.encode()}):
        return config.load(FLAGS, {"listen": [given["listen"]]}), text


def _need_loopback(listen: Address, exposed: bool) -> None:
    if listen.path:
        raise ConfigError(f"--listen: {listen}: mitmproxy listens on TCP only")
    if listen.port == 0:
        raise ConfigError(f"--listen: {listen}: name a port, such as {LISTEN}")
    try:
        loopback = ipaddress.ip_address(listen.host).is_loopback
    except ValueError:
        loopback = listen.host == "localhost"
    if not (exposed or loopback):
        raise ConfigError(
            f"--listen: {listen}: other machines could reach the workbench, which is no hardened gate; "
            f"listen on {LISTEN}, or say --expose if you mean it"
        )


def _need_plain(tls: config.OriginTls) -> None:
    """mitmproxy checks an origin's certificate in fewer ways."""
    for key in ("fingerprints", "name", "cert"):
        if getattr(tls, key):
            raise ConfigError(f"site.origin_tls.{key}: the workbench does not know it; give another --origin")
