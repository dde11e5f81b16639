"""Does `check` say what is in force, find what is wrong, and end with the right code, never a traceback?"""

import json
from pathlib import Path

import pytest

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
    file = write(tmp_path, SITE, "会計.toml")
    done = run("check", "--config", file)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[:5] == [
        'site "kaikei": hosts *; origins 192.0.2.10:80',
        'site "kaikei": server iis5, code pages 932, body buffer, raw bytes query',
        'site "kaikei": 23 rules of code-red, limits',
        'site "kaikei": mode block: what is denied, ambiguous or malformed is refused and goes no further',
        'site "kaikei": fails closed: a request that cannot be judged is refused (internal-error)',
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


def test_without_a_file() -> None:
    done = run("check")
    assert (done.code, done.out) == (2, "")
    assert done.err == "--config: is missing; name the file, or set STOPGAP_CONFIG\n"


def test_dump(tmp_path: Path) -> None:
    done = run("check", "--dump", "--config", write(tmp_path, SITE + "limits = { target = 3000 }\n"))
    assert done.code == 0
    dumped = json.loads(done.out)
    assert dumped["sites"][0]["limits"]["target"] == 3000
    assert dumped["sites"][0]["mode"] == "block"
    assert "document" not in dumped
    assert {"id": "ida-idq", "woken_by": "extension: ida, idq"} in dumped["rules"]


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
    ("config", "pack", "expected"),
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
        ("rules = 'none.toml'\n", "", "none.toml: cannot be read: No such file or directory"),
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
def test_mistakes(tmp_path: Path, config: str, pack: str, expected: str) -> None:
    write(tmp_path, pack, "ours.toml")
    done = run("check", "--config", write(tmp_path, SITE + config))
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
    assert done.err.startswith(f"{file}:1: tls: {pem}, {pem}: cannot be used (")
    assert done.err.endswith("; both must be PEM files\n")


def test_a_terminal_that_knows_no_japanese(tmp_path: Path) -> None:
    file = write(tmp_path, SITE.replace("kaikei", "会計"), "会計.toml")
    done = spawn(
        "check", "--config", file, env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    )
    assert done.code == 0
    assert 'site "\\u4f1a\\u8a08": server iis5' in done.out
