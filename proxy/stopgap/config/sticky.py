"""By which cookie does a client come back to the origin that has its session?

By one whose value is a keyed hash of the origin's URL: every worker, restart and reload finds the same one,
and no state is kept. The key is the site's name, and a secret if a file has one. Without the secret, whoever
guesses address and name can find out that the guess is right; no value says an address.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from stopgap.config import access
from stopgap.config.checks import TOKEN, At
from stopgap.config.model import Address, Sticky, StickyText

BYTES = 8
"""Of a value; it stands in the cookie in hexadecimal."""


def kept(text: StickyText, site: str, origins: Sequence[Address], at: At) -> Sticky:
    """The cookie of a site and the values of its origins. Raises `ConfigError`."""
    if not TOKEN.fullmatch(text.cookie) or len(text.cookie) > 64:
        raise (at / "cookie").wrong(f'"{text.cookie}" is no name of a cookie; write a word such as "STOPGAP"')
    path = str(Path(at.document.file).parent / text.secret_file) if text.secret_file else ""
    secret = access.token(path, at / "secret_file")
    key = hashlib.blake2b(f"{site}\n{secret}".encode()).digest()
    return Sticky(text.cookie, tuple(_value(origin.url, key) for origin in origins))


def _value(url: str, key: bytes) -> str:
    return hashlib.blake2b(url.encode(), digest_size=BYTES, key=key).hexdigest()
