"""`stopgap rules cost`: how much of the time of a judgement does each rule take?

The requests are the pass vectors of all rules, or those of a file. All rules of one site are timed at once,
as the gate asks them: most are never woken, and cost nothing.
"""

import re
from pathlib import Path

import click
import msgspec

from stopgap import _core, config
from stopgap.cli.configuration import config_option
from stopgap.cli.terminal import print_table, wrong_input
from stopgap.config import Config
from stopgap.errors import ConfigError, InputError, nearest
from stopgap.ruleset import load, spec, vectors
from stopgap.ruleset.model import Rule

ROUNDS = 50
HEADINGS = ("SHARE", "NS", "WOKEN", "MATCHED", "RULE", "WOKEN BY")
BREATH = 5
"""So many rounds go without a breath."""
WIDEST = 80
"""Characters of a trigger that are shown; the rest is in `stopgap rules show`."""

Row = tuple[str, int, int, int]
"""Name, nanoseconds, how often it was woken, how often it matched."""

_LINE = re.compile(rb"[A-Za-z_-]+ \S+( HTTP/\d\.\d)?")
_FIELD = re.compile(rb"[!-9;-~]+:.*")


@click.command("cost", short_help="Say how much of the time of a judgement each rule takes.")
@config_option("Its rules and limits.")
@click.option("--site", metavar="NAME", help="The site of the configuration; the default is its first.")
@click.option("--requests", metavar="FILE", help="Time these instead of the pass vectors of the rules.")
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=ROUNDS,
    metavar="N",
    help=f"How often each is judged. [{ROUNDS}]",
)
def cost(file: str | None, site: str | None, requests: str | None, rounds: int) -> None:
    """Say how much of the time of a judgement each rule takes.

    One line a rule, the dearest first: its share of the time, nanoseconds a request, how many of a thousand
    requests wake it, how many match it, and what wakes it. The lines in parentheses are what is done
    for every request: reading its head, its readings, and looking for what wakes rules.

    The requests of a file are raw heads with an empty line between them, or one request line a line.

    \b
    Examples:
      stopgap rules cost
      stopgap rules cost -c stopgap.toml --requests requests.txt
    """
    try:
        policy, rules = _policy(file, site)
        timed_on = read_requests(requests) if requests else _vectors(rules)
    except InputError as error:
        wrong_input(error)
    rows = _timed(policy, timed_on, rounds)
    woken_by = dict(policy.cost())
    total, judged = sum(row[1] for row in rows) or 1, len(timed_on) * rounds
    lines: list[tuple[str, ...]] = [HEADINGS]
    for name, spent, woken, matched in sorted(rows, key=lambda row: -row[1]):
        trigger = woken_by.get(name, "")
        shown = trigger if len(trigger) <= WIDEST else trigger[: WIDEST - 3] + "..."
        counts = (f"{count * 1000 / judged:.0f}" for count in (woken, matched))
        often = ("", "") if name.startswith("(") else counts
        lines.append((f"{spent / total:.1%}", f"{spent / judged:.0f}", *often, name, shown))
    print_table(lines, numbers=4)
    click.echo(f"{len(timed_on)} requests, {rounds} times: {total / judged:.0f} ns a request")


def _timed(policy: _core.Policy, requests: list[bytes], rounds: int) -> list[Row]:
    """What each rule took, with a breath after some rounds in which Ctrl-C is heard."""
    total: dict[str, Row] = {}
    for done in range(0, rounds, BREATH):
        for name, spent, woken, matched in policy.timed(requests, min(BREATH, rounds - done)):
            before = total.get(name, (name, 0, 0, 0))
            total[name] = (name, before[1] + spent, before[2] + woken, before[3] + matched)
    return list(total.values())


def _policy(file: str | None, name: str | None) -> tuple[_core.Policy, tuple[Rule, ...]]:
    """One site that takes every host, with its rules."""
    if file is None:
        if name:
            raise ConfigError("--site: needs --config FILE")
        rules = load.assemble(load.packaged(), {}).rules
        bench = {**vectors.bench_site("any", vectors.CODEPAGES[0], range(len(rules))), "hosts": ["*"]}
        return spec.compiled(spec.join(rules, [bench])), rules
    read = config.load(file)
    names = [site.name for site in read.sites]
    if name is not None and name not in names:
        raise ConfigError(f'--site: no site is called "{name}"{nearest(name, names)}')
    return _of_site(read, names.index(name) if name else 0)


def _of_site(read: Config, index: int) -> tuple[_core.Policy, tuple[Rule, ...]]:
    site = msgspec.structs.replace(read.sites[index], hosts=("*",))
    alone = msgspec.structs.replace(read, sites=(site,))
    ruleset = load.load(alone)
    return spec.compiled(spec.build(alone, ruleset)), ruleset.rules


def _vectors(rules: tuple[Rule, ...]) -> list[bytes]:
    found = [vectors.request(vector.text) for rule in rules for vector in rule.passes]
    if not found:
        raise ConfigError("there is no pass vector to judge; give requests with --requests FILE")
    return found


def read_requests(file: str) -> list[bytes]:
    """The requests of a file: a request line a line, or heads with an empty line between each. May raise."""
    try:
        raw = Path(file).read_bytes().replace(b"\r\n", b"\n")
    except OSError as error:
        raise ConfigError(f"--requests: {file}: cannot be read: {error.strerror}") from None
    heads: list[list[bytes]] = []
    open_head = False
    for number, line in enumerate(raw.split(b"\n"), 1):
        if _LINE.fullmatch(line):
            heads.append([line])
        elif line.strip() and not (open_head and _FIELD.fullmatch(line)):
            what = 'neither a request line, such as "GET /a HTTP/1.0", nor a header below one'
            raise ConfigError(f"--requests: {file}:{number}: is {what}")
        elif line.strip():
            heads[-1].append(line)
        open_head = bool(line.strip())
    if not heads:
        raise ConfigError(f"--requests: {file}: holds no request")
    return [_head(lines) for lines in heads]


def _head(lines: list[bytes]) -> bytes:
    """A head, with a version and a Host where it has none."""
    first = lines[0] if b" HTTP/" in lines[0] else lines[0] + b" HTTP/1.1"
    rest = lines[1:]
    if not any(line.lower().startswith(b"host:") for line in rest):
        rest = [f"Host: {vectors.HOST}".encode(), *rest]
    return b"\r\n".join([first, *rest]) + b"\r\n\r\n"
