"""How does the gate stand at this moment? The supervisor's state as the frozen `Status` that others read."""

import datetime
import os
from typing import TYPE_CHECKING

from stopgap import __version__
from stopgap.admin import status as told
from stopgap.admin.metrics import Board
from stopgap.config import Site, SiteException
from stopgap.events.schema import stamp
from stopgap.gate import keeper
from stopgap.gate.handover import Handover
from stopgap.gate.keeper import Keeper
from stopgap.gate.messages import OriginState
from stopgap.ruleset.exceptions import expired
from stopgap.ruleset.spec import Registry

if TYPE_CHECKING:
    from stopgap.gate.supervisor import Supervisor


NEW = told.Origin(url="", up=True)
"""What is thought of an origin that nobody has tried yet."""


def snapshot(supervisor: "Supervisor") -> told.Status:
    """All that `/status`, `/readyz` and the metrics tell of the processes."""
    reloads, workers = supervisor.reloads, supervisor.keepers
    handover = reloads.used
    serving = [worker for worker in workers if worker.state == keeper.SERVING]
    ready = supervisor.state == "ready" and bool(serving)
    registry, board = reloads.counters.registry, supervisor.board
    return told.Status(
        version=__version__,
        started=stamp(supervisor.started),
        started_unix=supervisor.started,
        loaded_unix=reloads.loaded,
        state=supervisor.state,
        ready=ready,
        ruleset="" if supervisor.state == "starting" else handover.activate.version,
        listen=supervisor.listen,
        redirect=supervisor.redirect,
        admin=supervisor.admin,
        tls=handover.config.tls is not None,
        sites=tuple(
            _site(
                site,
                handover,
                tuple(excepted(one, registry, board, handover.day) for one in site.exceptions),
                workers,
            )
            for site in handover.config.sites
        ),
        workers=tuple(map(_worker, workers)),
        reload=reloads.last,
        reloads=reloads.count,
        events_written=supervisor.writer.written,
        events_dropped=supervisor.writer.dropped,
        syslog_dropped=supervisor.writer.syslog_dropped,
        evidence=tuple(told.Evidence(site, *kept) for site, kept in supervisor.writer.archive.kept.items()),
        evidence_dropped=supervisor.writer.archive.dropped,
        rolled_back=reloads.versions.rolled_back,
        pid=os.getpid(),
    )


def turned(before: told.Status, now: told.Status) -> list[str]:
    """Which origins have gone down or come back in between; one line each."""
    known = {(site.name, origin.url): origin for site in before.sites for origin in site.origins}
    return [
        f"site {site.name}: origin {origin.url} is {'up again' if origin.up else f'down: {origin.error}'}"
        for site in now.sites
        for origin in site.origins
        if origin.up != known.get((site.name, origin.url), NEW).up
    ]


def _worker(worker: Keeper) -> told.Worker:
    return told.Worker(
        index=worker.index,
        pid=worker.pid,
        state=worker.state,
        restarts=worker.restarts,
        ruleset=worker.version,
        clients=worker.pong.clients,
        waiting=worker.pong.waiting,
        exit=worker.exit,
    )


def _site(
    site: Site, handover: Handover, exceptions: tuple[told.Excepted, ...], workers: list[Keeper]
) -> told.Site:
    seen: dict[str, list[OriginState]] = {address.url: [] for address in site.origins}
    for worker in workers:
        for state in worker.pong.origins:
            if state.site == site.name and state.url in seen:
                seen[state.url].append(state)
    return told.Site(
        name=site.name,
        hosts=site.hosts,
        server=site.server,
        codepages=site.codepages,
        mode=site.mode,
        canary=site.canary,
        modes=handover.modes[site.name],
        on_error=site.on_error,
        body=site.body,
        rules=len(handover.ruleset.sites[site.name]),
        exceptions=exceptions,
        origins=tuple(origin(url, states) for url, states in seen.items()),
    )


def excepted(
    exception: SiteException, registry: Registry, board: Board, today: datetime.date
) -> told.Excepted:
    """One exception with the hits of all workers; those of before its last change count for the same id."""
    place = registry.exceptions.get(exception.id)
    hits = 0 if place is None else board.total("exceptions", place)
    return told.Excepted(
        id=exception.id,
        rule=exception.rule,
        path=exception.path,
        clients=exception.clients,
        fields=exception.fields,
        reason=exception.reason,
        owner=exception.owner,
        until=str(exception.until or ""),
        state="expired" if expired(exception, today) else "in-force" if hits else "unused",
        hits=hits,
        preset=exception.preset,
    )


def origin(url: str, states: list[OriginState]) -> told.Origin:
    """Up unless it has failed at each worker since its last connection there."""
    return told.Origin(
        url=url,
        up=not states or any(state.up for state in states),
        busy=sum(state.busy for state in states),
        idle=sum(state.idle for state in states),
        pinned=sum(state.pinned for state in states),
        error=next((state.error for state in states if state.error), ""),
    )
