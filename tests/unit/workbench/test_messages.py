"""Do flows become the bytes they stand for, and the core's bytes flows?"""

import pytest

pytest.importorskip("mitmproxy", reason="mitmproxy needs Python 3.12")

from mitmproxy.test import tflow

from stopgap.workbench import messages


def test_a_request_is_written_as_mitmproxy_would() -> None:
    flow = tflow.tflow()
    assert messages.written(flow).startswith(b"GET /path HTTP/1.1\r\nheader: qvalue\r\n")
    flow.request.headers["Transfer-Encoding"] = "chunked"
    assert messages.written(flow).endswith(b"\r\n\r\n7\r\ncontent\r\n0\r\n\r\n")


def test_http2_is_written_as_http1() -> None:
    flow = tflow.tflow()
    flow.request.http_version, flow.request.authority = "HTTP/2.0", "kaikei.test"
    assert messages.written(flow).startswith(b"GET /path HTTP/1.1\r\nHost: kaikei.test\r\n")
    assert flow.request.http_version == "HTTP/2.0"


def test_a_body_that_was_not_kept_is_left_out() -> None:
    flow = tflow.tflow()
    flow.request.raw_content = None
    assert messages.written(flow).endswith(b"\r\n\r\n")


def test_a_flow_takes_what_is_sent() -> None:
    flow = tflow.tflow()
    sent = b"POST /%81%5c?a=\xff HTTP/1.0\r\nHost: a\r\nEmpty: \r\nA: b: c\r\nA: d\r\n\r\nx\r\n\r\ny"
    messages.take(flow, sent)
    assert messages.written(flow) == sent


def test_a_page_becomes_an_answer() -> None:
    made = messages.response(b"HTTP/1.1 413 Content Too Large\r\nX: y\r\nContent-Length: 2\r\n\r\nno")
    assert (made.status_code, made.reason, made.headers["X"], made.raw_content) == (
        413,
        "Content Too Large",
        "y",
        b"no",
    )
