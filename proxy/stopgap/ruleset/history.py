"""Which rulesets were in use before, and what did their files say?

A version is the hash of a specification. Of each ruleset that was handed over the texts are kept that it was
made of: the last ones in memory and, where there is a state folder, more of them as files, so that they
outlive a restart. A kept ruleset can be loaded again as if its texts still stood in the files, and compared.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from stopgap.errors import InputError
from stopgap.ruleset.load import PACKS

IN_MEMORY = 8
IN_FILES = 16
FOLDER = "rulesets"
SHIPPED = "stopgap:"
"""Begins the path of a file that ships with Stopgap, wherever that is installed."""

_HOME = f"{PACKS.parent}/"


class Kept(msgspec.Struct, frozen=True):
    """One ruleset: its version, when it came into use (RFC 3339), and the texts of its files by their path.

    `config` is the path of the configuration, "" for one made of flags alone.
    """

    version: str
    time: str
    config: str
    texts: dict[str, str]

    def files(self) -> dict[str, bytes]:
        """The texts by the paths that they have here."""
        return {_path(name): text.encode() for name, text in self.texts.items()}


def kept(version: str, time: str, config: str, texts: Mapping[str, bytes]) -> Kept:
    """What is kept of a ruleset that was loaded from these texts."""
    named = {_name(path): text.decode("utf-8", "replace") for path, text in texts.items()}
    return Kept(version=version, time=time, config=config, texts=named)


class History:
    """The kept rulesets, oldest first. `keep` is for one thread, all else for any."""

    def __init__(self, state: str, say: Callable[[str], None]) -> None:
        """`state` is the state folder, "" for none; `say` gets a warning."""
        self._folder = Path(state) / FOLDER if state else None
        self._say = say
        self._complained = False
        self._last = self._read()[-IN_MEMORY:]

    def keep(self, one: Kept) -> None:
        """It is in use from now on. What is kept in no file is kept in memory all the same."""
        last = [old for old in self._last if old.version != one.version]
        if last and last[-1].texts == one.texts:  # the same files on another day
            last.pop()
        self._last = [*last, one][-IN_MEMORY:]
        if self._folder is not None:
            try:
                _write(self._folder, one)
                self._complained = False
            except OSError as error:
                if not self._complained:
                    self._say(f"warning: {self._folder}: the ruleset cannot be kept there: {error.strerror}")
                self._complained = True

    def all(self) -> list[Kept]:
        """Everything that is kept, oldest first."""
        found = {one.version: one for one in (*self._read(), *self._last)}
        return sorted(found.values(), key=lambda one: one.time)

    def find(self, name: str) -> Kept:
        """The one whose version begins so. Raises `InputError`."""
        return chosen(self.all(), name)

    def before(self, version: str) -> Kept:
        """The one that was in use before this version. Raises `InputError`."""
        known = self.all()
        place = next((at for at, one in enumerate(known) if one.version == version), len(known))
        if place == 0:
            raise InputError(f"no ruleset before {version} is kept; `stopgap rules versions` lists what is")
        return known[place - 1]

    def _read(self) -> list[Kept]:
        return read(self._folder) if self._folder is not None else []


def read(folder: Path) -> list[Kept]:
    """The rulesets that are kept in a folder, oldest first; what is none is passed over."""
    found = []
    for file in folder.glob("*.json"):
        with suppress(OSError, msgspec.MsgspecError):
            found.append(msgspec.json.decode(file.read_bytes(), type=Kept))
    return sorted(found, key=lambda one: one.time)


def chosen(known: list[Kept], name: str) -> Kept:
    """The one whose version begins with `name`. Raises `InputError`."""
    found = [one for one in known if one.version.startswith(name)]
    if len(found) != 1:
        what = "several versions begin" if found else "no kept version begins"
        versions = ", ".join(one.version for one in known) or "none"
        raise InputError(f'{what} with "{name}"; kept: {versions}')
    return found[0]


def _write(folder: Path, one: Kept) -> None:
    """Write it whole or not at all, and remove the oldest files beyond `IN_FILES`."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file, fresh = folder / f"{one.version}.json", folder / f".{one.version}.new"
    try:
        fresh.write_bytes(msgspec.json.encode(one))
        os.replace(fresh, file)
    except OSError:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise
    for old in read(folder)[:-IN_FILES]:
        (folder / f"{old.version}.json").unlink(missing_ok=True)


def _name(path: str) -> str:
    return SHIPPED + path.removeprefix(_HOME) if path.startswith(_HOME) else path


def _path(name: str) -> str:
    return _HOME + name.removeprefix(SHIPPED) if name.startswith(SHIPPED) else name
