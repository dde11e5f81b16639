"""Does an operator come from a block page to an exception that holds, and back again?"""

import subprocess
from pathlib import Path

from tests.e2e.client import ask, get
from tests.e2e.gate import ENVIRONMENT, PROGRAM, guarding
from tests.e2e.origins import Origin

SEARCH = get("/search/query.idq?CiRestriction=x")


def told(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *words], capture_output=True, text=True, env=ENVIRONMENT, check=False, timeout=60
    )


def test_from_the_block_page_to_an_exception_and_back(tmp_path: Path, origin: Origin) -> None:
    site = {"origins": origin.url, "server": "iis5", "packs": ["code-red"]}
    state = tmp_path / "state"
    with guarding(tmp_path, site, state=str(state)) as gate:
        file, admin = str(tmp_path / "stopgap.toml"), f"127.0.0.1:{gate.admin}"
        refused = ask(gate.port, SEARCH)
        assert refused.status == 404
        gate.event(refused.event)
        flags = ("--config", file, "--admin", admin, "--except", "--write")
        done = told("explain", "--event", refused.event, *flags, "--reason", "the search", "--owner", "sato")
        assert done.returncode == 0, done.stderr
        assert 'path = "/search/query.idq"\ncompat = "tight"\n' in Path(file).read_text("utf-8")
        assert told("reload", "--admin", admin).returncode == 0
        assert ask(gate.port, SEARCH).status == 200
        assert ask(gate.port, get("/other/query.idq?CiRestriction=x")).status == 404
        assert ask(gate.port, get("/search/query.idq?" + "x" * 300)).status == 404

        newer = gate.status["ruleset"]
        done = told("rollback", "--admin", admin)
        assert (done.returncode, done.stderr) == (0, "")
        assert f"rolled back from {newer}" in done.stdout
        assert ask(gate.port, SEARCH).status == 404
        assert f"the files say {newer}" in told("status", "--admin", admin).stdout
        versions = told("rules", "versions", "--admin", admin).stdout.splitlines()
        assert [line.endswith("in use") for line in versions] == [True, False]
        older = versions[0].split()[0]
        compared = told("rules", "diff", older, newer, "--state", str(state))
        assert compared.returncode == 1
        assert (
            '+ site "site0" exception to "ida-idq": path /search/query.idq, compat tight' in compared.stdout
        )
        assert told("reload", "--admin", admin).returncode == 0
        assert ask(gate.port, SEARCH).status == 200
        assert told("rules", "diff", file, newer, "--admin", admin).returncode == 0
