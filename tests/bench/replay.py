"""How many requests a second does `stopgap replay` judge from a log, on one core?

    python -m tests.bench.replay [--requests N] [--rounds N]

A W3C extended log is written of what honest clients of a classic ASP site send (`tests.benign`), no two
lines alike, with one request of Code Red in a hundred. The real command replays it, with all packs on both
sides and one rule more in the candidate. The figure is requests by CPU second, user and system, of the whole
process: start, reading of both rulesets, log and report included. The best of the rounds counts, because what
else the machine does only takes away from it; the worst stands beside it.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote_to_bytes

from tests.bench.load import CODE_RED
from tests.benign.applications import APPLICATIONS

COUNT = 300_000
ROUNDS = 5
SENDERS = ("static pages", "classic ASP")
FIELDS = (
    "date time c-ip cs-username s-ip s-port cs-method cs-uri-stem cs-uri-query sc-status "
    "cs-version cs-host cs(User-Agent) cs(Cookie) cs(Referer)"
)
SITE = """
[[site]]
name = "bench"
hosts = ["*"]
origins = ["http://192.0.2.10"]
server = "iis5"
codepage = 932
"""
RULE = """
[[rule]]
id = "kensaku"
title = "A page that is to be closed"
match = { basename = "kensaku.asp" }
block = ["GET /kensaku.asp HTTP/1.0"]
pass = ["GET /default.asp HTTP/1.0"]
"""


def line(number: int, request: bytes) -> bytes:
    """The line of a request, as IIS 6 would write it."""
    head = request.partition(b"\r\n\r\n")[0].split(b"\r\n")
    method, target, version = head[0].split(b" ")
    fields = dict(one.split(b": ", 1) for one in head[1:])
    path, _, query = target.partition(b"?")
    stem = unquote_to_bytes(path).replace(b" ", b"+").replace(b"\n", b"")
    query += b"&" * bool(query) + b"n=%d" % number
    said = [
        fields.get(name, b"-").replace(b" ", b"+") for name in (b"Host", b"User-Agent", b"Cookie", b"Referer")
    ]
    when = b"2001-07-19 %02d:%02d:%02d" % (number // 3600 % 24, number // 60 % 60, number % 60)
    told = [when, b"192.0.2.%d - 192.0.2.10 80" % (number % 250), method, stem, query, b"200", version]
    return b" ".join([*told, *said]) + b"\n"


def lines(count: int) -> Iterator[bytes]:
    yield f"#Software: Microsoft Internet Information Services 6.0\n#Fields: {FIELDS}\n".encode()
    worm = f"GET {CODE_RED} HTTP/1.0\r\nHost: www.worm.com\r\n\r\n".encode()
    share = count // len(SENDERS) + 1
    number = 0
    for sent in zip(*(APPLICATIONS[name].requests(share) for name in SENDERS), strict=True):
        for request in sent:
            number += 1
            if number > count:
                return
            yield line(number, worm if number % 100 == 0 else request)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.replay", description=__doc__)
    parser.add_argument("--requests", type=int, default=COUNT, help=f"lines of the log ({COUNT})")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"how often it is replayed ({ROUNDS})")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log, active, candidate = (Path(folder) / name for name in ("ex.log", "active.toml", "new.toml"))
        active.write_text(SITE, "utf-8")
        candidate.write_text(SITE + RULE, "utf-8")
        with log.open("wb") as out:
            out.writelines(lines(given.requests))
        program = str(Path(sys.executable).parent / "stopgap")
        command = [program, "replay", str(log), "--config", str(candidate), "--against", str(active)]
        spent = []
        for _ in range(given.rounds):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run(command, check=False, stdout=subprocess.PIPE)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            if done.returncode != 1:
                raise SystemExit(f"the replay ended with {done.returncode}")
            spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        print(f"{given.requests:,} requests, {log.stat().st_size / 1e6:.0f} MB, {given.rounds} rounds")
        rates = sorted(given.requests / seconds for seconds in spent)
        memory = after.ru_maxrss // 1024
        print(f"requests a second: {rates[-1]:,.0f} (worst {rates[0]:,.0f}); {memory} MiB of memory")
        return 0


if __name__ == "__main__":
    raise SystemExit(main())
