"""Is what a flow file holds the request as it was sent, and is a damaged file told from a whole one?

That mitmproxy reads these files, and we its own, is shown with the real one: tests/e2e/test_mitmproxy.py.
"""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stopgap.events import flows
from stopgap.events.flows import Damaged, Flow, Told

TOLD = Told("192.0.2.7", False, 1000.5, {"stopgap.site": "会計"}, "Refused.", ":red_circle:", "refused")
PLAIN = b"POST /a%20b?c=\x82\xa0 HTTP/1.1\r\nHost: h:81\r\nContent-Length: 3\r\nX: \r\n\r\nabc"
ODD = [
    b"GET /x.ida\r\n",
    b"",
    b"\r\n\r\nGET / HTTP/1.0\r\n\r\n",
    b"GET / HTTP/1.1\nHost: h\n\n",
    b"GET / HTTP/1.1\r\nHost:h\r\n\r\n",
    b"GET / HTTP/1.1\r\nA: b\r\n c\r\nno colon\r\n\r\n",
    b"\0\xff",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
]

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.binary() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def state(data: bytes) -> dict[str, object]:
    """The one flow of a file."""
    value, rest = flows.loaded(memoryview(data))
    assert not rest
    assert isinstance(value, dict)
    return value


@given(values)
def test_a_value_comes_back(value: object) -> None:
    read, rest = flows.loaded(memoryview(flows.dumped(value)))
    assert (json.dumps(read, default=repr), bytes(rest)) == (json.dumps(value, default=repr), b"")


@given(st.binary() | st.from_regex(rb"[0-9:,;#^!~\]}]{0,40}", fullmatch=True))
def test_any_bytes_are_flows_or_damaged(data: bytes) -> None:
    assert all(isinstance(one, str) for one in flows.read(data))


@pytest.mark.parametrize(
    "data", [b"5:abc,", b"x", b"3:abc", b"1:a?", b"4:2:a;}", b"4:1:1#}", b"1:x#", b"1" * 20]
)
def test_damaged(data: bytes) -> None:
    with pytest.raises(Damaged):
        flows.loaded(memoryview(data))
    assert len(list(flows.read(data))) == 1


def test_nesting_is_bounded() -> None:
    deep: object = None
    for _ in range(flows.DEEPEST + 2):
        deep = [deep]
    with pytest.raises(Damaged):
        flows.loaded(memoryview(flows.dumped(deep)))


@pytest.mark.parametrize("raw", [PLAIN, *ODD])
def test_a_request_comes_back_byte_for_byte(raw: bytes) -> None:
    head = raw.find(b"\r\n\r\n") + 4 if raw == PLAIN else 0
    (flow,) = flows.read(flows.written(raw, head, TOLD))
    assert isinstance(flow, Flow)
    assert (flow.request, flow.metadata["stopgap.site"]) == (raw, "会計")
    assert (flows.RAW in flow.metadata) == (raw != PLAIN)


@given(st.binary(max_size=200), st.integers(0, 300))
def test_any_request_comes_back(raw: bytes, head: int) -> None:
    (flow,) = flows.read(flows.written(raw, min(head, len(raw)), TOLD))
    assert isinstance(flow, Flow)
    assert flow.request == raw


def test_what_mitmproxy_is_told() -> None:
    written = state(flows.written(PLAIN, PLAIN.find(b"\r\n\r\n") + 4, TOLD))
    assert (written["version"], written["type"], written["comment"]) == (21, "http", "Refused.")
    assert (written["marked"], written["error"]) == (":red_circle:", {"msg": "refused", "timestamp": 1000.5})
    request = written["request"]
    assert isinstance(request, dict)
    assert (request["host"], request["port"], request["method"]) == ("h", 81, b"POST")
    assert (request["path"], request["content"]) == (b"/a%20b?c=\x82\xa0", b"abc")


@pytest.mark.parametrize(
    ("raw", "host", "port", "content"),
    [
        (b"GET http://x.example:8080/a HTTP/1.1\r\nHost: y\r\n\r\n", "x.example", 8080, b""),
        (b"GET / HTTP/1.1\r\nHost: [::1]:81\r\n\r\n", "[::1]", 81, b""),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "unknown", 80, b""),
        (b"GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", "a", 80, b""),
        (b"CONNECT h:443 HTTP/1.1\r\n\r\n", "h", 443, b""),
        (ODD[-1], "unknown", 80, b"abc"),
    ],
)
def test_where_it_went_and_what_it_held(raw: bytes, host: str, port: int, content: bytes) -> None:
    request = state(flows.written(raw, 0, TOLD))["request"]
    assert isinstance(request, dict)
    assert (request["host"], request["port"], request["content"]) == (host, port, content)


def test_a_body_whose_chunks_are_gone_is_sent_in_one() -> None:
    head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    (flow,) = flows.read(flows.written(head + b"abc", len(head), TOLD, decoded=True))
    assert isinstance(flow, Flow)
    assert flow.request == head + b"3\r\nabc\r\n0\r\n\r\n"


def request(**more: object) -> bytes:
    """A flow as mitmproxy might have written it."""
    parts = {
        "method": b"GET",
        "scheme": b"https",
        "authority": b"",
        "path": b"/a",
        "http_version": b"HTTP/1.1",
    }
    parts_more = {"headers": [[b"Host", b"h"]], "content": b"", "host": "h", "port": 443, **more}
    return flows.dumped(
        {"type": "http", "request": {**parts, **parts_more}, "response": {"status_code": 404}}
    )


def test_flows_of_mitmproxy() -> None:
    http2 = request(
        http_version=b"HTTP/2.0",
        authority=b"h2",
        method=b"POST",
        headers=[[b"te", b"x"], [b"a", b"b"]],
        content=b"c",
    )
    tcp = flows.dumped({"type": "tcp"})
    first, second, *rest = flows.read(
        request() + http2 + tcp + request(headers=3) + request(content=None) + b"9:x"
    )
    assert first == Flow(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n", 404, {})
    assert isinstance(second, Flow)
    assert second.request == b"POST /a HTTP/1.1\r\nHost: h2\r\na: b\r\nContent-Length: 1\r\n\r\nc"
    assert rest[:2] == ["holds no request (tcp)", "holds a request without its parts"]
    assert isinstance(rest[2], Flow)
    assert rest[3:] == ["breaks off in the middle of a flow"]


def test_a_flow_file_is_known_by_its_beginning() -> None:
    assert flows.is_flows(flows.written(PLAIN, 0, TOLD))
    assert flows.is_flows(request())
    for text in (b"", b"GET / HTTP/1.0\r\n", b"127.0.0.1 - - [", b"12:30:59 GET /", b"{"):
        assert not flows.is_flows(text)
