"""How is an exception, a limit or a mode written into stopgap.toml, with every comment and the order kept?

tomlkit changes the text in place. A comment that stands above the next table stays there: it is moved behind
what is added. The file is replaced at once, by a rename, with the mode and owner that it had.
"""

import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.container import Container
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Array, Comment, InlineTable, Item, Table, Whitespace

from stopgap.errors import ConfigError, InputError

Trail = list[tuple[Any, Item]]
NOTES = 3
"""Changes of a mode that are told of behind it."""
SiteTable = Table | InlineTable


def with_exception(text: str, site: str, exception: Mapping[str, Any]) -> str:
    """The text of a configuration with one more exception of a site. Raises `InputError`."""
    return _edited(text, site, lambda table: _add_exception(table, exception))


def with_limit(text: str, site: str, key: str, number: int) -> str:
    """The text of a configuration with one limit of a site set to a number. Raises `InputError`."""
    return _edited(text, site, lambda table: _set_limit(table, key, number))


def with_mode(text: str, site: str, name: str, mode: str, note: str) -> str:
    """The text of a configuration with a rule, pack or reason of a site in a mode, or the site for name "".

    `note` stands behind it, before the notes of earlier changes. Raises `InputError`.
    """
    return _edited(text, site, lambda table: _set_mode(table, name, mode, note))


def shown(name: str, table: Mapping[str, Any]) -> str:
    """A table as it would stand in a configuration: `[[site.exception]]` or `[site.limits]`."""
    site, one = tomlkit.table(is_super_table=True), _table(table)
    if name == "exception":
        rows = tomlkit.aot()
        rows.append(one)
        site.add(name, rows)
    else:
        site.add(name, one)
    return tomlkit.dumps({"site": site})


def value(key: str, text: str) -> str:
    """`key = "text"`, as it would stand in a configuration."""
    return tomlkit.dumps({key: text}).strip()


def replace(file: str, text: str) -> None:
    """Put `text` in the place of a file's. Raises `ConfigError`; then the file is as it was."""
    path = Path(os.path.realpath(file))
    name = ""
    try:
        old = path.stat()
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as fresh:
            fresh.write(text)
            fresh.flush()
            os.fsync(fresh.fileno())
        with suppress(PermissionError):
            os.chown(name, old.st_uid, old.st_gid)
        os.chmod(name, old.st_mode & 0o7777)
        os.replace(name, path)
        name = ""
    except OSError as error:
        raise ConfigError(f"{file}: cannot be written: {error.strerror}") from None
    finally:
        if name:
            Path(name).unlink(missing_ok=True)


def _edited(text: str, site: str, change: Callable[[SiteTable], None]) -> str:
    """`text` after a change of one site; line ends and a byte order mark stay as they are."""
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    crlf = "\r\n" in text
    plain = text.removeprefix(mark).replace("\r\n", "\n")
    try:
        document = tomlkit.parse(plain if plain.endswith("\n") else plain + "\n")
        found = next(table for table in document["site"] if table["name"] == site)
        change(found)
        edited = tomlkit.dumps(document)
    except (TOMLKitError, KeyError, TypeError, StopIteration) as error:
        raise InputError(
            f'site "{site}" cannot be changed in this file ({error}); write it by hand'
        ) from None
    if not plain.endswith("\n\n"):
        edited = edited.rstrip("\n") + "\n"
    return mark + (edited.replace("\n", "\r\n") if crlf else edited)


def _add_exception(site: SiteTable, exception: Mapping[str, Any]) -> None:
    there = site.get("exception")
    if isinstance(site, InlineTable) or isinstance(there, Array):
        if there is None:
            site["exception"] = there = tomlkit.array()
        inline = tomlkit.inline_table()
        inline.update(exception)
        there.append(inline)
        return
    row = _placed(site, exception)
    if isinstance(there, AoT):
        there.append(row)
    else:
        rows = tomlkit.aot()
        rows.append(row)
        site.add("exception", rows)


def _set_limit(site: SiteTable, key: str, number: int) -> None:
    _set(site, "limits", key, number)


def _set_mode(site: SiteTable, name: str, mode: str, note: str) -> None:
    if isinstance(site, InlineTable):
        raise KeyError("it stands on one line, which has no room for who changed it and why")
    if not name:
        if "mode" not in site:
            _first(site, "mode", mode)
        old = site["mode"]
        site["mode"] = mode
        _note(site["mode"], old, note)
        return
    modes = site.get("modes")
    old = None if modes is None else modes.get(name)
    _set(site, "modes", name, mode)
    modes = site["modes"]
    if isinstance(modes, InlineTable):
        _note(modes, modes, f"{name}: {note}")
    else:
        _note(modes[name], old, note)


def _note(item: Item, old: Item | None, note: str) -> None:
    """Put a comment behind an item, before what stood behind the one that it replaces."""
    before = old.trivia.comment.lstrip("# ") if old is not None else ""
    item.comment("; ".join([note, *before.split("; ")[: NOTES - 1]]).rstrip("; "))


def _first(site: Table, key: str, value: str) -> None:
    """Add a key before all tables of a site."""
    tables = [name for name, item in site.items() if isinstance(item, (AoT, Table))]
    if not tables:
        site.add(key, value)
        return
    last = next(iter(reversed([name for name in site if name not in tables])))
    site.value._insert_after(last, key, tomlkit.item(value))


def _set(site: SiteTable, table: str, key: str, value: int | str) -> None:
    """Set a key of `[site.limits]` or `[site.modes]`, however that is written."""
    there = site.get(table)
    if there is not None:
        there[key] = value
    elif isinstance(site, InlineTable):
        site[table] = tomlkit.inline_table()
        site[table][key] = value
    else:
        first = next((name for name, item in site.items() if isinstance(item, (AoT, Table))), None)
        if first is None:
            site.add(table, _placed(site, {key: value}))
        else:
            site.add(tomlkit.key([table, key]), tomlkit.item(value))


def _table(keys: Mapping[str, Any]) -> Table:
    table = tomlkit.table()
    for key, value in keys.items():
        table.add(key, value)
    return table


def _placed(site: Table, keys: Mapping[str, Any]) -> Table:
    """A table that goes behind all that a site has, before the comment above whatever comes next."""
    table = _table(keys)
    trail = _trail(site.value)
    table.trivia.indent = "\n"
    table.value.body.extend(trail or [(None, tomlkit.nl())])
    return table


def _trail(container: Container) -> Trail:
    """Take out what stands behind the last key of a table, from the first empty line on."""
    body = container.body
    start = len(body)
    while start and isinstance(body[start - 1][1], (Whitespace, Comment)):
        start -= 1
    trail = body[start:]
    if not trail and body:
        last = body[-1][1]
        if isinstance(last, AoT):
            return _trail(last[-1].value)
        return _trail(last.value) if isinstance(last, Table) else []
    empty = next((at for at, (_, item) in enumerate(trail) if isinstance(item, Whitespace)), len(trail))
    del body[start + empty :]
    return trail[empty:]
