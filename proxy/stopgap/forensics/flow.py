"""Which requests does a flow file hold, of Stopgap's evidence or of mitmproxy?

Evidence holds the bytes as they came, secrets aside; what mitmproxy has taken apart becomes the bytes that it
would send. One that came by HTTP/2 is written as HTTP/1.1.
"""

import re
from collections.abc import Iterator

from stopgap.events import flows
from stopgap.forensics.request import Broken, Told

_HOST = re.compile(rb"^host[ \t]*:|\A[A-Za-z]+ https?://", re.IGNORECASE | re.MULTILINE)


def requests(data: bytes) -> Iterator[Told | Broken]:
    """The request of each flow, or why it has none."""
    for flow in flows.read(data):
        if isinstance(flow, str):
            yield Broken(flow)
        else:
            yield Told(flow.request, _HOST.search(flow.request) is not None, flow.status)
