"""What of a request is never written, and how is it made unreadable?

The values of the headers that carry logins, and of those that a site names beside them; and user and password
in a URL. Each byte of a value becomes `*`, control bytes stay: so the length, and what was wrong with the
line, can still be seen. `Basic`, `Bearer`, `NTLM` and the like stay too.

A server may take for a header what a strict grammar does not, so nothing here trusts the grammar. A line is
secret if its part before the colon holds a secret name in any spelling, whatever else stands there; so is one
that begins with such a name and has no colon, what follows a lone CR or a NUL in a line, and every line that
may continue a secret one. That holds for the body too: a trailer, or a request that hides in it, has headers.
What is no secret may be lost by that; no secret is kept.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable

ALWAYS = ("authorization", "proxy-authorization", "cookie")
FORWARDED = (
    "x-forwarded-for",
    "forwarded",
    "x-real-ip",
    "client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "x-forwarded",
)
"""Headers that name the client; secret where clients are masked."""
HIDDEN = b"*"
LONGEST = 256
"""Bytes of a name that is folded."""

_NO_LETTER = re.compile(rb"[^a-z0-9]+")
_A_LETTER = re.compile(rb"[a-z0-9]", re.IGNORECASE)
_BREAK = re.compile(rb"[\r\0\x0b\x0c\x1c-\x1f\x85]")
_REQUEST_LINE = re.compile(rb"[A-Za-z_-]{1,32} +(?:/|\*|https?://)", re.IGNORECASE)
_SCHEME = re.compile(rb"[ \t]*(?:(?:Basic|Bearer|Digest|NTLM|Negotiate)(?=[ \t]))?[ \t]*", re.IGNORECASE)
_USER = re.compile(rb"(://)[^/?#\s]*(?=@)")
_MASK = bytes(byte if byte < 0x20 or byte == 0x7F else HIDDEN[0] for byte in range(256))


class Redactor:
    """Redacts for one site; `names` are its own secret headers."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        plain = sorted({_normal(name.encode()) for name in (*ALWAYS, *names)} - {b""})
        any_of = b"|".join(map(re.escape, plain))
        self._secret = re.compile(b"(?=" + any_of + b")")  # also where one begins within another
        self._longest = max(map(len, plain))

    def __call__(self, raw: bytes) -> bytes:
        """The same bytes, as many, without the secrets."""
        lines: list[bytes] = []
        secret, begun = False, b""
        named = self._named(raw)
        for number, line in enumerate(raw.split(b"\n") if named else ()):
            more = line[:1] in (b" ", b"\t")
            if secret and line.strip(b"\r") and (more or b":" not in line):
                lines.append(_masked(line, 0))
                continue
            if number not in named:
                secret, begun = False, b""
                lines.append(line)
                continue
            begun = begun if more else b""
            first = not number and _REQUEST_LINE.match(line) is not None
            begins = self._in_first(line) if first else self._begins(line, begun)
            secret = begins is not None
            begun = _unfinished(line) if first or b":" in line else (begun + line)[-LONGEST:]
            lines.append(line if begins is None else _masked(line, begins))
        left = b"\n".join(lines) if named else raw
        return _USER.sub(lambda hit: hit[1] + HIDDEN * (len(hit[0]) - len(hit[1])), left)

    def _named(self, raw: bytes) -> set[int]:
        """The lines where the letters of a secret name stand in a row: only they need a close look."""
        plain = _normal(raw)
        if not self._secret.search(plain):
            return set()
        letters = [found.start() for found in _A_LETTER.finditer(raw)]
        ends = [found.start() for found in re.finditer(b"\n", raw)]
        lines: set[int] = set()
        for found in self._secret.finditer(plain):
            begins = letters[found.start()]
            over = letters[min(found.start() + self._longest, len(letters)) - 1]
            lines.update(range(bisect_left(ends, begins), bisect_left(ends, over) + 1))
        return lines

    def _in_first(self, line: bytes) -> int | None:
        """Where the secret begins in a request line; a name in its target is none of a header."""
        cut = _BREAK.search(line)
        if self._names(line.partition(b":")[0]) == 0 or cut is None:
            return self._begins(line) if self._names(line) == 0 else None
        begins = self._begins(line[cut.end() :])
        return None if begins is None else cut.end() + begins

    def _begins(self, line: bytes, begun: bytes = b"") -> int | None:
        """Where in a line the secret begins; `begun` is what may be the beginning of its name.

        A name stands at the beginning, or behind a lone CR or the like, and before a colon.
        """
        place = 0
        *named, last = line.split(b":")
        for number, part in enumerate(named):
            cut = _BREAK.search(part) if number else None
            name = begun + part if not number else part[cut.end() :] if cut else b""
            if self._names(name) is not None:
                return place + len(part) + 1
            place += len(part) + 1
        bare = self._bare(b"" if named else begun, last, not named)
        return None if bare is None else place + bare

    def _bare(self, begun: bytes, text: bytes, first: bool) -> int | None:
        """Where in a text without a colon a secret name is the first word, or the first behind a lone CR."""
        whole = begun + text
        plain = _normal(whole)
        if not self._secret.search(plain):
            return None
        letters = [found.start() for found in _A_LETTER.finditer(whole)]
        for found in self._secret.finditer(plain):
            at = found.start()
            gap = whole[letters[at - 1] + 1 if at else 0 : letters[at]]
            if (first and not at) or _BREAK.search(gap):
                return max(letters[at] - len(begun), 0)
        return None

    def _names(self, text: bytes) -> int | None:
        """After how many letters a secret name stands in this text."""
        found = self._secret.search(_normal(text))
        return None if found is None else found.start()


def _unfinished(line: bytes) -> bytes:
    """What behind the last lone CR of a line may be the beginning of a folded name."""
    *before, last = _BREAK.split(line.rstrip(b"\r"))
    return last[-LONGEST:] if before and b":" not in last else b""


def _normal(text: bytes) -> bytes:
    """A name without all that is no letter or digit, in small letters."""
    return _NO_LETTER.sub(b"", text.lower())


def _masked(line: bytes, begins: int) -> bytes:
    """A line whose secret begins there."""
    scheme = _SCHEME.match(line, begins)
    place = scheme.end() if scheme else begins
    return line[:place] + line[place:].translate(_MASK)
