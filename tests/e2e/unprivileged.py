"""How does a test run the gate for a user who may not see where it is installed?

Python and the checkout may be in a home that only its owner enters. `REACHABLE` runs a command in a mount
namespace of its own where the ways to both are open to everybody, and nothing else of that home is there.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NOBODY, NOGROUP = 65534, 65534
ROOT = os.geteuid() == 0
"""Only root can become somebody else."""
AS_NOBODY: dict[str, Any] = {"user": "nobody"} if ROOT else {}
"""What makes a gate somebody who is not root; without root it is already."""
_OPEN = 0o001


def _closed(path: Path) -> Path | None:
    """The outermost folder on the way to `path` that others may not enter."""
    for one in reversed((path, *path.parents)):
        if not one.stat().st_mode & _OPEN:
            return one
    return None


def _reachable() -> tuple[str, ...]:
    ways = {Path(sys.base_prefix).resolve(), Path(__file__).resolve().parents[2]}
    closed = {way: wall for way in ways if (wall := _closed(way))}
    if not closed or not ROOT:
        return ()
    lines = ["set -e", "keep=$(mktemp -d)"]
    for number, way in enumerate(closed):
        lines.append(f"mkdir $keep/{number}; mount --bind '{way}' $keep/{number}")
    lines += [f"mount -t tmpfs -o mode=755 none '{wall}'" for wall in set(closed.values())]
    for number, way in enumerate(closed):
        lines.append(f"mkdir -p '{way}'; mount --move $keep/{number} '{way}'; rmdir $keep/{number}")
    return ("unshare", "--mount", "bash", "-c", "\n".join([*lines, "rmdir $keep", 'exec "$@"']), "reachable")


REACHABLE = _reachable()


@contextmanager
def room(owner: int = 0) -> Iterator[Path]:
    """A folder that everybody may enter, and that belongs to `owner`; pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="stopgap-test-"))
    try:
        folder.chmod(0o755)
        if ROOT:
            os.chown(folder, owner, owner)
        yield folder
    finally:
        shutil.rmtree(folder)
