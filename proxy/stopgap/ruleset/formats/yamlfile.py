"""What does a YAML file hold, and on which line?

Only what the safe loader takes: mappings, lists and plain values. Every value keeps its line, so that a fault
is told where it stands; anchors are refused, because a short file could unfold to a huge one.
"""

from typing import Any

import yaml
from msgspec import Struct

from stopgap.errors import FormatError, nearest
from stopgap.ruleset.formats.source import Source

DEEPEST = 60
_TAGS = ("tag:yaml.org,2002:seq", "tag:yaml.org,2002:map")


class Value(Struct, frozen=True):
    """A value with its line: a dict of text to `Value`, a list of `Value`, or a plain one."""

    data: Any
    line: int


class Reader(Struct, frozen=True):
    """A file, and the ways in which its values can be wrong."""

    source: Source

    def wrong(self, at: Value, key: str, text: str) -> FormatError:
        return self.source.wrong(at.line, f"{key}: {text}")

    def mapping(self, value: Value, key: str, known: tuple[str, ...]) -> dict[str, Value]:
        """A mapping of known keys."""
        if not isinstance(value.data, dict):
            raise self.wrong(value, key, f"must be a mapping with {', '.join(known[:4])}")
        for name, one in value.data.items():
            if name not in known:
                raise self.wrong(one, f"{key}.{name}", f"unknown key{nearest(name, known)}")
        return value.data

    def items(self, value: Value, key: str) -> list[Value]:
        """A list that is not empty."""
        if not isinstance(value.data, list) or not value.data:
            raise self.wrong(value, key, "must be a list that is not empty")
        return value.data

    def texts(self, value: Value, key: str) -> list[str]:
        """A list of texts, or one."""
        if isinstance(value.data, str):
            return [value.data]
        return [self.text(one, key) for one in self.items(value, key)]

    def text(self, value: Value, key: str) -> str:
        """A text that is not empty; a number is one too."""
        if isinstance(value.data, bool) or not isinstance(value.data, str | int | float) or value.data == "":
            raise self.wrong(value, key, "must be a text that is not empty")
        return str(value.data)


def documents(source: Source) -> list[Value]:
    """Every document of a file. Raises `FormatError`."""
    try:
        _refuse_anchors(source)
        loader = yaml.SafeLoader(source.text)
        found = []
        while loader.check_node():
            node = loader.get_node()
            found += [_value(source, loader, node, 0)] if node is not None else []
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise source.wrong(line, f"is not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise source.wrong(1, f"is not YAML: {str(error).splitlines()[0]}") from None
    except (RecursionError, ValueError):
        raise source.wrong(1, "is nested too deeply, or holds a value that is none") from None
    return found


def _value(source: Source, loader: yaml.SafeLoader, node: yaml.Node, depth: int) -> Value:
    line = node.start_mark.line + 1
    if depth > DEEPEST:
        raise source.wrong(line, f"is nested more than {DEEPEST} deep")
    if not isinstance(node, yaml.ScalarNode) and node.tag not in _TAGS:
        raise source.wrong(line, f"{node.tag}: this tag is not read; write plain lists and mappings")
    if isinstance(node, yaml.SequenceNode):
        return Value([_value(source, loader, one, depth + 1) for one in node.value], line)
    if not isinstance(node, yaml.MappingNode):
        data = loader.construct_object(node)
        if not isinstance(data, str | int | float | bool | None):
            data = str(node.value)
        return Value(data, line)
    pairs: dict[str, Value] = {}
    for key, one in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise source.wrong(key.start_mark.line + 1, "a key must be a word")
        if key.value in pairs:
            raise source.wrong(key.start_mark.line + 1, f"{key.value}: stands there twice")
        pairs[key.value] = _value(source, loader, one, depth + 1)
    return Value(pairs, line)


def _refuse_anchors(source: Source) -> None:
    for token in yaml.scan(source.text, Loader=yaml.SafeLoader):
        if isinstance(token, yaml.AnchorToken | yaml.AliasToken):
            line = token.start_mark.line + 1
            raise source.wrong(line, "anchors and aliases are not read; write the value where it is meant")
