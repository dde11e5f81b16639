"""What do clients send? Strategies for whole, well-formed requests, and for places to cut their bytes."""

import re
from dataclasses import dataclass

import h11
from hypothesis import strategies as st

METHODS = (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PROPFIND", b"SEARCH", b"REPORT")
BODILESS = (b"GET", b"HEAD")
TOKEN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"
NOT_OURS = frozenset(
    b"host connection keep-alive proxy-connection te trailer transfer-encoding content-length "
    b"content-encoding expect upgrade http2-settings forwarded via cookie authorization "
    b"max-forwards range".split()
)
"""Names that mean something to the gate; a property names those it is about itself."""


@dataclass(frozen=True)
class Sent:
    """A request as a client meant it."""

    method: bytes
    target: bytes
    version: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes | None  # None: none declared
    chunks: tuple[int, ...] = ()  # sizes of chunks; () with a body: Content-Length

    @property
    def framing(self) -> list[tuple[bytes, bytes]]:
        if self.body is None:
            return []
        if self.chunks:
            return [(b"Transfer-Encoding", b"chunked")]
        return [(b"Content-Length", b"%d" % len(self.body))]

    def wire(self) -> bytes:
        """The bytes, written by h11."""
        connection = h11.Connection(h11.CLIENT)
        headers = [(b"Host", b"vector.test"), *self.headers, *self.framing]
        event = h11.Request(method=self.method, target=self.target, headers=headers, http_version=b"1.1")
        data = connection.send(event) or b""
        if self.version == b"1.0":
            data = data.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1)
        body = self.body or b""
        for piece in slices(body, self.chunks):
            data += connection.send(h11.Data(data=piece)) or b""
        return data + (connection.send(h11.EndOfMessage()) or b"")


def slices(data: bytes, sizes: tuple[int, ...]) -> list[bytes]:
    """The data in pieces of these sizes, the sizes again and again; never an empty piece."""
    pieces = []
    turn = 0
    while data:
        size = sizes[turn % len(sizes)] if sizes else len(data)
        pieces.append(data[:size])
        data = data[size:]
        turn += 1
    return pieces


SEGMENT = st.text(TOKEN + "_~!$'()*,=@+", max_size=10).filter(
    lambda text: "~" not in text and "*" not in text
)
QUERY = st.text(TOKEN + "_.~!$&'()*,=:@/?;+[]|{}^`\\\"<>", max_size=30).map(str.encode)


DEVICE = re.compile(r"(?i)/(aux|con|nul|prn|clock\$|com\d|lpt\d)(\.|/|$)")

paths = (
    st.tuples(st.lists(SEGMENT, max_size=4), st.sampled_from(["", "x.html", "a.asp", "/"]))
    .map(lambda parts: "/" + "/".join(parts[0]) + parts[1])
    .filter(lambda path: not DEVICE.search(path))
)


@st.composite
def targets(draw: st.DrawFn) -> bytes:
    """A path and a query in which no reading finds anything odd."""
    query = draw(st.one_of(st.none(), QUERY))
    return draw(paths).encode() + (b"" if query is None else b"?" + query)


header_names = (
    st.text(TOKEN + "!#$%&'*+.^_`|~", min_size=1, max_size=16)
    .map(str.encode)
    .filter(lambda name: name.lower() not in NOT_OURS and not name.lower().startswith(b"x-forwarded"))
)
header_values = st.one_of(
    st.text("abcXYZ0123456789 ,;=:/()\"'<>[]{}@?!%&*+-_.\t|\\~^`$#", max_size=40).map(
        lambda text: text.strip(" \t").encode()
    ),
    st.binary(max_size=12).map(lambda data: bytes(byte | 0x80 for byte in data)),
)
header_lists = st.lists(st.tuples(header_names, header_values), max_size=6).map(tuple)


@st.composite
def sent(draw: st.DrawFn) -> Sent:
    """A well-formed request that no limit of a default site forbids."""
    method = draw(st.sampled_from(METHODS))
    version = draw(st.sampled_from([b"1.1", b"1.1", b"1.0"]))
    body = None if method in BODILESS else draw(st.one_of(st.none(), st.binary(max_size=600)))
    chunked = body is not None and version == b"1.1" and draw(st.booleans())
    chunks = tuple(draw(st.lists(st.integers(1, 90), min_size=1, max_size=4))) if chunked else ()
    return Sent(method, draw(targets()), version, draw(header_lists), body, chunks)


places = st.lists(st.integers(0, 3000), max_size=12)
"""Where to cut a stream of bytes."""
