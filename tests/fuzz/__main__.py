"""python -m tests.fuzz --seconds N: drives the entry points of `targets.py`, seconds in CI and hours by hand.

With atheris installed the core is driven by coverage of the Python side; without it by plain mutation of the
corpus, which finds most of what there is at the speed of the core. An input that raises is written to
`--save` and its target and bytes are printed; the exit status is then 1.
"""

import argparse
import random
import sys
import time
import traceback
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from tests.fuzz.corpus import seeds
from tests.fuzz.targets import TARGETS

LONGEST = 4096


def mutate(data: bytes, corpus: list[bytes], chance: random.Random) -> bytes:
    """One input from others: bytes changed, doubled, dropped, or a piece of another input put in."""
    out = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randint(0, len(out))
        length = chance.randint(0, 8)
        kind = chance.randrange(4)
        if kind == 0:
            out[at : at + 1] = bytes([chance.randrange(256)])
        elif kind == 1:
            del out[at : at + length]
        elif kind == 2:
            out[at:at] = out[at : at + length]
        else:
            other = chance.choice(corpus)
            start = chance.randint(0, len(other))
            out[at : at + length] = other[start : start + chance.randint(0, 40)]
    return bytes(out[:LONGEST])


def report(name: str, data: bytes, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{time.time_ns()}.bin"
    path.write_bytes(data)
    traceback.print_exc()
    print(f"{name} raised on {data!r}; kept as {path}", file=sys.stderr)


def by_mutation(names: list[str], seconds: float, seed: int, folder: Path) -> int:
    """Mutate until the time is over; the number of inputs that raised."""
    chance = random.Random(seed)
    corpus = list(seeds())
    until = time.monotonic() + seconds
    tried = failed = 0
    while time.monotonic() < until:
        name = names[tried % len(names)]
        data = mutate(chance.choice(corpus), corpus, chance)
        tried += 1
        try:
            TARGETS[name](data)
        except Exception:
            failed += 1
            report(name, data, folder)
            if failed >= 10:
                break
    print(f"seed {seed}: {tried} inputs for {', '.join(names)}; {failed} raised")
    return failed


def by_coverage(name: str, seconds: float) -> None:
    """Hand one target to atheris, which never returns."""
    atheris = import_module("atheris")
    atheris.Setup([sys.argv[0], f"-max_total_time={int(seconds)}", f"-max_len={LONGEST}"], TARGETS[name])
    atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--target", choices=sorted(TARGETS), help="one entry point instead of all in turn")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    parser.add_argument("--save", type=Path, default=Path("build/fuzz"), help="folder for inputs that raised")
    parser.add_argument("--coverage", action="store_true", help="use atheris (needs --target)")
    options = parser.parse_args()
    if options.coverage:
        if options.target is None or find_spec("atheris") is None:
            parser.error("--coverage needs --target NAME and the package atheris")
        by_coverage(options.target, options.seconds)
    names = [options.target] if options.target else list(TARGETS)
    sys.exit(1 if by_mutation(names, options.seconds, options.seed, options.save) else 0)


if __name__ == "__main__":
    main()
