"""Does each preset let through what its application sends, and nothing of what attacks it?

The requests are in presets.toml. Each is judged in the code pages of a Japanese server, of a Western one, and
of one that nobody has told about; names in Shift_JIS on the Japanese one.
"""

import tomllib
from pathlib import Path

import pytest

from stopgap import _core, config
from stopgap.config import preset
from stopgap.ruleset import load, spec, vectors

TABLE = tomllib.loads(Path(__file__).with_name("presets.toml").read_text("utf-8"))
REASONS = [name for name, *_ in _core.reasons()]
PAGES = ("932", "1252", "[1252, 932]")
EACH = pytest.mark.parametrize("name", preset.names())


def policies(folder: Path, name: str, strict: bool = False) -> list[_core.Policy]:
    """The preset's policy in each of the code pages."""
    file = folder / "stopgap.toml"
    made = []
    for page in PAGES:
        site = f'[[site]]\nname = "a"\norigins = "http://h"\npreset = "{name}"\ncodepage = {page}\n'
        site += "strict = true\n" if strict else ""
        file.write_text(site, "utf-8")
        loaded = config.load(str(file), {})
        built = spec.build(loaded, load.load(loaded), spec.Registry())
        assert not built.warnings
        made.append(spec.compiled(built))
    return made


def told(policy: _core.Policy, request: bytes) -> str:
    """Why a request is refused; "" when it passes."""
    verdict = policy.judge(request)
    if verdict is None:
        return ""
    reason, rule, _ = verdict
    return f"{REASONS[reason]} ({policy.rules[rule] if rule >= 0 else 'no rule'})"


def test_every_preset_has_its_table() -> None:
    assert set(TABLE) == set(preset.names())


@EACH
@pytest.mark.parametrize("strict", [False, True], ids=["", "strict"])
def test_what_its_application_sends_passes(name: str, strict: bool, tmp_path: Path) -> None:
    wrong = [
        f"{pages}: {text[:200]!r}: {why}"
        for pages, policy in zip(PAGES, policies(tmp_path, name, strict), strict=True)
        for text in (*TABLE[name]["pass"], *(TABLE[name].get("japanese", ()) if pages == "932" else ()))
        if (why := told(policy, vectors.request(text)))
    ]
    assert not wrong, "\n".join(wrong)


@EACH
def test_what_attacks_it_is_refused(name: str, tmp_path: Path) -> None:
    wrong = [
        f"{pages}: {text[:200]!r} passes"
        for pages, policy in zip(PAGES, policies(tmp_path, name), strict=True)
        for text in TABLE[name]["block"]
        if not told(policy, vectors.request(text))
    ]
    assert not wrong, "\n".join(wrong)
