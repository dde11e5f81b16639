"""Where do the best-fit tables of the oracle come from? Makes `bestfit.txt` from Windows' own tables.

Debian's package libwine ships them as c_NNN.nls (16-bit little-endian words: a header, the table from
bytes to characters, then the table from the 65 536 characters of the plane to bytes). Only what the
oracle asks is kept: the lead bytes of a double-byte page, and the characters that become ASCII although
they are not. To make it again:

    apt-get download libwine && dpkg -x libwine_*.deb wine
    python -m tests.oracle.extract_bestfit wine/usr/share/wine/nls > tests/oracle/bestfit.txt
"""

import struct
import sys
from collections.abc import Iterator
from pathlib import Path

PAGES = (437, 850, 874, 932, 936, 949, 950, 1250, 1251, 1252, 1253, 1254, 1257)
PLANE = 65536


def words(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(data) // 2}H", data)


def lead_ranges(data: bytes) -> Iterator[tuple[int, int]]:
    """Pairs of first and last lead byte, from the twelve bytes at 14 that close the header."""
    for first, last in zip(data[14:26:2], data[15:26:2], strict=True):
        if first:
            yield first, last


def to_bytes(data: bytes) -> list[int]:
    """For each character of the plane the byte, or the double byte, that the page gives it."""
    word = words(data)
    header = word[0]
    start = header + word[header] + 1
    double = word[2] == 2
    return list(word[start : start + PLANE] if double else data[start * 2 : start * 2 + PLANE])


def folds(data: bytes) -> dict[int, list[int]]:
    """ASCII code -> the other characters that become it. `?` stands for "has none" and is left out."""
    table: dict[int, list[int]] = {}
    for character, code in enumerate(to_bytes(data)):
        if 0 < code < 0x80 and code != character and code != ord("?"):
            table.setdefault(code, []).append(character)
    return dict(sorted(table.items()))


def main(folder: Path) -> None:
    print(
        "# Made by tests/oracle/extract_bestfit.py: lead bytes; then ASCII code = characters that become it."
    )
    for page in PAGES:
        data = (folder / f"c_{page}.nls").read_bytes()
        leads = " ".join(f"{first:02x}-{last:02x}" for first, last in lead_ranges(data))
        print(f"page {page} {leads}".rstrip())
        for code, characters in folds(data).items():
            print(f"{code:02x} = {' '.join(f'{character:04x}' for character in characters)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
