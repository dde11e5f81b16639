"""A configuration and a corpus for the tests of tuning."""

import datetime
from collections.abc import Iterable
from pathlib import Path

from stopgap.forensics.caught import Caught
from stopgap.forensics.corpus import Corpus, Heard, Network
from stopgap.forensics.sources import Account
from stopgap.forensics.tuning import Bench, bench_of
from stopgap.ruleset.propose import Told

SITE = """\
[[site]]
name = "会計"
hosts = "kaikei.example"
origins = "http://192.0.2.1"
server = "iis5"
codepage = 932
mode = "detect"
packs = ["code-red", "iis-traversal", "limits", "webdav"]
[site.limits]
query = 2000
[[rule]]
id = "words"
title = "Words"
match = { param = { value = { contains = "select" } } }
block = ["GET /a.asp?q=select HTTP/1.0"]
pass = ["GET /a.asp HTTP/1.0"]
"""
TOLD = Told(reason="r", owner="", until=datetime.date(2027, 2, 22))
FIELDS = "#Fields: date c-ip cs-method cs-uri-stem cs-uri-query sc-status"
WORM = f"192.0.2.66 GET /default.ida {'N' * 224}%u9090=a 404"


def corpus(folder: Path, lines: Iterable[str], clients: tuple[Network, ...] = ()) -> Corpus:
    """A W3C log; each line is what follows the date."""
    file = folder / "ex.log"
    dated = (f"2026-11-{20 + n % 3} {line}" for n, line in enumerate(lines))
    file.write_text("\n".join([FIELDS, *dated]), "utf-8")
    return Corpus(files=[str(file)], form=None, host=b"kaikei.example", clients=clients, statuses=None)


def caught(folder: Path, lines: Iterable[str]) -> tuple[Bench, Caught, Account]:
    """What a corpus of these lines is caught for."""
    file = folder / "stopgap.toml"
    file.write_text(SITE, "utf-8")
    bench, today = bench_of(str(file), TOLD)
    found, account = Caught(today, None, bench.bad), Account()
    found.take(corpus(folder, lines).sent(account, Heard()))
    return bench, found, account
