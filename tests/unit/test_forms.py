"""Which requests wait for their body, and what is a form's body judged by? Bytes in, commands out."""

import pytest

from stopgap import _core
from tests.conversation import Conversation, Transcript, bytewise, converse
from tests.policies import rule, site, specification

TOOL_SHELL = rule(
    "tool-shell",
    {
        "all": [
            {"field": "basename", "test": "equals", "value": ["toolpane.aspx"]},
            {
                "field": "form",
                "same": [
                    {"on": "name", "test": "equals", "value": ["MSOTlPn_DWP"]},
                    {"on": "value", "test": "contains", "value": ["CompressedDataTable"]},
                ],
            },
        ]
    },
)
POLICY = _core.Policy(specification([site("iis10")], [TOOL_SHELL]))
PANE = "/_layouts/15/tool%70ane.aspx"
FORM = "application/x-www-form-urlencoded"
ATTACK = b"a=b&msotlpn_dwp=%3Cx Compr%65ssedDataTable%3E"


def head(path: str, kind: str, length: int) -> bytes:
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: vector.test",
        f"Content-Type: {kind}",
        f"Content-Length: {length}",
    )
    return "\r\n".join((*lines, "", "")).encode()


def begun(path: str, kind: str) -> Transcript:
    """A streamed upload of a megabyte, of which the first bytes have come."""
    conversation = Conversation(POLICY)
    conversation.receive(head(path, kind, 1_000_000))
    conversation.receive(b"x" * 1000)
    return conversation.said


@pytest.mark.parametrize(
    ("path", "kind", "commands"),
    [
        ("/upload.aspx", FORM, ["OPEN", "BODY"]),
        (PANE, "multipart/form-data; boundary=x", ["OPEN", "BODY"]),
        (PANE, FORM, ["WAIT", "WAIT"]),
    ],
)
def test_only_a_body_that_may_decide_is_waited_for(path: str, kind: str, commands: list[str]) -> None:
    assert begun(path, kind).commands == commands


def test_a_form_is_refused_in_any_pieces() -> None:
    request = head(PANE, FORM, len(ATTACK)) + ATTACK
    for pieces in ([request], bytewise(request), [request[:-10], request[-10:]]):
        said = converse(POLICY, pieces)
        assert (said.reasons, said.requests) == (["segment-denied"], [])
    chunked = request.replace(f"Content-Length: {len(ATTACK)}".encode(), b"Transfer-Encoding: chunked")
    chunked = chunked.replace(ATTACK, b"%x\r\n%s\r\n0\r\n\r\n" % (len(ATTACK), ATTACK))
    assert converse(POLICY, [chunked]).reasons == ["segment-denied"]


def test_what_lies_behind_the_window_is_not_read() -> None:
    for padding, reasons in ((65_000, ["segment-denied"]), (70_000, [])):
        body = b"p=" + b"x" * padding + b"&" + ATTACK
        said = converse(POLICY, [head(PANE, FORM, len(body)), body])
        assert said.reasons == reasons


def test_a_form_that_can_be_read_in_too_many_ways_is_refused() -> None:
    value = b"%zz%ff%c2%a5%e2%88%96%ef%bc%85%2525%25zz%25ff%25%e2%252588%5z%25c0"
    policy = _core.Policy(specification([site("any", (1252, 932))], [TOOL_SHELL]))
    for path, reasons in ((PANE.replace("%70", "p"), ["too-many-readings"]), ("/other.aspx", [])):
        said = converse(policy, [head(path, FORM, len(value) + 2) + b"a=" + value])
        assert said.reasons == reasons
