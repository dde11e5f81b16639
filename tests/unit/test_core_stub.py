"""Is `_core.pyi`, the manual of the core, what the compiled module really is?"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MADE_BY_PYO3 = "stopgap._core.__all__\n"  # PyO3 lists every name there; the stub has them already


def test_stub_is_true(tmp_path: Path) -> None:
    allowed = tmp_path / "allowed"
    allowed.write_text(MADE_BY_PYO3)
    done = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "stopgap._core", "--allowlist", str(allowed)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
