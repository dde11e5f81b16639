"""Is it told which exceptions nearly applied, and exactly which of their conditions failed?"""

import datetime
from pathlib import Path

import pytest

from stopgap import config
from stopgap.ruleset import load, spec
from stopgap.ruleset.explain import read
from stopgap.ruleset.nearly import Near, nearly, sentence

SITE = """\
[[site]]
name = "店"
origins = "http://192.0.2.1"
server = "iis5"
codepage = 932
packs = ["code-red", "iis-traversal"]
[[rule]]
id = "words"
title = "Words"
match = { param = { value = { contains = "select" } } }
block = ["GET /a.asp?q=select HTTP/1.0"]
pass = ["GET /a.asp HTTP/1.0"]
"""
TODAY = datetime.date(2026, 11, 28)


def found(folder: Path, exception: str, target: str, client: str = "") -> list[Near]:
    file = folder / "stopgap.toml"
    site, rule = SITE.split("[[rule]]")
    file.write_text(f'{site}[[site.exception]]\nreason = "r"\n{exception}\n[[rule]]{rule}', "utf-8")
    loaded = config.load(str(file))
    ruleset = load.load(loaded)
    request = f"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n".encode()
    seen = read(spec.compiled(spec.build(loaded, ruleset, None, TODAY)).explain(request))
    return nearly(loaded, ruleset, seen, request, client, TODAY)


IDQ = 'rule = "ida-idq"\n'
WORDS = 'rule = "words"\n'


@pytest.mark.parametrize(
    ("exception", "target", "failed"),
    [
        (IDQ + 'path = "/search/*.idq"', "/find/a.idq", ["path: /search/*.idq does not cover /find/a.idq"]),
        (IDQ + 'path = "/f/*.idq"\nuntil = 2026-11-27', "/f/a.idq", ["until: its last day was 2026-11-27"]),
        (IDQ + 'path = "/f/*"', "/f/a.ida?{N}%u9090", ['compat: the request does not fit "tight"']),
        (
            IDQ + 'path = "/s/*.idq"\nclients = "10.0.0.0/8"',
            "/f/a.idq",
            [
                "path: /s/*.idq does not cover /f/a.idq",
                "clients: the client is not known, and is none of 10.0.0.0/8",
            ],
        ),
        (
            WORDS + 'fields = ["param.q"]',
            "/a.asp?r=select",
            ["fields: it would be caught without param.q too"],
        ),
        (WORDS + 'path = "/b.asp"', "/a.asp?q=select", ["path: /b.asp does not cover /a.asp"]),
        (
            'rule = "double-escape"\npath = "/b/**"',
            "/a/%2541.asp",
            ["path: /b/** does not cover /a/%41.asp"],
        ),
    ],
)
def test_the_condition_that_failed(tmp_path: Path, exception: str, target: str, failed: list[str]) -> None:
    (near,) = found(tmp_path, exception, target)
    assert list(near.failed) == failed
    assert near.where.endswith("stopgap.toml:7")


@pytest.mark.parametrize(
    ("exception", "target"),
    [
        (IDQ + 'path = "/f/*.idq"', "/f/a.idq"),  # it covers
        (IDQ + 'path = "/f/*.idq"', "/f/a.htm"),  # nothing was found
        (WORDS + 'path = "/f/*.idq"', "/s/a.idq"),  # it is for something else
    ],
)
def test_nothing_to_tell(tmp_path: Path, exception: str, target: str) -> None:
    assert found(tmp_path, exception, target) == []


def test_clients(tmp_path: Path) -> None:
    exception = IDQ + 'path = "/f/*.idq"\nclients = ["10.0.0.0/8", "2001:db8::/32"]'
    for client in ("10.1.2.3", "2001:db8::7"):
        (near,) = found(tmp_path, exception, "/f/a.idq", client)
        assert near.failed == ()
        assert sentence(near).endswith(":7: covers it for this client")
    (near,) = found(tmp_path, exception, "/f/a.idq", "192.0.2.7")
    assert near.failed == ("clients: 192.0.2.7 is none of 10.0.0.0/8, 2001:db8::/32",)
