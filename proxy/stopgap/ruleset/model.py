"""What is a rule, and what does a pack hold?

`Rule`, `Pack` and `Ruleset` are checked and complete; `RuleText` and `PackText` are what a pack may say.
A match is an expression (`Expr`) of the language in `stopgap.ruleset.spec`: plain dicts, ready for JSON.
"""

from typing import Any

from msgspec import Struct, field

Expr = dict[str, Any]

SEVERITIES = ("low", "medium", "high", "critical")


class Vector(Struct, frozen=True):
    """A request in the notation of `stopgap.ruleset.vectors`, and the line it stands on."""

    text: str
    line: int


class Rule(Struct, frozen=True):
    """One rule. `servers` () means all; `status` None means the status of the rule's reason.

    `legit` says who sends such requests and means no harm; `compat` are the named conditions under which an
    exception may let them through. `match_line` is the line of the match, `line` that of the rule.
    """

    id: str
    title: str
    match: Expr
    title_ja: str
    why: str
    refs: tuple[str, ...]
    servers: tuple[str, ...]
    severity: str
    legit: str
    status: int | None
    compat: dict[str, Expr]
    block: tuple[Vector, ...]
    passes: tuple[Vector, ...]
    pack: str
    file: str
    line: int
    match_line: int

    def where(self, line: int | None = None) -> str:
        """`file:line: rule "id"`, the start of every error about this rule."""
        return f'{self.file}:{line or self.line}: rule "{self.id}"'


class Pack(Struct, frozen=True):
    """One file of rules; its name is the file's without `.toml`."""

    name: str
    title: str
    title_ja: str
    file: str
    rules: tuple[Rule, ...]


class Ruleset(Struct, frozen=True):
    """All rules in the order in which they are asked, and by site name the indexes of those that apply."""

    packs: tuple[Pack, ...]
    rules: tuple[Rule, ...]
    sites: dict[str, tuple[int, ...]]


class RuleText(Struct, frozen=True, forbid_unknown_fields=True):
    """A `[[rule]]` as written."""

    id: str
    title: str
    match: dict[str, Any]
    title_ja: str = ""
    why: str = ""
    refs: list[str] = field(default_factory=list)
    servers: str | list[str] = field(default_factory=list)
    severity: str = "medium"
    legit: str = ""
    status: int | None = None
    compat: dict[str, dict[str, Any]] = field(default_factory=dict)
    block: str | list[str] = field(default_factory=list)
    passes: str | list[str] = field(default_factory=list, name="pass")


class PackText(Struct, frozen=True, forbid_unknown_fields=True):
    """A pack as written; each rule is converted on its own, so that each has its own error."""

    title: str = ""
    title_ja: str = ""
    rule: list[dict[str, Any]] = field(default_factory=list)
