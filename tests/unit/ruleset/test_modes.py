"""Does the narrowest name give the mode, and is a name that means nothing told?"""

from pathlib import Path

import pytest

from stopgap.errors import InputError
from stopgap.ruleset import load, modes, spec
from tests.unit.ruleset.builders import config_of

SITE = '[[site]]\nname = "a"\norigins = "http://h"\nserver = "iis5"\nrules = "ours.toml"\npacks = []\n'
PACK = """\
[[rule]]
id = "one"
title = "T"
match = { extension = "one" }
[[rule]]
id = "watched"
title = "T"
action = "detect"
match = { extension = "two" }
[[rule]]
id = "label"
title = "T"
match = { reason = ["short-name", "stream"] }
"""


def resolved(folder: Path, keys: str) -> dict[str, str]:
    (folder / "ours.toml").write_text(PACK, "utf-8")
    read = config_of(folder, f"{SITE}{keys}\n")
    return modes.resolve(read, 0, load.load(read).rules)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("", {}),
        ('modes = { one = "detect" }', {"one": "detect"}),
        (
            'modes = { ours = "detect", one = "block" }',
            {"one": "block", "watched": "detect", "label": "detect"},
        ),
        (
            'modes = { short-name = "canary", ours = "detect" }',
            {"one": "detect", "watched": "detect", "short-name": "canary", "stream": "detect"},
        ),
        (
            'modes = { label = "canary", extension-denied = "detect" }',
            {"label": "canary", "extension-denied": "detect"},
        ),
    ],
)
def test_the_narrowest_name(tmp_path: Path, keys: str, expected: dict[str, str]) -> None:
    assert resolved(tmp_path, keys) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "onee",
            '"onee" is neither a rule nor a pack of site "a", '
            'nor an ambiguous or denied reason; did you mean "one"?',
        ),
        (
            "code-red",
            '"code-red" is neither a rule nor a pack of site "a", nor an ambiguous or denied reason',
        ),
        ("bad-chunk", '"bad-chunk" is refused in every mode: such a request cannot be served'),
    ],
)
def test_mistakes(tmp_path: Path, name: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        resolved(tmp_path, f'[site.modes]\n{name} = "detect"')
    assert str(caught.value).startswith(f"{tmp_path}/stopgap.toml:8: site.modes.{name}: {expected}")


def test_what_differs_from_the_site(tmp_path: Path) -> None:
    (tmp_path / "ours.toml").write_text(PACK, "utf-8")
    read = config_of(tmp_path, f'{SITE}mode = "canary"\nmodes = {{ one = "canary", stream = "block" }}\n')
    policy = spec.compiled(spec.build(read, load.load(read), spec.Registry()))
    assert modes.differing(read, policy) == {"a": {"label": "block", "stream": "block", "watched": "detect"}}
    assert modes.effective(read, policy)["a"]["one"] == "canary"


def test_the_mode_of_a_reason_is_that_of_its_rules(tmp_path: Path) -> None:
    (tmp_path / "ours.toml").write_text(PACK, "utf-8")
    read = config_of(tmp_path, f'{SITE}modes = {{ extension-denied = "canary", one = "detect" }}\n')
    policy = spec.compiled(spec.build(read, load.load(read), spec.Registry()))
    assert modes.differing(read, policy) == {
        "a": {"one": "detect", "watched": "detect", "extension-denied": "canary"}
    }
