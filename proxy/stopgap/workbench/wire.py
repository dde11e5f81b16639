"""Which bytes did mitmproxy read for a request?

A flow holds what mitmproxy understood: one space between method and target, line ends mended, values trimmed,
chunks joined. The judge wants what the client sent. So a `Recorder` stands where mitmproxy has its reader of
HTTP/1, is that reader, and keeps the bytes that it takes until the flow has asked for them. What mitmproxy
cannot parse has no flow: then the recorder answers as the gate does. It also ends what grows without bound.

This is the one file that leans on parts of mitmproxy that are not its documented interface.
"""

from collections.abc import Callable

from mitmproxy.connection import Client
from mitmproxy.proxy import commands, events, layer, layers
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http._base import ReceiveHttp
from mitmproxy.proxy.layers.http._events import (
    ErrorCode,
    HttpEvent,
    RequestEndOfMessage,
    RequestProtocolError,
    ResponseProtocolError,
)
from mitmproxy.proxy.layers.http._http1 import Http1Server

from stopgap.workbench.judge import Judged

Ask = Callable[[bytes, Client], Judged]
"""Bytes of a request that mitmproxy has not got whole, and their client -> what the gate says."""

LONGEST_HEAD = 256 * 1024
"""Bytes of a head that mitmproxy may collect; the gate's own limits are smaller."""


class Recorder(Http1Server):
    """mitmproxy's reader of one client connection, which remembers the bytes of the request in progress."""

    def __init__(self, context: Context, longest: int, ask: Ask) -> None:
        super().__init__(context)
        self.request_bytes = b""
        """The request that was complete last, as it came."""
        self.refused: Judged | None = None
        """What the gate said of a request that mitmproxy did not take."""
        self._taken = bytearray()
        self._longest = longest
        self._ask = ask

    @property
    def so_far(self) -> bytes:
        """What has come of the request that is not complete, and whatever stands behind it."""
        return bytes(self._taken)

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if isinstance(event, events.DataReceived) and self.state not in (self.passthrough, self.done):
            self._taken += event.data
            in_head = self.state == self.read_headers
            if len(self._taken) > (LONGEST_HEAD if in_head else self._longest):
                yield from self._end(in_head)
                return
        for command in super()._handle_event(event):
            if isinstance(command, ReceiveHttp) and isinstance(command.event, RequestEndOfMessage):
                taken = len(self._taken) - len(self.buf)
                self.request_bytes = bytes(self._taken[:taken])
                del self._taken[:taken]
            yield command

    def read_headers(self, event: events.ConnectionEvent) -> layer.CommandGenerator[None]:
        """As mitmproxy reads a head; what it cannot parse is answered as the gate does."""
        before = len(self.buf)
        for command in super().read_headers(event):
            yield self._answered(command)
        if self.state == self.read_headers and 0 < len(self.buf) < before:
            yield from self.read_headers(event)  # an empty line stood before the request

    def send(self, event: HttpEvent) -> layer.CommandGenerator[None]:
        """As mitmproxy answers; where it refuses a head by its own checks, as the gate does."""
        unread = isinstance(event, ResponseProtocolError) and not self.request_done
        for command in super().send(event):
            yield self._answered(command) if unread else command

    def _answered(self, command: commands.Command) -> commands.Command:
        """mitmproxy's page about a request that it does not take -> the page of the gate."""
        if isinstance(command, commands.SendData):
            self.refused = self._ask(self.so_far, self.context.client)
            if self.refused.answer is not None:
                return commands.SendData(command.connection, self.refused.answer)
        return command

    def _end(self, in_head: bool) -> layer.CommandGenerator[None]:
        """More bytes than any request may have: answer as the gate does, and close."""
        self.refused = self._ask(self.so_far, self.context.client)
        if self.refused.answer and not self.response:
            yield commands.SendData(self.conn, self.refused.answer)
        yield commands.CloseConnection(self.conn)
        if not in_head:
            error = RequestProtocolError(
                self.stream_id, "longer than the workbench reads", ErrorCode.REQUEST_TOO_LARGE
            )
            yield ReceiveHttp(error)
        self.state = self.done


class Wire:
    """The addon that puts a recorder before every client connection, and finds it again."""

    def __init__(self, longest: int, ask: Ask) -> None:
        self._longest = longest
        self._ask = ask
        self._recorders: dict[str, Recorder] = {}

    def next_layer(self, nextlayer: layer.NextLayer) -> None:
        """mitmproxy has built its layers: before the one for HTTP goes the recorder."""
        context = nextlayer.context
        http = context.layers[-1] if nextlayer.layer else None
        if isinstance(http, layers.HttpLayer) and context.client not in http.connections:
            recorder = Recorder(context.fork(), self._longest, self._ask)
            http.connections[context.client] = recorder
            self._recorders[context.client.id] = recorder

    def client_disconnected(self, client: Client) -> None:
        """Nothing more comes."""
        self._recorders.pop(client.id, None)

    def of(self, client: Client) -> Recorder | None:
        """The recorder of a client connection that is open; None for a flow that was played back."""
        return self._recorders.get(client.id)
