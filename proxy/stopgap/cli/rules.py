"""`stopgap rules`: which rules are there, what does one do, and do they hold?

Without a configuration these are the packs that ship with Stopgap. Exit codes: 0 fine, 1 a rule does not
hold, 2 a file is wrong or there is no such rule.
"""

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from stopgap import config
from stopgap.cli import change, cost, versions
from stopgap.cli.configuration import config_option
from stopgap.cli.terminal import FINDINGS, console, counted, print_table, wrong_input
from stopgap.errors import ConfigError, InputError, nearest
from stopgap.ruleset import actions, lint, load, overlap, pages, vectors
from stopgap.ruleset.model import Pack, Rule
from stopgap.ruleset.words import written

_CONFIG = config_option("Take the rules of this configuration.")


@click.group("rules")
def rules() -> None:
    """List, show, test, compare and weigh the rules, and change what they do."""


@rules.command("list")
@_CONFIG
def list_rules(file: str | None) -> None:
    """List all rules in the order in which they are asked."""
    rows = [("RULE", "SEVERITY", "SERVERS", "PACK", "TITLE")]
    rows += [(r.id, r.severity, " ".join(r.servers) or "all", r.pack, r.title) for r in _rules(file)]
    print_table(rows)


@rules.command("show")
@click.argument("rule_id", metavar="ID")
@_CONFIG
def show(rule_id: str, file: str | None) -> None:
    """Show everything about one rule."""
    known = {rule.id: rule for rule in _rules(file)}
    if rule_id not in known:
        wrong_input(ConfigError(f'no rule is called "{rule_id}"{nearest(rule_id, known)}'))
    rule = known[rule_id]
    out = console()
    for label, text in _facts(rule):
        out.print(Text.assemble((f"{label:<10}", "dim"), text.rstrip().replace("\n", "\n" + " " * 10)))


@rules.command("test", short_help="Run the vectors and the lint of packs.")
@click.argument("files", metavar="[FILE]...", nargs=-1)
@_CONFIG
def test(files: tuple[str, ...], file: str | None) -> None:
    """Run the vectors and the lint of packs: of FILEs or folders, of a configuration, or those that ship.

    What is wrong is told with file, line, rule and key, and ends with exit code 1. When nothing is wrong,
    notes say which rules deserve a second look: they never name an event, match what another matches, or
    are asked for every request.
    """
    try:
        tested = _tested(files) if files else _rules(file)
        with _progress(sum(len(rule.vectors) for rule in tested)) as advance:
            problems = lint.problems(tested, advance)
        notes = [] if problems else overlap.notes(tested)
    except InputError as error:
        wrong_input(error)
    out = console()
    for problem in problems:
        out.print(Text(problem))
    for note in notes:
        out.print(Text.assemble(("note: ", "cyan"), note))
    count = sum(len(rule.vectors) for rule in tested)
    fate = (counted(len(problems), "problem"), "bold red") if problems else ("all hold", "bold green")
    out.print(Text.assemble(f"{counted(len(tested), 'rule')}, {counted(count, 'vector')}: ", fate))
    raise SystemExit(FINDINGS if problems else 0)


@rules.command("pages", short_help="Write a page for each rule and each reason.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def write_pages(folder: Path) -> None:
    """Write the pages of all rules that ship and of all reasons below DIR, as Markdown.

    A page a rule in DIR/rules, a page a reason in DIR/reasons, and an index in each. Pages that were written
    so before and are no more are removed; everything else in DIR stays as it is.
    """
    try:
        written, removed = pages.write(folder, load.packaged())
    except InputError as error:
        wrong_input(error)
    click.echo(f"{folder}: {written} pages written, {removed} removed")


rules.add_command(change.mode)
rules.add_command(change.exception)
rules.add_command(cost.cost)
rules.add_command(versions.versions)
rules.add_command(versions.diff_rules)


def _rules(file: str | None) -> tuple[Rule, ...]:
    """The rules of a configuration, or all that ship."""
    try:
        if file:
            return load.load(config.load(file)).rules
        return load.assemble(load.packaged(), {}).rules
    except InputError as error:
        wrong_input(error)


def _tested(files: Sequence[str]) -> tuple[Rule, ...]:
    paths = list(dict.fromkeys(path for file in files for path in load.pack_files(file)))
    if not paths:
        raise ConfigError(f"{files[0]}: holds no pack (*.toml)")
    packs: tuple[Pack, ...] = load.packs_of(paths)
    return load.assemble(packs, {}).rules


def _facts(rule: Rule) -> Iterator[tuple[str, str]]:
    yield "rule", rule.id
    yield "title", rule.title
    if rule.title_ja:
        yield "", rule.title_ja
    yield "pack", f"{rule.pack} ({rule.file}:{rule.line})"
    yield "servers", " ".join(rule.servers) or "all"
    yield "severity", rule.severity
    for label, text in (("why", rule.why), ("refs", ", ".join(rule.refs)), ("needed by", rule.legit)):
        if text:
            yield label, text
    yield "match", written(rule.match)
    if rule.action != "block":
        yield "action", " ".join((rule.action, ", ".join(rule.strip))).rstrip()
    if rule.rate:
        yield "rate", actions.written(rule.rate)
    for name, expr in rule.compat.items():
        yield "compat", f"{name}: {written(expr)}"
    policy = vectors.bench([rule], [("any", 932)])
    yield "woken by", "; ".join(trigger for _, trigger in policy.cost())
    for vector in rule.block:
        yield "block", vector.text
    for vector in rule.passes:
        yield "pass", vector.text


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """A bar on standard error, if that is a terminal; what it yields moves the bar by one."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    columns = (TextColumn("vectors"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console(sys.stderr), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda: bar.advance(task)
