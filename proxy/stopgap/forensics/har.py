"""Which requests does a HAR file hold, as browsers and mitmproxy save what they sent?

A HAR file is JSON with one entry a request, headers and body included. One that came by HTTP/2 is written as
HTTP/1.1; what concerns only the client's own connection, and the length, is made anew.
"""

import re
from collections.abc import Iterator
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from stopgap.errors import ConfigError
from stopgap.forensics.request import WITH_BODY, Broken, Told

LEFT_OUT = frozenset(
    {
        *("host", "connection", "keep-alive", "proxy-connection", "transfer-encoding", "content-length"),
        *("te", "trailer"),
    }
)

_KEPT = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) != "#")


class Pair(msgspec.Struct, frozen=True):
    name: str
    value: str = ""


class Posted(msgspec.Struct, frozen=True):
    text: str | None = None
    params: list[Pair] = []


class Asked(msgspec.Struct, frozen=True, rename="camel"):
    method: str
    url: str
    http_version: str = "HTTP/1.1"
    headers: list[Pair] = []
    post_data: Posted | None = None


class Answered(msgspec.Struct, frozen=True):
    status: int = 0


class Entry(msgspec.Struct, frozen=True):
    request: Asked
    response: Answered = Answered()


class Log(msgspec.Struct, frozen=True):
    entries: list[msgspec.Raw]


class Har(msgspec.Struct, frozen=True):
    log: Log


_HALVES = re.compile(rb"\\\\|\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(\\u[dD][89a-fA-F]..)")
"""Group 1 is half a surrogate pair: browsers write it where a body is no text, and it is no character."""

_ENTRY = msgspec.json.Decoder(Entry)


def entries(name: str, text: bytes) -> Iterator[Told | Broken]:
    """The request of each entry, or why it has none. Raises `ConfigError` for what is no HAR file."""
    text = _HALVES.sub(lambda found: b"\\ufffd" if found[1] else found[0], text.removeprefix(b"\xef\xbb\xbf"))
    try:
        har = msgspec.json.decode(text, type=Har)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{name}: is no HAR file: {error}") from None
    for raw in har.log.entries:
        try:
            yield _told(_ENTRY.decode(raw))
        except (msgspec.MsgspecError, UnicodeError) as error:
            yield Broken(f"is no request: {error}")
        except Broken as error:
            yield error


def _told(entry: Entry) -> Told:
    asked = entry.request
    try:
        parts = urlsplit(asked.url)
    except ValueError:
        raise Broken("has a url that is none") from None
    if parts.scheme not in ("http", "https", "ws", "wss") or not parts.netloc:
        raise Broken("has a url that is not http:// or https://")
    rest = asked.url.split("//", 1)[1].partition("#")[0]
    at = min((rest.find(mark) for mark in "/?" if mark in rest), default=len(rest))
    wanted = quote(rest[at:], safe=_KEPT)
    wanted = wanted if wanted.startswith("/") else "/" + wanted
    version = "HTTP/1.0" if asked.http_version.upper() == "HTTP/1.0" else "HTTP/1.1"
    fields = {one.name.lower(): one.value for one in asked.headers}
    host = fields.get("host") or fields.get(":authority") or parts.netloc.rpartition("@")[2]
    lines = [f"{asked.method} {wanted} {version}", f"Host: {host}"]
    lines += [
        f"{one.name}: {one.value}"
        for one in asked.headers
        if not one.name.startswith(":") and one.name.lower() not in LEFT_OUT
    ]
    body = _body(asked.post_data)
    if body or asked.method.encode() in WITH_BODY:
        lines.append(f"Content-Length: {len(body)}")
    return Told("\r\n".join([*lines, "", ""]).encode() + body, True, max(entry.response.status, 0))


def _body(posted: Posted | None) -> bytes:
    if posted is None:
        return b""
    if posted.text is not None:
        return posted.text.encode()
    return urlencode([(one.name, one.value) for one in posted.params]).encode()
