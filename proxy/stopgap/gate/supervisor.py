"""Who starts, watches and ends the workers?

One thread that waits for signals, control sockets and questions of the admin server, and a short tick for
what depends on time. It never touches a client's bytes. What it does on a signal:

==== =====================================================================================
HUP  reload: `reload.py`
TERM drain: no new connections, finish what runs up to `drain` seconds, end; QUIT is the same
INT  end at once; so does a second TERM
USR1 open the event file anew
USR2 upgrade: start the program as it is on disk now; once it serves, hand over to it, drain
==== =====================================================================================
"""

import concurrent.futures
import contextlib
import mmap
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Sequence

from stopgap import _core
from stopgap.admin import status as told
from stopgap.admin.metrics import Board, Metrics
from stopgap.admin.server import AdminServer
from stopgap.config import Config
from stopgap.errors import InputError
from stopgap.events.writer import Writer
from stopgap.gate import keeper, notify, privilege, sockets
from stopgap.gate.bell import Bell
from stopgap.gate.handover import Counters, Handover
from stopgap.gate.keeper import Keeper
from stopgap.gate.messages import Activated, Events, Evidence, Failed, Listener, Ready, Report
from stopgap.gate.reload import Reloads, Watch
from stopgap.gate.snapshot import snapshot, turned
from stopgap.gate.sockets import StartError
from stopgap.gate.succession import NOBODY, Predecessor, Succession
from stopgap.ruleset.history import Kept
from stopgap.say import say

TICK = 0.25
GRACE = 2.0
"""Seconds beyond the drain that a worker gets before it is killed."""
TRIES = 3
"""So often may a worker die before the first policy was ever in use."""
UPGRADING = "an upgrade is under way; ask again"
INTERRUPTED = 130
"""Exit code when INT came before anything was served."""


class Supervisor:
    """The gate as one process: workers, sockets, board, events and the admin server."""

    def __init__(
        self,
        read: Callable[[], Config],
        command: Sequence[str] = keeper.COMMAND,
        clock: Callable[[], float] = time.time,
        before: Predecessor = NOBODY,
    ) -> None:
        """Load, check and open everything; nothing is served yet.

        `read` gives the configuration, now and at every reload; `command` starts a worker; `clock` is asked
        for the day; `before` is the supervisor whose place this one takes.
        Raises `InputError` when the configuration is wrong and `StartError` when a port cannot
        be had.
        """
        self._beat, self._beaten = notify.watchdog_seconds(), 0.0
        self.state = "starting"
        self.started = time.time()
        config = read()
        privilege.join(config.identity)
        with contextlib.ExitStack() as opened:
            self._rows = sockets.listeners(config.addresses, config.workers, before.listen)
            for row in self._rows:
                for sock in row:
                    opened.enter_context(sock)
            door = sockets.listener(config.admin, before.admin) if config.admin else None
            self._door = opened.enter_context(door) if door else None
            rights = privilege.leave(config.identity)
            try:
                self.reloads = Reloads(read, clock, Watch(self._living, self._pulse, self._taken, self._look))
            except InputError as error:
                raise InputError(*error.problems, *privilege.hint(config.identity)) from None
            try:
                self.writer = Writer(config.log, self.handover.known(), self.handover.config.telling)
            except OSError as error:
                raise StartError(f"log: {config.log}: cannot be opened: {error.strerror}") from None
            self._bell = opened.enter_context(contextlib.closing(Bell()))
            self._selector = opened.enter_context(selectors.DefaultSelector())
            memory = os.memfd_create("stopgap-board")
            opened.callback(os.close, memory)
            self._opened = opened.pop_all()
        os.ftruncate(memory, (config.workers * _core.BOARD_WORDS + _core.RATE_WORDS) * 8)
        words = memoryview(mmap.mmap(memory, 0)).cast("Q")
        words[1 - _core.RATE_WORDS] = int.from_bytes(os.urandom(8), "big")
        self.board = Board(words, config.workers)
        places = tuple(dict.fromkeys(str(sockets.bound(sock)) for sock in self._rows[0]))
        self.listen, self.redirect = places[: len(config.listen)], places[len(config.listen) :]
        self.admin = str(sockets.bound(door)) if door else ""
        self.keepers = [
            Keeper(index, _listeners(row, config), memory, self._selector, self._took, command)
            for index, row in enumerate(self._rows)
        ]
        metrics = Metrics(self.board, self.reloads.counters, lambda: self.status)
        self._server = AdminServer(door, self, metrics, self.handover.token) if door else None
        self._succession = Succession(before, say)
        self._deadline = 0.0
        self._end: int | None = None
        self._interrupted = False
        self._rights = rights
        self._failure = ""
        self.status: told.Status = snapshot(self)

    @property
    def handover(self) -> Handover:
        """The policy in use."""
        return self.reloads.used

    @property
    def counters(self) -> Counters:
        """Which place on the board belongs to whom."""
        return self.reloads.counters

    def rulesets(self) -> list[Kept]:
        """The rulesets that are kept, oldest first."""
        return self.reloads.versions.all()

    def ask(self, verb: str) -> told.Answer:
        """What `status.Source` names, from another thread; waits for the answer."""
        return self._bell.ask(verb)

    def run(self, ready: Callable[[], None]) -> int:
        """Serve until told to stop; the exit code. `ready` is called once, when all workers serve.

        To be called in the main thread. Raises `StartError` when the workers cannot start.
        """
        _warn(self.handover)
        self._bell.listen()
        self._selector.register(self._bell, selectors.EVENT_READ, self._hear)
        self.writer.start()
        self._succession.enter(self._selector, self._server.start if self._server else None)
        told_ready = False
        try:
            while self._end is None:
                self._tick()
                if self.state == "ready" and not told_ready:
                    told_ready = True
                    ready()
                    if self._rights:
                        say(f"warning: {self._rights}")
                for key, mask in self._selector.select(TICK):
                    key.data(mask)
        finally:
            self._close()
        if self._failure:
            raise StartError(self._failure)
        return self._end

    # What comes in

    def _hear(self, _: int) -> None:
        """The bell rang."""
        actions: dict[int, Callable[[], None]] = {
            signal.SIGHUP: self._reload,
            signal.SIGTERM: self._stop,
            signal.SIGQUIT: self._stop,
            signal.SIGINT: self._stop_now,
            signal.SIGUSR1: self.writer.reopen,
            signal.SIGUSR2: self._upgrade,
        }
        for number in self._bell.signals():
            if number in actions:
                actions[number]()
        for verb, future in self._bell.questions():
            if self.state == "draining":
                future.set_result(told.Answer(verb == "drain", "draining already"))
            elif verb == "drain":
                future.set_result(told.Answer(True, f"draining for up to {self.handover.drain:g} s"))
                self._stop()
            elif verb == "upgrade":
                self._upgrade(future)
            elif verb.startswith(("rollback", "reload ")):
                self._switch(verb, future)
            else:
                self._reload(future)

    def _took(self, worker: Keeper, report: Report) -> None:
        """A worker said something."""
        if isinstance(report, Events):
            self.writer.put(report.lines)
        elif isinstance(report, Evidence):
            self.writer.keep(report)
        elif isinstance(report, Ready):
            self.reloads.greet(worker)
        elif isinstance(report, Activated):
            self.reloads.activated(worker, report.version)
        elif isinstance(report, Failed):
            self._refused(worker, report.error)

    def _refused(self, worker: Keeper, error: str) -> None:
        if self.state == "starting":
            self._fail(f"worker {worker.index} cannot use the policy: {error}")
        elif self.reloads.running:
            self.reloads.abandon(f"worker {worker.index} cannot use the new policy: {error}")
        else:
            say(f"worker {worker.index} cannot use the policy and is started anew: {error}")
            worker.kill()

    # What time brings

    def _tick(self) -> None:
        now = time.monotonic()
        for worker in self.keepers:
            if worker.tick(now):
                self._died(worker)
        states = {worker.state for worker in self.keepers}
        if self.state == "starting" and states == {keeper.SERVING}:
            self.state = "ready"
            self._succession.serving()
            notify.notify("READY=1", f"STATUS=serving on {', '.join(self.listen)}")
            self.reloads.serving()
        self.reloads.tick(now)
        if self._succession.tick(now):
            self._retire()
        if self.state == "draining":
            if states == {keeper.ENDED}:
                self._end = INTERRUPTED if self._interrupted else 0
            elif now > self._deadline:
                for worker in self.keepers:
                    worker.kill()
        self._pulse()
        self._look()

    def _look(self) -> None:
        """See how things are, and say which origins have gone down or come back."""
        before, self.status = self.status, snapshot(self)
        for line in turned(before, self.status):
            say(line)

    def _pulse(self) -> None:
        """Tell systemd's watchdog that this process lives."""
        if self._beat is not None and time.monotonic() - self._beaten >= self._beat:
            self._beaten = time.monotonic()
            notify.notify("WATCHDOG=1")

    def _died(self, worker: Keeper) -> None:
        self.board.settle(worker.index)
        if self.state == "draining":
            return
        say(f"worker {worker.index} ended ({worker.exit}); the next one starts in {worker.delay:.1f} s")
        if self.state == "starting" and worker.restarts >= TRIES:
            self._fail(f"worker {worker.index} ended {TRIES} times while starting ({worker.exit})")
        self.reloads.died(worker)

    # Reload

    def _reload(self, future: "concurrent.futures.Future[told.Answer] | None" = None) -> None:
        if self.state != "draining":
            self.reloads.begin(UPGRADING if self._succession.pending else "", future)

    def _switch(self, verb: str, future: "concurrent.futures.Future[told.Answer]") -> None:
        """To what was kept of another version, or to the version that the files are said to give."""
        what, _, version = verb.partition(" ")
        if why := self._occupied():
            future.set_result(told.Answer(False, why))
        elif what == "rollback":
            self.reloads.roll_back(version, future)
        else:
            self.reloads.reload_to(version, future)

    def _occupied(self) -> str:
        """Why nothing can be changed just now, or ""."""
        if self.state == "draining":
            return "the gate ends"
        if self._succession.pending:
            return UPGRADING
        if self.state != "ready" or self.reloads.running:
            return "a policy is on its way to the workers; ask again"
        return ""

    def _taken(self, used: Handover) -> None:
        """All workers use a new policy."""
        self.writer.follow(used.known(), used.config.telling)
        if self._server is not None:
            self._server.token = used.token
        _warn(used)

    def _living(self) -> list[Keeper]:
        """The workers that have a policy, or are about to."""
        return [worker for worker in self.keepers if worker.state in (keeper.STARTING, keeper.SERVING)]

    # Succession

    def _upgrade(self, future: "concurrent.futures.Future[told.Answer] | None" = None) -> None:
        """Start a supervisor that takes this one's place, if it can."""
        if why := self._occupied():
            self._succession.refuse(why, future)
            return
        config, admin = self.handover.config, [self._door] if self._door else []
        listen = sockets.by_address(config.addresses, self._rows)
        self._succession.begin(listen, {str(config.admin): sock for sock in admin}, future)

    def _retire(self) -> None:
        """The new supervisor serves: the sockets are its own, and the admin address too."""
        if self._server is not None:
            self._server.close()
        self._succession.hand_over(self.handover.drain)
        self._leave(self.handover.drain)

    # The end

    def _stop(self) -> None:
        """Drain; called again: end at once."""
        if self.state == "draining":
            self._leave(0.0)
        else:
            say(f"draining for up to {self.handover.drain:g} s; a second TERM or INT ends at once")
            self._leave(self.handover.drain)

    def _stop_now(self) -> None:
        self._interrupted = self.state == "starting"
        self._leave(0.0)

    def _leave(self, seconds: float) -> None:
        """Accept no more connections; workers finish within `seconds`."""
        self.state = "draining"
        self.reloads.end()
        self._deadline = time.monotonic() + seconds + GRACE
        self._succession.abandon()
        notify.notify("STOPPING=1")
        for row in self._rows:
            for sock in row:
                sock.close()
        for worker in self.keepers:
            worker.drain(seconds)

    def _fail(self, why: str) -> None:
        """Nothing was ever served, but by some worker of a successor: give up."""
        self._failure = why
        self._leave(self.handover.drain if self._succession.replaces else 0.0)

    def _close(self) -> None:
        for worker in self.keepers:
            worker.close()
        if self._server is not None:
            self._server.close()
        self.writer.close(2.0)
        self.reloads.close()
        self._opened.close()


def _listeners(row: Sequence[socket.socket], config: Config) -> list[Listener]:
    """The sockets of one worker: those of `listen`, then those that only send their clients there."""
    plain = list(dict.fromkeys(map(sockets.bound, row)))[len(config.listen) :]
    port = (config.tls.redirect_port if config.tls else 0) or sockets.bound(row[0]).port
    return [
        Listener(fd=sock.fileno(), redirect=port)
        if sockets.bound(sock) in plain
        else Listener(fd=sock.fileno(), tls=config.tls is not None)
        for sock in row
    ]


def _warn(handover: Handover) -> None:
    for warning in handover.warnings:
        say(f"warning: {warning}")
