"""Where does fuzzing begin? With what the wire conversations send, and with the spellings of one bad path."""

from collections.abc import Iterator

from tests.oracle.spellings import OPERATORS
from tests.wire.cases import load


def seeds() -> Iterator[bytes]:
    """Inputs for every target: two bytes of setting, then bytes of a client or an origin."""
    for case in load():
        yield b"\0\0" + case.client
        for answer in case.origin:
            yield b"\0\0" + answer
    for operator in OPERATORS.values():
        spelling = next(iter(operator.spell(b"/scripts/%64efault.ida")), b"/")
        yield b"\0\0" + spelling
        yield b"\0\0GET " + spelling + b" HTTP/1.0\r\n\r\n"
