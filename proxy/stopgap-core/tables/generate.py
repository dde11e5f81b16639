#!/usr/bin/env python3
"""Which characters become ASCII on each Windows code page, and what do its double bytes decode to?

Writes the tables that `src/iis/codepage.rs` includes, from the NLS files of Debian's Wine package
(LGPL; they hold facts about Windows code pages, of which only those facts are kept):

    codepages.rs   lead and trail ranges, and every character that best-fits to ASCII, a page
    cp<page>.bin   128 little-endian UTF-16 units for the bytes 80 to FF alone, then for each lead byte
                   192 units for the trail bytes 40 to FF

Usage: generate.py [folder with c_*.nls]. Without a folder it runs `apt-get download libwine` in a
temporary one. Layout of an NLS file: Wine's dlls/ntdll and `RtlInitCodePageTable` (CPTABLEINFO).
"""

import struct
import subprocess
import sys
import tempfile
from pathlib import Path

PAGES = (437, 850, 852, 866, 874, 932, 936, 949, 950, 1250, 1251, 1252, 1253, 1254, 1255, 1256, 1257, 1258)
HERE = Path(__file__).parent
ASCII_END = 0x80
TRAIL_START = 0x40


def wine_folder(scratch: str) -> Path:
    """Download and unpack Debian's libwine; return its folder of NLS files."""
    subprocess.run(["apt-get", "download", "libwine"], cwd=scratch, check=True)  # noqa: S607
    package = next(Path(scratch).glob("libwine_*.deb"))
    subprocess.run(["dpkg-deb", "-x", package, scratch], check=True)  # noqa: S603, S607
    return Path(scratch) / "usr/share/wine/nls"


def words(path: Path) -> tuple[int, ...]:
    """The file as little-endian 16-bit words."""
    raw = path.read_bytes()
    return struct.unpack(f"<{len(raw) // 2}H", raw[: len(raw) // 2 * 2])


def ranges(values: list[int]) -> list[tuple[int, int]]:
    """Sorted numbers as inclusive ranges."""
    found: list[tuple[int, int]] = []
    for value in values:
        if found and value == found[-1][1] + 1:
            found[-1] = (found[-1][0], value)
        else:
            found.append((value, value))
    return found


def best_fit(path: Path, table: tuple[int, ...]) -> list[tuple[int, int]]:
    """(character, ASCII) for every non-ASCII character of the BMP that the page writes as one ASCII byte.

    The default character stands for "not in this page", so a fold to `?` cannot be told from none and is
    left out; the full-width question mark is the one that Windows has and a proxy must know.
    """
    header, double, default = table[0], table[2] == 2, table[3]
    start = header + 1 + table[header]
    raw = path.read_bytes()[start * 2 :]
    wide = struct.unpack("<65536H", raw[:131072]) if double else tuple(raw[:65536])
    folds = [(char, byte) for char, byte in enumerate(wide) if char >= ASCII_END > byte and byte != default]
    return sorted([*folds, (0xFF1F, 0x3F)]) if (0xFF01, 0x21) in folds else folds


def characters(table: tuple[int, ...]) -> tuple[list[int], list[int], bytes]:
    """(lead bytes, trail bytes, cp<page>.bin) of a page; both lists are empty for a single-byte page."""
    single = table[0] + 1
    units = list(table[single + 128 : single + 256])
    leads: list[int] = []
    trails: list[int] = []
    if table[2] == 2:
        glyphs = single + 256
        offsets = glyphs + 1 + (256 if table[glyphs] else 0) + 1
        leads = [byte for byte in range(256) if table[offsets + byte]]
        rows = [table[offsets + table[offsets + lead] :][:256] for lead in leads]
        unmapped = table[4]
        trails = sorted({byte for row in rows for byte in range(256) if row[byte] not in (0, unmapped)})
        for row in rows:
            units += row[TRAIL_START:]
    return leads, trails, struct.pack(f"<{len(units)}H", *units)


def page_source(folder: Path, page: int) -> str:
    """One row of codepages.rs; writes cp<page>.bin beside it."""
    path = folder / f"c_{page:03}.nls"
    table = words(path)
    leads, trails, data = characters(table)
    (HERE / f"cp{page}.bin").write_bytes(data)
    folds = [f"(0x{char:04X}, 0x{byte:02X})" for char, byte in best_fit(path, table)]
    lines = [", ".join(folds[start : start + 8]) for start in range(0, len(folds), 8)]
    show = ", ".join
    return (
        f"    PageData {{\n        number: {page},\n"
        f"        leads: &[{show(f'(0x{a:02X}, 0x{b:02X})' for a, b in ranges(leads))}],\n"
        f"        trails: &[{show(f'(0x{a:02X}, 0x{b:02X})' for a, b in ranges(trails))}],\n"
        f'        units: include_bytes!("cp{page}.bin"),\n'
        "        folds: &[\n" + "".join(f"            {line},\n" for line in lines) + "        ],\n    },\n"
    )


def main() -> None:
    """Write all tables."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else wine_folder(scratch)
        rows = "".join(page_source(folder, page) for page in PAGES)
    (HERE / "codepages.rs").write_text(
        "// Written by generate.py from the NLS tables of Debian's Wine package. Do not edit.\n"
        f"static PAGE_DATA: [PageData; {len(PAGES)}] = [\n{rows}];\n"
    )


if __name__ == "__main__":
    main()
