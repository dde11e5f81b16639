"""How does IIS know who asks? An origin that authenticates the connection, with a real NTLM acceptor.

Once the third leg of NTLM, or the last of Negotiate, has come on a connection, everything on it is done in
that user's name, whatever follows. Every answer says who the origin takes the client for. The library
is pyspnego.
"""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import spnego

from tests.e2e.client import Answer, Client, get, post
from tests.e2e.origins import Peer, Request, answer

USERS = {f"user{number}": f"secret-{number}" for number in range(12)}
DOMAIN = "CORP"
NOBODY = b"nobody"


@contextmanager
def accounts(folder: Path) -> Iterator[None]:
    """The accounts of the domain, where the acceptor looks for them."""
    file = folder / "accounts"
    file.write_text("".join(f"{DOMAIN}:{name}:{secret}\n" for name, secret in USERS.items()), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NTLM_USER_FILE", str(file))
        yield


def context(scheme: str) -> spnego.ContextProxy:
    """The side of the server."""
    return spnego.server(protocol=scheme.lower(), options=options(scheme))


def options(scheme: str) -> spnego.NegotiateOptions:
    own = spnego.NegotiateOptions
    return own.use_ntlm if scheme == "NTLM" else own.use_negotiate


class Login:
    """What a connection has shown of itself."""

    def __init__(self) -> None:
        self.user = b""
        self.asked: spnego.ContextProxy | None = None

    def reply(self, request: Request) -> bytes:
        """The answer to one request; /public wants nobody's name."""
        given = (request.values(b"authorization") or [b""])[0]
        scheme, _, token = given.decode().partition(" ")
        if token and not self.user:
            return self.leg(scheme, base64.b64decode(token), request)
        if self.user or request.target.startswith(b"/public"):
            return said(self.user or NOBODY, request)
        return answer(b"", "WWW-Authenticate: Negotiate", "WWW-Authenticate: NTLM", status="401 Unauthorized")

    def leg(self, scheme: str, token: bytes, request: Request) -> bytes:
        self.asked = self.asked or context(scheme)
        try:
            back = self.asked.step(token)
        except spnego.exceptions.SpnegoError:
            self.asked = None
            return answer(b"", f"WWW-Authenticate: {scheme}", status="401 Unauthorized")
        told = f"{scheme} {base64.b64encode(back).decode()}" if back else scheme
        if not self.asked.complete:
            return answer(b"", f"WWW-Authenticate: {told}", status="401 Unauthorized")
        self.user = (self.asked.client_principal or "").rpartition("\\")[2].encode()
        return said(self.user, request, *([f"WWW-Authenticate: {told}"] if back else []))


def said(user: bytes, request: Request, *fields: str) -> bytes:
    return answer(b"%s asked %s with %d" % (user, request.target, len(request.body)), *fields)


def windows(peer: Peer) -> None:
    """The script of an origin."""
    login = Login()
    while (request := peer.request()) is not None:
        peer.send(login.reply(request))


class Person:
    """A user's browser: a connection, and the name that goes with it."""

    def __init__(self, client: Client, user: str, scheme: str, host: str) -> None:
        self.client, self.user, self.scheme, self.host = client, user, scheme, host

    def log_in(self, target: str = "/", body: bytes = b"", legs: int = 9) -> Answer:
        """Go through the handshake, with a body on every leg if there is one, or so far as `legs` goes."""
        own = spnego.client(
            f"{DOMAIN}\\{self.user}",
            USERS[self.user],
            protocol=self.scheme.lower(),
            options=options(self.scheme),
        )
        token = own.step()
        while True:
            assert token is not None
            got = self.ask(target, body, f"Authorization: {self.scheme} {base64.b64encode(token).decode()}")
            legs -= 1
            if got.status != 401 or legs == 0:
                return got
            challenge = got.get(b"www-authenticate").decode().removeprefix(self.scheme).strip()
            token = own.step(base64.b64decode(challenge))

    def ask(self, target: str, body: bytes = b"", *fields: str) -> Answer:
        make = post(target, body, *fields, host=self.host) if body else get(target, *fields, host=self.host)
        return self.client.ask(make)

    def is_known(self, target: str, body: bytes = b"") -> bool:
        """Whether the origin answers this request, and takes it for this user's."""
        return self.ask(target, body).body == b"%s asked %s with %d" % (
            self.user.encode(),
            target.encode(),
            len(body),
        )
