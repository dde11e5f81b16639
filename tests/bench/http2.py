"""What would HTTP/2 to clients cost? CPU microseconds a request of frames and HPACK alone.

    python -m tests.bench.http2 [--requests N]

Two sans-io libraries as the server, as either would stand before the session that judges: `h2` (Python) and,
where it is installed, `ngh2` (bindings of nghttp2). They are fed the bytes of requests that an `h2` client
has written, and write the head and the body of a 1 KiB answer. No socket, no TLS, no translation, no judging
and no origin is in the figure, so it can only be too low. Beside it stands what a whole request through
Stopgap costs over HTTP/1.1, as `make bench` measured it.
"""

import argparse
import importlib
import importlib.util
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived

from tests.bench.load import HEADERS, HOST, PLAIN
from tests.bench.peers import SMALL

KEPT = Path(__file__).parents[2] / "docs" / "performance.json"
BATCH = 50
"""Streams that are open at once; half of what a browser may have."""
ANSWER = [(":status", "200"), ("content-type", "text/html"), ("content-length", str(SMALL))]
BODY = b"x" * SMALL

Server = Callable[[bytes], tuple[int, bytes]]
"""Bytes of a client in; requests answered, and the bytes to send."""


def request() -> list[tuple[str, str]]:
    """The request of the bench's keep-alive case."""
    fields = (line.split(": ", 1) for line in HEADERS)
    pseudo = [(":method", "GET"), (":scheme", "https"), (":authority", HOST), (":path", PLAIN)]
    return [*pseudo, *((name.lower(), value) for name, value in fields)]


def in_python() -> Server:
    server = H2Connection(H2Configuration(client_side=False))
    server.initiate_connection()

    def serve(data: bytes) -> tuple[int, bytes]:
        count = 0
        for event in server.receive_data(data):
            if isinstance(event, RequestReceived) and event.stream_id:
                server.send_headers(event.stream_id, ANSWER)
                server.send_data(event.stream_id, BODY, end_stream=True)
                count += 1
        return count, server.data_to_send()

    return serve


def in_c() -> Server:
    library: Any = importlib.import_module("ngh2")
    server = library.Connection(library.Role.SERVER)
    server.initiate_connection()
    answer = [(name.encode(), value.encode()) for name, value in ANSWER]

    def serve(data: bytes) -> tuple[int, bytes]:
        count = 0
        server.receive_data(data)
        for event in server.events():
            if isinstance(event, library.RequestReceived):
                server.send_response(event.stream_id, answer)
                server.send_data(event.stream_id, BODY, end_stream=True)
                count += 1
        return count, server.data_to_send()

    return serve


def cost(serve: Server, requests: int) -> float:
    """CPU microseconds that the server's side takes a request."""
    client = H2Connection(H2Configuration(client_side=True))
    client.initiate_connection()
    head, spent, served = request(), 0.0, 0
    while served < requests:
        for _ in range(BATCH):
            client.send_headers(client.get_next_available_stream_id(), head, end_stream=True)
        sent = client.data_to_send()
        begun = time.process_time()
        count, answers = serve(sent)
        spent += time.process_time() - begun
        if count != BATCH:
            raise RuntimeError(f"{count} of {BATCH} requests were answered")
        served += count
        client.receive_data(answers)
        client.increment_flow_control_window(SMALL * BATCH)
    return spent * 1e6 / served


def whole() -> float:
    """CPU microseconds of a whole request over HTTP/1.1, as last measured."""
    kept = json.loads(KEPT.read_text("utf-8"))
    return float(kept["cases"]["keepalive"]["peers"]["stopgap"]["cpu"])


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU of HTTP/2's frames and HPACK")
    parser.add_argument("--requests", type=int, default=5000)
    asked = parser.parse_args()
    today = whole()
    print(f"Stopgap over HTTP/1.1, all of it: {today:.1f} us a request")
    libraries = {"h2": in_python, **({"ngh2": in_c} if importlib.util.find_spec("ngh2") else {})}
    for name, server in libraries.items():
        frames = cost(server(), asked.requests)
        print(f"{name}, frames and HPACK alone: {frames:.1f} us a request, {frames / today:.1f} times that")


if __name__ == "__main__":
    main()
