"""With which certificates do the tests speak TLS? One that signs itself, and those of their own authority.

All are made by openssl while the tests run.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def openssl(*arguments: str) -> str:
    """What openssl says to its standard output."""
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True, text=True).stdout


def self_signed(at: Path) -> tuple[str, str]:
    """Paths of a new certificate for localhost and of its key."""
    cert, key = str(at / "cert.pem"), str(at / "key.pem")
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    openssl("req", "-x509", *KEY, *names, "-days", "2", "-keyout", key, "-out", cert)
    return cert, key


@dataclass(frozen=True)
class Authority:
    """A CA in a folder of its own; `ca` is its certificate."""

    at: Path

    @property
    def ca(self) -> str:
        return str(self.at / "ca.pem")

    @classmethod
    def made(cls, at: Path) -> "Authority":
        at.mkdir()
        made = cls(at)
        names = ("-subj", f"/CN=CA {at.name}", "-addext", "basicConstraints=critical,CA:TRUE")
        where = ("-keyout", str(at / "ca.key"), "-out", made.ca)
        openssl("req", "-x509", *KEY, *names, "-addext", "keyUsage=keyCertSign", "-days", "2", *where)
        return made

    def issue(self, name: str, *good_for: str, days: int = 2, key: tuple[str, ...] = KEY) -> tuple[str, str]:
        """Paths of a new certificate, such as for `DNS:localhost` and `IP:127.0.0.1`, and of its key."""
        cert, private, asked = (str(self.at / f"{name}.{end}") for end in ("pem", "key", "csr"))
        openssl("req", "-new", *key, "-subj", f"/CN={name}", "-keyout", private, "-out", asked)
        extensions = self.at / f"{name}.ext"
        extensions.write_text(f"subjectAltName={','.join(good_for)}\n" if good_for else "")
        signing = ("-CA", self.ca, "-CAkey", str(self.at / "ca.key"), "-CAcreateserial")
        given = ("-in", asked, "-extfile", str(extensions), "-days", str(days))
        openssl("x509", "-req", *signing, *given, "-out", cert)
        return cert, private


def fingerprint(cert: str) -> str:
    """As openssl prints it: `sha256 Fingerprint=AB:CD:...`."""
    return openssl("x509", "-in", cert, "-noout", "-fingerprint", "-sha256").strip()
