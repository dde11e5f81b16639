"""`stopgap tune`: which limits and exceptions does a detect period, or a log of real users, ask for?

Exit codes: 0 nothing to propose, 1 something is proposed, 2 a flag or file is wrong, or the files hold no
request.
"""

import datetime
import ipaddress
from pathlib import Path

import click
import msgspec
from rich.progress import MofNCompleteColumn

from stopgap.cli.comparison import host_of, progress, site_of, size_of, statuses
from stopgap.cli.configuration import config_option
from stopgap.cli.event import PLACEHOLDER
from stopgap.cli.terminal import FINDINGS, console, wrong_input
from stopgap.errors import ConfigError, InputError
from stopgap.forensics import report, tuned
from stopgap.forensics.caught import Caught
from stopgap.forensics.corpus import Corpus, Heard, Network
from stopgap.forensics.replay import Differences, Judge
from stopgap.forensics.sources import FORMATS, Account
from stopgap.forensics.tuned import Learned, Tuned
from stopgap.forensics.tuning import MOST, Bench, Plan, bench_of, plan
from stopgap.ruleset.diff import Side
from stopgap.ruleset.propose import DAYS, Told

TOP = 10
"""Paths of a rule that the JSON of the effect tells."""


@click.command("tune", short_help="Propose limits and exceptions from a detect period or logs.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@config_option("The configuration to be tuned.")
@click.option("--site", metavar="NAME", help="The site that judges; the default follows from the Host.")
@click.option("--client", "clients", multiple=True, metavar="CIDR", help="Learn only from these; repeatable.")
@click.option("--format", "form", type=click.Choice(FORMATS), help="Of all FILEs. [as each one begins]")
@click.option("--answered", metavar="N[-N]", help="Of logs only requests that were answered so: 200-399.")
@click.option("--owner", metavar="TEXT", help="Of the exceptions: who answers for them.")
@click.option("--write", "target", metavar="FILE", help="Write what is proposed into a new file, as TOML.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def tune(
    files: tuple[str, ...],
    file: str | None,
    site: str | None,
    clients: tuple[str, ...],
    form: str | None,
    answered: str | None,
    owner: str | None,
    target: str | None,
    as_json: bool,
) -> None:
    """Propose limits and the narrowest exceptions, each with what it stands on and what it would change.

    FILEs are Stopgap's own event logs (of sites in detect mode, in any format), and logs of all requests, HAR
    and flow files and raw requests as `stopgap replay` reads them. Whatever they hold is judged as if every
    site were in block mode.

    A limit is what 99.9 % of the requests of each folder stay within, half as much again, never less than
    what passes today; for that a site needs 1,000 requests. An exception is for one path, in one compat mode
    or for one field where that is enough, for 90 days. What looks like an attack is listed and not proposed:
    what only attackers send, what comes only from clients that also sent such, and what would let a vector of
    any pack through.

    Nothing is applied. --write puts what is proposed into a file of its own; copy what you agree with.

    \b
    Exit codes:
      0    there is nothing to propose
      1    something is proposed
      2    a flag, a file or the configuration is wrong, or there is no request in FILEs
      130  interrupted

    \b
    Examples:
      stopgap tune events.log -c stopgap.toml
      stopgap tune events.log u_ex26*.log -c stopgap.toml --client 10.0.0.0/8 --write proposed.toml
    """
    try:
        if not file:
            raise ConfigError("--config: is missing; give the configuration that is to be tuned")
        if target and Path(target).exists():
            raise ConfigError(f"--write: {target}: is there already; name a new file")
        if "-" in files:
            raise ConfigError("FILE: standard input cannot be read twice, which tuning needs; give a file")
        until = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=DAYS)
        bench, today = bench_of(file, Told(reason=PLACEHOLDER, owner=owner or "", until=until))
        index = site_of(today, site)
        corpus = Corpus(
            files=files,
            form=form,
            host=host_of(today, site),
            clients=tuple(_network(one) for one in clients),
            statuses=statuses(answered) if answered else None,
        )
        account, heard, caught = Account(), Heard(), Caught(today, index, bench.bad)
        with progress(sum(map(size_of, files)), "read") as move:
            caught.take(corpus.sent(account, heard, move))
        _need_requests(caught, account)
        with progress(MOST, "propose", MofNCompleteColumn()) as move:
            found = plan(bench, caught, account.shows, lambda: move(1))
        effect = _effect(bench, today, found, corpus, caught) if _proposes(found) else None
    except InputError as error:
        wrong_input(error)
    told = tuned.of_plan(_learned(account, heard, caught), found, effect)
    _say(told, as_json)
    if target:
        _write(target, told)
    raise SystemExit(FINDINGS if _proposes(found) else 0)


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ConfigError(f'--client: "{text}" is no address and no network, such as 10.0.0.0/8') from None


def _need_requests(caught: Caught, account: Account) -> None:
    if not caught.requests:
        what = "no request of these clients" if account.requests else "no request that could be read"
        raise ConfigError(*account.first_broken, f"FILE: holds {what}; nothing was learned")


def _proposes(found: Plan) -> bool:
    return bool(found.limits or found.exceptions)


def _learned(account: Account, heard: Heard, caught: Caught) -> Learned:
    return Learned(
        files=account.files,
        requests=caught.requests,
        passed=caught.passed,
        caught=sum(group.requests for group in caught.groups.values()) + caught.beyond,
        beyond=caught.beyond,
        events=heard.events,
        untold=caught.untold,
        no_request=heard.no_request,
        other_clients=heard.others,
        broken=account.broken,
        first_broken=account.first_broken,
    )


def _effect(bench: Bench, today: Side, found: Plan, corpus: Corpus, caught: Caught) -> report.Report:
    """The corpus judged by the configuration with all that is proposed. Raises `InputError`."""
    proposed = bench.side("with all that is proposed", found.text)
    places = range(len(today.sites))
    old, new = ([Judge(side, place) for place in places] for side in (today, proposed))
    account, differences = Account(), Differences()
    with progress(sum(map(size_of, corpus.files)), "try") as move:
        for one in corpus.sent(account, Heard(), move):
            place, request = caught.site_of(one), one.told.request
            if place >= 0 and caught.counts(one, place):
                was, now = old[place].fate(request, True), new[place].fate(request, True)
                differences.add(f"{one.where}:{one.line}", request, was, now, one.times)
    return report.report((proposed.name, today.name), account, differences, [], [], TOP)


def _say(told: Tuned, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(told, enc_hook=str), indent=2).decode())
        return
    out = console()
    for line in tuned.render(told):
        out.print(line)


def _write(target: str, told: Tuned) -> None:
    if told.effect is None:
        click.echo(f"{target}: not written, there is nothing to propose", err=True)
        return
    try:
        with Path(target).open("x", encoding="utf-8") as fresh:
            fresh.write(tuned.fragment(told))
    except OSError as error:
        wrong_input(ConfigError(f"--write: {target}: cannot be written: {error.strerror}"))
    click.echo(f"{target}: written", err=True)
