"""Do presets lie under a site's own keys, is each that ships right, and are wrong ones told?"""

from pathlib import Path
from typing import Any

import pytest

from stopgap import config
from stopgap.config import preset
from stopgap.config.checks import At
from stopgap.errors import InputError
from stopgap.ruleset import load, spec
from stopgap.tomlfile import parse

SITE = '[[site]]\nname = "a"\norigins = "http://h"\n'
SHIPPED = (
    *("exchange2000-owa", "frontpage-authoring", "iis4-static", "iis5-asp"),
    *("iis6-webdav", "iis7-aspnet", "sharepoint2001"),
)
OURS = """\
title = "Ours"
server = "iis6"
methods = ["GET"]
packs = ["code-red"]

[limits]
target = 3000
query = 1000

[[exception]]
rule = "short-name"
path = "/under/*"
reason = "of the preset"
"""


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of presets with one, `ours`."""
    folder = tmp_path / "presets"
    folder.mkdir()
    (folder / "ours.toml").write_text(OURS, "utf-8")
    monkeypatch.setattr(preset, "PRESETS", folder)
    return folder


def read(folder: Path, text: str, **flags: Any) -> config.Site:
    file = folder / "stopgap.toml"
    file.write_text(SITE + text, "utf-8")
    return config.load(str(file), flags).sites[0]


def problem(folder: Path, text: str, **flags: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(folder, text, **flags)
    return str(caught.value).replace(f"{folder}/", "")


def test_those_that_ship() -> None:
    assert preset.names() == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_each_makes_a_site(name: str) -> None:
    made = preset.named(name)
    assert made.title
    assert made.title_ja
    read = config.load(None, {"origins": ["http://h"], "preset": name})
    (site,) = read.sites
    assert (site.preset, site.server) == (name, made.keys["server"])
    spec.compiled(spec.build(read, load.load(read), spec.Registry()))


def test_a_sites_own_keys_lie_over_it(tmp_path: Path, ours: Path) -> None:
    own = 'server = "iis5"\nmethods = ["GET", "POST"]\n'
    tables = (
        '[site.limits]\ntarget = 4000\n[[site.exception]]\nrule = "stream"\nreason = "own"\npath = "/x"\n'
    )
    site = read(tmp_path, f'preset = "ours"\n{own}{tables}')
    assert (site.preset, site.server, site.methods, site.packs) == (
        "ours",
        "iis5",
        ("GET", "POST"),
        ("code-red",),
    )
    assert (site.limits["target"], site.limits["query"]) == (4000, 1000)
    assert [one.rule for one in site.exceptions] == ["stream", "short-name"]
    assert [one.preset for one in site.exceptions] == [False, True]
    assert [one.where for one in site.exceptions] == [f"{tmp_path}/stopgap.toml:9", f"{ours}/ours.toml:10"]


def test_its_exceptions_go_with_their_rules(tmp_path: Path, ours: Path) -> None:
    text = (ours / "ours.toml").read_text("utf-8").replace('"short-name"', '"ida-idq"')
    (ours / "ours.toml").write_text(text, "utf-8")
    file = tmp_path / "stopgap.toml"
    for packs, excepted in (('["code-red"]', ("of the preset",)), ('["limits"]', ())):
        file.write_text(f'{SITE}preset = "ours"\npacks = {packs}\n', "utf-8")
        made = config.load(str(file))
        assert spec.build(made, load.load(made), spec.Registry()).excepted == {"a": excepted}


def test_a_flag_names_one(tmp_path: Path, ours: Path) -> None:
    assert read(tmp_path, "", preset="ours").server == "iis6"
    assert read(tmp_path, "", preset="ours", server="iis7").server == "iis7"


def test_an_unknown_one() -> None:
    with pytest.raises(InputError) as caught:
        config.load(None, {"origins": ["http://h"], "preset": "iis5-aps"})
    assert str(caught.value) == (
        '--preset: no preset is called "iis5-aps"; did you mean "iis5-asp"?; known: ' + ", ".join(SHIPPED)
    )


@pytest.mark.parametrize("name", ['"../code-red"', '""'])
def test_only_those_that_ship_are_read(tmp_path: Path, name: str) -> None:
    told = problem(tmp_path, f"preset = {name}\n")
    assert told.startswith("stopgap.toml:4: site.preset: no preset is called ")
    assert told.endswith(", ".join(SHIPPED))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('hosts = "x"\n', "ours.toml:1: hosts: belongs to the site"),
        ('mode = "detect"\n', "ours.toml:1: mode: belongs to the site"),
        ('sever = "iis5"\n', 'ours.toml:1: sever: unknown key; did you mean "server"?'),
        ('[[exception]]\nrule = "stream"\nreason = ""\n', "ours.toml:3: exception.reason: is empty; "),
    ],
)
def test_mistakes_in_a_preset(tmp_path: Path, ours: Path, text: str, expected: str) -> None:
    (ours / "ours.toml").write_text(text, "utf-8")
    assert problem(tmp_path, 'preset = "ours"\n').replace("presets/", "").startswith(expected)


def test_no_preset_changes_nothing() -> None:
    assert preset.found(None, At(parse("", b""))) is preset.NONE
    assert preset.laid(preset.NONE, {"name": "a"}) == {"name": "a"}
