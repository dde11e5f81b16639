"""How is the core driven by coverage? libFuzzer through cargo-fuzz, which needs a nightly Rust.

`core/` is the crate. It is built with AddressSanitizer (`sanitizer="address"`) or without, which runs some
times faster; debug assertions and checks of overflow are on in both. One target runs after the other, each
for its share of the time. It starts from the corpus in the tree and keeps what it finds new in `build/fuzz`.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stopgap import _core, config
from stopgap.ruleset import load, spec
from tests.fuzz.corpus import seeds

ROOT = Path(__file__).parents[2]
CRATE = Path(__file__).parent / "core"
WORK = ROOT / "build" / "fuzz"
TARGETS = ("head", "receive", "respond", "out-of-turn", "readings", "judge")
LONGEST = {"head": 2048, "receive": 1024, "respond": 1024, "out-of-turn": 768, "readings": 128, "judge": 1024}
"""Bytes of an input: long ones are slow and find little."""
GRACE = 60.0
"""Seconds that a target may take beyond its time: for the corpus, and for an input that is slow."""


@dataclass(frozen=True)
class Run:
    """One target: inputs executed, edges covered, and what libFuzzer kept of a find."""

    target: str
    executions: int
    edges: int
    finds: tuple[Path, ...]
    said: str


def write_specifications(folder: Path) -> None:
    """What the targets compile for each server: a strict site with all packs, and one that has no rule and
    changes its answers."""
    folder.mkdir(parents=True, exist_ok=True)
    for server in _core.servers():
        read = config.load(
            None, {"origins": "http://192.0.2.1", "server": server, "codepage": 1252, "strict": True}
        )
        guarded = spec.build(read, load.load(read)).json
        plain = json.loads(guarded)
        scrub = {"server": True, "addresses": True, "origins": ["192.0.2.1"]}
        plain["sites"][0] |= {"rules": [], "scrub": scrub, "hsts": 300}
        (folder / f"{server}-guarded.json").write_bytes(guarded)
        (folder / f"{server}-plain.json").write_text(json.dumps(plain), "utf-8")


def build(sanitizer: str) -> Path:
    """The program; raises `CalledProcessError` with what cargo said where it cannot be built."""
    folder = WORK / f"target-{sanitizer}"
    command = ["cargo", "+nightly", "fuzz", "build", "core", "--fuzz-dir", str(CRATE), "--release"]
    command += ["--sanitizer", sanitizer, "--features", "libfuzzer", "--target-dir", str(folder)]
    subprocess.run(command, cwd=CRATE, check=True)
    return next(folder.glob("*/release/core"))


def run(program: Path, target: str, seconds: float, tell: Callable[[str], None] = lambda line: None) -> Run:
    """Drive one target; `tell` hears each line of libFuzzer's."""
    specs, grown, kept = WORK / "specs", WORK / "corpus" / target, WORK / "finds" / target
    write_specifications(specs)
    for folder in (grown, kept):
        folder.mkdir(parents=True, exist_ok=True)
    for data in seeds(target):
        (grown / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)
    command = [str(program), str(grown), "-print_final_stats=1", "-timeout=10"]
    command += [f"-max_total_time={int(seconds)}", f"-max_len={LONGEST[target]}", f"-artifact_prefix={kept}/"]
    library = sysconfig.get_config_var("LIBDIR")
    env = {
        **os.environ,
        "STOPGAP_FUZZ_TARGET": target,
        "STOPGAP_FUZZ_SPECS": str(specs),
        "LD_LIBRARY_PATH": str(library),
        "PYTHONHOME": sys.base_prefix,
        "ASAN_OPTIONS": "detect_leaks=0",  # policies and gates are kept on purpose
    }
    before = set(kept.iterdir())
    lines: list[str] = []
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True, errors="replace") as process:
        for line in process.stderr or ():
            lines = [*lines[-400:], line]
            tell(line.rstrip())
        process.wait(seconds + GRACE)
    said = "".join(lines)
    covered = re.findall(r"cov: (\d+)", said)
    return Run(
        target=target,
        executions=executions(said),
        edges=int(covered[-1]) if covered else 0,
        finds=tuple(sorted(set(kept.iterdir()) - before)),
        said=said,
    )


def executions(said: str) -> int:
    """How many inputs libFuzzer says that it ran: in its last statistics, or in its last line."""
    final = re.findall(r"stat::number_of_executed_units:\s*(\d+)", said)
    running = re.findall(r"^#(\d+)", said, re.MULTILINE)
    return int((final or running or ["0"])[-1])


def minimised(program: Path, target: str, into: Path) -> None:
    """Keep of all that was found new the least that covers as much: what goes into the tree."""
    into.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, "STOPGAP_FUZZ_TARGET": target, "STOPGAP_FUZZ_SPECS": str(WORK / "specs")}
    command = [
        str(program),
        "-merge=1",
        f"-max_len={LONGEST[target]}",
        str(into),
        str(WORK / "corpus" / target),
    ]
    subprocess.run(command, env=env, check=True, capture_output=True)
