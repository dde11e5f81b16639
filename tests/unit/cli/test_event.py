"""Does `explain --event` find the event, explain its request, and propose the narrowest exception?"""

import datetime
from pathlib import Path

import msgspec
import pytest

from stopgap.events import formats
from stopgap.ruleset.propose import DAYS
from tests.unit.cli.runner import Outcome, run
from tests.unit.events.test_find import EVENT

ID = EVENT.event_id
TARGET = "/search/q.idq?a=x"
REFUSED = msgspec.structs.replace(
    EVENT, target=TARGET, target_length=len(TARGET), rule_id="ida-idq", rule_name="Index Server"
)
SITE = """\
log = "{log}"  # for the collector
admin = "off"

[[site]]
name = "s"
origins = "http://192.0.2.1"
server = "iis5"
codepage = 932
packs = ["code-red", "limits"]

# the end
"""


class Scene:
    def __init__(self, folder: Path) -> None:
        self.log, self.file = folder / "events.log", folder / "stopgap.toml"
        self.tell()
        self.file.write_text(SITE.format(log=self.log), "utf-8")

    def tell(self, **changes: object) -> None:
        event = msgspec.structs.replace(REFUSED, **changes)
        self.log.write_bytes(b"not json\n" + msgspec.json.encode(event) + b"\n")

    def explain(self, *flags: str, stdin: bytes | None = None) -> Outcome:
        return run("explain", "--event", ID, "--config", str(self.file), *flags, stdin=stdin)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_an_event_of_the_configured_log(scene: Scene) -> None:
    done = scene.explain()
    assert (done.code, done.err) == (1, "")
    lines = done.out.splitlines()
    assert lines[0] == f"event     {ID} at {EVENT.timestamp}, client unknown"
    assert lines[1] == "was       refused: extension-denied, rule ida-idq (Index Server)"
    assert "request   GET /search/q.idq?a=x" in lines
    assert "not known the headers but Host, the body: an event does not hold them" in lines
    assert not any(line.startswith("differs") for line in lines)


def test_an_event_of_a_log_that_was_rotated(scene: Scene) -> None:
    scene.log.rename(scene.log.with_name("events.log.2"))
    scene.log.with_name("events.log.1").touch()
    summary = msgspec.structs.replace(REFUSED, count=3, timestamp="2026-11-25T00:00:00.000Z")
    scene.log.write_bytes(msgspec.json.encode(summary) + b"\n")
    assert f"at {summary.timestamp}" in scene.explain().out
    scene.file.write_text("log_rotate = {}\n" + scene.file.read_text("utf-8"), "utf-8")
    assert f"at {EVENT.timestamp}" in scene.explain().out


@pytest.mark.parametrize("name", ["ecs", "ocsf"])
def test_an_event_in_another_format(scene: Scene, name: str) -> None:
    scene.log.write_bytes(formats.record(REFUSED, name).line + b"\n")
    assert "request   GET /search/q.idq?a=x" in scene.explain().out.splitlines()


def test_an_event_that_is_told_too_thinly(scene: Scene) -> None:
    scene.log.write_bytes(formats.record(REFUSED, "combined").line + b"\n")
    done = scene.explain()
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"--log: {scene.log}: tells of {ID} in the combined format, which ")
    assert done.err.count("\n") == 1


def test_a_masked_client(scene: Scene) -> None:
    scene.tell(client="192.0.2.77")
    assert "client 192.0.2.77" in scene.explain().out
    scene.file.write_text("mask_clients = true\n" + scene.file.read_text("utf-8"), "utf-8")
    assert "client 192.0.2.0" in scene.explain().out


def test_an_event_on_standard_input(scene: Scene) -> None:
    assert scene.explain("--log", "-", stdin=scene.log.read_bytes()).code == 1
    done = scene.explain("--log", "-", stdin=b"")
    assert (done.code, done.out) == (2, "")
    assert done.err == f"--event: no event {ID}: standard input does not tell of it\n"


def test_what_the_request_alone_does_not_show(scene: Scene) -> None:
    scene.tell(target="/a.asp", target_length=6, reason="header-denied", rule_id="")
    done = scene.explain()
    assert done.code == 0
    assert "differs   then it was header-denied: for a part that is not known" in done.out


def test_the_narrowest_exception_is_proposed(scene: Scene) -> None:
    done = scene.explain("--except")
    until = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=DAYS)
    assert done.code == 0
    assert done.out.endswith(
        '\n\n[[site.exception]]\nrule = "ida-idq"\npath = "/search/q.idq"\ncompat = "tight"\n'
        f'reason = "say who needs it, and why"\nuntil = {until}\n'
    )
    assert done.err == "With this the request passes, as far as it is known.\n"
    assert scene.file.read_text("utf-8") == SITE.format(log=scene.log)


def test_it_is_written_and_holds(scene: Scene) -> None:
    scene.file.chmod(0o640)
    done = scene.explain("--except", "--write", "--reason", "会計の検索", "--owner", "sato")
    assert done.code == 0, done.err
    text = scene.file.read_text("utf-8")
    assert 'reason = "会計の検索"\nowner = "sato"\n' in text
    assert text.startswith(SITE.format(log=scene.log).partition("# the end")[0])
    assert text.endswith("\n\n# the end\n")
    assert scene.file.stat().st_mode & 0o777 == 0o640
    assert '+rule = "ida-idq"' in done.err
    assert "written; `stopgap reload` takes it over" in done.err
    again = scene.explain()
    assert again.code == 0
    assert "excepted: 会計の検索 (sato)" in again.out


def test_what_passes_already_gets_no_second_exception(scene: Scene) -> None:
    write = ("--except", "--write", "--reason", "r", "--owner", "o")
    assert scene.explain(*write).code == 0
    before = scene.file.read_bytes()
    done = scene.explain(*write)
    assert (done.code, "[[site.exception]]" in done.out) == (0, False)
    assert not any(line.startswith("differs") for line in done.out.splitlines())
    assert done.err == f"It passes with what {scene.file} says; `stopgap reload` takes that over.\n"
    assert scene.file.read_bytes() == before


def test_a_limit_is_raised_instead(scene: Scene) -> None:
    target = "/" + "a" * 250 + "/" + "abcdefg/" * 130
    scene.tell(target=target, target_length=len(target), reason="path-too-long", rule_id="long-path")
    done = scene.explain("--except", "--write", "--reason", "deep", "--owner", "sato")
    assert done.code == 0, done.err
    assert f"[site.limits]\npath = {len(target)}\n" in scene.file.read_text("utf-8")


def test_nothing_can_help(scene: Scene) -> None:
    scene.tell(reason="bad-chunk", tier="malformed", rule_id="", target="/a.asp", target_length=6)
    before = scene.file.read_bytes()
    done = scene.explain("--except", "--write", "--reason", "r", "--owner", "o")
    assert done.code == 1
    assert done.err.startswith("No exception can let it pass (bad-chunk). No exception can help: ")
    assert "](" not in done.err
    assert scene.file.read_bytes() == before


def test_what_check_refuses_is_not_written(scene: Scene, tmp_path: Path) -> None:
    pack = '[[rule]]\nid = "own"\ntitle = "T"\nmatch = { extension = "own" }\n'
    pack += 'block = "GET /x HTTP/1.0"\npass = "GET / HTTP/1.0"\n'
    with scene.file.open("a", encoding="utf-8") as file:
        file.write(pack)
    before = scene.file.read_bytes()
    done = scene.explain("--except", "--write", "--reason", "r", "--owner", "o")
    assert done.code == 2
    assert 'rule "own": block' in done.err
    assert scene.file.read_bytes() == before


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ((), "REQUEST: is missing; give it, --event or --line"),
        (("GET / HTTP/1.0", "--event", ID), "REQUEST: give it, --event or --line, only one"),
        (("GET / HTTP/1.0", "--except"), "--except: goes with --event only"),
        (("--event", ID, "--write"), "--write: goes with --except only"),
        (("--event", ID, "--except"), "--except: needs --config FILE, the configuration that is to have"),
        (("--event", ""), '--event: "" is not an id; it has 16 of the digits 0-9 a-f'),
        (("--event", "xyz"), '--event: "xyz" is not an id; it has 16 of the digits 0-9 a-f'),
        (("--event", ID, "--log", "/no/such"), "--log: /no/such: cannot be read: No such file"),
        (
            ("--event", ID, "--admin", "127.0.0.1:1"),
            f"--event: no event {ID}: no gate answers on 127.0.0.1:1",
        ),
        (
            ("--event", ID, "--except", "--write", "-c", "x.toml"),
            "--reason: is missing; an exception that is",
        ),
    ],
)
def test_mistakes(args: tuple[str, ...], expected: str) -> None:
    done = run("explain", *args)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(expected)
    assert done.err.count("\n") == 1


def test_an_event_of_another_site(scene: Scene) -> None:
    scene.tell(site="t")
    assert 'the event is of site "t"; there is none' in scene.explain().err


def test_an_exploit_that_was_answered_comes_with_its_next_steps(scene: Scene) -> None:
    scene.tell(event_action="exploit-answered", status=200, cause="00000000000000aa", mode="detect")
    lines = scene.explain().out.splitlines()
    assert lines[1] == "was       exploit-answered: extension-denied, rule ida-idq (Index Server)"
    assert lines[2] == "answer    200 by the origin; event 00000000000000aa is the detection"
    (first,) = (place for place, line in enumerate(lines) if line.startswith("next      1. "))
    assert [line[10:12] for line in lines[first:]] == [f"{number}." for number in range(1, 7)]
    scene.tell()
    assert not any(line.startswith("next") for line in scene.explain().out.splitlines())
