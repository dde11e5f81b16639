"""Run one verb as a shell would: exit code, standard output, standard error; a traceback is a failure."""

import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from click.testing import CliRunner

from stopgap.cli import main


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


def run(*args: str, stdin: bytes | None = None, env: dict[str, str] | None = None) -> Outcome:
    """Run in this process."""
    settings: dict[str, Any] = {"STOPGAP_CONFIG": None, **(env or {})}
    result = CliRunner().invoke(main, args, input=stdin, env=settings)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.stdout, result.stderr)


def spawn(*args: str, env: dict[str, str]) -> Outcome:
    """Run as a program of its own, with nothing but this environment."""
    done = subprocess.run(
        [sys.executable, "-m", "stopgap", *args], capture_output=True, env=env, timeout=60, check=False
    )
    return Outcome(
        done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    )
