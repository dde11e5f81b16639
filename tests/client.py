"""What does a client make of the bytes it gets? h11's reading of one answer."""

import h11

from tests.conversation import Transcript


def heard(said: Transcript, method: bytes) -> tuple[int, bytes, list[tuple[bytes, bytes]], bool]:
    """The final answer by h11's reading: status, body, headers, and whether anything follows it."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(
        h11.Request(method=method, target="/", headers=[("Host", "vector.test"), ("Content-Length", "0")])
    )
    connection.send(h11.EndOfMessage())
    connection.receive_data(said.client)
    if said.closed:
        connection.receive_data(b"")
    event = connection.next_event()
    while isinstance(event, h11.InformationalResponse):
        event = connection.next_event()
    assert isinstance(event, h11.Response), event
    headers = [(bytes(name), bytes(value)) for name, value in event.headers]
    body = b""
    while isinstance(data := connection.next_event(), h11.Data):
        body += data.data
    assert isinstance(data, h11.EndOfMessage), data
    return event.status_code, body, headers, bool(connection.trailing_data[0])
