"""What does a preset bring, and how does a site lay its own keys over it?

A preset is a file `NAME.toml` in the folder `presets` of the packs that ship: the keys of a site that suit
one kind of server, and a title. Its keys lie under the site's own: tables are merged key by key, a list of
the site replaces the preset's, and exceptions are added up.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from stopgap.config.checks import SITE_KEYS, At
from stopgap.errors import ConfigError, nearest
from stopgap.tomlfile import parse, read

PRESETS = Path(__file__).resolve().parent.parent / "packs" / "presets"

TITLES = ("title", "title_ja")
KEYS = SITE_KEYS - {
    "name",
    "hosts",
    "origins",
    "origin_tls",
    "preset",
    "rules",
    "mode",
    "modes",
    "canary",
    "hsts",
}
"""What a preset may say; the rest belongs to one server, and to how far its operator trusts the rules."""


class Preset(Struct, frozen=True):
    """A preset: the keys that it lays under a site's own, and where they stand."""

    name: str
    title: str
    title_ja: str
    keys: dict[str, Any]
    at: At


NONE = Preset(name="", title="", title_ja="", keys={}, at=At(parse("", b"")))


def names() -> tuple[str, ...]:
    """The presets that ship with Stopgap, in name order."""
    return tuple(sorted(file.stem for file in PRESETS.glob("*.toml")))


def found(name: str | None, at: At) -> Preset:
    """The preset that a site names, `NONE` for None. Raises `InputError`."""
    if name is None:
        return NONE
    if name not in names():
        known = ", ".join(names())
        near = nearest(name, names()).partition("; known:")[0]
        raise at.wrong(f'no preset is called "{name}"{near}; known: {known}')
    return named(name)


def named(name: str) -> Preset:
    """The preset of this name. Raises `InputError`."""
    document = read(str(PRESETS / f"{name}.toml"))
    for key in document.data:
        if key not in KEYS and key not in TITLES:
            what = "belongs to the site" if key in SITE_KEYS else f"unknown key{nearest(key, KEYS)}"
            raise ConfigError(f"{document.where((key,))}: {key}: {what}")
    keys = {key: value for key, value in document.data.items() if key in KEYS}
    title, title_ja = (str(document.data.get(key, "")) for key in TITLES)
    return Preset(name=name, title=title, title_ja=title_ja, keys=keys, at=At(document))


def laid(under: Preset, own: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a site over those of its preset."""
    merged = {**under.keys, **own}
    for key, value in own.items():
        below = under.keys.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            merged[key] = {**below, **value}
        elif key == "exception" and isinstance(value, list) and isinstance(below, list):
            merged[key] = [*value, *below]
    return merged
