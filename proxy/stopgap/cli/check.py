"""`stopgap check`: is the configuration right, do the rules hold, and what is in force?

It loads what `serve` would load, compiles it, runs every vector and every lint, and says in which mode
each site is and what that means. Exit codes: 0 fine (warnings included), 1 a rule does not hold, 2 a
file is wrong.
"""

import sys

import click
import msgspec
from rich.text import Text

from stopgap import _core, config
from stopgap.cli.terminal import FINDINGS, USAGE, console, wrong_input
from stopgap.errors import ConfigError, InputError
from stopgap.gate import tls
from stopgap.gate.messages import Tls
from stopgap.ruleset import lint, load, spec, vectors
from stopgap.ruleset.model import Ruleset


@click.command("check")
@click.option(
    "--config", "-c", "file", envvar="STOPGAP_CONFIG", metavar="FILE", help="The configuration to check."
)
@click.option("-q", "--quiet", is_flag=True, help="Print only what is wrong.")
@click.option(
    "--dump",
    is_flag=True,
    help="Print the configuration with every default, and what wakes each rule, as JSON.",
)
@click.option("-t", "alias", is_flag=True, hidden=True, help="As in nginx; check does nothing else anyway.")
def check(file: str | None, quiet: bool, dump: bool, alias: bool) -> None:
    """Check configuration and rules, run all vectors, say what is in force."""
    if not file:
        click.echo("--config: is missing; name the file, or set STOPGAP_CONFIG", err=True)
        raise SystemExit(USAGE)
    try:
        read = config.load(file)
        _certificates(read)
        ruleset = load.load(read)
        specification = spec.build(read, ruleset, spec.Registry())
        policy = spec.compiled(specification)
        problems = [*lint.lint(ruleset.rules), *map(str, vectors.run(ruleset.rules))]
    except InputError as error:
        wrong_input(error)
    errors = console(sys.stderr)
    for warning in specification.warnings:
        errors.print(Text.assemble(("warning: ", "yellow"), warning))
    for problem in problems:
        errors.print(Text(problem))
    out = console()
    if dump:
        out.print(Text(dumped(read, policy)))
    elif not quiet:
        _report(read, ruleset, specification, bool(problems))
    raise SystemExit(FINDINGS if problems else 0)


def _certificates(read: config.Config) -> None:
    """Raise what `serve` would raise of certificate and key."""
    if read.tls is None:
        return
    try:
        tls.context(Tls(certificate=read.tls.cert, key=read.tls.key))
    except tls.TlsError as error:
        raise ConfigError(f"{read.where('tls')}: tls: {error}") from None


def dumped(read: config.Config, policy: _core.Policy) -> str:
    """The configuration with every default, and what wakes each rule, as JSON."""
    data = msgspec.to_builtins(read)
    del data["document"]
    data["rules"] = [{"id": rule, "woken_by": trigger} for rule, trigger in policy.cost()]
    return msgspec.json.format(msgspec.json.encode(data), indent=2).decode()


def _report(read: config.Config, ruleset: Ruleset, specification: spec.Spec, wrong: bool) -> None:
    out = console()
    for site in read.sites:
        packs = {ruleset.rules[index].pack for index in ruleset.sites[site.name]}
        origins = ", ".join(map(str, site.origins))
        pages = ", ".join(map(str, site.codepages))
        label = f'site "{site.name}": '
        out.print(Text(f"{label}hosts {', '.join(site.hosts)}; origins {origins}"))
        server = f"server {site.server}, code pages {pages}"
        active = f"{len(ruleset.sites[site.name])} rules of {', '.join(sorted(packs)) or 'no pack'}"
        out.print(Text(f"{label}{server}, body {site.body}, raw bytes {site.raw_bytes}"))
        out.print(Text(label + active))
        out.print(Text(label + MODES[site.mode]))
        if site.mode == "detect":
            out.print(Text(f"{label}still refused in detect mode: {', '.join(unframed())}"))
        out.print(Text(f"{label}fails closed: a request that cannot be judged is refused (internal-error)"))
        if not packs:
            out.print(
                Text(
                    f"{label}no rule is active; only limits, ambiguous and malformed requests are refused",
                    "yellow",
                )
            )
    count = sum(len(rule.block) + len(rule.passes) for rule in ruleset.rules)
    sites = f"{len(read.sites)} site{'s' if len(read.sites) > 1 else ''}"
    summary = f"{read.document.file}: {sites}, {len(ruleset.rules)} rules, {count} vectors"
    fate = ("not fine", "bold red") if wrong else ("fine", "bold green")
    out.print(Text.assemble(f"{summary}, ruleset {specification.version}: ", fate))


MODES = {
    "block": "mode block: what is denied, ambiguous or malformed is refused and goes no further",
    "detect": "mode detect: what is denied or ambiguous is judged, counted, logged, AND FORWARDED",
}


def unframed() -> list[str]:
    """The reasons that are refused in every mode, because the request cannot be framed safely."""
    return [name for name, tier, *_ in _core.reasons() if tier == "malformed"]
