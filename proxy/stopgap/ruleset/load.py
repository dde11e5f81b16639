"""Which rules are there, which apply to which site, and what is wrong with the files they come from?

Packs that ship with Stopgap come first, in name order; then those that the sites name; then the rules that
the configuration holds itself, which are for all of its sites. Every problem of every rule is collected, so
that one run of `check` shows them all: `file:line: rule "id": key: what`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from stopgap import _core, texts
from stopgap.config import Config, Site
from stopgap.config.checks import listed
from stopgap.errors import ConfigError, InputError, RuleError, Unreadable, nearest
from stopgap.ruleset import actions
from stopgap.ruleset.match import MatchError, compile_match
from stopgap.ruleset.model import SEVERITIES, Expr, Pack, PackText, RateText, Rule, Ruleset, RuleText, Vector
from stopgap.tomlfile import Document, KeyPath, convert, read

PACKS = Path(__file__).resolve().parent.parent / "packs"
NO_PACK = "coverage.toml"
"""The one file in the folder of the packs that is none: the register of the catalogue's rows."""
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
        for name in selected(site, shipped):
            if name not in shipped:
                at = config.where("site", index, "packs")
                raise ConfigError(f'{at}: site.packs: no pack is called "{name}"{nearest(name, shipped)}')
            chosen[shipped[name].file] = shipped[name]
            files.append(shipped[name].file)
        for path in site.rules:
            for file, one in _named(config, index, path, chosen).items():
                chosen[file] = one
                files.append(file)
        if "rule" in config.document.data:
            own = config.document.file
            chosen[own] = chosen.get(own) or pack_of(config.document)
            files.append(own)
    ours = [one for one in shipped.values() if one.file in chosen]
    theirs = [one for file, one in chosen.items() if one not in ours]
    return assemble([*ours, *theirs], by_site)


def _named(config: Config, index: int, path: str, known: Mapping[str, Pack]) -> dict[str, Pack]:
    """The packs that one entry of a site's `rules` names, by their files; there is at least one."""
    at = config.where("site", index, "rules") + (": site.rules" if config.document.file else "")
    try:
        found = {file: known.get(file) or pack(file) for file in pack_files(path)}
    except Unreadable as error:
        raise ConfigError(*(f"{at}: {problem}" for problem in error.problems)) from None
    if not found:
        raise ConfigError(f"{at}: {path}: holds no pack (*.toml)")
    return found


def selected(site: Site, shipped: Mapping[str, Pack]) -> list[str]:
    """The names of the shipped packs that a site uses: those it lists, or all but the policy packs.

    A strict site has the policy packs too.
    """
    usual = [name for name, one in shipped.items() if not one.policy]
    listed = usual if site.packs is None else site.packs
    strict = [name for name, one in shipped.items() if one.policy] if site.strict else []
    return list(dict.fromkeys([*listed, *strict]))


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
    try:
        files = texts.listed(path)
    except OSError as error:
        raise Unreadable(f"{path}: cannot be read: {error.strerror}") from None
    if files is None:
        return [path]
    shipped = Path(path).resolve() == PACKS.resolve()
    return [file for file in files if not (shipped and Path(file).name == NO_PACK)]


def pack(file: str) -> Pack:
    """Read one pack. Raises `InputError` with every problem of its rules."""
    document = read(file)
    if "rule" not in document.data:
        what = "is empty" if not document.data else "has no [[rule]]"
        raise RuleError(
            f"{file}: {what}; a pack holds at least one [[rule]] with id, title, match, block and pass"
        )
    return pack_of(document)


def pack_of(document: Document) -> Pack:
    """The pack that a file holds; of a configuration, the `[[rule]]` tables that it has beside its sites."""
    own = {"rule": document.data["rule"]} if "site" in document.data else document.data
    text = convert(own, PackText, document, (), {"": PackText})
    name = Path(document.file).stem
    rules: list[Rule] = []
    problems: list[str] = []
    for index, raw in enumerate(text.rule):
        try:
            rules.append(_rule(raw, index, name, text.policy, document))
        except InputError as error:
            problems += error.problems
    if problems:
        raise RuleError(*problems)
    return Pack(
        name=name,
        title=text.title,
        title_ja=text.title_ja,
        file=document.file,
        rules=tuple(rules),
        policy=text.policy,
    )


def _rule(raw: dict[str, object], index: int, pack_name: str, policy: bool, document: Document) -> Rule:
    base: KeyPath = ("rule", index)
    named = f'rule "{raw["id"]}": ' if isinstance(raw.get("id"), str) else f"rule {index + 1}: "
    text = convert(raw, RuleText, document, base, {"": RuleText, "rate": RateText}, named)

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
    servers = tuple(listed(text.servers))
    for server in servers:
        if server not in _core.servers():
            raise wrong(
                ("servers",), f'no server table is called "{server}"{nearest(server, _core.servers())}'
            )
    if text.severity not in SEVERITIES:
        raise wrong(("severity",), f'"{text.severity}" is unknown; choose one of {", ".join(SEVERITIES)}')
    if text.status is not None and not 400 <= text.status <= 599:
        raise wrong(("status",), f"{text.status} is not the status of a refusal (400 to 599)")
    match = compiled(("match",), text.match)
    if problem := actions.problem(text, match):
        raise wrong(*problem)
    return Rule(
        id=text.id,
        title=text.title,
        match=match,
        title_ja=text.title_ja,
        why=text.why,
        refs=tuple(text.refs),
        servers=servers,
        severity=text.severity,
        legit=text.legit,
        status=text.status,
        action=text.action,
        strip=tuple(name.lower() for name in listed(text.strip)),
        rate=actions.rate(text.rate) if text.rate else None,
        compat={name: compiled(("compat", name), table) for name, table in text.compat.items()},
        block=_vectors(listed(text.block), document, (*base, "block")),
        passes=_vectors(listed(text.passes), document, (*base, "pass")),
        pack=pack_name,
        policy=policy,
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
