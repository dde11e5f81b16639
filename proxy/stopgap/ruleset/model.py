"""What is a rule, and what does a pack hold?

`Rule`, `Pack` and `Ruleset` are checked and complete; `RuleText` and `PackText` are what a pack may say.
A match is an expression (`Expr`) of the language in `stopgap.ruleset.spec`: plain dicts, ready for JSON.
"""

from typing import Any

from msgspec import Struct, field

Expr = dict[str, Any]

SEVERITIES = ("low", "medium", "high", "critical")
ACTIONS = ("block", "detect", "drop", "tarpit", "strip")


class Vector(Struct, frozen=True):
    """A request in the notation of `stopgap.ruleset.vectors`, and the line it stands on."""

    text: str
    line: int


class Rate(Struct, frozen=True):
    """More than `over` matches of one client within `per` seconds: only then does a rule act.

    `distinct` is the field (and its name) whose different values are counted instead of the matches;
    `answers` are the statuses of the origin with which a request counts, () for any.
    """

    over: int
    per: int
    distinct: tuple[str, str | None] | None = None
    answers: tuple[int, ...] = ()


class Rule(Struct, frozen=True):
    """One rule. `servers` () means all; `status` None means the status of the rule's reason.

    `action` is what becomes of a request that matches, `strip` the headers that the action of that name
    takes out. `legit` says who sends such requests and means no harm; `compat` are the named conditions under
    which an exception may let them through. `policy` is that of its pack. `match_line` is the line of the
    match, `line` that of the rule.
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
    action: str
    strip: tuple[str, ...]
    rate: Rate | None
    compat: dict[str, Expr]
    block: tuple[Vector, ...]
    passes: tuple[Vector, ...]
    pack: str
    policy: bool
    file: str
    line: int
    match_line: int

    @property
    def vectors(self) -> tuple[Vector, ...]:
        """All vectors, those of `block` first."""
        return (*self.block, *self.passes)

    @property
    def labels(self) -> tuple[str, ...]:
        """The reasons that the rule labels; () for every rule that matches by itself."""
        return tuple(self.match["value"]) if self.match.get("field") == "reason" else ()

    def where(self, line: int | None = None) -> str:
        """`file:line: rule "id"`, the start of every error about this rule."""
        return f'{self.file}:{line or self.line}: rule "{self.id}"'


class Pack(Struct, frozen=True):
    """One file of rules; its name is the file's without `.toml`.

    A `policy` pack refuses what some sites use every day: it is off unless a site is strict, or names it.
    """

    name: str
    title: str
    title_ja: str
    file: str
    rules: tuple[Rule, ...]
    policy: bool = False


class Ruleset(Struct, frozen=True):
    """All rules in the order in which they are asked, and by site name the indexes of those that apply."""

    packs: tuple[Pack, ...]
    rules: tuple[Rule, ...]
    sites: dict[str, tuple[int, ...]]


class RateText(Struct, frozen=True, forbid_unknown_fields=True):
    """The `rate` of a rule as written."""

    over: int
    per: int
    distinct: str | None = None
    answers: int | list[int] = field(default_factory=list)


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
    action: str = "block"
    strip: str | list[str] = field(default_factory=list)
    rate: RateText | None = None
    compat: dict[str, dict[str, Any]] = field(default_factory=dict)
    block: str | list[str] = field(default_factory=list)
    passes: str | list[str] = field(default_factory=list, name="pass")


class PackText(Struct, frozen=True, forbid_unknown_fields=True):
    """A pack as written; each rule is converted on its own, so that each has its own error."""

    title: str = ""
    title_ja: str = ""
    policy: bool = False
    rule: list[dict[str, Any]] = field(default_factory=list)
