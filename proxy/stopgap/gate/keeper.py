"""How is one worker kept alive?

A keeper starts its worker, sends it what it is told to, takes its reports, and starts it again, later each
time, when it has died. The sockets that the worker listens on and its slot of the board are given once and
outlive every process that uses them. States:

======== ===================================================================================
waiting  no process; one is started when `due` has come
starting the process runs, and has no policy yet
serving  a policy is in use
leaving  told to drain
ended    no process, and none will be started
======== ===================================================================================
"""

import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import msgspec

from stopgap.gate.messages import (
    Activated,
    Command,
    Drain,
    Frames,
    Listener,
    Ping,
    Pong,
    Report,
    Start,
    frame,
    reports,
)

WAITING = "waiting"
STARTING = "starting"
SERVING = "serving"
LEAVING = "leaving"
ENDED = "ended"

STDERR = 2
COMMAND = (sys.executable, "-P", "-B", "-m", "stopgap.gate.worker")
FIRST_DELAY = 0.1
LONGEST_DELAY = 15.0
"""Seconds before a dead worker is started again: doubled each time, back to the first after `STEADY`."""
STEADY = 30.0
"""A worker that lived so many seconds was well started."""
SILENCE = 30.0
"""Seconds without an answer to a ping (or without a first policy) after which a worker is killed."""
PING = 1.0
STALL = 2.0
"""When the supervisor itself stood still for longer, its workers are not blamed for that time."""
CHUNK = 1 << 18
ALLOCATOR = "glibc.malloc.tcache_max=4096:glibc.malloc.arena_max=1"
"""How a worker's memory is kept (GLIBC_TUNABLES; the operator's own value wins). It allocates and frees a
few buffers of a head or a small page for each request; glibc's quick lists end at 1 KiB unless told more. The
threads that compile a policy or write to the spool would each keep an arena with what a policy leaves."""


class Keeper:
    """One worker: its process, control socket and state. Used by the supervisor's thread only."""

    def __init__(
        self,
        index: int,
        listen: Sequence[Listener],
        board: int,
        selector: selectors.BaseSelector,
        took: Callable[["Keeper", Report], None],
        command: Sequence[str],
    ) -> None:
        """`took` gets each report; `board` is the descriptor of the memfd."""
        self.index = index
        self.state = WAITING
        self.restarts = 0
        self.version = ""
        self.exit = ""
        self.pong = Pong(n=0)
        self.due = 0.0
        self._listen = list(listen)
        self._board = board
        self._selector = selector
        self._took = took
        self._command = list(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._frames: Frames[Report] = reports()
        self._out = bytearray()
        self._begun = self._heard = self._pinged = self._ticked = 0.0
        self._hung = False
        self._delay = FIRST_DELAY

    @property
    def pid(self) -> int | None:
        """Process id while there is a process."""
        return self._process.pid if self._process else None

    @property
    def delay(self) -> float:
        """Seconds until the next process is started."""
        return max(0.0, self.due - time.monotonic())

    def start(self, now: float) -> None:
        """Start a process."""
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            self._later(now, f"could not be started: {error.strerror}")
            return
        start = Start(index=self.index, control=theirs.fileno(), board=self._board, listen=self._listen)
        try:
            self._process = subprocess.Popen(  # noqa: S603 (our own module)
                [*self._command, msgspec.json.encode(start).decode()],
                stdin=subprocess.DEVNULL,
                stdout=STDERR,
                pass_fds=[start.control, self._board, *(listener.fd for listener in self._listen)],
                process_group=0,
                env={"GLIBC_TUNABLES": ALLOCATOR, **os.environ},
            )
        except OSError as error:
            ours.close()
            self._later(now, f"could not be started: {error.strerror}")
            return
        finally:
            theirs.close()
        ours.setblocking(False)
        self._control, self._frames, self._out = ours, reports(), bytearray()
        self._begun = self._heard = self._pinged = self._ticked = now
        self._hung = False
        self.state, self.version, self.pong = STARTING, "", Pong(n=0)
        self._selector.register(ours, selectors.EVENT_READ, self.ready)

    def send(self, message: Command) -> None:
        """Send, now or as soon as the worker reads."""
        if self._control is not None:
            self._out += frame(message)
            self._flush()

    def drain(self, seconds: float) -> None:
        """Tell the worker to finish and end; without one, none is started any more."""
        if self._process is None:
            self.state = ENDED
        else:
            self.state = LEAVING
            self.send(Drain(seconds=seconds))

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """Kill what is left of the process and close its control socket."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._drop()

    def ready(self, mask: int) -> None:
        """The control socket can be read or written."""
        if mask & selectors.EVENT_WRITE:
            self._flush()
        if mask & selectors.EVENT_READ:
            self._read()

    def tick(self, now: float) -> bool:
        """Look after the process; called often. True when it has ended since the last call."""
        process = self._process
        if process is None:
            if self.state == WAITING and now >= self.due:
                self.start(now)
            return False
        if process.poll() is not None:
            self._reap(now, process)
            return True
        if now - self._ticked > STALL:
            self._heard += now - self._ticked
        self._ticked = now
        if now - self._heard > SILENCE and self.state != LEAVING:
            self._hung = True
            process.kill()
        if self.state == SERVING and now - self._pinged >= PING:
            self._pinged = now
            self.send(Ping(n=self.pong.n + 1))
        return False

    def _reap(self, now: float, process: subprocess.Popen[bytes]) -> None:
        if self._control is not None:
            self._read()
        self._drop()
        self._process = None
        code = process.returncode
        how = f"killed by signal {-code}" if code < 0 else f"exit status {code}"
        if self.state == LEAVING:
            self.state = ENDED
            return
        if now - self._begun >= STEADY:
            self._delay = FIRST_DELAY
        self._later(now, f"killed after {SILENCE:.0f} s without an answer" if self._hung else how)

    def _later(self, now: float, why: str) -> None:
        self.restarts += 1
        self.exit = why
        self.state, self.version = WAITING, ""
        self.due = now + self._delay
        self._delay = min(self._delay * 2, LONGEST_DELAY)

    def _read(self) -> None:
        while self._control is not None:
            try:
                data = self._control.recv(CHUNK)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._drop()
                return
            try:
                messages = self._frames.feed(data)
            except msgspec.DecodeError:
                self.kill()
                self._drop()
                return
            for message in messages:
                self._take(message)

    def _take(self, report: Report) -> None:
        self._heard = time.monotonic()
        if isinstance(report, Pong):
            self.pong = report
        elif isinstance(report, Activated):
            self.version = report.version
            if self.state == STARTING:
                self.state = SERVING
        self._took(self, report)

    def _flush(self) -> None:
        if self._control is None:
            return
        try:
            while self._out:
                sent = self._control.send(memoryview(self._out)[:CHUNK])
                del self._out[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self._out.clear()
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._out else 0)
        self._selector.modify(self._control, wanted, self.ready)

    def _drop(self) -> None:
        """Close the control socket; a worker that still lives ends by that."""
        if self._control is not None:
            self._selector.unregister(self._control)
            self._control.close()
            self._control = None
