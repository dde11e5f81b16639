"""What can a client send that two servers might cut in two ways? Families of requests, as tables.

A family is a row of slots; a request takes one fragment from each and is followed by a marker, a second
request that shows where the first was thought to end. The fragments stand in `fragments.toml`. The client
waits at `<wait>` for the gate to say something, and `<cut>` ends a segment.
"""

import random
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FRAGMENTS: dict[str, tuple[bytes, ...]] = {
    name: tuple(value.encode("latin-1") for value in values)
    for name, values in tomllib.loads(Path(__file__).with_name("fragments.toml").read_text("utf-8")).items()
}
WAIT, CUT = b"<wait>", b"<cut>"
KINDS = ("any", "iis5", "iis6")
"""A site each, `any.test` and so on: bodies are buffered for iis5 and stream for the others."""
SAME = b"X-Case: @N@\r\nHost: @H@\r\n"
END = (b"\r\n",)
POST = (b"POST /case HTTP/1.1\r\n" + SAME,)
MARKER = b"GET /marker HTTP/1.1\r\n" + SAME + b"Connection: close\r\n\r\n"
INNER = b"GET /smuggled HTTP/1.1\r\n" + SAME + b"\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
HELLO = b"5\r\nhello\r\n0\r\n\r\n"
LARGE = 48 << 10
"""IIS reads so much of a body before the application does."""


def around(before: bytes, values: tuple[bytes, ...], after: bytes = b"\r\n") -> tuple[bytes, ...]:
    return tuple(before + value + after for value in values)


PLAIN = tuple(
    method + b" /case HTTP/1.%d\r\n" % minor + SAME
    for method in (b"POST", b"GET", b"OPTIONS", b"HEAD", b"PUT", b"DELETE")
    for minor in (1, 0)
)
LENGTHS = around(b"Content-Length: ", (*FRAGMENTS["lengths"], b"0" * 300 + b"5", b"9" * 300))
TRANSFERS = around(b"Transfer-Encoding: ", FRAGMENTS["transfers"])
DISGUISED = around(b"", FRAGMENTS["transfer_names"], b" chunked\r\n")
EXPECTS = around(b"Expect: ", FRAGMENTS["expects"])
OPTIONS = FRAGMENTS["options"]
FRAMINGS = (b"", *LENGTHS[:3], CHUNKED)
BODIES = (
    *(HELLO, b"hello", b"0\r\n\r\n", b"", b"hello world etc", INNER, b"hello" + INNER),
    *around(b"", (b"0\r\n\r\n", b"5\r\nhello\r\n0\r\n", b"5\r\n", b"0", b"0\r\n", b"\r\n"), INNER),
)

FAMILIES: dict[str, tuple[tuple[bytes, ...], ...]] = {
    "control": (
        PLAIN[:4],
        (b"", b"Connection: keep-alive\r\n", b"Accept: */*\r\n"),
        (LENGTHS[0] + b"\r\nhello", CHUNKED + b"\r\n" + HELLO, LENGTHS[1] + b"\r\n", b"\r\n"),
    ),
    "two lengths": (POST, LENGTHS, LENGTHS, END, BODIES),
    "length and transfer": (POST, LENGTHS, TRANSFERS + DISGUISED, END, BODIES),
    "transfer and length": (POST, TRANSFERS + DISGUISED, LENGTHS, END, BODIES),
    "two transfers": (POST, TRANSFERS, TRANSFERS + DISGUISED, END, BODIES),
    "one length": (POST, LENGTHS, END, BODIES),
    "one transfer": (POST, TRANSFERS, END, BODIES),
    "disguised transfer": (POST, DISGUISED, END, BODIES),
    "chunk size": (
        *(POST, (CHUNKED + b"\r\n",), (*FRAGMENTS["sizes"], b"0" * 40 + b"5", b"5;" + b"a" * 9000)),
        *(END, (b"hello\r\n0\r\n\r\n", b"", INNER)),
    ),
    "chunk line": (
        *(POST, (CHUNKED + b"\r\n5",), FRAGMENTS["size_ends"], (b"hello",), FRAGMENTS["data_ends"]),
        (*FRAGMENTS["last"], b"0\r\n" + INNER),
    ),
    "header line": (POST, FRAGMENTS["lines"], END, FRAMINGS, END, BODIES),
    "long header": (POST, (b"X: " + b"y" * 5000, b"X" * 300 + b": y"), END, FRAMINGS, END, BODIES),
    "line end": (
        *((b"POST /case HTTP/1.1",), FRAGMENTS["ends"], (b"X-Case: @N@\r\nHost: @H@",), FRAGMENTS["ends"]),
        *((b"Content-Length: 5", b"Content-Length: 0"), FRAGMENTS["ends"], END, BODIES),
    ),
    "folding": (
        POST,
        (b"X: y\r\n", b"Content-Length:\r\n", b"Transfer-Encoding:\r\n", b"X:\r\n", b""),
        (b" ", b"\t", b"  \t", b"\x0b", b" \r\n", b"\r", b"\x0c"),
        (b"5\r\n", b"chunked\r\n", b"Content-Length: 5\r\n", b": x\r\n", b"\r\n"),
        FRAMINGS,
        END,
        BODIES,
    ),
    "host": (
        *((b"POST ",), FRAGMENTS["targets"][:8], FRAGMENTS["versions"][:3], (b"\r\nX-Case: @N@\r\n",)),
        *((*FRAGMENTS["authorities"], b"Host: " + b"a" * 300), (b"\r\n\r\n",)),
    ),
    "request line": (
        *(FRAGMENTS["methods"], (b" ",), (*FRAGMENTS["targets"], b"/" + b"a" * 20000), FRAGMENTS["versions"]),
        *((b"\r\n" + SAME,), (b"", LENGTHS[0]), END, (b"", b"hello")),
    ),
    "HTTP/0.9": (
        FRAGMENTS["old"],
        (b"\r\n", b"\n", b"\r\n\r\n", b"\r", b"\r\n" + SAME + b"\r\n", b"\r\n" + INNER),
    ),
    "before": (FRAGMENTS["prefixes"], PLAIN, FRAMINGS, END, (b"", b"hello", INNER)),
    "HTTP/1.0": (PLAIN[1::2], FRAMINGS + TRANSFERS, OPTIONS, END, BODIES),
    "method and body": (PLAIN, FRAMINGS, END, BODIES),
    "expect": (PLAIN, EXPECTS, FRAMINGS, END, (b"", CUT, WAIT), BODIES),
    "early answer": (
        (b"POST /early HTTP/1.1\r\nHost: iis6.test\r\nX-Case: @N@\r\n",),
        (b"", EXPECTS[0]),
        (*around(b"Content-Length: ", (b"51", b"5", b"60", b"0")), CHUNKED),
        END,
        (WAIT,),
        (b"hello", INNER, b"X" + INNER, HELLO, b"5\r\n" + INNER, b"h" + CUT + b"ello"),
    ),
    "options": (PLAIN, OPTIONS, FRAMINGS, END, (b"", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", *BODIES)),
    "large": (
        POST,
        around(b"Content-Length: ", tuple(b"%d" % (LARGE + more) for more in (0, 1, -1, 200))),
        END,
        (b"", b"x" + CUT, b"x" * 100),
        (b"x" * LARGE, b"x" * (LARGE - 1), b"x" * (LARGE + 1), b"x" * (LARGE - 100) + INNER),
    ),
}
NAMES = (*FAMILIES, "mutation")


@dataclass(frozen=True)
class Case:
    """What one client sends; `stream` still holds the marks."""

    number: int
    family: str
    stream: bytes

    @property
    def steps(self) -> list[list[bytes]]:
        """Segments, in groups between which the client waits for the gate."""
        return [group.split(CUT) for group in self.stream.split(WAIT)]

    @property
    def bytes(self) -> bytes:
        return b"".join(b"".join(group) for group in self.steps)


def cases(seed: int, count: int) -> Iterator[Case]:
    """Cases of all families in turn, the same ones for the same seed."""
    rng = random.Random(seed)
    for number in range(1, count + 1):
        family = NAMES[number % len(NAMES)]
        stream = _mutated(rng) if family == "mutation" else _drawn(rng, FAMILIES[family])
        host = rng.choice(KINDS).encode() + b".test"
        whole = (stream + MARKER).replace(b"@H@", host).replace(b"@N@", b"%d" % number)
        if rng.random() < 0.2 and WAIT not in whole and CUT not in whole:
            place = rng.randrange(len(whole))
            whole = whole[:place] + CUT + whole[place:]
        yield Case(number, family, whole)


def _drawn(rng: random.Random, slots: tuple[tuple[bytes, ...], ...]) -> bytes:
    """One fragment a slot; half of the time all but one are plain."""
    odd = rng.randrange(len(slots)) if rng.random() < 0.5 else None
    return b"".join(
        rng.choice(slot if odd in (None, place) else slot[:2]) for place, slot in enumerate(slots)
    )


def _mutated(rng: random.Random) -> bytes:
    """A good request with one odd byte or line end too many, outside of the number of the case."""
    good = _drawn(rng, FAMILIES["control"])
    ours = range(good.index(b"\r\nX-Case"), good.index(b"\r\nHost") + 2)
    place = rng.choice([at for at in range(len(good)) if at not in ours])
    width = 0 if good[place] in b"\r\n" else rng.choice((0, 0, 1))
    return good[:place] + rng.choice(FRAGMENTS["odd"]) + good[place + width :]
