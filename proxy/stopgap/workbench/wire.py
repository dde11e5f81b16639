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
from mitmproxy.proxy.layers.http._http1 import Http1Server, make_error_response

from stopgap.workbench.judge import Judged

Ask = Callable[[bytes, Client], Judged]
"""Bytes of a request that mitmproxy has not got whole, and their client -> what the gate says."""

LONGEST_HEAD = 256 * 1024
"""Bytes of a head that mitmproxy may collect; the gate's own limits are smaller."""


class Room:
    """How many bytes the requests in progress may have: one, and all `together`."""

    def __init__(self, longest: int, together: int) -> None:
        self.longest = longest
        self.together = together
        self.used = 0


class Recorder(Http1Server):
    """mitmproxy's reader of one client connection, which remembers the bytes of the request in progress."""

    def __init__(self, context: Context, room: Room, ask: Ask) -> None:
        super().__init__(context)
        self.request_bytes = b""
        """The request that is complete, as it came, until its answer is."""
        self._taken = bytearray()
        self._room = room
        self._weight = 0
        self._ask = ask
        self._judged: Judged | None = None

    def judged(self) -> Judged:
        """What the gate says of a request that mitmproxy does not take; asked once: it has one event."""
        over = self.state == self.done
        if self._judged is None or not (over or self._judged.request == self.came):
            self._judged = self._ask(self.came, self.context.client)
        return self._judged

    @property
    def came(self) -> bytes:
        """The request in progress: whole if it is complete, else what has come so far."""
        return self.request_bytes if self.request_done else bytes(self._taken)

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if isinstance(event, events.DataReceived) and self.state not in (self.passthrough, self.done):
            self._taken += event.data
            self._weigh()
            longest = LONGEST_HEAD if self.state == self.read_headers else self._room.longest
            if len(self._taken) > longest:
                yield from self._give_up("longer than the workbench reads", self._page())
            elif self._room.used > self._room.together:
                page = make_error_response(503, "the workbench has no room for more requests")
                yield from self._give_up("no room beside the requests of others", page)
            else:
                yield from self._handed_on(event)
        else:
            yield from self._handed_on(event)
        self._weigh()

    def _handed_on(self, event: events.Event) -> layer.CommandGenerator[None]:
        for command in super()._handle_event(event):
            if isinstance(command, ReceiveHttp) and isinstance(command.event, RequestEndOfMessage):
                taken = len(self._taken) - len(self.buf)
                self.request_bytes = bytes(self._taken[:taken])
                del self._taken[:taken]
            yield command

    def _weigh(self) -> None:
        """Count what is held here; a request counts until its answer is complete."""
        if not self.request_done:
            self.request_bytes = b""
        self._room.used -= self._weight
        self._weight = len(self._taken) + len(self.request_bytes)
        self._room.used += self._weight

    def forget(self) -> None:
        """The client has gone. Let go at once of what Python would find only as a cycle."""
        self.request_bytes, self._judged = b"", None
        self._taken.clear()
        self._room.used -= self._weight
        self._weight = 0

    def read_headers(self, event: events.ConnectionEvent) -> layer.CommandGenerator[None]:
        """As mitmproxy reads a head; what it cannot parse is answered as the gate does."""
        before = len(self.buf)
        for command in super().read_headers(event):
            yield self._answered(command)
        if self.state == self.read_headers and 0 < len(self.buf) < before:
            yield from self.read_headers(event)  # an empty line stood before the request

    def read_body(self, event: events.Event) -> layer.CommandGenerator[None]:
        """As mitmproxy reads a body; one with a fault in it is answered too, and so is one with trailers."""
        try:
            for command in super().read_body(event):
                broken = isinstance(command, commands.CloseConnection)
                if broken and isinstance(event, events.DataReceived) and not self.request_done:
                    yield commands.SendData(self.conn, self._page())
                yield command
        except NotImplementedError as error:  # mitmproxy raises it for trailers
            yield from self._give_up(str(error), self._page())

    def send(self, event: HttpEvent) -> layer.CommandGenerator[None]:
        """As mitmproxy answers; where it refuses a head by its own checks, as the gate does."""
        checked = (
            isinstance(event, ResponseProtocolError) and event.code is ErrorCode.REQUEST_VALIDATION_FAILED
        )
        for command in super().send(event):
            yield self._answered(command) if checked else command

    def _answered(self, command: commands.Command) -> commands.Command:
        """mitmproxy's page about a request that it does not take -> the page of the gate."""
        if isinstance(command, commands.SendData):
            answer = self.judged().answer
            if answer is not None:
                return commands.SendData(command.connection, answer)
        return command

    def _page(self) -> bytes:
        """The page of the gate, or of mitmproxy where the gate has none."""
        answer = self.judged().answer
        return make_error_response(501, "mitmproxy cannot read this request") if answer is None else answer

    def _give_up(self, why: str, page: bytes) -> layer.CommandGenerator[None]:
        """Answer unless an answer has begun, close, and read no more."""
        if page and not self.response:
            yield commands.SendData(self.conn, page)
        yield commands.CloseConnection(self.conn)
        if self.request:
            error = RequestProtocolError(self.stream_id, why, ErrorCode.GENERIC_CLIENT_ERROR)
            yield ReceiveHttp(error)
        self._taken.clear()
        self.state = self.done


class Wire:
    """The addon that puts a recorder before every client connection, and finds it again."""

    def __init__(self, room: Room, ask: Ask) -> None:
        self._room = room
        self._ask = ask
        self._recorders: dict[str, Recorder] = {}

    def next_layer(self, nextlayer: layer.NextLayer) -> None:
        """mitmproxy has built its layers: before the one for HTTP goes the recorder."""
        context = nextlayer.context
        http = context.layers[-1] if nextlayer.layer else None
        if isinstance(http, layers.HttpLayer) and context.client not in http.connections:
            recorder = Recorder(context.fork(), self._room, self._ask)
            http.connections[context.client] = recorder
            self._recorders[context.client.id] = recorder

    def client_disconnected(self, client: Client) -> None:
        """Nothing more comes."""
        if recorder := self._recorders.pop(client.id, None):
            recorder.forget()

    def of(self, client: Client) -> Recorder | None:
        """The recorder of a client connection that is open; None for a flow that was played back."""
        return self._recorders.get(client.id)
