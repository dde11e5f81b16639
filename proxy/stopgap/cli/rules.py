"""`stopgap rules list|show|test`: which rules are there, what does one do, and do they hold?

Without a configuration these are the packs that ship with Stopgap. Exit codes: 0 fine, 1 a rule does not
hold, 2 a file is wrong or there is no such rule.
"""

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from stopgap import config
from stopgap.cli.terminal import FINDINGS, console, wrong_input
from stopgap.errors import ConfigError, InputError, nearest
from stopgap.ruleset import lint, load, spec, vectors
from stopgap.ruleset.model import Expr, Pack, Rule

_CONFIG = click.option(
    "--config",
    "-c",
    "file",
    envvar="STOPGAP_CONFIG",
    metavar="FILE",
    help="Take the rules of this configuration.",
)


@click.group("rules")
def rules() -> None:
    """List, show and test the rules."""


@rules.command("list")
@_CONFIG
def list_rules(file: str | None) -> None:
    """List all rules in the order in which they are asked."""
    rows = [("RULE", "SEVERITY", "SERVERS", "PACK", "TITLE")]
    rows += [(r.id, r.severity, " ".join(r.servers) or "all", r.pack, r.title) for r in _rules(file)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    out = console()
    for number, row in enumerate(rows):
        line = "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        out.print(Text(line, "" if number else "dim"))


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


@rules.command("test")
@click.argument("files", metavar="[FILE]...", nargs=-1)
@_CONFIG
def test(files: tuple[str, ...], file: str | None) -> None:
    """Run the vectors and the lint of packs: of FILEs or folders, of a configuration, or those that ship."""
    try:
        tested = _tested(files) if files else _rules(file)
        with _progress(sum(len(rule.block) + len(rule.passes) for rule in tested)) as advance:
            problems = [*lint.lint(tested), *map(str, vectors.run(tested, advance))]
    except InputError as error:
        wrong_input(error)
    out = console()
    for problem in problems:
        out.print(Text(problem))
    count = sum(len(rule.block) + len(rule.passes) for rule in tested)
    fate = (f"{len(problems)} problems", "bold red") if problems else ("all hold", "bold green")
    out.print(Text.assemble(f"{len(tested)} rules, {count} vectors: ", fate))
    raise SystemExit(FINDINGS if problems else 0)


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
    for name, expr in rule.compat.items():
        yield "compat", f"{name}: {written(expr)}"
    policy = spec.compiled(spec.join([rule], [vectors.bench_site("any", 932, [0])], spec.Registry()))
    yield "woken by", "; ".join(trigger for _, trigger in policy.cost())
    for vector in rule.block:
        yield "block", vector.text
    for vector in rule.passes:
        yield "pass", vector.text


def written(expr: Expr) -> str:
    """An expression on one line: `extension is ida or idq and not (query length over 200)`."""
    for key, word in (("all", " and "), ("any", " or ")):
        if key in expr:
            return "(" + word.join(written(part) for part in expr[key]) + ")"
    if "not" in expr:
        return f"not {written(expr['not'])}"
    if "same" in expr:
        return "one param whose " + " and ".join(
            written({**part, "field": part["on"]}) for part in expr["same"]
        )
    what = f"{expr['field']} {expr['name']}" if "name" in expr else expr["field"]
    if "value" in expr:
        return f"{what} {expr['test']} " + " or ".join(map(repr, expr["value"]))
    bound = "over" if "over" in expr else "under"
    return f"{what} {expr['test']} {bound} {expr[bound]}"


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
