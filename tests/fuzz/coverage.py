"""How is the core driven? By coverage, with libFuzzer through cargo-fuzz and a nightly Rust; and blindly.

`core/` is the crate. It is built with AddressSanitizer (`sanitizer="address"`) or without, which runs some
times faster; debug assertions and checks of overflow are on in both. A target starts from the corpus in the
tree and keeps what it finds new in `build/fuzz`. From all that `blind` then makes inputs by chance: libFuzzer
spends nine tenths of its time on counting edges, and this finds what needs many tries more than ideas.
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


def prepared(target: str) -> tuple[Path, Path]:
    """Write specifications and seeds; the folders of what a target has found new, and of its finds."""
    grown, kept = WORK / "corpus" / target, WORK / "finds" / target
    write_specifications(WORK / "specs")
    for folder in (grown, kept):
        folder.mkdir(parents=True, exist_ok=True)
    for data in seeds(target):
        (grown / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)
    return grown, kept


def environment(target: str) -> dict[str, str]:
    """What the programs are told."""
    return {
        **os.environ,
        "STOPGAP_FUZZ_TARGET": target,
        "STOPGAP_FUZZ_SPECS": str(WORK / "specs"),
        "LD_LIBRARY_PATH": str(sysconfig.get_config_var("LIBDIR")),
        "PYTHONHOME": sys.base_prefix,
        "ASAN_OPTIONS": "detect_leaks=0",  # policies and gates are kept on purpose
    }


def run(program: Path, target: str, seconds: float, tell: Callable[[str], None] = lambda line: None) -> Run:
    """Drive one target; `tell` hears each line of libFuzzer's."""
    grown, kept = prepared(target)
    command = [str(program), str(grown), "-print_final_stats=1", "-timeout=60"]
    command += [f"-max_total_time={int(seconds)}", f"-max_len={LONGEST[target]}", f"-artifact_prefix={kept}/"]
    env = environment(target)
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


def build_blind() -> Path:
    """The program without libFuzzer; raises `CalledProcessError` where it cannot be built."""
    folder = WORK / "target-blind"
    command = ["cargo", "build", "--quiet", "--release", "--locked", "--bin", "blind"]
    subprocess.run([*command, "--target-dir", str(folder)], cwd=CRATE, check=True)
    return folder / "release" / "blind"


def run_blind(program: Path, target: str, seconds: float, seed: int) -> tuple[int, tuple[Path, ...]]:
    """Drive one target with inputs by chance; how many were run, and those that broke a promise."""
    grown, kept = prepared(target)
    before = set(kept.iterdir())
    words = (str(grown), str(kept), str(int(seconds)), str(LONGEST[target]), str(seed))
    done = subprocess.run(
        [str(program), *words], env=environment(target), stdout=subprocess.PIPE, check=False
    )
    return int(done.stdout or b"0"), tuple(sorted(set(kept.iterdir()) - before))


def executions(said: str) -> int:
    """How many inputs libFuzzer says that it ran: in its last statistics, or in its last line."""
    final = re.findall(r"stat::number_of_executed_units:\s*(\d+)", said)
    running = re.findall(r"^#(\d+)", said, re.MULTILINE)
    return int((final or running or ["0"])[-1])


def minimised(program: Path, target: str, into: Path) -> None:
    """Keep of all that was found new the least that covers as much: what goes into the tree."""
    into.mkdir(parents=True, exist_ok=True)
    command = [
        str(program),
        "-merge=1",
        f"-max_len={LONGEST[target]}",
        str(into),
        str(WORK / "corpus" / target),
    ]
    subprocess.run(command, env=environment(target), check=True, capture_output=True)
