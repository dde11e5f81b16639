"""Does `stopgap workbench` say what is wrong with its flags, and what it does at the start?"""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.runner import run

TWO = """\
[[site]]
name = "kaikei"
hosts = ["kaikei.test"]
origins = "http://192.0.2.10"
server = "iis5"

[[site]]
name = "other"
hosts = ["other.test"]
origins = "https://192.0.2.11"
origin_tls = { fingerprint = "%s" }
"""
ORIGIN = ("--origin", "http://192.0.2.10")
needs_mitmproxy = pytest.mark.skipif(
    importlib.util.find_spec("mitmproxy") is None, reason="mitmproxy needs Python 3.12"
)


@needs_mitmproxy
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "--origin: is missing; give the server to send to, such as --origin http://192.0.2.10, "),
        (("--origin", "192.0.2.10"), '--origin: "192.0.2.10" is not the URL of an origin; write http://host'),
        ((*ORIGIN, "--server", "iis9"), '--server: no server table is called "iis9"; known: iis4'),
        ((*ORIGIN, "--mode", "enforce"), "--mode: "),
        (
            (*ORIGIN, "--listen", "0.0.0.0:80"),
            "--listen: 0.0.0.0:80: other machines could reach the workbench",
        ),
        ((*ORIGIN, "--listen", "[2001:db8::1]:80"), "--listen: [2001:db8::1]:80: other machines could reach"),
        ((*ORIGIN, "--listen", "gate.test:80"), "--listen: gate.test:80: other machines could reach"),
        ((*ORIGIN, "--listen", "/run/x.sock"), "--listen: unix:/run/x.sock: mitmproxy listens on TCP only"),
        ((*ORIGIN, "--listen", "127.0.0.1:0"), "--listen: 127.0.0.1:0: name a port, such as 127.0.0.1:8082"),
        ((*ORIGIN, "--web-port", "0"), "--web-port: must be between 1 and 65535, not 0"),
        ((*ORIGIN, "--keep", "0"), "--keep: must be at least 1, not 0"),
        ((*ORIGIN, "--memory", "64"), "--memory: must be at least 768 (MiB), not 64"),
        ((*ORIGIN, "--hold", "~~("), '--hold: "~~(" is no filter of mitmproxy\'s; write "~m POST"'),
        ((*ORIGIN, "--hold", ".", "--no-web"), "--hold: needs mitmweb's pages to let go of what is held"),
        (("--read", "{file}"), "--read: {file}: is no whole file of flows: "),
        (("--read", "流れ.flows"), "--read: 流れ.flows: cannot be read: No such file or directory"),
        (("-c", "{file}"), "--site: is missing; {file} has 2 sites: kaikei, other"),
        (("-c", "{file}", "--site", "othr"), '--site: no site is called "othr"; did you mean "other"?'),
        (("-c", "{file}", "--site", "other"), "site.origin_tls.fingerprints: the workbench does not know it"),
        (("-c", "nowhere.toml"), "nowhere.toml: "),
    ],
)
def test_what_is_wrong(tmp_path: Path, flags: tuple[str, ...], message: str) -> None:
    file = tmp_path / "two.toml"
    file.write_text(TWO % ("ab" * 32))
    done = run("workbench", *(flag.replace("{file}", str(file)) for flag in flags))
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(message.replace("{file}", str(file)))
    assert done.err.count("\n") == 1


def test_an_older_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 11, 9, "final", 0))
    done = run("workbench", *ORIGIN)
    assert done.code == 2
    assert done.err == (
        "workbench: needs Python 3.12 or newer, because mitmproxy does; this is Python 3.11. Install Stopgap "
        "for a newer one, with: python3.12 -m pip install 'stopgap[workbench]'\n"
    )


def test_without_mitmproxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 13, 0, "final", 0))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    done = run("workbench", *ORIGIN)
    assert done.code == 2
    assert done.err.startswith("workbench: mitmproxy is not installed; install it with: ")
    assert done.err.endswith(" -m pip install 'stopgap[workbench]'\n")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What would have been started: the bench, the judge, and the lines."""
    pytest.importorskip("mitmproxy", reason="mitmproxy needs Python 3.12")
    from stopgap.workbench import run as program

    seen: list[Any] = []
    monkeypatch.setattr(program, "run", lambda bench, judge, lines: seen.extend((bench, judge, lines("URL"))))
    return seen


def test_flags_alone(started: list[Any]) -> None:
    flags = ("--server", "iis5", "--codepage", "932", "--mode", "detect", "--hold", "~m POST")
    assert run("workbench", *ORIGIN, *flags).code == 0
    bench, judge, lines = started
    assert (str(bench.listen), bench.origin.url) == ("127.0.0.1:8082", "http://192.0.2.10:80")
    assert (judge.site.server, judge.site.codepages, judge.site.mode) == ("iis5", (932,), "detect")
    assert "  before  http://192.0.2.10:80" in lines
    assert "  holds   ~m POST" in lines
    assert "  look    URL" in lines
    assert any(line.startswith("  mode    detect: marks AND FORWARDS what ") for line in lines)


def test_a_site_of_a_file(started: list[Any], tmp_path: Path) -> None:
    file = tmp_path / "二つ.toml"
    file.write_text(TWO % ("ab" * 32))
    assert run("workbench", "-c", str(file), "--site", "kaikei", "--mode", "detect", "--no-web").code == 0
    bench, judge, _ = started
    assert (bench.origin.url, bench.web, judge.text) == ("http://192.0.2.10:80", False, file.read_text())
    assert (judge.site.mode, judge.site.server) == ("detect", "iis5")


def test_flows_need_no_origin(started: list[Any], tmp_path: Path) -> None:
    flows = tmp_path / "empty.flows"
    flows.touch()
    assert run("workbench", "--read", str(flows)).code == 0
    bench, _, lines = started
    assert (bench.origin, bench.read) == (None, str(flows))
    assert not [line for line in lines if line.startswith("  serves")]


def test_others_may_reach_it_when_that_is_meant(started: list[Any]) -> None:
    assert run("workbench", *ORIGIN, "--listen", "0.0.0.0:8082", "--expose").code == 0
    assert str(started[0].listen) == "0.0.0.0:8082"


def test_what_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mitmproxy", reason="mitmproxy needs Python 3.12")
    from stopgap.workbench import run as program

    def fails(*args: object) -> None:
        raise program.NotStarted("no room")

    monkeypatch.setattr(program, "run", fails)
    done = run("workbench", *ORIGIN)
    assert (done.code, done.err) == (3, "stopgap: no room\n")
