"""How is a request written into a flow file of mitmproxy, and read from one?

A flow file is a row of tnetstrings, each the state of a flow: `LENGTH:DATA` and a letter for the type. What
is written here has format 21, that of mitmproxy 10 to 12; later ones convert it when they read it. What
mitmproxy makes of a request is head lines of the form `name: value` and a body; a request that it would not
write again byte for byte stands whole in the metadata, as `stopgap.raw`. What mitmproxy wrote itself can be
read too.
"""

import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

FORMAT = 21
"""`mitmproxy.version.FLOW_FORMAT_VERSION` when this was written."""
DEEPEST = 32
"""Nesting of what is read; a flow has four levels."""
RAW, STATUS, EVENT, SITE = "stopgap.raw", "stopgap.status", "stopgap.event", "stopgap.site"
"""Metadata: the bytes where mitmproxy's request is not exact; the answer's status; event id; site."""

_BEGINS = re.compile(rb"\d{1,12}:\d{1,3}:[a-z_]+[,;]")
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_ABSOLUTE = re.compile(rb"(https?)://([^/?#]*)(.*)", re.DOTALL)
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?")
_CHUNK = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;[^\r\n]*)?\r?\n")
_TEXTS = ("method", "scheme", "authority", "path", "http_version")
_HOP = frozenset({b"host", b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"te"})

Fields = tuple[tuple[bytes, bytes], ...]


class Damaged(Exception):
    """The bytes are no flow file, or no longer one."""


class Parts(NamedTuple):
    """A request as mitmproxy has it. `authority` is b"" where the target has none."""

    method: bytes
    scheme: bytes
    authority: bytes
    path: bytes
    version: bytes
    fields: Fields
    content: bytes


class Flow(NamedTuple):
    """What a file says of one request. `status` is that of the answer, 0 if there was none."""

    request: bytes
    status: int
    metadata: Mapping[str, Any]


class Told(NamedTuple):
    """What a flow says beside its request; the client's address, and when it came (Unix seconds).

    `error` stands in the place of the answer, without which mitmdump would not show it.
    """

    client: str
    tls: bool
    time: float
    metadata: dict[str, Any]
    comment: str
    marked: str
    error: str


def dumped(value: Any) -> bytes:
    """A value of plain types as a tnetstring."""
    if value is None:
        return b"0:~"
    if isinstance(value, bool):
        return b"4:true!" if value else b"5:false!"
    if isinstance(value, bytes):
        kind, data = b",", value
    elif isinstance(value, str):
        kind, data = b";", value.encode("utf-8", "surrogateescape")
    elif isinstance(value, int):
        kind, data = b"#", b"%d" % value
    elif isinstance(value, float):
        kind, data = b"^", repr(value).encode()
    elif isinstance(value, dict):
        kind, data = b"}", b"".join(dumped(key) + dumped(one) for key, one in value.items())
    else:
        kind, data = b"]", b"".join(map(dumped, value))
    return b"%d:%b%b" % (len(data), data, kind)


def loaded(data: memoryview, depth: int = 0) -> tuple[Any, memoryview]:
    """The first value of `data`, and what follows it. Raises `Damaged`."""
    digits, colon, _ = bytes(data[:13]).partition(b":")
    if not colon or not digits.isdigit() or depth > DEEPEST:
        raise Damaged("is no flow file from here on")
    start = len(digits) + 1
    end = start + int(digits)
    if end >= len(data):
        raise Damaged("breaks off in the middle of a flow")
    return _value(chr(data[end]), data[start:end], depth), data[end + 1 :]


def _value(kind: str, data: memoryview, depth: int) -> Any:
    if kind in "]}":
        values = []
        while data:
            one, data = loaded(data, depth + 1)
            values.append(one)
        if kind == "]":
            return values
        names = [name.decode("ascii", "replace") if isinstance(name, bytes) else name for name in values[::2]]
        if len(values) % 2 or not all(isinstance(name, str) for name in names):
            raise Damaged("holds a table that is none")
        return dict(zip(names, values[1::2], strict=True))
    plain = bytes(data)
    try:
        return _SIMPLE[kind](plain)
    except (KeyError, ValueError):
        raise Damaged("holds a value that is none") from None


_SIMPLE: Mapping[str, Callable[[bytes], Any]] = {
    ",": bytes,
    ";": lambda plain: plain.decode("utf-8", "surrogateescape"),
    "#": int,
    "^": float,
    "!": lambda plain: plain == b"true",
    "~": lambda plain: None,
}


def is_flows(beginning: bytes) -> bool:
    """Whether a file that begins so can be a flow file."""
    return _BEGINS.match(beginning) is not None


def written(raw: bytes, head: int, told: Told, decoded: bool = False) -> bytes:
    """A request as a flow; `head` is where its head ends, 0 if nobody knows, and `decoded` says that its body
    came in chunks that are not there any more."""
    parts = taken_apart(raw, head, told.tls, decoded)
    metadata = dict(told.metadata)
    if not decoded and assembled(parts) != raw:
        metadata[RAW] = raw
    host, port = _server(parts, told.tls)
    client = {
        **_CONNECTION,
        "id": str(uuid.uuid4()),
        "mitmcert": None,
        "peername": (told.client, 0),
        "sockname": ("", 0),
        "proxy_mode": "regular",
        "tls": told.tls,
        "timestamp_start": told.time,
    }
    server = {
        **_CONNECTION,
        "id": str(uuid.uuid4()),
        "address": (host, port),
        "peername": None,
        "sockname": None,
        "timestamp_start": None,
        "timestamp_tcp_setup": None,
        "tls": False,
        "via": None,
    }
    request = {
        "http_version": parts.version,
        "headers": parts.fields,
        "content": parts.content,
        "trailers": None,
        "timestamp_start": told.time,
        "timestamp_end": told.time,
        "host": host,
        "port": port,
        "method": parts.method,
        "scheme": parts.scheme,
        "authority": parts.authority,
        "path": parts.path,
    }
    state = {
        "version": FORMAT,
        "type": "http",
        "id": str(uuid.uuid4()),
        "error": {"msg": told.error, "timestamp": told.time} if told.error else None,
        "client_conn": client,
        "server_conn": server,
        "intercepted": False,
        "is_replay": None,
        "marked": told.marked,
        "metadata": metadata,
        "comment": told.comment,
        "timestamp_created": told.time,
        "backup": None,
        "request": request,
        "response": None,
        "websocket": None,
    }
    return dumped(state)


_CONNECTION: dict[str, Any] = {
    "alpn": None,
    "alpn_offers": (),
    "certificate_list": (),
    "cipher": None,
    "cipher_list": (),
    "error": None,
    "sni": None,
    "timestamp_end": None,
    "timestamp_tls_setup": None,
    "tls_version": None,
    "transport_protocol": "tcp",
}


def read(data: bytes) -> Iterator[Flow | str]:
    """Every request of a flow file, or why something in it is none. A damaged file ends with the latter."""
    rest = memoryview(data)
    while rest:
        try:
            state, rest = loaded(rest)
        except Damaged as error:
            yield str(error)
            return
        yield _flow(state)


def _flow(state: Any) -> Flow | str:
    kind = state.get("type", "") if isinstance(state, dict) else ""
    if kind not in ("http", b"http"):
        return f"holds no request ({kind or 'no flow'})"
    metadata = state.get("metadata") or {}
    response = state.get("response") or {}
    status = metadata.get(STATUS, 0) if not response else response.get("status_code", 0)
    raw = metadata.get(RAW)
    try:
        request = raw if isinstance(raw, bytes) else _sent(state["request"])
        return Flow(request, status if isinstance(status, int) else 0, metadata)
    except (KeyError, TypeError, ValueError):
        return "holds a request without its parts"


def _sent(request: Mapping[str, Any]) -> bytes:
    """The bytes of a request that mitmproxy has taken apart; of HTTP/2 and later as HTTP/1.1."""
    method, scheme, authority, path, version = (bytes(request[name]) for name in _TEXTS)
    fields = tuple((bytes(name), bytes(value)) for name, value in request["headers"])
    content = bytes(request.get("content") or b"")
    parts = Parts(method, scheme, authority, path, version, fields, content)
    if parts.version.startswith((b"HTTP/1.", b"HTTP/0.9")):
        return assembled(parts)
    host = parts.authority or str(request["host"]).encode()
    fields = ((b"Host", host), *(one for one in fields if one[0].lower() not in _HOP | {b"content-length"}))
    if parts.content or parts.method in (b"POST", b"PUT"):
        fields += ((b"Content-Length", b"%d" % len(parts.content)),)
    return assembled(parts._replace(authority=b"", version=b"HTTP/1.1", fields=fields))


def assembled(parts: Parts) -> bytes:
    """The bytes that mitmproxy writes for it (`mitmproxy.net.http.http1.assemble`)."""
    target = parts.path
    if parts.method.upper() == b"CONNECT":
        target = parts.authority
    elif parts.authority:
        target = parts.scheme + b"://" + parts.authority + parts.path
    head = b"%b %b %b\r\n" % (parts.method, target, parts.version)
    lines = b"".join(b"%b: %b\r\n" % field for field in parts.fields)
    content = parts.content
    if _is_chunked(parts.fields):
        content = (b"%x\r\n%b\r\n" % (len(content), content) if content else b"") + b"0\r\n\r\n"
    return head + lines + b"\r\n" + content


def taken_apart(raw: bytes, head: int, tls: bool, decoded: bool = False) -> Parts:
    """A request as well as it can be told: of one that breaks the grammar, what looks most like the part."""
    end = head
    if not end:
        found = _HEAD_END.search(raw)
        end = found.end() if found else len(raw)
    first, *lines = raw[:end].lstrip(b"\r\n").rstrip(b"\r\n").split(b"\n")
    method, _, rest = first.rstrip(b"\r").partition(b" ")
    target, _, version = rest.rpartition(b" ")
    if not version.startswith(b"HTTP/"):
        target, version = rest, b"HTTP/0.9"
    scheme, authority = b"https" if tls else b"http", b""
    if method.upper() == b"CONNECT":
        target, authority = b"", target
    elif absolute := _ABSOLUTE.fullmatch(target):
        scheme, authority, target = absolute.groups()
    fields = _fields(lines)
    content = raw[end:]
    if not decoded and _is_chunked(fields):
        content = _unchunked(content)
    return Parts(method, scheme, authority, target, version, fields, content)


def _fields(lines: list[bytes]) -> Fields:
    fields: list[tuple[bytes, bytes]] = []
    for line in (one.rstrip(b"\r") for one in lines):
        if line[:1] in (b" ", b"\t") and fields:
            name, value = fields.pop()
            fields.append((name, value + b" " + line.strip()))
        elif line:
            name, _, value = line.partition(b":")
            fields.append((name, value.strip(b" \t")))
    return tuple(fields)


def _is_chunked(fields: Fields) -> bool:
    return any(b"chunked" in value.lower() for name, value in fields if name.lower() == b"transfer-encoding")


def _unchunked(body: bytes) -> bytes:
    """What the chunks hold, as far as they are chunks."""
    pieces, place = [], 0
    while found := _CHUNK.match(body, place):
        size = int(found[1], 16)
        pieces.append(body[found.end() : found.end() + size])
        place = found.end() + size
        if not size or body[place : place + 2] != b"\r\n":
            break
        place += 2
    return b"".join(pieces)


def _server(parts: Parts, tls: bool) -> tuple[str, int]:
    """Host and port that were asked for, as far as they are some."""
    named = next((value for name, value in parts.fields if name.lower() == b"host"), b"")
    found = _HOST.fullmatch((parts.authority or named).decode("ascii", "replace"))
    port = int(found[2] or 0) if found else 0
    return (found[1] if found else "unknown"), port if 0 < port < 65536 else 443 if tls else 80
