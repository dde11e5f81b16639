"""From a detect period to block mode: is what users need proposed, and the worm still refused?"""

import subprocess
from pathlib import Path

from tests.e2e.client import ask, get
from tests.e2e.gate import ENVIRONMENT, PROGRAM, guarding
from tests.e2e.origins import Origin, until

WORM = get("/default.ida?" + "N" * 224 + "%u9090=a", "User-Agent: worm")


def stopgap(folder: Path, *words: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [PROGRAM, *words], capture_output=True, env=ENVIRONMENT, check=False, timeout=60, cwd=folder
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_from_detect_to_block(tmp_path: Path, origin: Origin) -> None:
    site = {"name": "会計", "origins": origin.url, "server": "iis5", "codepage": 932, "packs": ["code-red"]}
    with guarding(
        tmp_path, {**site, "mode": "detect"}, log=str(tmp_path / "events.log"), trusted=["127.0.0.1"]
    ) as gate:
        for number in range(3):
            search = get(f"/find/b.idq?CiRestriction=x{number}", f"X-Forwarded-For: 10.0.0.{number}")
            assert ask(gate.port, search).status == 200
        assert ask(gate.port, get("/find/b.idq?CiRestriction=y", "X-Forwarded-For: 192.0.2.66")).status == 200
        assert ask(gate.port, WORM).status == 200
        events = tmp_path / "events.log"
        until(
            lambda: events.exists() and events.read_bytes().count(b'"detected"') == 6
        )  # two rules caught the worm
        flags = ("events.log", "-c", "stopgap.toml", "--client", "10.0.0.0/8", "--owner", "sato")
        code, out, err = stopgap(tmp_path, "tune", *flags, "--write", "new.toml")
        assert (code, err) == (1, "new.toml: written\n"), out
        assert "3 requests of 3 clients on " in out
        assert "effect    3 newly passed, 0 newly refused, 0 still refused" in out
        code, out, _ = stopgap(tmp_path, "tune", "events.log", "-c", "stopgap.toml")
        assert code == 1
        assert "read      5 requests of 1 file" in out
        assert "looks like an attack; nothing is proposed:\n  code-red-1 on /default.ida" in out

        config = tmp_path / "stopgap.toml"
        piece = (tmp_path / "new.toml").read_text("utf-8").partition('name = "会計"\n')[2]
        config.write_text(config.read_text("utf-8").replace('"detect"', '"block"') + piece, "utf-8")
        door = ("--admin", f"127.0.0.1:{gate.admin}")
        code, out, err = stopgap(tmp_path, "reload", *door)
        assert (code, err) == (0, ""), out
        assert ask(gate.port, get("/find/b.idq?CiRestriction=z")).status == 200
        assert ask(gate.port, WORM).status == 404
