"""Which regular expressions mean the same to Stopgap, to PCRE and to RE2, and how is one written for each?

A pattern is parsed into a small tree that holds only what all of them agree on: bytes, classes, groups,
alternatives, bounded and unbounded repeats, the two ends and word borders. Whatever else one of them knows
(look-around, back-references, possessive repeats, Unicode classes) is refused by name, because it cannot be
kept exactly.
"""

import re
import string
from collections.abc import Callable

from msgspec import Struct

ALL = frozenset(range(256))
NEWLINE = frozenset(b"\n")
DEEPEST = 40
LONGEST_REPEAT = 1000

_DIGITS = frozenset(string.digits.encode())
_WORD = frozenset((string.ascii_letters + string.digits + "_").encode())
_SPACE = frozenset(b" \t\n\v\f\r")
_CLASSES = {"d": _DIGITS, "w": _WORD, "s": _SPACE, "D": ALL - _DIGITS, "W": ALL - _WORD, "S": ALL - _SPACE}
_CONTROLS = {"n": 10, "r": 13, "t": 9, "f": 12, "a": 7}
_POSIX = {
    "alpha": string.ascii_letters,
    "digit": string.digits,
    "alnum": string.ascii_letters + string.digits,
    "upper": string.ascii_uppercase,
    "lower": string.ascii_lowercase,
    "punct": string.punctuation,
    "xdigit": string.hexdigits,
}
_REPEAT = re.compile(r"\{(\d{1,5})(?:(,)(\d{0,5}))?\}")
_FLAGS = re.compile(r"\(\?([is]*)(-i)?:")
_NAMED = re.compile(r"\(\?P?<[A-Za-z_]\w*>")


class RegexError(ValueError):
    """A pattern says what cannot be kept; the text names it."""


class Chars(Struct, frozen=True):
    """One byte out of a set."""

    of: frozenset[int]


class Edge(Struct, frozen=True):
    """A place between bytes: start, end, border (of a word), inside."""

    kind: str


class Repeat(Struct, frozen=True):
    """`most` None is without end."""

    inner: "Node"
    least: int
    most: int | None
    lazy: bool = False


class Group(Struct, frozen=True):
    """Alternatives, each a sequence."""

    options: tuple[tuple["Node", ...], ...]


Node = Chars | Edge | Repeat | Group


def folded(members: frozenset[int]) -> frozenset[int]:
    """A set with both cases of each letter in it."""
    return members | {byte ^ 0x20 for byte in members if byte < 128 and chr(byte).isalpha()}


def literal(text: bytes, fold: bool) -> tuple[Node, ...]:
    """The sequence of a plain text, in both cases where `fold`."""
    return tuple(Chars(folded(one) if fold else one) for one in (frozenset([byte]) for byte in text))


class _Parser:
    """One pass from left to right; `at` is where it stands."""

    def __init__(self, pattern: str, fold: bool, dotall: bool, loose_end: bool) -> None:
        self.text, self.at, self.depth = pattern, 0, 0
        self.fold = fold
        self.dot = ALL if dotall else ALL - NEWLINE
        self.loose_end = loose_end

    def wrong(self, what: str) -> RegexError:
        return RegexError(f"{what} at character {self.at + 1} of the regex")

    def next(self, token: str) -> bool:
        found = self.text.startswith(token, self.at)
        self.at += len(token) if found else 0
        return found

    def cased(self, members: frozenset[int]) -> frozenset[int]:
        return folded(members) if self.fold else members

    def options(self) -> Group:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.wrong("groups nested too deeply")
        options = [self.sequence()]
        while self.next("|"):
            options.append(self.sequence())
        self.depth -= 1
        return Group(tuple(options))

    def sequence(self) -> tuple[Node, ...]:
        parts: list[Node] = []
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            parts += self.repeated(self.atom())
        return tuple(parts)

    def repeated(self, atoms: tuple[Node, ...]) -> tuple[Node, ...]:
        bounds: tuple[int, int | None] | None = None
        if found := _REPEAT.match(self.text, self.at):
            least = int(found[1])
            bounds = (least, least if not found[2] else int(found[3]) if found[3] else None)
            self.at = found.end()
        elif self.at < len(self.text) and self.text[self.at] in "*+?":
            bounds = {"*": (0, None), "+": (1, None), "?": (0, 1)}[self.text[self.at]]
            self.at += 1
        if bounds is None:
            group = atoms[0]
            return group.options[0] if isinstance(group, Group) and len(group.options) == 1 else atoms
        least, most = bounds
        if max(least, most or 0) > LONGEST_REPEAT or (most is not None and most < least):
            raise self.wrong(f"a repeat beyond {LONGEST_REPEAT} or backwards")
        if isinstance(atoms[-1], Edge):
            raise self.wrong("a repeat of a place")
        if len(atoms) > 1:
            raise self.wrong("a repeat of a character that is several bytes")
        lazy = self.next("?")
        if self.at < len(self.text) and (self.text[self.at] in "*+?" or _REPEAT.match(self.text, self.at)):
            raise self.wrong("a possessive or double repeat")
        return (*atoms[:-1], Repeat(atoms[-1], least, most, lazy))

    def atom(self) -> tuple[Node, ...]:
        char = self.text[self.at]
        if char == "(":
            return (self.group(),)
        if char == "[":
            self.at += 1
            return (Chars(self.members()),)
        if char == "\\":
            return self.escape()
        self.at += 1
        if char == ".":
            return (Chars(self.dot),)
        if char == "^":
            return (Edge("start"),)
        if char == "$":
            end = Edge("end")
            return (Repeat(Chars(NEWLINE), 0, 1), end) if self.loose_end else (end,)
        if char in "*+?{":
            self.at -= 1
            raise self.wrong(f'a "{char}" that repeats nothing')
        return literal(char.encode(), self.fold)

    def group(self) -> Group:
        outer = self.fold, self.dot
        if found := _FLAGS.match(self.text, self.at):
            self.fold = "i" in found[1] or (self.fold and not found[2])
            self.dot = ALL if "s" in found[1] else self.dot
        elif not (found := _NAMED.match(self.text, self.at)) and self.text[self.at + 1 : self.at + 2] in (
            "?",
            "*",
        ):
            kind = self.text[self.at : self.at + 3]
            raise self.wrong(f'the group "{kind}" (only "(?:", "(?i:", "(?s:" and "(?-i:" can be kept)')
        self.at = found.end() if found else self.at + 1
        inner = self.options()
        if not self.next(")"):
            raise self.wrong("a group that is not closed")
        self.fold, self.dot = outer
        return inner

    def escape(self) -> tuple[Node, ...]:
        edge = {"b": "border", "B": "inside", "A": "start", "z": "end"}.get(
            self.text[self.at + 1 : self.at + 2]
        )
        if edge:
            self.at += 2
            return (Edge(edge),)
        return (Chars(self.cased(self.escaped())),)

    def escaped(self) -> frozenset[int]:
        """What an escape stands for, inside a class or outside."""
        char = self.text[self.at + 1 : self.at + 2]
        if found := re.compile(r"\\x([0-9A-Fa-f]{2})").match(self.text, self.at):
            self.at = found.end()
            return frozenset([int(found[1], 16)])
        if char in _CLASSES:
            self.at += 2
            return _CLASSES[char]
        if char in _CONTROLS:
            self.at += 2
            return frozenset([_CONTROLS[char]])
        if not char or char.isalnum() or not char.isascii() or char in "<>":
            raise self.wrong(f'the escape "\\{char}"')
        self.at += 2
        return frozenset(char.encode())

    def members(self) -> frozenset[int]:
        """A class from behind its bracket to behind the closing one."""
        negated, members, first = self.next("^"), set[int](), True
        while first or not self.next("]"):
            first = False
            low = self.member()
            if self.text.startswith("-", self.at) and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
                self.at += 1
                high = self.member()
                if len(low) != 1 or len(high) != 1 or min(low) > min(high):
                    raise self.wrong("a range that is none")
                members |= set(range(min(low), min(high) + 1))
            else:
                members |= low
        cased = self.cased(frozenset(members))
        return ALL - cased if negated else cased

    def member(self) -> frozenset[int]:
        if self.at >= len(self.text):
            raise self.wrong("a class that is not closed")
        if found := re.compile(r"\[:([a-z]+):\]").match(self.text, self.at):
            if found[1] not in _POSIX:
                raise self.wrong(f'the class "{found[0]}"')
            self.at = found.end()
            return frozenset(_POSIX[found[1]].encode())
        char, two = self.text[self.at], self.text[self.at : self.at + 2]
        if char == "[" or two in ("&&", "--", "~~") or not char.isascii():
            raise self.wrong(f'"{char if char == "[" else two}" in a class')
        if char == "\\":
            return self.escaped()
        self.at += 1
        return frozenset(char.encode())


def parse(pattern: str, fold: bool = True, dotall: bool = False, loose_end: bool = False) -> Group:
    """The tree of a pattern. Raises `RegexError`.

    `fold`: it ignores ASCII case. `loose_end`: `$` also fits before a last line feed, as in PCRE. Flags that
    stand first, `(?i)`, count.
    """
    start = 0
    if found := re.match(r"\(\?([is]+)\)", pattern):
        start, fold, dotall = found.end(), fold or "i" in found[1], dotall or "s" in found[1]
    parser = _Parser(pattern, fold, dotall, loose_end)
    parser.at = start
    tree = parser.options()
    if parser.at < len(pattern):
        raise parser.wrong('a ")" too many')
    return tree


def rebuilt(tree: Group, anew: Callable[[Node], Node]) -> Group:
    """The same tree with other classes and places: what `anew` makes of each stands in its place."""
    return Group(tuple(tuple(_rebuilt(part, anew) for part in option) for option in tree.options))


def _rebuilt(node: Node, anew: Callable[[Node], Node]) -> Node:
    if isinstance(node, Group):
        return rebuilt(node, anew)
    if not isinstance(node, Repeat):
        return anew(node)
    inner = _rebuilt(node.inner, anew)
    if isinstance(inner, Repeat):  # a byte has become a run of it, and a run of runs is a run
        return Repeat(inner.inner, min(inner.least, node.least), None, node.lazy)
    return Repeat(inner, node.least, node.most, node.lazy)


def nodes(node: Node) -> list[Node]:
    """The node and everything in it."""
    if isinstance(node, Repeat):
        return [node, *nodes(node.inner)]
    if isinstance(node, Group):
        return [node, *(found for option in node.options for part in option for found in nodes(part))]
    return [node]


def holds(node: Node, byte: int) -> bool:
    """Whether a fit can hold this byte."""
    return any(isinstance(one, Chars) and byte in one.of for one in nodes(node))


def folds(node: Node) -> bool:
    """Whether it tells no capital letter from its small one."""
    return all(folded(one.of) == one.of for one in nodes(node) if isinstance(one, Chars))


def sample(node: Node) -> bytes:
    """A short text that fits, borders of words aside: the first alternative, the fewest repeats."""
    if isinstance(node, Chars):
        return bytes(sorted(node.of, key=_liking)[:1])
    if isinstance(node, Repeat):
        return sample(node.inner) * node.least
    return b"" if isinstance(node, Edge) else b"".join(map(sample, node.options[0]))


def _liking(byte: int) -> tuple[bool, bool, bool, int]:
    """Small letters first, then digits, then whatever can be seen."""
    return not 0x61 <= byte <= 0x7A, not 0x30 <= byte <= 0x39, not 0x20 < byte < 0x7F, byte
