"""Do messages arrive whole, however the stream is cut?"""

import msgspec
import pytest

from stopgap.gate import messages

SENT: list[messages.Report] = [
    messages.Ready(),
    messages.Failed(version="abc", error="rule x: wrong"),
    messages.Events(
        lines=[
            (
                *(1, 0, 5, 5, "kaikei", "refused", "denied", "extension-denied", 404, "ida-idq", "raw", 3),
                *("GET", b"/\x89\xef.ida", 6, "h", b"\xff", "192.0.2.1", "block", 0),
            )
        ]
    ),
    messages.Pong(n=3, origins=[messages.OriginState("s", "http://192.0.2.1:80", True, 1, 2, 0)]),
]


@pytest.mark.parametrize("step", [1, 3, 100_000])
def test_any_cut_gives_the_same(step: int) -> None:
    stream = b"".join(map(messages.frame, SENT))
    frames = messages.reports()
    got = [
        message
        for start in range(0, len(stream), step)
        for message in frames.feed(stream[start : start + step])
    ]
    assert got == SENT


def test_policy_is_carried_as_bytes() -> None:
    site = messages.Site(name="s", origins=("http://192.0.2.1:80",), counters=(0,))
    sent = messages.Activate(version="v", spec=b'{"rules": []}', sites=[site])
    (got,) = messages.commands().feed(messages.frame(sent))
    assert got == sent
    assert isinstance(got, messages.Activate) and hash(got.sites[0]) == hash(site)


def test_wrong_message() -> None:
    with pytest.raises(msgspec.DecodeError):
        messages.commands().feed(messages.frame(messages.Ready()))
    with pytest.raises(msgspec.DecodeError, match="control frame of"):
        messages.commands().feed(b"\xff\xff\xff\xff")


def test_a_frame_that_is_no_text_is_named() -> None:
    with pytest.raises(msgspec.DecodeError, match="not UTF-8"):
        messages.reports().feed(b'\x00\x00\x00\x10{"type":"read\xf2"}')
