"""A client, mitmproxy with the addons of the workbench, and an origin, without a socket between them.

mitmproxy's layers are fed with the bytes of the client; their hooks run through the addons as in the program;
what they write is kept by who would get it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from functools import cache
from typing import Any

import msgspec
from mitmproxy import http
from mitmproxy.addons.next_layer import NextLayer
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.connection import Client, ConnectionState
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers import modes
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.test import taddons

from stopgap import config, texts
from stopgap.config import Address
from stopgap.workbench.judge import Judge
from stopgap.workbench.run import FIXED
from stopgap.workbench.verdicts import Verdicts
from stopgap.workbench.wire import Room

ORIGIN = Address("192.0.2.10", 80)
FILE = "talk.toml"


def judge(**site: Any) -> Judge:
    """The judge of one site: IIS 5 in Japanese, with all packs. Made once for each kind of site."""
    return _judge(msgspec.json.encode(site))


@cache
def _judge(site: bytes) -> Judge:
    keys = {"name": "kaikei", "origins": f"http://{ORIGIN}", "server": "iis5", "codepage": 932}
    keys |= msgspec.json.decode(site)
    written = ", ".join(f"{key} = {_toml(value)}" for key, value in keys.items())
    text = f"site = [{{ {written} }}]\n"
    with texts.replaced({FILE: text.encode()}):
        return Judge(config.load(FILE), text)


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + " }"
    return str(value).lower() if isinstance(value, bool) else repr(value)


class Seen:
    """Keeps the flows that mitmproxy shows."""

    def __init__(self) -> None:
        self.flows: list[http.HTTPFlow] = []

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        self.flows.append(flow)


class Bench:
    """mitmproxy with the addons; `before` stand before ours, `behind` behind them."""

    def __init__(self, tctx: Any, judge: Judge, *before: object, room: Room | None = None) -> None:
        self.master = tctx.master
        self.seen = Seen()
        self.verdicts = Verdicts(judge, room or Room(40_000_000, 80_000_000), ORIGIN, self.master)
        self.master.addons.add(NextLayer(), *before, self.seen, self.verdicts, self.verdicts.wire)
        self.options = tctx.options
        tctx.options.update(**{key: value for key, value in FIXED.items() if key in tctx.options})

    def client(self) -> "Talk":
        return Talk(self)


class Talk:
    """One connection of a client."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        client = Client(
            peername=("198.51.100.7", 4711),
            sockname=("127.0.0.1", 8082),
            timestamp_start=0,
            state=ConnectionState.OPEN,
            proxy_mode=ProxyMode.parse(f"reverse:http://{ORIGIN}"),
        )
        self._context = Context(client, bench.options)
        self._top = modes.ReverseProxy(self._context)
        self.got = bytearray()
        """What the client got."""
        self.sent = bytearray()
        """What the origin got."""
        self.closed = False
        self._server: Any = None

    async def start(self) -> "Talk":
        await self._feed(events.Start())
        return self

    async def says(self, data: bytes) -> None:
        await self._feed(events.DataReceived(self._context.client, data))

    async def leaves(self) -> None:
        self._context.client.state &= ~ConnectionState.CAN_READ
        await self._feed(events.ConnectionClosed(self._context.client))
        self._bench.verdicts.wire.client_disconnected(self._context.client)

    async def answers(self, data: bytes) -> None:
        await self._feed(events.DataReceived(self._server, data))

    async def _feed(self, first: events.Event) -> None:
        waiting = deque([first])
        while waiting:
            for command in self._top.handle_event(waiting.popleft()):
                if isinstance(command, commands.StartHook):
                    await self._bench.master.addons.handle_lifecycle(command)
                    if command.blocking:
                        waiting.append(events.HookCompleted(command, None))
                elif isinstance(command, commands.OpenConnection):
                    self._server = command.connection
                    command.connection.state = ConnectionState.OPEN
                    waiting.append(events.OpenConnectionCompleted(command, None))
                elif isinstance(command, commands.SendData):
                    to_client = command.connection is self._context.client
                    (self.got if to_client else self.sent).extend(command.data)
                elif isinstance(command, commands.CloseConnection):
                    command.connection.state = ConnectionState.CLOSED
                    self.closed |= command.connection is self._context.client


def held(test: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
    """Run a test within mitmproxy's loop; it gets the context with its options."""

    async def run() -> None:
        with taddons.context(Proxyserver()) as tctx:
            await test(tctx)

    asyncio.run(run())
