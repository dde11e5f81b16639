"""Does an operator see what a changed file would refuse, before it is in use?"""

import gzip
import json
import subprocess
from pathlib import Path

from tests.e2e.client import ask, get
from tests.e2e.gate import ENVIRONMENT, PROGRAM, guarding
from tests.e2e.origins import Origin

RULE = """
[[rule]]
id = "reports"
title = "Reports"
match = { path = { prefix = "/report/" } }
block = ["GET /report/a.asp HTTP/1.0"]
pass = ["GET /a.asp HTTP/1.0"]
"""
W3C = """#Software: Microsoft Internet Information Services 5.0
#Fields: time c-ip cs-method cs-uri-stem cs-uri-query sc-status
04:11:09 192.0.2.7 GET /報告/a.asp - 200
04:11:10 192.0.2.7 GET /report/報告.asp y=2001 200
04:11:11 192.0.2.7 GET /default.ida NNNNNNNN 404
noise
"""
NCSA = '192.0.2.7 - - [19/Jul/2001:04:11:09 +0900] "GET /report/b.asp HTTP/1.0" 200 1\n'


def replay(folder: Path, *words: str, stdin: bytes | None = None) -> tuple[int, str, str]:
    done = subprocess.run(
        [PROGRAM, "replay", *words],
        input=stdin,
        capture_output=True,
        env=ENVIRONMENT,
        check=False,
        timeout=60,
        cwd=folder,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_from_a_log_to_a_reload(tmp_path: Path, origin: Origin) -> None:
    (tmp_path / "ex010719.log").write_bytes(W3C.encode("cp932"))
    (tmp_path / "access.log.1.gz").write_bytes(gzip.compress(NCSA.encode()))
    site = {"origins": origin.url, "server": "iis5", "codepage": 932, "packs": ["code-red"]}
    with guarding(tmp_path, site) as gate:
        config = tmp_path / "stopgap.toml"
        flags = ("-c", "stopgap.toml", "--admin", f"127.0.0.1:{gate.admin}")
        logs = ("ex010719.log", "access.log.1.gz")
        code, out, err = replay(tmp_path, *logs, *flags)
        assert (code, err) == (0, ""), out + err
        assert f"active    version {gate.status['ruleset']} of " in out
        assert "ex010719.log:6: has 1 columns where #Fields names 6" in out
        assert "as before passes 3, refused 1" in out

        config.write_text(config.read_text("utf-8") + RULE, "utf-8")
        code, out, err = replay(tmp_path, *logs, *flags)
        assert (code, err) == (1, "")
        assert "newly refused: 2\n  reports: 2\n" in out
        assert "ex010719.log:4: GET /report/%95%F1%8D%90.asp?y=2001 HTTP/1.1" in out
        assert "access.log.1.gz:1: GET /report/b.asp HTTP/1.0" in out
        assert ask(gate.port, get("/report/b.asp")).status == 200  # nothing was changed

        code, out, err = replay(tmp_path, "-", *flags, "--json", stdin=gzip.compress(NCSA.encode()))
        assert code == 1
        assert json.loads(out)["differences"]["newly refused"][0]["most"][0]["example"] == "standard input:1"
