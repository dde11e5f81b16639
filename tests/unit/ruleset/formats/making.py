"""Rules and sites for the tests of foreign formats, made of match tables."""

from typing import Any

from stopgap import config
from stopgap.ruleset import load
from stopgap.ruleset.formats.model import Imported
from stopgap.ruleset.formats.toml import written
from stopgap.ruleset.model import Rule
from stopgap.tomlfile import parse


def rule(match: dict[str, Any], name: str = "ours", **more: Any) -> Rule:
    """The rule with this match."""
    draft = {"id": name, "title": "T", "match": match, "block": ["GET /a HTTP/1.0"], **more}
    draft.setdefault("pass", ["GET / HTTP/1.0"])
    return load.pack_of(parse("ours.toml", written(Imported(rules=(draft,))).encode())).rules[0]


def site(**settings: Any) -> config.Site:
    """A site with these settings."""
    return config.load(None, {"origins": ["http://127.0.0.1"], **settings}).sites[0]


def shipped() -> tuple[config.Site, list[Rule]]:
    """A strict site, and every rule that ships."""
    read = config.load(None, {"origins": ["http://127.0.0.1"], "strict": True})
    ruleset = load.load(read)
    return read.sites[0], [ruleset.rules[index] for index in ruleset.sites[read.sites[0].name]]
