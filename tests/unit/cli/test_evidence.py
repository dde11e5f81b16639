"""Is the request found that was meant, in a file, a folder, or what a gate has kept?"""

from pathlib import Path

import pytest

from stopgap import config
from stopgap.cli.evidence import chosen, kept, site_of
from stopgap.errors import ConfigError
from stopgap.events import flows, ring
from stopgap.events.flows import Told

SITE = '[[site]]\nname = "s"\norigins = "http://127.0.0.1:1"\n'


def flow(target: str, event: str) -> bytes:
    raw = f"GET {target} HTTP/1.0\r\n\r\n".encode()
    return flows.written(raw, len(raw), Told("", False, 1.0, {flows.EVENT: event}, "", "", ""))


def target(found: flows.Flow | None) -> str:
    return found.request.split()[1].decode() if found else ""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    place = ring.folder(str(tmp_path), "s")
    place.mkdir(parents=True)
    (place / "20010719T000000-1-000001.flow").write_bytes(flow("/old", "0a") + flow("/older", "0b"))
    (place / "20010720T000000-1-000001.flow").write_bytes(
        flow("/new", "0c") + flow("/newer", "0d") + b"9:torn"
    )
    return tmp_path


def test_the_first_of_a_file_or_the_one_of_an_event(state: Path) -> None:
    file = str(next(state.rglob("20010719*")))
    assert target(chosen(file, None)) == "/old"
    assert target(chosen(file, "0b")) == "/older"
    assert target(chosen(str(state), None)) == "/new"
    assert target(chosen(str(state), "0b")) == "/older"


@pytest.mark.parametrize(
    ("place", "event", "says"),
    [
        ("evidence", "ff", "holds no request of event ff; .*flow 3 breaks off in the middle of a flow"),
        ("none", None, "none: cannot be read: No such file"),
        ("empty", None, "empty: holds no file whose name ends in .flow"),
        ("text", None, "text: holds no request; .*text: flow 1 is no flow file from here on"),
    ],
)
def test_what_is_not_there_is_told(state: Path, place: str, event: str | None, says: str) -> None:
    (state / "empty").mkdir()
    (state / "text").write_text("GET / HTTP/1.0")
    with pytest.raises(ConfigError, match=f"--flow: .*{says}"):
        chosen(str(state / place), event)


def test_the_site_that_judged_it(tmp_path: Path) -> None:
    file = tmp_path / "stopgap.toml"
    file.write_text(SITE)
    for name, site in (("s", "s"), ("gone", None), (None, None)):
        metadata = {} if name is None else {flows.SITE: name}
        assert site_of(flows.Flow(b"", 0, metadata), config.load(str(file))) == site


def test_what_a_gate_has_kept(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    file = state / "stopgap.toml"
    file.write_text(f'state = "."\n{SITE}')
    read = config.load(str(file))
    assert target(kept(read, "s", "0d")) == "/newer"
    assert kept(read, "s", "ff") is None
    assert kept(read, "another", "0d") is None
    file.write_text(SITE)
    assert kept(config.load(str(file)), "s", "0d") is None
