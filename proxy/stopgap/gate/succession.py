"""How does another supervisor, perhaps of a newer program, take the place of this one and lose no request?

The old one starts the new one with its own command line and lets it inherit the listening sockets and the
admin socket; `STOPGAP_SUCCESSION` says which descriptors they are. From then on both have the same queues of
connections, so that none is lost whoever closes first. Over one more socket (the wire) the new one says
`SERVING` once all of its workers serve, or why it cannot. What the old one does then:

======= ==================================================================================
SERVING names the new one to systemd, closes the wire, drains and ends
why not says so, and goes on as if nothing had been asked; so it does when the new one ends, or
        does not serve in time
======= ==================================================================================

The end of the wire tells the new one that the place is its own: it opens the admin address and speaks to
systemd. That also happens when the old one dies in between.
"""

import concurrent.futures
import contextlib
import itertools
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import msgspec

from stopgap.admin.status import Answer
from stopgap.errors import InputError
from stopgap.gate import notify, sockets
from stopgap.gate.sockets import StartError

ENVIRONMENT = "STOPGAP_SUCCESSION"
SERVING = "serving"
SECONDS = 60.0
"""Longest time until the new one serves."""
PATIENCE = 5.0
"""Longest wait until systemd takes the new process id; it would end the unit with the old process."""
LONGEST = 4096
"""Bytes of a reason."""
OWN = ("NOTIFY_SOCKET", "WATCHDOG_PID")
"""What of the environment belongs to this process alone."""

Future = concurrent.futures.Future[Answer]


class Estate(msgspec.Struct, frozen=True):
    """What the new one inherits: descriptors, by the address as it is configured."""

    wire: int
    listen: dict[str, list[int]]
    admin: dict[str, int]
    notify: str
    """`NOTIFY_SOCKET`, for when the place is its own."""


class Predecessor(msgspec.Struct, frozen=True):
    """The old supervisor as the new one sees it; sockets by configured address, of which copies are used."""

    listen: dict[str, list[socket.socket]] = {}
    admin: dict[str, socket.socket] = {}
    wire: socket.socket | None = None
    notify: str = ""

    def say(self, text: str) -> None:
        """`SERVING`, or why not."""
        if self.wire is not None:
            with contextlib.suppress(OSError):
                self.wire.send(text.encode()[:LONGEST])


NOBODY = Predecessor()


def predecessor() -> Predecessor:
    """Whose place this process is to take, if it was started for that."""
    text = os.environ.pop(ENVIRONMENT, "")
    if not text:
        return NOBODY
    estate = msgspec.json.decode(text, type=Estate)
    return Predecessor(
        listen={name: [sockets.adopted(_ours(fd)) for fd in fds] for name, fds in estate.listen.items()},
        admin={name: sockets.adopted(_ours(fd)) for name, fd in estate.admin.items()},
        wire=socket.socket(fileno=_ours(estate.wire)),
        notify=estate.notify,
    )


@contextlib.contextmanager
def explained(before: Predecessor) -> Iterator[None]:
    """Tell the old one too why the new one cannot serve."""
    try:
        yield
    except (InputError, StartError) as error:
        before.say(str(error))
        raise


class Succession:
    """From whom a supervisor has its place, and to whom it gives it: at most one at a time. Used by its
    thread only."""

    def __init__(
        self, before: Predecessor, say: Callable[[str], None], command: Sequence[str] | None = None
    ) -> None:
        """`command` starts the new one; without it this process's own command line."""
        self._before = before
        self._say = say
        self._command = own_command() if command is None else command
        self._process: subprocess.Popen[bytes] | None = None
        self._wire: socket.socket | None = None
        self._deadline = 0.0
        self._why = ""
        self._future: Future | None = None

    @property
    def replaces(self) -> bool:
        """Another supervisor still has the place."""
        return self._before.wire is not None

    def enter(self, selector: selectors.BaseSelector, alone: Callable[[], None] | None) -> None:
        """Call `alone` when no other supervisor has the place (any more)."""
        wire, alone = self._before.wire, alone or (lambda: None)
        if wire is None:
            alone()
        else:
            selector.register(wire, selectors.EVENT_READ, partial(self._inherit, wire, selector, alone))

    def _inherit(
        self, wire: socket.socket, selector: selectors.BaseSelector, alone: Callable[[], None], _: int
    ) -> None:
        """The old one has closed the wire, or is gone: from here on this process speaks to systemd."""
        before, self._before = self._before, NOBODY
        selector.unregister(wire)
        for sock in (wire, *before.admin.values(), *itertools.chain(*before.listen.values())):
            sock.close()
        if before.notify:
            os.environ["NOTIFY_SOCKET"] = before.notify
        alone()

    def serving(self) -> None:
        """All workers serve."""
        self._before.say(SERVING)

    @property
    def pending(self) -> bool:
        """A new one is being started, or could not serve and has not ended yet; or this is the new one."""
        return self._process is not None or self.replaces

    def begin(
        self,
        listen: Mapping[str, Sequence[socket.socket]],
        admin: Mapping[str, socket.socket],
        future: Future | None,
    ) -> None:
        """Start the new one; `future` gets the answer, now or later."""
        if os.getpid() == 1:
            self.refuse("process 1 of a container cannot be replaced: start another container", future)
            return
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        estate = Estate(
            wire=theirs.fileno(),
            listen={name: [sock.fileno() for sock in socks] for name, socks in listen.items()},
            admin={name: sock.fileno() for name, sock in admin.items()},
            notify=os.environ.get("NOTIFY_SOCKET", ""),
        )
        kept = {name: value for name, value in os.environ.items() if name not in OWN}
        fds = [estate.wire, *estate.admin.values(), *(fd for each in estate.listen.values() for fd in each)]
        try:
            self._process = subprocess.Popen(  # noqa: S603 (our own command line)
                self._command,
                pass_fds=fds,
                env={**kept, ENVIRONMENT: msgspec.json.encode(estate).decode()},
            )
        except OSError as error:
            ours.close()
            self.refuse(f"{self._command[0]} could not be started: {error.strerror}", future)
            return
        finally:
            theirs.close()
        self._wire, self._future, self._why = ours, future, ""
        self._deadline = time.monotonic() + SECONDS
        self._say(f"upgrade: process {self._process.pid} starts to take over")

    def refuse(self, why: str, future: Future | None) -> None:
        """There is no upgrade."""
        self._tell(Answer(False, f"not upgraded, nothing has changed: {why}"), future)

    def tick(self, now: float) -> bool:
        """Look after the new one; called often. True when it serves: then `hand_over`, and drain."""
        process = self._process
        if process is None:
            return False
        code, said = process.poll(), self._heard()
        if said == SERVING and code is None:
            return True
        self._why = self._why or said
        if code is not None:
            self._process = None
            ended = f"process {process.pid} ended ({_end(code)}); standard error says why"
            self.refuse(self._why or ended, self._future)
            self._close()
        elif now > self._deadline:
            self._why = self._why or f"process {process.pid} did not serve within {SECONDS:.0f} s"
            process.kill()
        return False

    def hand_over(self, drain: float) -> None:
        """Name the new one to systemd, let it know that the place is its own, and answer whoever asked."""
        if self._process is None:
            return
        # With a sign of life, for the new one may not give its next one before half of the time is over.
        notify.notify(f"MAINPID={self._process.pid}", "WATCHDOG=1", patience=PATIENCE)
        os.environ.pop("NOTIFY_SOCKET", None)
        text = f"upgraded: process {self._process.pid} serves; this one drains for up to {drain:g} s"
        self._tell(Answer(True, text), self._future)
        self._forget()

    def abandon(self) -> None:
        """This gate is told to end: so must the new one."""
        if self._process is not None:
            self._process.terminate()
            self.refuse("the gate ends", self._future)
            self._forget()

    def _heard(self) -> str:
        try:
            return self._wire.recv(LONGEST).decode("utf-8", "replace") if self._wire is not None else ""
        except OSError:
            return ""

    def _tell(self, answer: Answer, future: Future | None) -> None:
        self._say(answer.text)
        if future is not None:
            future.set_result(answer)

    def _forget(self) -> None:
        """The process is no longer ours to wait for."""
        if self._process is not None:
            self._process.returncode = 0
            self._process = None
        self._close()

    def _close(self) -> None:
        if self._wire is not None:
            self._wire.close()
        self._wire = self._future = None


def own_command() -> list[str]:
    """This process's command line once more. A script is started as such: its first line names the Python of
    the version that is installed now."""
    words = sys.orig_argv[1:]
    script = bool(words) and os.path.isfile(words[0]) and os.access(words[0], os.X_OK)
    return words if script else [sys.executable, *words]


def _ours(fd: int) -> int:
    """The descriptor, kept from the processes that are started here."""
    os.set_inheritable(fd, False)
    return fd


def _end(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit status {code}"
