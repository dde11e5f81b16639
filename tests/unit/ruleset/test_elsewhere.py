"""Is it told right what another server table, a pack more, or another configuration would do?"""

from pathlib import Path

from stopgap import _core, config
from stopgap.ruleset import diff
from stopgap.ruleset.elsewhere import ALL, Elsewhere, under

SITE = """\
[[site]]
name = "kaikei"
origins = "http://192.0.2.1"
server = "iis5"
packs = ["code-red", "iis-traversal"]
"""
PACK = """\
[[rule]]
id = "reports"
title = "Reports"
match = { path = { prefix = "/report/" } }
block = ["GET /report/a.asp HTTP/1.0"]
pass = ["GET /a.asp HTTP/1.0"]
"""
IDA = b"GET /x.ida HTTP/1.1\r\nHost: h\r\n\r\n"
REPORT = b"GET /report/a.asp HTTP/1.1\r\nHost: h\r\n\r\n"


def told(folder: Path, request: bytes, *names: str) -> list[Elsewhere]:
    file, pack, other = folder / "stopgap.toml", folder / "pack.toml", folder / "other.toml"
    file.write_text(SITE, "utf-8")
    pack.write_text(PACK, "utf-8")
    other.write_text(SITE.replace('"kaikei"', '"kaikei"\nmode = "detect"'), "utf-8")

    def side(name: str) -> diff.Side:
        return diff.of_packs(name, [name]) if name == str(pack) else diff.of_config(name, name)

    loaded = config.load(str(file))
    table = lambda name: config.load(str(file), {"server": name})  # noqa: E731
    places = {"PACK": str(pack), "OTHER": str(other)}
    found = under([places.get(name, name) for name in names], loaded, 0, request, table, side)
    return list(found)


def test_server_tables(tmp_path: Path) -> None:
    old, new = told(tmp_path, IDA, "iis4", "iis6")
    assert old.fate == "refused with 404: extension-denied, rule ida-idq"
    assert old.verdict and old.verdict.rule == "ida-idq"
    assert new == Elsewhere("iis6", "passes", None)
    assert [one.name for one in told(tmp_path, IDA, "iis6", ALL)] == [
        "iis6",
        *(table for table in _core.servers() if table != "iis6"),
    ]


def test_a_pack_more(tmp_path: Path) -> None:
    (one,) = told(tmp_path, REPORT, "PACK")
    assert one.name == f"with {tmp_path}/pack.toml"
    assert one.fate == "refused with 404: url-denied, rule reports"


def test_another_configuration(tmp_path: Path) -> None:
    (one,) = told(tmp_path, IDA, "OTHER")
    assert one.fate == "passes, and is told as extension-denied, rule ida-idq"
