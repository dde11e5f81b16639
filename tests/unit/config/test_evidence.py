"""Is what a site keeps read with its defaults, and is each mistake told with its line?"""

from pathlib import Path

import pytest

from stopgap import config
from stopgap.config.evidence import homeless
from stopgap.config.model import Evidence
from stopgap.errors import ConfigError, InputError

SITE = '[[site]]\nname = "s"\norigins = "http://127.0.0.1:1"\n[site.evidence]\n'


def load(folder: Path, text: str) -> config.Config:
    file = folder / "stopgap.toml"
    file.write_text(text, "utf-8")
    return config.load(str(file))


def test_defaults(tmp_path: Path) -> None:
    assert load(tmp_path, SITE).sites[0].evidence == Evidence(64 << 20, 0.0, 64 << 10, ())
    assert load(tmp_path, SITE.replace("[site.evidence]", "")).sites[0].evidence is None


def test_every_key(tmp_path: Path) -> None:
    text = (
        SITE + 'bytes = "2 GiB"\npasses = 0.01\nbody = 0\nredact = ["X-Api-Key", "x-api-key", "SOAPAction"]\n'
    )
    assert load(tmp_path, text).sites[0].evidence == Evidence(2 << 30, 0.01, 0, ("x-api-key", "soapaction"))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('bytes = "64 KiB"', 'site.evidence.bytes: must be between "1 MiB" and "1024 GiB", not \'64 KiB\''),
        ('bytes = "many"', 'site.evidence.bytes: "many" is not a size'),
        ('body = "2 MiB"', "site.evidence.body: must be between 0 and \"1 MiB\", not '2 MiB'"),
        ("passes = 1.5", "site.evidence.passes: is a share between 0 (none) and 1 (all), such as 0.01"),
        ("passes = nan", "site.evidence.passes: is a share between 0 (none) and 1 (all)"),
        ('redact = "a b"', 'site.evidence.redact: "a b" is no name of a header'),
        ('redact = ["ok-name", "--a"]', 'site.evidence.redact: "--a" is no name of a header'),
    ],
)
def test_mistakes(tmp_path: Path, line: str, says: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        load(tmp_path, SITE + line + "\n")
    assert says in str(wrong.value)
    assert "stopgap.toml:5: " in str(wrong.value)


def test_an_unknown_key_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'redakt: unknown key; did you mean "redact"'):
        load(tmp_path, SITE + 'redakt = "x"\n')


def test_evidence_needs_a_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    (line,) = homeless(load(tmp_path, SITE))
    assert "stopgap.toml:4: site.evidence: needs a folder to keep it in" in line
    assert homeless(load(tmp_path, f'state = "state"\n{SITE}')) == []
    assert homeless(load(tmp_path, SITE.replace("[site.evidence]", ""))) == []
