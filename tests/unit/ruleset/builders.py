"""Rules and configurations for the tests of this folder, made of text as an operator would."""

from pathlib import Path

from stopgap import config
from stopgap.ruleset import load
from stopgap.ruleset.model import Rule


def rules_of(folder: Path, text: str) -> tuple[Rule, ...]:
    """The rules of a pack with this text."""
    file = folder / "ours.toml"
    file.write_text(text, "utf-8")
    return load.pack(str(file)).rules


def config_of(folder: Path, text: str) -> config.Config:
    """The configuration with this text."""
    file = folder / "stopgap.toml"
    file.write_text(text, "utf-8")
    return config.load(str(file))
