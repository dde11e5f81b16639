"""Rulesets for the tests of a replay, written to a folder."""

from pathlib import Path

from stopgap.ruleset import diff

SITE = """
[[site]]
name = "kaikei"
hosts = ["kaikei.example.jp"]
origins = ["http://192.0.2.10"]
server = "iis5"
codepage = 932
packs = ["code-red"]
"""
WESTERN = SITE.replace("kaikei", "western").replace("932", "1252")
REPORTS = """
[[rule]]
id = "reports"
title = "Reports"
match = { path = { prefix = "/report/" } }
block = ["GET /report/a.asp HTTP/1.0"]
pass = ["GET /a.asp HTTP/1.0"]
"""


def side(folder: Path, text: str, name: str = "stopgap.toml") -> diff.Side:
    """The side of a configuration with this text."""
    file = folder / name
    file.write_text(text, "utf-8")
    return diff.of_config(name, str(file))
