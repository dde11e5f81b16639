"""How does a policy come into use, at all workers or at none?

A reload reads, checks and compiles (`handover.py`); only then the workers are told. It is over when every
worker said that it uses the new policy. If one cannot, or dies, those that already changed go back, so that
all workers always judge alike. A rollback goes the same way, with the texts that were kept of an older
ruleset; so does a new day, on which exceptions may have run out, without reading a file.
"""

import concurrent.futures
import datetime
import time
from collections.abc import Callable

import msgspec

from stopgap import texts
from stopgap.admin import status as told
from stopgap.config import Config
from stopgap.errors import InputError
from stopgap.events.schema import stamp
from stopgap.gate import notify
from stopgap.gate.handover import Counters, Handover, expect, prepare, renewed, unchangeable
from stopgap.gate.keeper import Keeper
from stopgap.gate.rollback import DAY, FILES, Versions
from stopgap.ruleset.spec import Registry
from stopgap.say import say

SECONDS = 60.0
"""Longest wait for the workers to take a new policy."""

Future = concurrent.futures.Future[told.Answer]


class Change(msgspec.Struct):
    """A policy on its way to the workers; `waiting` are those that have not said yes."""

    handover: Handover
    source: str
    """Where it comes from (`rollback.py`): `FILES`, `DAY` (the same on a new day), or the version kept."""
    waiting: set[int]
    deadline: float


class Watch(msgspec.Struct, frozen=True):
    """What the supervisor does for its reloads, and hears of them."""

    living: Callable[[], list[Keeper]]
    """The workers that have a policy, or are about to."""
    pulse: Callable[[], None]
    """Called while it takes long."""
    taken: Callable[[Handover], None]
    """All workers use a new one."""
    over: Callable[[], None]
    """A reload is over, whatever became of it; called before anybody is answered."""


class Reloads:
    """The policy in use and the one on its way. For the supervisor's thread; `versions.all` for any."""

    def __init__(self, read: Callable[[], Config], clock: Callable[[], float], watch: Watch) -> None:
        """Read and check the first policy. `clock` is asked for the day. Raises `InputError`."""
        self._read = read
        self._clock = clock
        self._watch = watch
        self.counters = Counters(registry=Registry(), origins={})
        self.used = prepare(read, self.counters, self._today(), watch.pulse)
        """What is in use, or about to be for the first time."""
        self.versions = Versions(self.used, say)
        self.last = _over_now("")
        self.count = 0
        self.loaded = time.time()
        self._change: Change | None = None
        self._serving = False
        self._again = False
        self._renew_at = 0.0
        self._asked: list[Future] = []
        self._answering: list[Future] = []

    @property
    def running(self) -> bool:
        """A policy is on its way."""
        return self._change is not None

    def serving(self) -> None:
        """All workers use the first policy: others may follow."""
        self._serving = True
        self.versions.taken(self.used, FILES)
        if self._again:
            self.begin()

    def begin(self, obstacle: str = "", future: Future | None = None) -> None:
        """Load anew and send it to the workers; one that runs already is followed by another.

        With an `obstacle` it is refused. `future` is answered when it is over.
        """
        if future is not None:
            self._asked.append(future)
        self._again = not self._serving or self.running
        if self._again:
            return
        self._answering, self._asked = self._asked, []
        if obstacle:
            self._over(obstacle)
            return
        notify.reloading()
        try:
            fresh = self._checked()
        except InputError as error:
            self._over(str(error))
            return
        self._hand_over(fresh, FILES)

    def roll_back(self, name: str, future: Future) -> None:
        """Load what was kept of another version, with its vectors, and send it to the workers."""
        try:
            older = self.versions.older(name)
            with texts.replaced(older.files(), alone=True):
                fresh = self._checked()
        except InputError as error:
            future.set_result(told.Answer(False, f"not rolled back, nothing has changed: {error}"))
            return
        self._answering.append(future)
        notify.reloading()
        self._hand_over(fresh, older.version)

    def reload_to(self, version: str, future: Future) -> None:
        """Load anew if the files still give the version that somebody has judged, and nothing else."""
        try:
            fresh = self._checked()
            expect(fresh, version)
        except InputError as error:
            future.set_result(told.Answer(False, f"not reloaded, nothing has changed: {error}"))
            return
        self._answering.append(future)
        notify.reloading()
        self._hand_over(fresh, FILES)

    def greet(self, worker: Keeper) -> None:
        """A worker that just started gets what the others have, or are about to have."""
        if self._change is not None:
            self._change.waiting.add(worker.index)
        worker.send((self._change.handover if self._change else self.used).activate)

    def activated(self, worker: Keeper, version: str) -> None:
        """A worker uses a version."""
        if self._change is not None and version == self._change.handover.activate.version:
            self._change.waiting.discard(worker.index)
            self._finish()

    def abandon(self, error: str) -> None:
        """One worker cannot: all go back to what they had."""
        self._change = None
        for worker in self._watch.living():
            worker.send(self.used.activate)
        self._over(error)

    def died(self, worker: Keeper) -> None:
        if self._change is not None and worker.index in self._change.waiting:
            self.abandon(f"worker {worker.index} ended ({worker.exit}) while it took the new policy")

    def tick(self, now: float) -> None:
        """End what takes too long, and see whether a new day has come."""
        if self._change is not None and now > self._change.deadline:
            slow = sorted(self._change.waiting)
            self.abandon(f"worker {slow[0]} did not take the new policy within {SECONDS:.0f} s")
        if self._serving and not self.running and now >= self._renew_at:
            self._renew(now)

    def end(self) -> None:
        """No policy comes into use any more."""
        self._change = None
        self._serving = self._again = False

    def close(self) -> None:
        """Answer whoever still waits."""
        for future in (*self._answering, *self._asked):
            future.set_result(told.Answer(False, "the gate has ended"))

    def _checked(self) -> Handover:
        """What the files say, if the gate can change to it while it runs. Raises `InputError`."""
        fresh = prepare(self._read, self.counters, self._today(), self._watch.pulse)
        if fixed := unchangeable(self.used.config, fresh.config):
            raise InputError(*fixed)
        return fresh

    def _renew(self, now: float) -> None:
        """On a new day exceptions may have run out: their rules count again, whatever the files say."""
        today = self._today()
        if today == self.used.day:
            return
        self._renew_at = now + SECONDS
        fresh = renewed(self.used, self.counters, today)
        if fresh.activate.version == self.used.activate.version:
            self.used = fresh
        else:
            notify.reloading()
            self._hand_over(fresh, DAY)

    def _today(self) -> datetime.date:
        """The day in UTC."""
        return datetime.datetime.fromtimestamp(self._clock(), datetime.UTC).date()

    def _hand_over(self, fresh: Handover, source: str) -> None:
        """Send it to all workers that live."""
        living = self._watch.living()
        waiting = {worker.index for worker in living}
        self._change = Change(fresh, source, waiting, time.monotonic() + SECONDS)
        for worker in living:
            worker.send(fresh.activate)
        self._finish()

    def _finish(self) -> None:
        """All workers use it: it is what is in use."""
        if self._change is not None and not self._change.waiting:
            self.used, source, self._change = self._change.handover, self._change.source, None
            self.versions.taken(self.used, source)
            self.loaded = time.time()
            self._watch.taken(self.used)
            self._over("")

    def _over(self, error: str) -> None:
        """Tell it to whoever asked, and to the log."""
        self.last = _over_now(error)
        self.count += 1
        self._watch.over()
        older = self.versions.rolled_back
        how = f"rolled back from {older}" if older else "reloaded"
        text = error or f"{how}: ruleset {self.used.activate.version}, {len(self.used.ruleset.rules)} rules"
        say(f"reload refused, nothing has changed: {error}" if error else text)
        notify.notify("READY=1", f"STATUS={text.splitlines()[0]}")
        for future in self._answering:
            future.set_result(told.Answer(not error, text))
        self._answering = []
        if self._again:
            self.begin()


def _over_now(error: str) -> told.Reload:
    """A reload that is over at this moment; `error` says why it was refused."""
    now = time.time()
    return told.Reload(time=stamp(now), unix=now, ok=not error, error=error)
