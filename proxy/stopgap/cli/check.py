"""`stopgap check`: is the configuration right, do the rules hold, and what is in force?

It loads what `serve` would load, compiles it, runs every vector and every lint, and says in which mode
each site is and what that means. A gate that runs with this configuration is asked which exceptions nobody
needed. Without a configuration all packs that ship are checked. Exit codes: 0 fine (warnings and notes
included), 1 a rule does not hold, 2 a file is wrong.
"""

import datetime
import sys
from collections.abc import Mapping

import click
import msgspec
from rich.text import Text

from stopgap import _core, config
from stopgap.cli.configuration import config_option
from stopgap.cli.gate import Door, NoAnswer, ask
from stopgap.cli.terminal import FINDINGS, console, counted, wrong_input
from stopgap.config import access
from stopgap.config.evidence import homeless
from stopgap.errors import InputError
from stopgap.gate import certificates
from stopgap.ruleset import exceptions, lint, load, modes, overlap, spec
from stopgap.ruleset.model import Ruleset

SECONDS = 1.0
"""Longest wait for a gate that may not run."""


@click.command("check")
@config_option("The configuration to check.")
@click.option("--preset", metavar="NAME", help="Check a site with this preset.")
@click.option("-q", "--quiet", is_flag=True, help="Print only what is wrong.")
@click.option(
    "--dump",
    is_flag=True,
    help="Print the configuration with every default, and what wakes each rule, as JSON.",
)
@click.option("-t", "alias", is_flag=True, hidden=True, help="As in nginx; check does nothing else anyway.")
def check(file: str | None, preset: str | None, quiet: bool, dump: bool, alias: bool) -> None:
    """Check configuration and rules, run all vectors, say what is in force.

    Without a configuration it checks all packs that ship. A gate that runs
    with this configuration is asked which exceptions nobody needed.
    """
    today = datetime.datetime.now(datetime.UTC).date()
    try:
        read = _read(file, preset)
        secured = certificates.check(read, today)
        ruleset = load.load(read)
        specification = spec.build(read, ruleset)
        policy = spec.compiled(specification)
        problems = lint.problems(ruleset.rules)
        ours = [rule for rule in ruleset.rules if not rule.file.startswith(str(load.PACKS))]
        notes = [] if problems or quiet else overlap.notes(ruleset.rules, ours)
    except InputError as error:
        wrong_input(error)
    errors = console(sys.stderr)
    warnings = [*specification.warnings, *secured.warnings, *exceptions.ending(read, today), *homeless(read)]
    notes += _unused(read) if file and not quiet else []
    for warning in warnings:
        errors.print(Text.assemble(("warning: ", "yellow"), warning))
    for note in notes:
        errors.print(Text.assemble(("note: ", "cyan"), note))
    for problem in problems:
        errors.print(Text(problem))
    out = console()
    if dump:
        out.print(Text(dumped(read, ruleset, policy)))
    elif not quiet:
        of, version = f"the packs that ship: {len(ruleset.packs)} packs", ""
        if file or preset:
            _report(read, ruleset, modes.differing(read, policy), today)
            sites = counted(len(read.sites), "site")
            of, version = f"{file or f'preset {preset}'}: {sites}", f", ruleset {specification.version}"
        _sum_up(ruleset, of, version, bool(problems))
    raise SystemExit(FINDINGS if problems else 0)


def dumped(read: config.Config, ruleset: Ruleset, policy: _core.Policy) -> str:
    """The configuration with every default; what wakes each rule, and its mode by site; as JSON."""
    data = msgspec.to_builtins(read)
    del data["document"]
    by_site = modes.effective(read, policy)
    for site in data["sites"]:
        site["packs"] = sorted({ruleset.rules[index].pack for index in ruleset.sites[site["name"]]})
    data["rules"] = [
        {
            "id": rule,
            "woken_by": trigger,
            "modes": {site: known[rule] for site, known in by_site.items() if rule in known},
        }
        for rule, trigger in policy.cost()
    ]
    return msgspec.json.format(msgspec.json.encode(data), indent=2).decode()


def _read(file: str | None, preset: str | None) -> config.Config:
    """The configuration; that of an imagined site with a preset, or else with all packs that ship."""
    named = {"preset": preset} if preset else {}
    if file:
        return config.load(file, named)
    return config.load(None, {"origins": ["http://127.0.0.1"], **(named or {"strict": True})})


def _unused(read: config.Config) -> list[str]:
    """The exceptions that let nothing pass since the gate of this configuration runs; () when none runs."""
    if read.admin is None:
        return []
    try:
        told = ask(Door(read.admin, access.of(read)), "GET", "/status", SECONDS)
        unused = {
            one["id"]: told["started"]
            for site in told["sites"]
            for one in site["exceptions"]
            if one["state"] == "unused"
        }
    except (NoAnswer, LookupError, TypeError):
        return []
    return [
        f'{one.where}: site "{site.name}": exception {one.id} to "{one.rule}" let nothing pass since '
        f"{unused[one.id]}, when the gate started; is it needed?"
        for site in read.sites
        for one in site.exceptions
        if one.id in unused and not one.preset
    ]


def _report(
    read: config.Config,
    ruleset: Ruleset,
    differing: Mapping[str, Mapping[str, str]],
    today: datetime.date,
) -> None:
    out = console()
    for site in read.sites:
        packs = {ruleset.rules[index].pack for index in ruleset.sites[site.name]}
        origins = ", ".join(one.url if one.tls else str(one) for one in site.origins)
        pages = ", ".join(map(str, site.codepages))
        label = f'site "{site.name}": '
        out.print(Text(f"{label}hosts {', '.join(site.hosts)}; origins {origins}"))
        server = f"server {site.server}, code pages {pages}"
        active = f"{len(ruleset.sites[site.name])} rules of {', '.join(sorted(packs)) or 'no pack'}"
        out.print(Text(f"{label}{server}, body {site.body}, raw bytes {site.raw_bytes}"))
        out.print(Text(label + active))
        out.print(Text(label + MODES[site.mode].format(site.canary)))
        if site.mode != "block":
            out.print(Text(f"{label}still refused in {site.mode} mode: {', '.join(unframed())}"))
        for mode in dict.fromkeys(differing[site.name].values()):
            names = ", ".join(name for name, one in differing[site.name].items() if one == mode)
            out.print(Text(f"{label}mode {mode} for {names}"))
        for one in (one for one in site.exceptions if not one.preset):
            ends = "ended on" if exceptions.expired(one, today) else "until"
            until = f" {ends} {one.until}" if one.until else ""
            out.print(Text(f'{label}exception {one.id} to "{one.rule}" on {one.path or "every path"}{until}'))
        out.print(Text(label + ON_ERROR[site.on_error]))
        if count := sum(one.preset for one in site.exceptions):
            out.print(Text(f"{label}preset {site.preset}, which brings {count} exceptions"))
        elif site.preset:
            out.print(Text(f"{label}preset {site.preset}"))
        if not packs:
            out.print(
                Text(
                    f"{label}no rule is active; only limits, ambiguous and malformed requests are refused",
                    "yellow",
                )
            )


def _sum_up(ruleset: Ruleset, of: str, version: str, wrong: bool) -> None:
    """The last line: `of` what the rules are, and whether they hold."""
    count = sum(len(rule.vectors) for rule in ruleset.rules)
    summary = f"{of}, {counted(len(ruleset.rules), 'rule')}, {counted(count, 'vector')}{version}: "
    fate = ("not fine", "bold red") if wrong else ("fine", "bold green")
    console().print(Text.assemble(summary, fate))


ON_ERROR = {
    "refuse": "fails closed: a request that cannot be judged is refused",
    "forward": "FAILS OPEN: a request that cannot be judged is counted, logged, AND FORWARDED",
}

MODES = {
    "block": "mode block: what is denied, ambiguous or malformed is refused and goes no further",
    "canary": "mode canary: for {} % of the clients as block; for all others as detect, AND FORWARDED",
    "detect": "mode detect: what is denied or ambiguous is judged, counted, logged, AND FORWARDED",
}


def unframed() -> list[str]:
    """The reasons that are refused in every mode, because the request cannot be framed safely."""
    return [name for name, tier, *_ in _core.reasons() if tier == "malformed"]
