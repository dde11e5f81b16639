"""Which files make the dashboard, and what is a browser told about them?

They are text without data, read once, so that a page and the program behind it are always of one version.
Nothing but what stands here is served. The policy lets a browser load scripts and styles from this address
alone, run nothing that stands in the page itself, and show it in no frame.
"""

from pathlib import Path

import msgspec

INDEX = "index.html"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)
FIELDS = (
    ("Content-Security-Policy", POLICY),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
)
FOLDER = Path(__file__).parent / "dashboard"


class File(msgspec.Struct, frozen=True):
    kind: str
    body: bytes


def _read() -> dict[str, File]:
    """By name; the files of the folder `vendor` have no other names than those of the page."""
    found = sorted(path for path in FOLDER.rglob("*") if path.suffix in KINDS)
    return {path.name: File(KINDS[path.suffix], path.read_bytes()) for path in found}


FILES = _read()
