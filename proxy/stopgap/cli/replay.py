"""`stopgap replay`: what would another configuration judge otherwise of what users really sent?

Exit codes: 0 nothing that counts is judged otherwise, 1 something is, 2 a flag or file is wrong, or the files
hold no request, 3 no gate answers that could tell the ruleset in use.
"""

import click
import msgspec

from stopgap.cli import gate, versions
from stopgap.cli.comparison import Chosen, compared
from stopgap.cli.configuration import config_option
from stopgap.cli.terminal import FINDINGS, NOT_STARTED, console, wrong_input
from stopgap.errors import ConfigError, InputError
from stopgap.forensics import report
from stopgap.forensics.replay import NEWLY_PASSED, NEWLY_REFUSED
from stopgap.forensics.sources import FORMATS
from stopgap.ruleset import diff

FINDS = {"any": (NEWLY_REFUSED, NEWLY_PASSED), "refused": (NEWLY_REFUSED,), "passed": (NEWLY_PASSED,)}
"""What is a finding, by the word of --fail-on."""
TOP = 10


@click.command("replay", short_help="Say what a configuration would judge otherwise of logs.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@config_option("The candidate: what is to be tried.")
@click.option(
    "--against",
    metavar="VERSION|FILE",
    help="What it is compared with: a kept version or a configuration. [the ruleset in use]",
)
@versions.STATE
@click.option(
    "--admin", envvar="STOPGAP_ADMIN", metavar="ADDRESS", help="Of the gate whose ruleset is in use."
)
@click.option(
    "--admin-token-file", "token", envvar="STOPGAP_ADMIN_TOKEN_FILE", metavar="FILE", help="Its token."
)
@click.option("--site", metavar="NAME", help="The site that judges; the default follows from the Host.")
@click.option("--format", "form", type=click.Choice(FORMATS), help="Of all FILEs. [as each one begins]")
@click.option("--answered", metavar="N[-N]", help="Only requests that were answered so, such as 200-399.")
@click.option(
    "--fail-on",
    type=click.Choice(list(FINDS)),
    default="any",
    help="Which differences end with exit code 1: newly refused, newly passed, or any of them. [any]",
)
@click.option(
    "--top", type=click.IntRange(1), default=TOP, metavar="N", help=f"Paths that are shown of a rule. [{TOP}]"
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def replay(
    files: tuple[str, ...],
    file: str | None,
    against: str | None,
    state: str | None,
    admin: str | None,
    token: str | None,
    site: str | None,
    form: str | None,
    answered: str | None,
    fail_on: str,
    top: int,
    as_json: bool,
) -> None:
    """Say what a configuration would judge otherwise, of what FILEs say that users sent.

    FILEs are logs (w3c: W3C extended with #Fields, iis: IIS's own format, ncsa: common or combined), HAR
    files (har), flow files of [site.evidence] or of mitmproxy (flow), or raw requests (raw), also packed with
    gzip; "-" is standard input. Each request is judged by the candidate, the configuration of --config as it
    is on disk, and by the ruleset in use: that of the running gate, the last one in the folder of --state, or
    the one that --against names.

    A log shows no bodies and few headers; the report says which. Use --answered 200-399 to leave out what
    the server itself turned away.

    \b
    Exit codes:
      0    nothing is newly refused or newly passed (see --fail-on)
      1    something is
      2    a flag, a file or a configuration is wrong, or there is no request in FILEs
      3    no gate answers, and neither --state nor --against is given
      130  interrupted

    \b
    Examples:
      stopgap replay ex010719.log -c stopgap.toml
      stopgap replay access.log.*.gz -c stopgap.toml.new --against stopgap.toml
      stopgap replay u_ex26*.log -c stopgap.toml --answered 200-399 --fail-on refused --json
    """
    try:
        if not file:
            raise ConfigError("--config: is missing; give the configuration that is to be tried")
        chosen = Chosen(files, form, site, answered, "replay", top)
        candidate = diff.of_config(file, file)
        told = compared(chosen, candidate, _active(against, state, admin, token, file))
    except InputError as error:
        wrong_input(error)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())
    else:
        out = console()
        for line in report.render(told):
            out.print(line)
    raise SystemExit(FINDINGS if any(told.of(kind) for kind in FINDS[fail_on]) else 0)


def _active(
    against: str | None, state: str | None, admin: str | None, token: str | None, file: str
) -> diff.Side:
    door = gate.door(admin, token, file)
    if against is None:
        try:
            kept = versions.in_use(door, state)
        except gate.NoAnswer as error:
            what = f"no gate answers on {door.address}: {error}; without one, give --against or --state"
            click.echo(f"stopgap: {what}", err=True)
            raise SystemExit(NOT_STARTED) from None
        return _sited(versions.side_of(f"version {kept.version} of {kept.time}", kept))
    return _sited(versions.side(against, door, state))


def _sited(side: diff.Side) -> diff.Side:
    if side.config is None:
        raise ConfigError(
            f"--against: {side.name}: has no site that could judge; name a configuration, with --against FILE"
        )
    return side
