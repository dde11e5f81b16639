"""How is the workbench put together, started and ended?

mitmweb, or mitmdump without its pages, in reverse mode before the origin, with our addons behind all of
mitmproxy's own. Options on which the verdicts lean cannot be changed while it runs. The process has a limit
of memory and keeps nothing in the home folder.
"""

import asyncio
import logging
import resource
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from mitmproxy import ctx, exceptions, flowfilter
from mitmproxy.addons.view import View
from mitmproxy.io import FlowReader
from mitmproxy.master import Master
from mitmproxy.options import Options
from mitmproxy.tools.dump import DumpMaster
from mitmproxy.tools.web.master import WebMaster

from stopgap.config import Address
from stopgap.errors import ConfigError
from stopgap.workbench.judge import Judge
from stopgap.workbench.kept import Kept
from stopgap.workbench.verdicts import Verdicts
from stopgap.workbench.view import Commands
from stopgap.workbench.wire import Room

FIXED: Mapping[str, Any] = {
    "keep_host_header": True,
    "connection_strategy": "lazy",
    "stream_large_bodies": None,
    "body_size_limit": None,
    "http2": False,
    "http3": False,
    "rawtcp": False,
    "websocket": False,
    "validate_inbound_headers": True,
    "onboarding": False,
    "ignore_hosts": [],
    "allow_hosts": [],
    "tcp_hosts": [],
    "web_host": "127.0.0.1",
}
"""Options that are no choice here: with others, something would pass unjudged or unseen, or reach others."""
COLUMNS = ["icon", "method", "path", "status", "size", "time", "comment"]
NOWHERE = Address("127.0.0.1", 9)
"""The origin where there is none: nothing is sent to it."""
MEBIBYTE = 1024 * 1024
HEAD_ROOM = MEBIBYTE
"""Bytes that a request may have beside its body, chunk headers included."""


class Bench(msgspec.Struct, frozen=True):
    """How the workbench is to run. `origin` None: it only shows what is read from files."""

    listen: Address
    origin: Address | None
    web_port: int
    web: bool
    hold: str
    read: str
    keep: int
    memory: int


class NotStarted(Exception):
    """The workbench could not start; the text says why."""


class Guard:
    """The addon that refuses options under which the verdicts would not hold."""

    def __init__(self, fixed: Mapping[str, Any]) -> None:
        self._fixed = fixed

    def configure(self, updated: set[str]) -> None:
        """Options have changed. Raises `OptionsError`, and they change back."""
        for name in updated & self._fixed.keys():
            if getattr(ctx.options, name) != self._fixed[name]:
                raise exceptions.OptionsError(f"{name} cannot be changed in the workbench")


class Banner:
    """The addon that says where everything is once it runs."""

    def __init__(self, master: Master, lines: Callable[[str], list[str]]) -> None:
        self._master = master
        self._lines = lines

    def running(self) -> None:
        """Everything listens."""
        url = self._master.web_url if isinstance(self._master, WebMaster) else ""
        sys.stderr.write("\n".join(self._lines(url)) + "\n")
        sys.stderr.flush()


def need_filter(text: str) -> None:
    """Raise `ConfigError` unless `text` is a filter of mitmproxy's, or empty."""
    try:
        flowfilter.parse(text or ".")
    except ValueError:
        raise ConfigError(
            f'--hold: "{text}" is no filter of mitmproxy\'s; write "~m POST", "~u /login" or "." for all'
        ) from None


def need_flows(file: str) -> None:
    """Raise `ConfigError` unless mitmproxy can read all of a file of flows."""
    try:
        with Path(file).open("rb") as flows:
            for _ in FlowReader(flows).stream():
                pass
    except OSError as error:
        raise ConfigError(f"--read: {file}: cannot be read: {error.strerror}") from None
    except exceptions.FlowReadException as error:
        raise ConfigError(f"--read: {file}: is no whole file of flows: {error}") from None


def limit_memory(mebibytes: int) -> None:
    """Let this process have no more address space than this."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = mebibytes * MEBIBYTE
    resource.setrlimit(
        resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
    )


def room(body: int, memory: int) -> Room:
    """For requests in progress: each is there up to three times, and while it is judged six times."""
    together = memory * MEBIBYTE // 16
    return Room(min(body + HEAD_ROOM, together), together)


def run(bench: Bench, judge: Judge, lines: Callable[[str], list[str]]) -> None:
    """Run until INT or TERM. `lines` tells the start, given the address of the pages. Raises `NotStarted`."""
    limit_memory(bench.memory)
    with tempfile.TemporaryDirectory(prefix="stopgap-workbench-") as folder:
        asyncio.run(_run(bench, judge, folder, lines))


async def _run(bench: Bench, judge: Judge, folder: str, lines: Callable[[str], list[str]]) -> None:
    for name, level in (("", logging.INFO), ("tornado", logging.CRITICAL), ("asyncio", logging.WARNING)):
        logging.getLogger(name).setLevel(level)
    master: Master = WebMaster(Options()) if bench.web else DumpMaster(Options())
    store: View | None = master.addons.get("view")
    chosen = _options(bench, judge, folder)
    fixed = {name: value for name, value in chosen.items() if name in FIXED or name in ("mode", "confdir")}
    verdicts = Verdicts(judge, room(judge.site.limits["body"], bench.memory), bench.origin, master)
    kept = Kept(store, bench.keep, bench.memory * MEBIBYTE // 8)
    master.addons.add(verdicts, verdicts.wire, kept, Commands(judge), Banner(master, lines))
    try:
        master.options.update(**{key: value for key, value in chosen.items() if key in master.options})
    except exceptions.OptionsError as error:
        raise NotStarted(str(error)) from None
    master.addons.add(Guard({key: value for key, value in fixed.items() if key in master.options}))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, master.shutdown)
    try:
        await master.run()
    except SystemExit:
        raise NotStarted("it could not start; the lines above say why") from None
    except OSError as error:
        raise NotStarted(str(error)) from None


def _options(bench: Bench, judge: Judge, folder: str) -> dict[str, Any]:
    origin = bench.origin or NOWHERE
    scheme = "https" if origin.tls else "http"
    tls = judge.site.origin_tls
    return {
        **FIXED,
        "confdir": folder,
        "mode": [f"reverse:{scheme}://{origin}@{bench.listen}"],
        "server": bench.origin is not None,
        "ssl_insecure": not tls.verify,
        "ssl_verify_upstream_trusted_ca": tls.ca or None,
        "intercept": f"~q & ({bench.hold})" if bench.hold else None,  # no answers
        "rfile": bench.read or None,
        "web_port": bench.web_port,
        "web_open_browser": False,
        "web_columns": COLUMNS,
        "termlog_verbosity": "warn" if bench.web else "info",
        "flow_detail": 1,
    }
