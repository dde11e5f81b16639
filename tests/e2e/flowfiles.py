"""What is in a flow file, as we and as the real mitmproxy read it?

`tests/need.sh mitmproxy` says where mitmproxy is; scripts run in its Python.
"""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stopgap.events import flows, ring
from stopgap.events.flows import Flow

ROOT = Path(__file__).parents[2]
BIN = ROOT / ".venv" / "bench" / "mitmproxy" / "bin"


def kept(state: Path, site: str = "site0") -> list[Flow]:
    """All requests that a gate has kept of a site; every file is whole."""
    place = ring.folder(str(state), site)
    data = b"".join(path.read_bytes() for path in (ring.files(place) if place.is_dir() else ()))
    found = list(flows.read(data))
    assert [one for one in found if isinstance(one, str)] == []
    return [one for one in found if isinstance(one, Flow)]


def events(state: Path, site: str = "site0") -> list[str]:
    """Their ids, in order of the files."""
    return [flow.metadata["stopgap.event"] for flow in kept(state, site)]


def gathered(state: Path, to: Path, site: str = "site0") -> Path:
    """All flows of a site in one file, as `cat` would have it."""
    to.write_bytes(b"".join(path.read_bytes() for path in ring.files(ring.folder(str(state), site))))
    return to


def mitmproxy(program: str, *words: str, cwd: Path) -> str:
    """What a program of mitmproxy prints. It must be there: it is never skipped."""
    assert (BIN / program).exists(), "run tests/need.sh mitmproxy"
    home = ("--set", f"confdir={cwd / 'mitmproxy'}") if program.startswith("mitm") else ()
    command: Sequence[str] = [str(BIN / program), *home, *words]
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", check=False, timeout=100, cwd=cwd
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def inside(script: str, *words: str, cwd: Path) -> Any:
    """What a script prints as JSON in mitmproxy's own Python."""
    return json.loads(mitmproxy("python", "-c", script, *words, cwd=cwd))
