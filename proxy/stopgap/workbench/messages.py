"""How does a flow of mitmproxy become bytes on the wire, and bytes a part of a flow?"""

from mitmproxy import http
from mitmproxy.net.http import http1

HEAD_END = b"\r\n\r\n"


def written(flow: http.HTTPFlow) -> bytes:
    """The request as mitmproxy holds it, on the wire. One of HTTP/2 or 3 is written as HTTP/1.1."""
    request = flow.request
    if request.is_http2 or request.is_http3:
        request = request.copy()
        if "host" not in request.headers:
            request.headers.insert(0, "Host", request.authority or request.host)
        request.http_version, request.authority = "HTTP/1.1", ""
    if request.raw_content is None:
        return bytes(http1.assemble_request_head(request))
    return bytes(http1.assemble_request(request))


def take(flow: http.HTTPFlow, sent: bytes) -> None:
    """Let the request of a flow be what the gate sends to the origin."""
    line, fields, body = _parts(sent)
    method, target, version = line.split(b" ", 2)
    data = flow.request.data
    data.method, data.path, data.http_version, data.authority = method, target, version, b""
    data.headers, data.content, data.trailers = fields, body, None


def response(answer: bytes) -> http.Response:
    """The page of the gate as an answer."""
    line, fields, body = _parts(answer)
    version, status, reason = line.split(b" ", 2)
    made = http.Response.make(int(status), body, fields)
    made.data.http_version, made.data.reason = version, reason
    return made


def _parts(message: bytes) -> tuple[bytes, http.Headers, bytes]:
    """First line, fields and body of a message as the core writes it."""
    head, _, body = message.partition(HEAD_END)
    line, *lines = head.split(b"\r\n")
    pairs = [one.partition(b":") for one in lines]
    return line, http.Headers([(name, value.removeprefix(b" ")) for name, _, value in pairs]), body
