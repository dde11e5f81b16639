"""Which rules are there, which apply to which site, and what is wrong with the files they come from?

Packs that ship with Stopgap come first, in name order; then those that the sites name. Every problem of every
rule is collected, so that one run of `check` shows them all: `file:line: rule "id": key: what`.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from stopgap import _core
from stopgap.config import Config
from stopgap.errors import ConfigError, InputError, RuleError, nearest
from stopgap.ruleset.match import MatchError, compile_match
from stopgap.ruleset.model import SEVERITIES, Expr, Pack, PackText, Rule, Ruleset, RuleText, Vector
from stopgap.tomlfile import Document, KeyPath, convert, read

PACKS = Path(__file__).resolve().parent.parent / "packs"
MOST_RULES = 16_384
"""The board has one counter for each rule."""

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def load(config: Config) -> Ruleset:
    """All rules that the sites of `config` use. Raises `InputError` with every problem found."""
    shipped = {pack.name: pack for pack in packaged()}
    chosen: dict[str, Pack] = {}
    by_site: dict[str, list[str]] = {}
    for index, site in enumerate(config.sites):
        files = by_site.setdefault(site.name, [])
        for name in shipped if site.packs is None else site.packs:
            if name not in shipped:
                at = config.where("site", index, "packs")
                raise ConfigError(f'{at}: site.packs: no pack is called "{name}"{nearest(name, shipped)}')
            chosen[shipped[name].file] = shipped[name]
            files.append(shipped[name].file)
        for path in site.rules:
            for file in pack_files(path):
                chosen[file] = chosen.get(file) or pack(file)
                files.append(file)
    ours = [one for one in shipped.values() if one.file in chosen]
    theirs = [one for file, one in chosen.items() if one not in ours]
    return assemble([*ours, *theirs], by_site)


def assemble(packs: Sequence[Pack], by_site: dict[str, list[str]]) -> Ruleset:
    """Number the rules of `packs` in order; `by_site` names the files that each site uses."""
    rules = tuple(rule for one in packs for rule in one.rules)
    seen: dict[str, Rule] = {}
    problems = []
    for rule in rules:
        if rule.id in seen:
            problems.append(
                f"{rule.where()}: id: is already used at {seen[rule.id].file}:{seen[rule.id].line}"
            )
        seen.setdefault(rule.id, rule)
    if len(rules) > MOST_RULES:
        problems.append(
            f"{rules[-1].file}: {len(rules)} rules are more than the {MOST_RULES} that can be counted"
        )
    if problems:
        raise RuleError(*problems)
    sites = {
        name: tuple(index for index, rule in enumerate(rules) if rule.file in files)
        for name, files in by_site.items()
    }
    return Ruleset(packs=tuple(packs), rules=rules, sites=sites)


def packaged() -> tuple[Pack, ...]:
    """The packs that ship with Stopgap, in name order."""
    return packs_of(pack_files(str(PACKS)))


def packs_of(files: Iterable[str]) -> tuple[Pack, ...]:
    """Read several packs; the problems of all are told together."""
    packs: list[Pack] = []
    problems: list[str] = []
    for file in files:
        try:
            packs.append(pack(file))
        except InputError as error:
            problems += error.problems
    if problems:
        raise RuleError(*problems)
    return tuple(packs)


def pack_files(path: str) -> list[str]:
    """The packs of a folder in name order, or the one file that `path` names."""
    if not Path(path).is_dir():
        return [path]
    try:
        return sorted(str(file) for file in Path(path).iterdir() if file.suffix == ".toml")
    except OSError as error:
        raise RuleError(f"{path}: cannot be read: {error.strerror}") from None


def pack(file: str) -> Pack:
    """Read one pack. Raises `InputError` with every problem of its rules."""
    document = read(file)
    if "rule" not in document.data:
        what = "is empty" if not document.data else "has no [[rule]]"
        raise RuleError(
            f"{file}: {what}; a pack holds at least one [[rule]] with id, title, match, block and pass"
        )
    text = convert(document.data, PackText, document, (), {"": PackText})
    name = Path(file).stem
    rules: list[Rule] = []
    problems: list[str] = []
    for index, raw in enumerate(text.rule):
        try:
            rules.append(_rule(raw, index, name, document))
        except InputError as error:
            problems += error.problems
    if problems:
        raise RuleError(*problems)
    return Pack(name=name, title=text.title, title_ja=text.title_ja, file=file, rules=tuple(rules))


def _rule(raw: dict[str, object], index: int, pack_name: str, document: Document) -> Rule:
    base: KeyPath = ("rule", index)
    named = f'rule "{raw["id"]}": ' if isinstance(raw.get("id"), str) else f"rule {index + 1}: "
    text = convert(raw, RuleText, document, base, {"": RuleText}, named)

    def wrong(path: KeyPath, what: str) -> RuleError:
        key = ".".join(step for step in path if isinstance(step, str))
        return RuleError(f"{document.where(base + path)}: {named}{key}: {what}")

    def compiled(path: KeyPath, table: dict[str, object]) -> Expr:
        try:
            return compile_match(table)
        except MatchError as error:
            raise wrong(path + error.path, error.text) from None

    if not _ID.fullmatch(text.id):
        raise wrong(("id",), "must be lower-case letters, digits, `-`, `.` or `_`, at most 64")
    servers = _listed(text.servers)
    for server in servers:
        if server not in _core.servers():
            raise wrong(
                ("servers",), f'no server table is called "{server}"{nearest(server, _core.servers())}'
            )
    if text.severity not in SEVERITIES:
        raise wrong(("severity",), f'"{text.severity}" is unknown; choose one of {", ".join(SEVERITIES)}')
    if text.status is not None and not 400 <= text.status <= 599:
        raise wrong(("status",), f"{text.status} is not the status of a refusal (400 to 599)")
    return Rule(
        id=text.id,
        title=text.title,
        match=compiled(("match",), text.match),
        title_ja=text.title_ja,
        why=text.why,
        refs=tuple(text.refs),
        servers=servers,
        severity=text.severity,
        legit=text.legit,
        status=text.status,
        compat={name: compiled(("compat", name), table) for name, table in text.compat.items()},
        block=_vectors(_listed(text.block), document, (*base, "block")),
        passes=_vectors(_listed(text.passes), document, (*base, "pass")),
        pack=pack_name,
        file=document.file,
        line=document.line(base),
        match_line=document.line((*base, "match")),
    )


def _vectors(texts: Sequence[str], document: Document, path: KeyPath) -> tuple[Vector, ...]:
    """Each vector with its own line, found by its text at or below the line of the key."""
    line, last = document.span(path)
    found = []
    for text in texts:
        first = text.split("\n", 1)[0]
        lines = range(line, last + 1)
        line = next((number for number in lines if first in document.lines[number - 1]), line)
        found.append(Vector(text, line))
    return tuple(found)


def _listed(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
