"""Of what are honest requests made? Names, texts, cookies and credentials as browsers of the time write them.

Every function takes a `random.Random` first and makes its choice with it alone, so that a seed gives the same
corpus everywhere.
"""

import base64
import string
import tomllib
from collections.abc import Sequence
from pathlib import Path
from random import Random
from urllib.parse import quote, quote_plus

VOCABULARY = tomllib.loads(Path(__file__).with_name("words.toml").read_text("utf-8"))
ENGLISH: list[str] = VOCABULARY["english"].split()
JAPANESE: list[str] = VOCABULARY["japanese"].split()
WESTERN: list[str] = VOCABULARY["western"].split()
AGENTS: list[str] = VOCABULARY["agents"]
LANGUAGES: list[str] = VOCABULARY["languages"]
ENCODINGS: list[str] = VOCABULARY["encodings"]
TYPES: list[str] = VOCABULARY["types"]
XML: dict[str, str] = VOCABULARY["xml"]
"""Bodies of WebDAV and SOAP, by what they ask."""


def token(chance: Random, length: int, among: str = string.ascii_uppercase) -> str:
    return "".join(chance.choices(among, k=length))


def guid(chance: Random) -> str:
    digits = token(chance, 32, "0123456789ABCDEF")
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def binary(chance: Random, length: int) -> str:
    """So many random bytes in base64."""
    return base64.b64encode(chance.randbytes(length)).decode()


def name(chance: Random, encoding: str) -> str:
    """A file or folder name without extension, escaped as a browser would for pages in this encoding."""
    return quote(plain_name(chance, encoding), safe="!$'()*,-_@~+=", encoding=encoding, errors="strict")


def plain_name(chance: Random, encoding: str) -> str:
    kind = chance.random()
    if kind < 0.5:
        words = chance.sample(ENGLISH, chance.randint(1, 3))
        return chance.choice(("", " ", "_", "-")).join(words) + chance.choice(
            ("", "", "2001", " (2)", "_v1.2")
        )
    if encoding == "latin-1":
        return chance.choice([word for word in WESTERN if _fits(word, encoding)])
    if encoding == "utf-8" and kind < 0.6:
        return chance.choice(WESTERN)
    return "".join(chance.sample(JAPANESE, chance.randint(1, 3))) + chance.choice(("", "1", "平成13年度"))


def text(chance: Random, encoding: str) -> str:
    """What somebody types into a field."""
    return " ".join(plain_name(chance, encoding) for _ in range(chance.randint(1, 6))) + chance.choice(
        (
            "",
            "!",
            " 50% off",
            " a&b",
            " c:\\temp",
            " <3",
            " x=1",
            " 100%",
            " 5 > 3",
            "\r\n",
            " O'Neill",
            ' "quoted"',
        )
    )


def parameter(chance: Random, value: str, encoding: str) -> str:
    """A value in a query: as a form sends it, or as JavaScript's `escape()` writes it."""
    if chance.random() < 0.3:
        return escape(value)
    return quote_plus(value, encoding=encoding, errors="replace")


def escape(value: str) -> str:
    """JavaScript's `escape()`: `%uHHHH` beyond Latin-1 (ECMA-262 B.2.1)."""
    kept = string.ascii_letters + string.digits + "@*_+-./"
    written = []
    for character in value:
        code = ord(character)
        if character in kept:
            written.append(character)
        elif code > 0xFFFF:
            written += [f"%u{unit:04X}" for unit in (0xD7C0 + (code >> 10), 0xDC00 | code & 0x3FF)]
        else:
            written.append(f"%{code:02X}" if code < 0x100 else f"%u{code:04X}")
    return "".join(written)


def query(chance: Random, names: Sequence[str], encoding: str) -> str:
    """Some of these parameters with numbers, words, dates, texts."""
    makers = (
        lambda: str(chance.randint(0, 99_999)),
        lambda: chance.choice(ENGLISH),
        lambda: f"20{chance.randint(0, 26):02}/{chance.randint(1, 12)}/{chance.randint(1, 28)}",
        lambda: parameter(chance, text(chance, encoding), encoding),
        lambda: "",
        lambda: guid(chance),
        lambda: f"%7B{guid(chance)}%7D",
        lambda: f"{chance.choice(ENGLISH)}.htm",
        lambda: quote(
            f"/{chance.choice(ENGLISH)}/{chance.choice(ENGLISH)}.asp", safe=chance.choice(("/", ""))
        ),
    )
    chosen = chance.sample(names, chance.randint(1, min(5, len(names))))
    return "&".join(f"{name}={chance.choice(makers)()}" for name in chosen)


def cookies(chance: Random) -> str:
    """The session of ASP, and what else gathers: now and then some kilobytes."""
    jar = [f"ASPSESSIONID{token(chance, 8)}={token(chance, 24)}"]
    if chance.random() < 0.5:
        jar.append(f"ASP.NET_SessionId={token(chance, 24, string.ascii_lowercase + string.digits)}")
    if chance.random() < 0.3:
        jar.append(f".ASPXAUTH={token(chance, 192, '0123456789ABCDEF')}")
    if chance.random() < 0.3:
        jar.append(f"user=name={escape(plain_name(chance, 'utf-8'))}&last={chance.randint(1, 12)}%2F01")
    if chance.random() < 0.1:
        jar.append(f"basket={binary(chance, chance.randint(500, 2500))}")
    return "; ".join(jar)


def credentials(chance: Random) -> str:
    """Basic, or one of the three messages of NTLM (MS-NLMP 2.2.1), or SPNEGO as Kerberos sends it."""
    kind = chance.randrange(4)
    if kind == 0:
        return "Basic " + base64.b64encode(f"{chance.choice(ENGLISH)}:{token(chance, 9)}".encode()).decode()
    if kind == 1:
        return "NTLM TlRMTVNTUAABAAAAB7IIogQABAA2AAAADgAOACgAAAAFASgKAAAAD1dPUktTVEFUSU9OMQ=="
    if kind == 2:
        return (
            "NTLM "
            + base64.b64encode(b"NTLMSSP\0\3\0\0\0" + chance.randbytes(chance.randint(120, 600))).decode()
        )
    token_bytes = bytes.fromhex("60820a3006062b0601050502a0820a24") + chance.randbytes(
        chance.randint(1000, 4000)
    )
    return "Negotiate " + base64.b64encode(token_bytes).decode()


def _fits(word: str, encoding: str) -> bool:
    try:
        word.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
