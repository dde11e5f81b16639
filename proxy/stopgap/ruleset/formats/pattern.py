"""How is the tree of a regex written down, for a person or for a program whose file has its own quotes?

`shown` is for TOML: what is special has a backslash before it. `coded` is for foreign configurations:
everything but letters, digits and a few signs becomes `\\xHH` and the ends `\\A` and `\\z`, so that no quote,
space, line end, percent sign, hash, brace of text or dollar of a rule ever meets a foreign parser.
"""

from collections.abc import Callable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from stopgap.ruleset.formats.regex import ALL, NEWLINE, Chars, Edge, Group, Node, Repeat, folded, folds

_SPECIAL = frozenset(rb"\.+*?()|[]{}^$")
_SPECIAL_IN_CLASS = frozenset(rb"\[]^-")
_HARMLESS = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


class _Style(Struct, frozen=True):
    """How a byte is written outside of a class and inside, and how the places are."""

    byte: Callable[[int], str]
    member: Callable[[int], str]
    edges: dict[str, str]
    dot: str


def _hex(byte: int) -> str:
    return f"\\x{byte:02x}"


def _person(special: frozenset[int]) -> Callable[[int], str]:
    def spelt(byte: int) -> str:
        if not 0x20 <= byte < 0x7F:
            return _hex(byte)
        return f"\\{chr(byte)}" if byte in special else chr(byte)

    return spelt


def _machine(byte: int) -> str:
    return chr(byte) if byte in _HARMLESS else _hex(byte)


_SHOWN = _Style(
    byte=_person(_SPECIAL),
    member=_person(_SPECIAL_IN_CLASS),
    edges={"start": "^", "end": "$", "border": r"\b", "inside": r"\B"},
    dot=".",
)
_CODED = _Style(
    byte=_machine,
    member=_machine,
    edges={"start": r"\A", "end": r"\z", "border": r"\b", "inside": r"\B"},
    dot=r"[^\x0a]",
)


def shown(tree: Node, folding: bool = True) -> str:
    """For a field of the rule language: all but `method` (`folding` False) ignore case unless told so."""
    if folding and folds(tree):
        return _written(tree, _SHOWN, True)
    text = _written(tree, _SHOWN, False)
    return f"(?-i:{text})" if folding else text


def coded(tree: Node, end: str = r"\z") -> str:
    """For PCRE, as part of a pattern that tells case; `end` is what stands where the text ends."""
    style = replace(_CODED, edges={**_CODED.edges, "end": end})
    if folds(tree):
        return f"(?i:{_written(tree, style, True)})"
    return _written(tree, style, False, top=isinstance(tree, Group) and len(tree.options) == 1)


def _written(node: Node, style: _Style, fold: bool, top: bool = True) -> str:
    node = _bare(node)
    if isinstance(node, Chars):
        return _chars(node.of, style, fold)
    if isinstance(node, Edge):
        return style.edges[node.kind]
    if isinstance(node, Repeat):
        inner = _written(node.inner, style, fold, top=False)
        held = f"(?:{inner})" if isinstance(_bare(node.inner), Repeat | Edge) else inner
        return held + _bounds(node) + ("?" if node.lazy else "")
    options = ("".join(_written(part, style, fold, top=False) for part in option) for option in node.options)
    text = "|".join(options)
    return text if top else f"(?:{text})"


def _bare(node: Node) -> Node:
    """Without the groups around it that hold one thing only."""
    while isinstance(node, Group) and len(node.options) == 1 and len(node.options[0]) == 1:
        node = node.options[0][0]
    return node


def _bounds(node: Repeat) -> str:
    known = {(0, None): "*", (1, None): "+", (0, 1): "?"}
    if text := known.get((node.least, node.most)):
        return text
    if node.most == node.least:
        return f"{{{node.least}}}"
    return f"{{{node.least},{'' if node.most is None else node.most}}}"


def _chars(members: frozenset[int], style: _Style, fold: bool) -> str:
    if members == ALL:
        return "(?s:.)"
    if members == ALL - NEWLINE:
        return style.dot
    if not members:
        return r"[^\x00-\xff]"
    small = _small(members) if fold else members
    if len(small) == 1:
        return style.byte(min(small))
    if len(members) <= len(ALL) // 2:
        return f"[{_ranges(small, style)}]"
    others = ALL - members
    return f"[^{_ranges(_small(others) if fold else others, style)}]"


def _small(members: frozenset[int]) -> frozenset[int]:
    """Without the capital letters whose small ones are there too."""
    if folded(members) != members:
        return members
    return frozenset(byte for byte in members if not 0x41 <= byte <= 0x5A)


def _ranges(members: frozenset[int], style: _Style) -> str:
    return "".join(
        style.member(low)
        if low == high
        else f"{style.member(low)}{'' if high == low + 1 else '-'}{style.member(high)}"
        for low, high in _runs(sorted(members))
    )


def _runs(members: list[int]) -> Iterator[tuple[int, int]]:
    """First and last of each run of neighbours."""
    start = 0
    for index, byte in enumerate(members):
        if index + 1 == len(members) or members[index + 1] != byte + 1:
            yield members[start], byte
            start = index + 1
