"""What do the pages of the rules and of the reasons say?

All of it comes from the packs and from the core's table of reasons: a page a rule, a page a reason, and an
index of each, as plain Markdown. `stopgap rules pages DIR` writes them; nobody edits them by hand.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from stopgap import _core
from stopgap.errors import InputError
from stopgap.ruleset import actions, vectors
from stopgap.ruleset.exceptions import LIMITS, STRUCTURAL
from stopgap.ruleset.explain import read
from stopgap.ruleset.model import Pack, Rule
from stopgap.ruleset.remedies import FOR_LIMITS, REMEDIES
from stopgap.ruleset.sentences import JAPANESE
from stopgap.ruleset.words import outline

MARK = "<!-- Made by `make docs` from the packs; change those. -->"

DEEDS = {
    "block": "refuses",
    "detect": "only tells of it",
    "drop": "closes the connection without an answer",
    "tarpit": "answers as late as it can, and refuses",
    "strip": "takes out headers and lets the request go on",
}

LINKS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?:CVE|CAN)-(\d{4}-\d{4,})"), "https://www.cve.org/CVERecord?id=CVE-{0}"),
    (
        re.compile(r"(MS(\d{2})-\d{3})"),
        "https://learn.microsoft.com/en-us/security-updates/securitybulletins/{year}/{lower}",
    ),
    (re.compile(r"KB ?(\d{5,})|Q(\d{6})"), "https://support.microsoft.com/help/{0}"),
    (re.compile(r"RFC ?(\d{3,5})"), "https://www.rfc-editor.org/rfc/rfc{0}"),
    (re.compile(r"CWE-(\d+)"), "https://cwe.mitre.org/data/definitions/{0}.html"),
    (re.compile(r"(https?://\S+)"), "{0}"),
)
"""What a reference looks like, and where it leads."""


class Reason(Struct, frozen=True):
    """A row of the core's table."""

    name: str
    tier: str
    status: int
    iis: str
    sentence: str


def reasons() -> dict[str, Reason]:
    return {row[0]: Reason(*row) for row in _core.reasons()}


def made(packs: Sequence[Pack]) -> dict[str, str]:
    """Every page by its path below the folder of the pages. Raises `RuleError`."""
    known = reasons()
    rules = [rule for pack in packs for rule in pack.rules]
    reason = _reasons_of(rules)
    pages = {f"rules/{rule.id}.md": _rule(rule, reason[rule.id], known) for rule in rules}
    for name, row in known.items():
        by = [rule for rule in rules if name in reason[rule.id]]
        pages[f"reasons/{name}.md"] = _reason(row, by)
    pages["rules/index.md"] = _rules(packs)
    pages["reasons/index.md"] = _index(known)
    return {path: f"{MARK}\n\n{text.rstrip()}\n" for path, text in pages.items()}


def write(folder: Path, packs: Sequence[Pack]) -> tuple[int, int]:
    """Write what has changed and remove what is no more; how many of each. Raises `InputError`."""
    pages = made(packs)
    try:
        old = {
            str(path.relative_to(folder))
            for part in ("rules", "reasons")
            for path in (folder / part).glob("*.md")
        }
        changed = [path for path, text in pages.items() if not _same(folder / path, text)]
        gone = [
            path for path in sorted(old - pages.keys()) if (folder / path).read_text("utf-8").startswith(MARK)
        ]
        for path in changed:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(pages[path], "utf-8")
        for path in gone:
            (folder / path).unlink()
    except OSError as error:
        raise InputError(f"{error.filename or folder}: {error.strerror}") from None
    return len(changed), len(gone)


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text("utf-8") == text


def _reasons_of(rules: Sequence[Rule]) -> dict[str, tuple[str, ...]]:
    """By rule, the reasons it refuses with: those it labels, or that of its first block vector."""
    servers = _core.servers()
    policy = vectors.bench(rules, [(server, vectors.CODEPAGES[0]) for server in servers])
    found: dict[str, tuple[str, ...]] = {}
    for rule in rules:
        if rule.labels:
            found[rule.id] = rule.labels
            continue
        site = servers.index(rule.servers[0] if rule.servers else "any")
        seen = [read(policy.explain(vectors.request(one.text), site)) for one in rule.block[:1]]
        names = [finding.reason for one in seen for finding in one.findings if finding.rule == rule.id]
        found[rule.id] = ("rate-exceeded",) if rule.rate else tuple(names[:1])
    return found


# A rule


def _rule(rule: Rule, reason: Sequence[str], known: dict[str, Reason]) -> str:
    parts = [f"# {_titled(rule.title, rule.title_ja)}", _facts(rule, reason, known)]
    if rule.why:
        parts += ["## Why", _text(rule.why)]
    if rule.legit:
        parts += ["## Who needs what it refuses", _text(rule.legit)]
    parts += ["## What it matches", _fenced("\n".join(outline(rule.match)))]
    if rule.rate:
        parts.append(f"It acts on {actions.written(rule.rate)}.")
    parts += [
        "## Vectors",
        "It must catch:",
        _fenced("\n\n".join(one.text.strip("\n") for one in rule.block)),
    ]
    parts += ["It must let through:", _fenced("\n\n".join(one.text.strip("\n") for one in rule.passes))]
    parts += ["## Making an exception", *_exception(rule, reason)]
    if rule.refs:
        parts += ["## References", "\n".join(f"* {linked(ref)}" for ref in rule.refs)]
    return "\n\n".join(parts)


def _facts(rule: Rule, reason: Sequence[str], known: dict[str, Reason]) -> str:
    deed = DEEDS[rule.action]
    names = [name for name in reason if name in known]
    if rule.action in ("block", "tarpit") and names:
        status = rule.status or known[names[0]].status
        links = ", ".join(f"[{name}](../reasons/{name}.md)" for name in names)
        deed = f"{deed} with {status}, {links}"
    if rule.strip:
        deed += ": " + ", ".join(f"`{name}`" for name in rule.strip)
    rows = [
        ("Rule", f"`{rule.id}`"),
        ("Pack", f"[{rule.pack}](index.md#{rule.pack})"),
        ("Severity", rule.severity),
        ("Servers", " ".join(f"`{server}`" for server in rule.servers) or "all"),
        ("It", deed),
    ]
    return "\n".join(["| | |", "|---|---|", *(f"| {key} | {_cell(value)} |" for key, value in rows)])


def _exception(rule: Rule, reason: Sequence[str]) -> Iterator[str]:
    limits = [LIMITS[name] for name in reason if name in LIMITS]
    if rule.labels:
        links = ", ".join(f"[{name}](../reasons/{name}.md)" for name in reason)
        if limits:
            yield f"None is needed: raise {_coded(limits)} in `[site.limits]`. The rule only labels {links}."
        else:
            yield f"The rule only labels {links}; see there."
        return
    yield (
        "`stopgap explain --event ID --except` proposes the narrowest exception for a request that was "
        "refused. By hand, with a path as narrow as it can be:"
    )
    lines = [
        "[[site.exception]]",
        f'rule = "{rule.id}"',
        'path = "/the/path.asp"',
        'reason = "who needs it, and why"',
    ]
    yield _fenced("\n".join(lines), "toml")
    if rule.compat:
        yield (
            "With `compat` only requests that fit its condition as well pass. An exception without the key "
            'has `tight` where there is one; `"none"` opens the rule.'
        )
        for name, expr in rule.compat.items():
            yield f'`compat = "{name}"`:'
            yield _fenced("\n".join(outline(expr)))


def linked(ref: str) -> str:
    """A reference as a link, where it is known where it leads."""
    for pattern, target in LINKS:
        if found := pattern.fullmatch(ref):
            first = next(group for group in found.groups() if group)
            year = ("19" if ref[2:4] > "90" else "20") + ref[2:4]
            return f"[{ref}]({target.format(first, year=year, lower=ref.lower())})"
    return _text(ref)


# A reason


def _reason(reason: Reason, rules: Sequence[Rule]) -> str:
    japanese = JAPANESE.get(reason.name, "")
    rows = [
        ("Tier", reason.tier),
        ("Status", str(reason.status)),
        ("IIS says", reason.iis or "nothing of the kind"),
    ]
    parts = [
        f"# {reason.name}: {_titled(reason.sentence, japanese)}",
        "\n".join(["| | |", "|---|---|", *(f"| {key} | {value} |" for key, value in rows)]),
        "## What to do",
        remedy(reason),
    ]
    if rules:
        listed = "\n".join(f"* [{rule.id}](../rules/{rule.id}.md): {_text(rule.title)}" for rule in rules)
        parts += ["## Rules", listed]
    return "\n\n".join(parts)


def remedy(reason: Reason) -> str:
    """What an operator does whose users get this refusal and should not."""
    if reason.name in REMEDIES:
        return REMEDIES[reason.name]
    if reason.name in LIMITS:
        return REMEDIES[FOR_LIMITS].format(LIMITS[reason.name])
    if reason.name in STRUCTURAL:
        return REMEDIES["ambiguous"].format(reason.name)
    return REMEDIES[reason.tier].format(reason.name)


def unlinked(text: str) -> str:
    """A text of `remedy` where links cannot be followed."""
    return re.sub(r"\[(`[^`]*`|[^\]]+)\]\([^)]*\)", r"\1", text)


# The indexes


def _rules(packs: Sequence[Pack]) -> str:
    count = sum(len(pack.rules) for pack in packs)
    parts = [
        "# The rules / ルール",
        f"{count} rules in {len(packs)} packs. [Rules](../rules.md) says how one is written.",
    ]
    for pack in packs:
        parts += [f"## {pack.name}", f"{_titled(pack.title, pack.title_ja)}."]
        if pack.policy:
            parts.append("A policy pack: off unless a site is `strict` or names it in `packs`.")
        head = ["| Rule | Severity | Servers | Action | | |", "|---|---|---|---|---|---|"]
        parts.append("\n".join([*head, *map(_row, pack.rules)]))
    return "\n\n".join(parts)


def _row(rule: Rule) -> str:
    servers = " ".join(rule.servers) or "all"
    titles = (_text(rule.title), _text(rule.title_ja))
    cells = (f"[{rule.id}]({rule.id}.md)", rule.severity, servers, rule.action, *titles)
    return "| " + " | ".join(map(_cell, cells)) + " |"


def _index(known: dict[str, Reason]) -> str:
    rows = []
    for one in known.values():
        sentences = (_text(one.sentence), _text(JAPANESE.get(one.name, "")))
        cells = (f"[{one.name}]({one.name}.md)", one.tier, str(one.status), one.iis, *sentences)
        rows.append("| " + " | ".join(map(_cell, cells)) + " |")
    head = ["| Reason | Tier | Status | IIS | | |", "|---|---|---:|---|---|---|"]
    parts = [
        "# The reasons / 理由",
        "Why a request is refused: one word each, the same in counter, event and explanation.",
        "\n".join([*head, *rows]),
    ]
    return "\n\n".join(parts)


def _titled(english: str, japanese: str) -> str:
    return f"{_text(english)} / {_text(japanese)}" if japanese else _text(english)


def _coded(words: Sequence[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _text(text: str) -> str:
    """Plain text that Markdown shows as it is."""
    return re.sub(r"([\\*_<\[\]`])", r"\\\1", text)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _fenced(text: str, language: str = "text") -> str:
    """A block of code; its fence is longer than any in the text."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"
