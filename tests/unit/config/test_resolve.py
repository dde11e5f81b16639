"""Does stopgap.toml become the configuration it describes, and is every mistake told with line and cure?"""

import datetime
from pathlib import Path
from typing import Any

import pytest

from stopgap import _core, config
from stopgap.config import Address
from stopgap.errors import InputError

GOOD = """\
listen = ["0.0.0.0:80", "[::]:8080"]
admin = "127.0.0.1:9901"
workers = 2

[[site]]
name = "kaikei"
hosts = ["Kaikei.example.jp", "*.kaikei.example.jp"]
origins = ["http://192.0.2.10:8000", "http://192.0.2.11"]
server = "iis5"
codepage = 932
mode = "detect"
packs = ["code-red"]
rules = "rules.d"
upgrade = ["WebSocket"]

[site.limits]
target = 5000
body = 30_000_000

[site.deadlines]
head = 5

[[site.exception]]
rule = "ida-idq"
path = "/search/*.idq"
clients = "192.0.2.7/24"
reason = "Index Server search page"
owner = "web team"
until = 2027-03-31
"""


def load(
    tmp_path: Path, text: str, flags: dict[str, Any] | None = None, name: str = "stopgap.toml"
) -> config.Config:
    file = tmp_path / name
    file.write_text(text, "utf-8")
    return config.load(str(file), flags)


def problem(tmp_path: Path, text: str, flags: dict[str, Any] | None = None) -> str:
    with pytest.raises(InputError) as caught:
        load(tmp_path, text, flags)
    assert len(caught.value.problems) == 1
    return str(caught.value).replace(f"{tmp_path}/", "")


def test_everything_written(tmp_path: Path) -> None:
    read = load(tmp_path, GOOD)
    site = read.sites[0]
    assert list(map(str, read.listen)) == ["0.0.0.0:80", "[::]:8080"]
    assert (str(read.admin), read.workers, read.tls, read.log) == ("127.0.0.1:9901", 2, None, "-")
    assert site.hosts == ("kaikei.example.jp", "*.kaikei.example.jp")
    assert site.origins == (Address("192.0.2.10", 8000), Address("192.0.2.11", 80))
    assert (site.server, site.codepages, site.mode) == ("iis5", (932,), "detect")
    assert (site.packs, site.rules, site.upgrade) == (
        ("code-red",),
        (str(tmp_path / "rules.d"),),
        ("websocket",),
    )
    assert site.limits == {**_core.limits("iis5"), "target": 5000}
    assert site.deadlines == {**_core.deadlines(), "head": 5.0}
    (exception,) = site.exceptions
    assert exception.until == datetime.date(2027, 3, 31)
    assert exception.clients == ("192.0.2.0/24",)
    assert exception.compat is None


@pytest.mark.parametrize(
    ("written", "given", "state"),
    [
        ("", None, ""),
        ("", "/var/lib/stopgap:/var/lib/other", "/var/lib/stopgap"),
        ('state = "/srv/x"', "/var/lib/stopgap", "/srv/x"),
        ('state = "kept"', None, "{folder}/kept"),
        ('state = ""', "/var/lib/stopgap", ""),
    ],
)
def test_the_state_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, given: str | None, state: str
) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    if given is not None:
        monkeypatch.setenv("STATE_DIRECTORY", given)
    read = load(tmp_path, f'{written}\n[[site]]\nname = "a"\norigins = "http://192.0.2.1"\n')
    assert read.state == state.format(folder=tmp_path)


def test_every_default(tmp_path: Path) -> None:
    read = load(tmp_path, '[[site]]\nname = "a"\norigins = "http://192.0.2.1"\n')
    site = read.sites[0]
    assert list(map(str, read.listen)) == ["0.0.0.0:8080"]
    assert str(read.admin) == "127.0.0.1:9901"
    assert read.workers >= 1
    assert (site.hosts, site.server, site.codepages) == (("*",), "any", (1252, 932))
    assert (site.mode, site.packs, site.rules, site.raw_bytes) == ("block", None, (), "refuse")
    assert site.body == ("buffer" if _core.buffers_body("any") else "stream")
    assert site.limits == _core.limits("any")
    assert site.deadlines == _core.deadlines()
    assert site.exceptions == ()


@pytest.mark.parametrize(
    ("pages", "raw_bytes"),
    [("932", "query"), ("[932, 949]", "query"), ("[932, 1252]", "refuse"), ("1252", "refuse")],
)
def test_raw_bytes_follow_the_code_pages(tmp_path: Path, pages: str, raw_bytes: str) -> None:
    text = f'[[site]]\nname = "a"\norigins = "http://h"\ncodepage = {pages}\n'
    assert load(tmp_path, text).sites[0].raw_bytes == raw_bytes


@pytest.mark.parametrize("server", ["iis5", "iis10"])
def test_body_follows_the_server(tmp_path: Path, server: str) -> None:
    text = f'[[site]]\nname = "a"\norigins = "http://h"\nserver = "{server}"\n'
    assert load(tmp_path, text).sites[0].body == ("buffer" if _core.buffers_body(server) else "stream")


def test_flags_alone() -> None:
    read = config.load(
        flags={"origins": ["http://192.0.2.10"], "listen": [":80"], "server": "iis4", "mode": "detect"}
    )
    site = read.sites[0]
    assert list(map(str, read.listen)) == ["0.0.0.0:80"]
    assert (site.name, site.hosts, site.server, site.mode) == ("default", ("*",), "iis4", "detect")
    assert read.where("listen") == "--listen"


def test_flags_over_a_file(tmp_path: Path) -> None:
    flags = {"listen": ["127.0.0.1:81"], "admin": "off", "workers": 3, "mode": "block", "codepage": [1252]}
    read = load(tmp_path, GOOD, flags)
    assert (str(read.listen[0]), read.admin, read.workers) == ("127.0.0.1:81", None, 3)
    assert (read.sites[0].mode, read.sites[0].codepages) == ("block", (1252,))


def test_a_japanese_file_name(tmp_path: Path) -> None:
    read = load(tmp_path, GOOD, name="会計 設定.toml")
    assert read.where("site", 0, "server") == f"{tmp_path}/会計 設定.toml:9"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("server =", "sever =", 'stopgap.toml:9: site.sever: unknown key; did you mean "server"?'),
        ("workers = 2", "worker = 2", 'stopgap.toml:3: worker: unknown key; did you mean "workers"?'),
        ("workers = 2", "workers = 0", "stopgap.toml:3: workers: must be between 1 and 256, not 0"),
        (
            "workers = 2",
            "new_connections = -1",
            "stopgap.toml:3: new_connections: must be between 0 (any number) and 1000000, not -1",
        ),
        (
            "workers = 2",
            'workers = "2"',
            "stopgap.toml:3: workers: must be a whole number, not text in quotes",
        ),
        ("target =", "targt =", 'stopgap.toml:17: site.limits.targt: unknown key; did you mean "target"?'),
        (
            "= 5000",
            '= "4k"',
            "stopgap.toml:17: site.limits.target: must be a whole number (bytes, or how many), not '4k'",
        ),
        ("= 5000", "= -1", "stopgap.toml:17: site.limits.target: -1 is out of range; it must be at least 1"),
        (
            "head = 5",
            "head = 0",
            "stopgap.toml:21: site.deadlines.head: 0 is out of range; it must be more than 0",
        ),
        ("head = 5", "hed = 5", 'stopgap.toml:21: site.deadlines.hed: unknown key; did you mean "head"?'),
        (
            "head = 5",
            "head = true",
            "stopgap.toml:21: site.deadlines.head: must be a number (seconds), not True",
        ),
        (
            '"detect"',
            '"blok"',
            'stopgap.toml:11: site.mode: "blok" is unknown; choose one of block, canary, detect',
        ),
        (
            '"iis5"',
            '"iis9"',
            'stopgap.toml:9: site.server: no server table is called "iis9"; '
            "known: iis4, iis5, iis5.1, iis6, iis7, iis8, iis10, any",
        ),
        (
            "http://192.0.2.11",
            "ftp://192.0.2.11",
            'stopgap.toml:8: site.origins: "ftp://192.0.2.11" is not the URL of an origin; '
            "write http://host:port or https://host:port, such as http://192.0.2.10:80",
        ),
        ('name = "kaikei"', "", "stopgap.toml:5: site.name: is missing"),
        (
            "until = 2027-03-31",
            'until = "2027-03-31"',
            "stopgap.toml:29: site.exception.until: must be a date, without quotes, "
            "such as 2027-03-31, not text in quotes",
        ),
        (
            'reason = "Index Server search page"',
            'reason = " "',
            "stopgap.toml:27: site.exception.reason: is empty; say why this exception is needed",
        ),
        ('rule = "ida-idq"\n', "", "stopgap.toml:23: site.exception.rule: is missing"),
        (
            '"/search/*.idq"',
            '"search"',
            'stopgap.toml:25: site.exception.path: "search" must start with "/"; '
            "`*` matches within a segment, `**` across",
        ),
        (
            "192.0.2.7/24",
            "192.0.2.300",
            'stopgap.toml:26: site.exception.clients: "192.0.2.300" is not an address or network, '
            "such as 192.0.2.0/24",
        ),
        ("[[site]]", "[site]", "stopgap.toml:5: site: must be a list, not a table"),
    ],
)
def test_mistakes(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert problem(tmp_path, GOOD.replace(old, new, 1)) == expected


def test_two_sites_of_one_name_or_host(tmp_path: Path) -> None:
    site = '[[site]]\nname = "{}"\nhosts = "{}"\norigins = "http://h"\n'
    assert problem(tmp_path, site.format("a", "x") + site.format("a", "y")) == (
        'stopgap.toml:6: site.name: two sites are called "a"; give each its own name'
    )
    assert problem(tmp_path, site.format("a", "x") + site.format("b", "X")) == (
        'stopgap.toml:7: site.hosts: "x" already belongs to site "a"'
    )


@pytest.mark.parametrize("text", ["", "# nothing\n"])
def test_empty_file(tmp_path: Path, text: str) -> None:
    assert (
        problem(tmp_path, text)
        == "stopgap.toml: is empty; it needs at least one [[site]] with name and origins"
    )


def test_file_without_a_site(tmp_path: Path) -> None:
    assert problem(tmp_path, "workers = 1\n") == "stopgap.toml:1: site: is missing"
    assert problem(tmp_path, "site = []\n") == (
        "stopgap.toml:1: site: is empty; write at least one [[site]] with name and origins"
    )


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, "--origin: is missing; give the server to protect, such as --origin http://192.0.2.10"),
        (
            {"origins": ["192.0.2.10:80"]},
            '--origin: "192.0.2.10:80" is not the URL of an origin; '
            "write http://host:port or https://host:port, such as http://192.0.2.10:80",
        ),
        (
            {"origins": ["http://h"], "listen": ["80"]},
            '--listen: "80" is not an address; write host:port, such as 0.0.0.0:80 or [::]:80',
        ),
        (
            {"origins": ["http://h"], "mode": "x"},
            '--mode: "x" is unknown; choose one of block, canary, detect',
        ),
        (
            {"origins": ["http://h"], "tls": {"cert": "/nowhere/c.pem", "key": "/nowhere/k.pem"}},
            "--tls-cert: /nowhere/c.pem: cannot be read: No such file or directory",
        ),
    ],
)
def test_mistakes_in_flags(flags: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError) as caught:
        config.load(flags=flags)
    assert str(caught.value) == expected


def test_a_wrong_flag_over_a_file_names_the_flag(tmp_path: Path) -> None:
    assert (
        problem(tmp_path, GOOD, {"mode": "x"})
        == '--mode: "x" is unknown; choose one of block, canary, detect'
    )
    assert problem(tmp_path, GOOD, {"listen": ["x"]}).startswith('--listen: "x" is not an address')


def test_origin_flag_over_several_sites(tmp_path: Path) -> None:
    text = '[[site]]\nname = "{0}"\nhosts = "{0}"\norigins = "http://h"\n'
    assert problem(tmp_path, text.format("a") + text.format("b"), {"origins": ["http://x"]}) == (
        "--origin: stopgap.toml has 2 sites; change the origins there"
    )


def test_modes_methods_and_fields(tmp_path: Path) -> None:
    text = (
        GOOD.replace('mode = "detect"', 'mode = "canary"\nmethods = ["GET", "POST", "GET"]\nstrict = true')
        + 'fields = ["param.q", "header.Referer"]\n[site.modes]\ncode-red = "detect"\nshort-name = "block"\n'
    )
    site = load(tmp_path, text).sites[0]
    assert (site.mode, site.canary, site.strict) == ("canary", 10, True)
    assert site.modes == {"code-red": "detect", "short-name": "block"}
    assert site.methods == ("GET", "POST")
    assert site.exceptions[0].fields == ("param.q", "header.Referer")


@pytest.mark.parametrize(
    ("keys", "canary"),
    [
        ("", 0),
        ('mode = "canary"', 10),
        ('mode = "canary"\ncanary = 25', 25),
        ('modes = { short-name = "canary" }', 10),
    ],
)
def test_the_share_of_a_canary(tmp_path: Path, keys: str, canary: int) -> None:
    assert load(tmp_path, f'[[site]]\nname = "a"\norigins = "http://h"\n{keys}\n').sites[0].canary == canary


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("canary = 0", "canary: must be between 1 and 99 (percent of the clients), not 0"),
        ("canary = 100", "canary: must be between 1 and 99 (percent of the clients), not 100"),
        ('canary = "5"', "canary: must be a whole number, not text in quotes"),
        ('modes = { a = "blok" }', 'modes.a: "blok" is unknown; choose one of block, canary, detect'),
        ("modes = { a = true }", 'modes.a: "True" is unknown; choose one of block, canary, detect'),
        ('modes = "detect"', "modes: must be a table, not text in quotes"),
        ("strict = 1", "strict: must be true or false, not a whole number"),
        ("methods = []", "methods: is empty; name the methods, "),
        ('methods = "get"', 'methods: "get" is not a method; write it in upper case, such as "GET"'),
        (
            '[[site.exception]]\nrule = "a"\nreason = "b"\nfields = ["query.q"]',
            'exception.fields: "query.q" is no field; write param.NAME, form.NAME, header.NAME or ',
        ),
    ],
)
def test_mistakes_in_modes_methods_and_fields(tmp_path: Path, keys: str, expected: str) -> None:
    told = problem(tmp_path, f'[[site]]\nname = "a"\norigins = "http://h"\n{keys}\n')
    assert told.split(": ", 1)[1].startswith(f"site.{expected}")
