"""Does every flag have a bit of its own?"""

from stopgap.gate import flags


def test_bits_are_distinct() -> None:
    bits = [value for name, value in vars(flags).items() if name.isupper() and name != "HELD"]
    assert sum(bits) == (1 << len(bits)) - 1
    assert flags.HELD < flags.CLOGGED
