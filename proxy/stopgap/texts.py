"""Where does the text of a configuration or a pack come from: from its file, or from what was kept of it?

Usually from the file. A gate notes what it read, so that it can keep a ruleset whole (`noted`); an older one
is loaded from the texts that were kept, as if they stood in the files (`replaced`). Both hold for one thread
and for as long as their `with` lasts.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from msgspec import Struct


class Instead(Struct, frozen=True):
    """Texts by path that stand for files; with `alone` there are no others."""

    texts: Mapping[str, bytes]
    alone: bool


_NOTES: ContextVar[dict[str, bytes] | None] = ContextVar("notes", default=None)
_INSTEAD: ContextVar[Instead | None] = ContextVar("instead", default=None)


@contextmanager
def noted() -> Iterator[dict[str, bytes]]:
    """Gives a dictionary that fills with every text that is read meanwhile, by path."""
    notes: dict[str, bytes] = {}
    token = _NOTES.set(notes)
    try:
        yield notes
    finally:
        _NOTES.reset(token)


@contextmanager
def replaced(texts: Mapping[str, bytes], alone: bool = False) -> Iterator[None]:
    """Meanwhile these texts are read instead of the files; with `alone` no other file is there."""
    token = _INSTEAD.set(Instead(texts, alone))
    try:
        yield
    finally:
        _INSTEAD.reset(token)


def read(file: str, longest: int) -> bytes | int:
    """The bytes of a file, or its size when that is more than `longest`. Raises `OSError` or `ValueError`."""
    raw = _read(file, longest)
    notes = _NOTES.get()
    if notes is not None and isinstance(raw, bytes):
        notes[file] = raw
    return raw


def _read(file: str, longest: int) -> bytes | int:
    instead = _INSTEAD.get()
    if instead is not None and file in instead.texts:
        return instead.texts[file]
    if instead is not None and instead.alone:
        raise FileNotFoundError(2, "was not kept")
    size = Path(file).stat().st_size
    return Path(file).read_bytes() if size <= longest else size


def listed(folder: str) -> list[str] | None:
    """The TOML files of a folder in name order; None when there is no such folder. Raises `OSError`."""
    instead = _INSTEAD.get()
    if instead is not None and instead.alone:
        inside = sorted(file for file in instead.texts if Path(file).parent == Path(folder))
        return None if folder in instead.texts else inside
    if not Path(folder).is_dir():
        return None
    return sorted(str(file) for file in Path(folder).iterdir() if file.suffix == ".toml")
