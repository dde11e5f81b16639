"""How is a running gate asked over its admin address, and which address and token are that?"""

import functools
import http.client
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import click
from msgspec import Struct

from stopgap.cli.configuration import config_option
from stopgap.cli.terminal import NOT_STARTED, wrong_input
from stopgap.config import Address, access
from stopgap.config.checks import At, address
from stopgap.errors import InputError, printable
from stopgap.gate import sockets
from stopgap.tomlfile import parse

ADMIN = "127.0.0.1:9901"
SECONDS = 100.0
"""Longest wait for an answer; a reload of many rules takes a while."""


class Door(Struct, frozen=True):
    """Where a gate is asked, and with which token ("" for none)."""

    address: Address
    token: str = ""


class NoAnswer(Exception):
    """No gate answers on an admin address; the text says why."""


_OPTIONS = (
    click.option("--admin", envvar="STOPGAP_ADMIN", metavar="ADDRESS", help=f"Of the gate. [{ADMIN}]"),
    click.option(
        "--admin-token-file", "token", envvar="STOPGAP_ADMIN_TOKEN_FILE", metavar="FILE", help="Its token."
    ),
    config_option("Of the gate, for its address and its token. [STOPGAP_CONFIG]"),
)


def door_options(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options that name a gate, and them to it as one `door`."""

    @functools.wraps(command)
    def with_door(*, admin: str | None, token: str | None, file: str | None, **given: Any) -> None:
        try:
            found = door(admin, token, file)
        except InputError as error:
            wrong_input(error)
        command(door=found, **given)

    for option in reversed(_OPTIONS):
        with_door = option(with_door)
    return with_door


def door(admin: str | None, token_file: str | None, config: str | None) -> Door:
    """The door that the options name; what they do not say is in the configuration. Raises `InputError`."""
    flags = At(parse("", b""))
    where, token = address(ADMIN, flags), ""
    if config and not (admin and token_file):
        where, token = access.told(config)
    if admin:
        where = address(admin, flags / "admin")
    if token_file:
        token = access.token(token_file, flags / "admin_token_file")
    return Door(where, token)


def asked(door: Door, method: str, path: str) -> Any:
    """The gate's answer; ends the command with one line when there is none."""
    try:
        return ask(door, method, path, SECONDS)
    except NoAnswer as error:
        click.echo(f"stopgap: no gate answers on {door.address}: {error}", err=True)
        raise SystemExit(NOT_STARTED) from None


def ask(door: Door, method: str, path: str, seconds: float) -> Any:
    """What the gate behind this door answers. Raises `NoAnswer`."""
    status, kind, body = _exchanged(door, method, path, seconds)
    try:
        if kind == "application/json":
            return json.loads(body)
    except ValueError as error:
        raise NoAnswer(str(error)) from None
    raise _strange(status, body)


def text(door: Door, path: str, seconds: float) -> str:
    """What it answers where that is text. Raises `NoAnswer`."""
    status, kind, body = _exchanged(door, "GET", path, seconds)
    if status == HTTPStatus.OK and kind.startswith(("text/plain", "application/openmetrics-text")):
        return body.decode("utf-8", "replace")
    raise _strange(status, body)


def _strange(status: int, body: bytes) -> NoAnswer:
    """Another program answers, or the gate refuses to."""
    first = (body[:200].decode("utf-8", "replace").strip().splitlines() or [""])[0]
    return NoAnswer(f"answered {status} {printable(first)}")


def _exchanged(door: Door, method: str, path: str, seconds: float) -> tuple[int, str, bytes]:
    """Status, content type and body of an answer. Raises `NoAnswer`."""
    where = door.address
    connection = http.client.HTTPConnection(where.host or "localhost", where.port or 80, timeout=seconds)
    try:
        connection.sock = sockets.connect(where, seconds)
        fields = {"Authorization": f"Bearer {door.token}"} if door.token else {}
        connection.request(method, path, headers=fields)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type", ""), answer.read()
    except (OSError, http.client.HTTPException, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or "no answer"
        raise NoAnswer(why) from None
    finally:
        connection.close()
