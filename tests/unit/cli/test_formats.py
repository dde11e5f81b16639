"""Do `import` and `export` print what loads, tell what is lost, and end with the right code?"""

from pathlib import Path

import pytest

from tests.unit.cli.runner import run

SAMPLES = Path(__file__).parents[1] / "ruleset" / "formats" / "samples"
INI = "[Options]\nUseAllowVerbs=0\nUseAllowExtensions=0\nAllowDotInPath=1\nAllowHighBitCharacters=1\n"
DENY = INI + "[DenyExtensions]\n.ida\n"


def test_an_imported_file_is_a_configuration(tmp_path: Path) -> None:
    done = run(
        "import", "urlscan", str(SAMPLES / "urlscan-3.1.ini"), "--origin", "http://o", "--server", "iis5"
    )
    assert done.code == 1
    assert done.err.splitlines()[-1] == "10 rules; 2 lost"
    file = tmp_path / "stopgap.toml"
    file.write_text(done.out, "utf-8")
    checked = run("check", "--config", str(file))
    assert (checked.code, checked.err) == (0, "")
    explained = run("explain", "--config", str(file), "GET /x.htr HTTP/1.0")
    assert explained.code == 1
    assert "urlscan-extensions" in explained.out


def test_without_an_origin_check_says_what_is_missing(tmp_path: Path) -> None:
    done = run("import", "urlscan", "-", stdin=DENY.encode())
    assert (done.code, done.err) == (0, "1 rule; nothing lost\n")
    file = tmp_path / "stopgap.toml"
    file.write_text(done.out, "utf-8")
    checked = run("check", "--config", str(file))
    assert checked.code == 2
    assert "site.origins: is empty; name the server to protect, such as http://192.0.2.10:80" in checked.err


def test_a_rule_that_does_not_hold_is_told_with_the_file() -> None:
    done = run("import", "urlscan", "-", stdin=f"{INI}[DenyUrlSequences]\n/\n".encode())
    assert done.code == 1
    assert done.err.splitlines()[0].startswith('standard input: lost: rule "urlscan-url": pass: is missing')
    assert "[[rule]]" not in done.out


def test_a_file_that_is_wrong_prints_nothing() -> None:
    done = run("import", "urlscan", "-", stdin=b"[Options]\nUseAllowVerbs=maybe\n")
    assert (done.code, done.out) == (2, "")
    assert done.err == 'standard input:2: [Options] UseAllowVerbs: must be 0 or 1, not "maybe"\n'


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (("import", "urlscam", "f"), 'FORMAT: no such format is called "urlscam"; did you mean "urlscan"?'),
        (("export", "urlscam"), 'FORMAT: no such format is called "urlscam"; did you mean "urlscan"?'),
        (("import", "urlscan", "none.ini"), "none.ini: cannot be read: No such file or directory"),
        (("import", "urlscan", "f", "--server", "iis3"), '--server: no server table is called "iis3"'),
        (
            ("import", "urlscan", "f", "--origin", "ftp://o"),
            '--origin: "ftp://o" is not the URL of an origin',
        ),
        (("import", "urlscan", "f", "--codepage", "7"), "--codepage: 7 is unknown"),
        (("export", "urlscan", "--site", "x"), '--site: no site is called "x"'),
    ],
)
def test_mistakes_end_with_2(arguments: tuple[str, ...], wrong: str) -> None:
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(wrong)


def test_export_goes_back(tmp_path: Path) -> None:
    imported = run("import", "urlscan", "-", "--origin", "http://o", stdin=DENY.encode())
    file = tmp_path / "stopgap.toml"
    file.write_text(imported.out.replace("origins", "packs = []\norigins"), "utf-8")
    done = run("export", "urlscan", "--config", str(file))
    assert (done.code, done.err) == (0, "1 rule; nothing lost\n")
    assert "[DenyExtensions]\n.ida\n" in done.out


def test_export_without_a_configuration_is_what_ships() -> None:
    done = run("export", "webconfig")
    assert done.code == 1
    assert '<add fileExtension=".ida" allowed="false" />' in done.out
    assert 'rule "nimda-probe": lost: ' in done.err


def test_help_names_the_formats() -> None:
    for verb in ("import", "export"):
        shown = run(verb, "--help").out
        assert "urlscan" in shown
        assert "Exit codes: 0 all was kept" in shown


SIGNATURES = """\
alert http any any -> any any (msg:"a"; http.uri; content:"/x.ida"; nocase; sid:1;)
alert http any any -> any any (msg:"b"; http.stat_code; content:"200"; sid:2;)
"""


def test_a_pack_of_signatures_loads(tmp_path: Path) -> None:
    done = run("import", "suricata", "-", stdin=SIGNATURES.encode())
    assert done.code == 1
    assert done.err == (
        "standard input:2: lost: sid 2: http.stat_code: it looks at the response; the rule is left out\n"
        "1 rule; 1 lost\n"
    )
    file = tmp_path / "signatures.toml"
    file.write_text(done.out, "utf-8")
    assert run("rules", "test", str(file)).code == 0


@pytest.mark.parametrize("name", ["haproxy", "nginx", "seclang", "suricata"])
def test_every_export_reports_what_it_loses(name: str) -> None:
    done = run("export", name)
    assert done.code == 1
    assert "# ida-idq: " in done.out
    assert 'rule "ida-idq": lost: ' in done.err


def test_a_damaged_patch_gives_nothing() -> None:
    done = run("import", "crowdsec", "-", stdin=b"name: a\nrules: 3\n")
    assert (done.code, done.out) == (2, "")
    assert done.err == "standard input:2: rules: must be a list that is not empty\n"
