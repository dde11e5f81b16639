"""Does `check` say what is in force, find what is wrong, and end with the right code, never a traceback?"""

import datetime
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from stopgap import config
from stopgap.ruleset import load
from tests.unit.cli.runner import run, spawn

SITE = '[[site]]\nname = "kaikei"\norigins = "http://192.0.2.10"\nserver = "iis5"\ncodepage = 932\n'
RULE = """\
[[rule]]
id = "htr"
title = "T"
match = { extension = "htr" }
block = 'GET /a.htr HTTP/1.0'
pass = 'GET / HTTP/1.0'
"""


def write(folder: Path, text: str, name: str = "stopgap.toml") -> str:
    (folder / name).write_text(text, "utf-8")
    return str(folder / name)


def test_a_good_configuration(tmp_path: Path) -> None:
    file = write(tmp_path, SITE + 'packs = ["code-red", "limits"]\n', "会計.toml")
    done = run("check", "--config", file)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[:5] == [
        'site "kaikei": hosts *; origins 192.0.2.10:80',
        'site "kaikei": server iis5, code pages 932, body buffer, raw bytes query',
        'site "kaikei": 23 rules of code-red, limits',
        'site "kaikei": mode block: what is denied, ambiguous or malformed is refused and goes no further',
        'site "kaikei": fails closed: a request that cannot be judged is refused',
    ]
    assert lines[5].startswith(f"{file}: 1 site, 23 rules, ")
    assert lines[5].endswith(": fine")


def test_detect_mode_says_what_is_still_refused(tmp_path: Path) -> None:
    done = run("check", "--config", write(tmp_path, SITE + 'mode = "detect"\n'))
    assert done.code == 0
    assert "mode detect: what is denied or ambiguous is judged, counted, logged, AND FORWARDED" in done.out
    (line,) = (line for line in done.out.splitlines() if "still refused in detect mode" in line)
    assert "bad-chunk" in line
    assert "length-and-transfer" in line
    assert "extension-denied" not in line


def test_quiet(tmp_path: Path) -> None:
    done = run("check", "-q", "--config", write(tmp_path, SITE))
    assert (done.code, done.out, done.err) == (0, "", "")


def test_the_environment_names_the_file(tmp_path: Path) -> None:
    assert run("check", "-t", env={"STOPGAP_CONFIG": write(tmp_path, SITE)}).code == 0


def test_without_a_file_all_packs_that_ship_are_checked() -> None:
    done = run("check")
    packs = load.packaged()
    rules = sum(len(pack.rules) for pack in packs)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"the packs that ship: {len(packs)} packs, {rules} rules, ")
    assert done.out.endswith(": fine\n")


def test_a_preset_alone() -> None:
    done = run("check", "--preset", "iis4-static")
    assert (done.code, done.err) == (0, "")
    assert 'site "default": server iis4, ' in done.out
    assert 'site "default": preset iis4-static\n' in done.out
    assert "preset iis4-static: 1 site, " in done.out


def test_modes_that_differ_are_told(tmp_path: Path) -> None:
    keys = 'packs = ["code-red"]\nmode = "canary"\nmodes = { ida-idq = "block", short-name = "detect" }\n'
    done = run("check", "--config", write(tmp_path, SITE + keys))
    assert done.code == 0
    assert 'site "kaikei": mode canary: for 10 % of the clients as block; ' in done.out
    assert 'site "kaikei": mode block for ida-idq\n' in done.out
    assert 'site "kaikei": mode detect for short-name\n' in done.out


def test_dump(tmp_path: Path) -> None:
    done = run("check", "--dump", "--config", write(tmp_path, SITE + "limits = { target = 3000 }\n"))
    assert done.code == 0
    dumped = json.loads(done.out)
    assert dumped["sites"][0]["limits"]["target"] == 3000
    assert dumped["sites"][0]["mode"] == "block"
    assert "document" not in dumped
    assert {"id": "ida-idq", "woken_by": "extension: ida, idq", "modes": {"kaikei": "block"}} in dumped[
        "rules"
    ]


def test_dump_shows_what_a_preset_comes_to(tmp_path: Path) -> None:
    keys = 'preset = "iis5-asp"\npacks = ["code-red"]\nmodes = { code-red = "detect" }\n'
    dumped = json.loads(run("check", "--dump", "--config", write(tmp_path, SITE + keys)).out)
    (site,) = dumped["sites"]
    assert (site["preset"], site["methods"], site["packs"]) == (
        "iis5-asp",
        ["GET", "HEAD", "POST"],
        ["code-red"],
    )
    assert {tuple(rule["modes"].items()) for rule in dumped["rules"]} == {(("kaikei", "detect"),)}


def test_a_site_without_rules_is_told(tmp_path: Path) -> None:
    done = run("check", "--config", write(tmp_path, SITE + "packs = []\n"))
    assert done.code == 0
    assert "no rule is active; only limits, ambiguous and malformed requests are refused" in done.out


def test_exceptions_are_warned_of(tmp_path: Path) -> None:
    exception = '[[site.exception]]\nrule = "ida-idq"\nreason = "x"\npath = "/a"\nuntil = 2001-08-08\n'
    file = write(tmp_path, SITE + exception)
    done = run("check", "-q", "--config", file)
    assert done.code == 0
    assert done.err == (
        f'warning: {file}:6: site "kaikei": exception to "ida-idq" ended on 2001-08-08: '
        "it is no longer in force; remove or renew it\n"
    )
    assert ' to "ida-idq" on /a ended on 2001-08-08' in run("check", "--config", file).out


def test_own_rules_that_deserve_a_look_are_noted(tmp_path: Path) -> None:
    write(
        tmp_path, RULE.replace('"htr"', '"ida"').replace("a.htr", "a.ida") + "servers = 'iis5'\n", "ours.toml"
    )
    done = run("check", "--config", write(tmp_path, SITE + 'rules = "ours.toml"\n'))
    assert done.code == 0
    assert done.err.startswith(f'note: {tmp_path}/ours.toml:1: rule "ida": never names its event: ')
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(("days", "told"), [(0, True), (14, True), (15, False)])
def test_exceptions_that_end_soon_are_warned_of(tmp_path: Path, days: int, told: bool) -> None:
    until = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=days)
    exception = f'[[site.exception]]\nrule = "stream"\nreason = "x"\npath = "/a"\nuntil = {until}\n'
    file = write(tmp_path, SITE + "packs = []\n" + exception)
    done = run("check", "-q", "--config", file)
    assert done.code == 0
    wanted = (
        f'warning: {file}:7: site "kaikei": exception to "stream" ends on {until}: '
        "its rule counts again from the next day on; renew it in time\n"
    )
    assert done.err == (wanted if told else "")


class Answering(BaseHTTPRequestHandler):
    """Says what a gate says of itself."""

    answer: object = None

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(self.answer).encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def admin() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("state", ["unused", "in-force"])
def test_exceptions_that_nobody_needed_are_noted(
    tmp_path: Path, admin: int, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    exception = '[[site.exception]]\nrule = "stream"\nreason = "x"\npath = "/a"\n'
    file = write(tmp_path, f'admin = "127.0.0.1:{admin}"\n{SITE}packs = []\n{exception}')
    (known,) = config.load(file).sites[0].exceptions
    excepted = {"id": known.id, "state": state}
    told = {"started": "2026-11-01T00:00:00.000Z", "sites": [{"name": "kaikei", "exceptions": [excepted]}]}
    monkeypatch.setattr(Answering, "answer", told)
    done = run("check", "--config", file)
    assert done.code == 0
    wanted = (
        f'note: {file}:8: site "kaikei": exception {known.id} to "stream" let nothing pass since '
        "2026-11-01T00:00:00.000Z, when the gate started; is it needed?\n"
    )
    assert done.err == (wanted if state == "unused" else "")


@pytest.mark.parametrize("answer", [[], {}, {"sites": 1}, {"sites": [{}]}, "x", None])
def test_a_gate_that_speaks_otherwise_is_no_news(
    tmp_path: Path, admin: int, monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    monkeypatch.setattr(Answering, "answer", answer)
    file = write(tmp_path, f'admin = "127.0.0.1:{admin}"\n{SITE}packs = []\n')
    assert run("check", "--config", file).err == ""


def test_a_vector_that_does_not_hold(tmp_path: Path) -> None:
    write(tmp_path, RULE.replace("/a.htr", "/a.htm"), "ours.toml")
    done = run("check", "--config", write(tmp_path, SITE + 'rules = "ours.toml"\n'))
    assert done.code == 1
    assert done.err.startswith(
        f"{tmp_path}/ours.toml:5: rule \"htr\": block: 'GET /a.htm HTTP/1.0' is not caught"
    )
    assert done.out.endswith(": not fine\n")


def test_a_rule_without_vectors(tmp_path: Path) -> None:
    write(tmp_path, RULE.partition("block")[0], "ours.toml")
    done = run("check", "-q", "--config", write(tmp_path, SITE + 'rules = "ours.toml"\n'))
    assert done.code == 1
    assert done.err.splitlines()[0] == (
        f'{tmp_path}/ours.toml:1: rule "htr": block: is missing; give at least one request that it must catch'
    )


@pytest.mark.parametrize(
    ("keys", "pack", "expected"),
    [
        ("sever = 'iis5'\n", "", 'stopgap.toml:6: site.sever: unknown key; did you mean "server"?'),
        (
            "[site.limits]\ntarget = 1_000_000\n",
            "",
            'stopgap.toml:1: site "kaikei": limits.target: 1000000 is not between 1 and 65536',
        ),
        (
            "rules = 'ours.toml'\n",
            "",
            "ours.toml: is empty; a pack holds at least one [[rule]] with id, title, match, block and pass",
        ),
        (
            "rules = 'none.toml'\n",
            "",
            "stopgap.toml:6: site.rules: none.toml: cannot be read: No such file or directory",
        ),
        ("rules = 'empty'\n", "", "stopgap.toml:6: site.rules: empty: holds no pack (*.toml)"),
        (
            "rules = 'ours.toml'\n",
            RULE.replace("extension", "extention"),
            'ours.toml:4: rule "htr": match.extention: unknown field; did you mean "extension"?',
        ),
        (
            "rules = 'ours.toml'\n",
            RULE.replace('"htr" }', '{ regex = "(" } }'),
            'ours.toml:4: rule "htr": match: regex "(": unclosed group',
        ),
        (
            "rules = 'ours.toml'\n",
            RULE.replace('id = "htr"', 'id = "ida-idq"'),
            'ours.toml:1: rule "ida-idq": id: is already used at ',
        ),
    ],
)
def test_mistakes(tmp_path: Path, keys: str, pack: str, expected: str) -> None:
    write(tmp_path, pack, "ours.toml")
    (tmp_path / "empty").mkdir()
    done = run("check", "--config", write(tmp_path, SITE + keys))
    assert (done.code, done.out) == (2, "")
    assert done.err.replace(f"{tmp_path}/", "").startswith(expected)
    assert done.err.count("\n") == 1


def test_files_that_are_none(tmp_path: Path) -> None:
    binary = tmp_path / "binary.toml"
    binary.write_bytes(bytes(range(256)))
    for file, why in [
        (str(tmp_path), "cannot be read: Is a directory"),
        (str(tmp_path / "無い.toml"), "cannot be read: No such file or directory"),
        (str(binary), "is not UTF-8 text; save the file as UTF-8"),
    ]:
        done = run("check", "--config", file)
        assert done.code == 2
        assert done.err.count("\n") == 1
        assert why in done.err


def test_a_certificate_that_is_none(tmp_path: Path) -> None:
    pem = write(tmp_path, "x", "c.pem")
    file = write(tmp_path, f'[tls]\ncert = "c.pem"\nkey = "c.pem"\n{SITE}')
    done = run("check", "--config", file)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"{file}:2: tls.cert: {pem}, {pem}: cannot be used (")
    assert done.err.endswith("; both must be PEM files\n")


def test_a_terminal_that_knows_no_japanese(tmp_path: Path) -> None:
    file = write(tmp_path, SITE.replace("kaikei", "会計"), "会計.toml")
    done = spawn(
        "check", "--config", file, env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    )
    assert done.code == 0
    assert 'site "\\u4f1a\\u8a08": server iis5' in done.out
