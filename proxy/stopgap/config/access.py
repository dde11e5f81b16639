"""Who may ask the admin address?

Whoever is on this machine, if it is on loopback or a Unix socket. If it is not, or if the operator wants it
so, a token is asked for, which stands in a file of its own: so it is in no configuration that is shown
about, in no process list and in none of the rulesets that are kept for a rollback.
"""

import ipaddress
import re
import stat
from pathlib import Path

from stopgap.config.checks import At, address
from stopgap.config.model import ADMIN, Address, Config
from stopgap.errors import ConfigError
from stopgap.tomlfile import read

SHORTEST, LONGEST = 16, 1024
"""Characters of a token."""
_TOKEN = re.compile(rb"[A-Za-z0-9._~+/=-]+")
"""What stands behind `Bearer` (RFC 6750, section 2.1)."""


def opened(written: str, token_file: str | None, at: At) -> tuple[Address | None, str]:
    """The admin address as `admin` says (None for none), and the path of the token's file ("" for none)."""
    admin = None if written == "off" else address(written, at / "admin")
    if token_file:
        path = str(Path(at.document.file).parent / token_file)
        token(path, at / "admin_token_file")
        return admin, path
    if admin is not None and not private(admin):
        raise (at / "admin").wrong(
            f'"{written}" is open to other machines and needs a token: name its file with admin_token_file, '
            "or choose a loopback address or a Unix socket"
        )
    return admin, ""


def private(admin: Address) -> bool:
    """Whether only this machine gets there; a name other than localhost may mean anything."""
    if admin.path or admin.host == "localhost":
        return True
    try:
        return ipaddress.ip_address(admin.host).is_loopback
    except ValueError:
        return False


def token(path: str, at: At) -> str:
    """The token in a file, "" without a file. Raises `ConfigError`."""
    if not path:
        return ""
    try:
        with Path(path).open("rb") as file:
            mode = stat.S_IMODE(Path(path).stat().st_mode)
            text = file.read(LONGEST + 3).strip(b"\r\n")
    except (OSError, ValueError) as error:
        raise at.wrong(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if mode & 0o007:
        raise at.wrong(f"{path}: is open to every user of this machine; chmod o-rwx {path}")
    if not SHORTEST <= len(text) <= LONGEST or not _TOKEN.fullmatch(text):
        raise at.wrong(
            f"{path}: must hold one token, {SHORTEST} to {LONGEST} letters, digits or ._~+/=-; "
            f"make one with: openssl rand -hex 32 > {path}"
        )
    return text.decode()


def of(config: Config) -> str:
    """The token of a configuration, as its file holds it now; "" for none. Raises `ConfigError`."""
    return token(config.admin_token_file, At(config.document, ("admin_token_file",)))


def told(file: str) -> tuple[Address, str]:
    """Admin address and token of a file of which nothing else need be right. Raises `InputError`."""
    at = At(read(file))
    written, token_file = (at.document.data.get(key, "") for key in ("admin", "admin_token_file"))
    if not isinstance(written, str) or not isinstance(token_file, str):
        raise ConfigError(f"{file}: admin and admin_token_file must be text in quotes")
    admin, path = opened(written or ADMIN, token_file, at)
    if admin is None:
        raise (at / "admin").wrong('is "off"; a gate without an admin address cannot be asked')
    return admin, token(path, at / "admin_token_file")
