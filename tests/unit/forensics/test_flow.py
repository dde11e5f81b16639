"""Which requests does a flow file hold?"""

from stopgap.events import flows
from stopgap.events.flows import Told as Flow
from stopgap.forensics.flow import requests
from stopgap.forensics.request import Broken, Told

TOLD = Flow("192.0.2.7", False, 1.0, {"stopgap.status": 404}, "", "", "")


def written(raw: bytes) -> bytes:
    return flows.written(raw, 0, TOLD)


def test_each_flow_is_a_request_or_broken() -> None:
    hosted, bare = b"GET /x.ida HTTP/1.1\r\nhost : h\r\n\r\n", b"GET /x.ida\r\n"
    absolute = b"GET http://h/ HTTP/1.0\r\n\r\n"
    found = list(
        requests(written(hosted) + flows.dumped({"type": "udp"}) + written(bare) + written(absolute) + b"7")
    )
    assert found[0] == Told(hosted, True, 404)
    assert isinstance(found[1], Broken) and str(found[1]) == "holds no request (udp)"
    assert found[2:4] == [Told(bare, False, 404), Told(absolute, True, 404)]
    assert isinstance(found[4], Broken) and str(found[4]) == "is no flow file from here on"
