"""Does `explain` show, of every kind of request, what nearly applied and what would happen elsewhere?"""

import json
from pathlib import Path

import msgspec
import pytest

from stopgap.events import formats
from tests.unit.cli.runner import run
from tests.unit.events.test_find import EVENT

CONFIG = """\
[[site]]
name = "s"
hosts = "old.example"
origins = "http://192.0.2.1"
server = "iis5"
packs = ["code-red"]
[[site.exception]]
rule = "ida-idq"
path = "/search/*.idq"
reason = "検索"
"""
NCSA = '192.0.2.7 - - [19/Jul/2001:04:11:09 +0900] "GET /find/a.idq HTTP/1.0" 200 1'


@pytest.fixture
def config(tmp_path: Path) -> str:
    file = tmp_path / "設定.toml"
    file.write_text(CONFIG, "utf-8")
    return str(file)


def test_a_request(config: str) -> None:
    done = run("explain", "-c", config, "/find/a.idq", "--also", "iis6", "--also", config)
    assert (done.code, done.err) == (1, "")
    failed = "path: /search/*.idq does not cover /find/a.idq"
    assert done.out.splitlines()[-3:] == [
        f'nearly    exception to "ida-idq" (検索) at {config}:7: {failed}',
        "also      iis6: passes",
        f"also      {config}: refused with 404: extension-denied, rule ida-idq",
    ]


def test_a_line_of_a_log(config: str, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text(NCSA + "\n", "utf-8")
    for line, stdin in ((f"{log}:1", None), (NCSA, None), ("-", NCSA.encode())):
        done = run("explain", "-c", config, "--line", line, stdin=stdin)
        assert (done.code, done.err) == (1, "")
        assert done.out.startswith("request   GET /find/a.idq\n")
        assert "nearly    exception" in done.out


@pytest.mark.parametrize("name", list(formats.FORMATS))
def test_a_line_of_an_event(config: str, name: str) -> None:
    told = msgspec.structs.replace(EVENT, target="/find/a.idq", target_length=11, rule_id="ida-idq")
    line = formats.record(told, name).line.decode()
    done = run("explain", "-c", config, "--line", line, "--also", "iis10")
    assert (done.code, done.err) == (1, "")
    assert f"event     {EVENT.event_id} at " in done.out
    assert "also      iis10: passes" in done.out
    done = run("explain", "-c", config, "--line", line, "--json")
    seen = json.loads(done.out)
    assert seen["event"]["event.id"] == EVENT.event_id
    assert seen["nearly"][0]["failed"] == ["path: /search/*.idq does not cover /find/a.idq"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--line", "noise"], "--line: is no event and no line"),
        (["/a", "--line", NCSA], "REQUEST: give it, --event or --line, only one"),
        (["--line", NCSA, "--log", "x"], "--log: goes with --event only"),
        (["/a", "--also", "iis9"], "iis9: there is no such file or folder"),
        (["/a", "--also", "no.toml"], "no.toml: cannot be read"),
    ],
)
def test_mistakes(config: str, args: list[str], said: str) -> None:
    done = run("explain", "-c", config, *args)
    assert done.code == 2
    assert said in done.err
    assert len(done.err.splitlines()) == 1
