"""How is what was imported written, so that a person can read it and `stopgap check` accepts it?

Keys stand in the order in which they were given; a list that is long has one item a line. Text is quoted
plainly ('...') where that can hold it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from stopgap.ruleset.formats.model import Draft, Imported

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN = re.compile(r"[^'\x00-\x1f\x7f]*")
WIDTH = 110
ORIGINS = 'the server to protect, such as "http://192.0.2.10"'


def written(imported: Imported) -> str:
    """The configuration, or the pack where there is no site, as TOML."""
    parts = []
    if imported.site:
        parts.append("\n".join(_table("site", imported.site)))
    elif imported.title:
        parts.append(f"title = {value(imported.title)}")
    parts += ["\n".join(_table("rule", rule)) for rule in imported.rules]
    return "\n\n".join(parts) + "\n"


def _table(name: str, draft: Draft) -> Iterator[str]:
    """`[[name]]`, its keys, then its tables: `[name.limits]`, `[[name.exception]]`."""
    yield f"[[{name}]]"
    later: list[str] = []
    for key, item in draft.items():
        if isinstance(item, dict) and key != "match":
            later += ["", f"[{name}.{key}]", *_keys(item)]
        elif isinstance(item, (list, tuple)) and item and isinstance(item[0], dict):
            for one in item:
                later += ["", f"[[{name}.{key}]]", *_keys(one)]
        else:
            remark = f"  # {ORIGINS}" if (name, key, item) == ("site", "origins", []) else ""
            yield f"{_key(key)} = {_wrapped(item, len(key))}{remark}"
    yield from later


def _keys(table: Mapping[str, Any]) -> list[str]:
    return [f"{_key(key)} = {value(one)}" for key, one in table.items()]


def _wrapped(item: Any, used: int) -> str:
    """A value; a list that does not fit on its line has one item a line."""
    line = value(item)
    if not isinstance(item, (list, tuple)) or ("\n" not in line and len(line) + used + 3 <= WIDTH):
        return line
    return "[\n" + "".join(f"    {value(one)},\n" for one in item) + "]"


def value(item: Any) -> str:
    """Any value on one line."""
    if isinstance(item, str):
        return _text(item)
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {value(one)}" for key, one in item.items()) + " }"
    if isinstance(item, (list, tuple)):
        return "[" + ", ".join(map(value, item)) + "]"
    return str(item)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _escaped(key)


def _text(text: str) -> str:
    if not ("\\" in text or '"' in text) and text.isprintable():
        return f'"{text}"'
    if _PLAIN.fullmatch(text):
        return f"'{text}'"
    if "\n" in text and "'''" not in text and text.replace("\n", "").isprintable() and text[-1] != "'":
        return f"'''\n{text}'''"
    return _escaped(text)


def _escaped(text: str) -> str:
    """Text in double quotes, with everything escaped that does not print."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + "".join(one if one.isprintable() else f"\\U{ord(one):08x}" for one in plain) + '"'
