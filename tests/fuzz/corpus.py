"""Where does fuzzing begin? With what the wire conversations send, with the spellings of one bad path, and
with what earlier runs have found worth keeping (`corpus/`, by target).
"""

from collections.abc import Iterator
from pathlib import Path

from tests.fuzz import files
from tests.oracle.spellings import OPERATORS
from tests.wire.cases import load

CORPUS = Path(__file__).parent / "corpus"


def seeds(target: str) -> list[bytes]:
    """Inputs for a target."""
    kept = [path.read_bytes() for path in sorted((CORPUS / target).glob("*"))]
    begun = files.SEEDS[target]() if target in files.SEEDS else conversations()
    return [*begun, *kept]


def conversations() -> Iterator[bytes]:
    """For the core: two bytes of setting, then bytes of a client or an origin."""
    for case in load():
        yield b"\0\0" + case.client
        for answer in case.origin:
            yield b"\0\0" + answer
    for operator in OPERATORS.values():
        spelling = next(iter(operator.spell(b"/scripts/%64efault.ida")), b"/")
        yield b"\0\0" + spelling
        yield b"\0\0GET " + spelling + b" HTTP/1.0\r\n\r\n"
