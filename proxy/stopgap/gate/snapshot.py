"""How does the gate stand at this moment? The supervisor's state as the frozen `Status` that others read."""

from typing import TYPE_CHECKING

from stopgap import __version__
from stopgap.admin import status as told
from stopgap.config import Site
from stopgap.events.schema import stamp
from stopgap.gate import keeper
from stopgap.gate.keeper import Keeper
from stopgap.gate.messages import OriginState

if TYPE_CHECKING:
    from stopgap.gate.supervisor import Supervisor


def snapshot(supervisor: "Supervisor") -> told.Status:
    """All that `/status`, `/readyz` and the metrics tell of the processes."""
    handover, workers = supervisor.handover, supervisor.keepers
    serving = [worker for worker in workers if worker.state == keeper.SERVING]
    ready = supervisor.state == "ready" and bool(serving)
    return told.Status(
        version=__version__,
        started=stamp(supervisor.started),
        started_unix=supervisor.started,
        loaded_unix=supervisor.loaded,
        state=supervisor.state,
        ready=ready,
        ruleset="" if supervisor.state == "starting" else handover.activate.version,
        listen=supervisor.listen,
        admin=supervisor.admin,
        tls=handover.config.tls is not None,
        sites=tuple(
            _site(site, len(handover.ruleset.sites.get(site.name, ())), workers)
            for site in handover.config.sites
        ),
        workers=tuple(map(_worker, workers)),
        reload=supervisor.reload,
        reloads=supervisor.reloads,
        events_written=supervisor.writer.written,
        events_dropped=supervisor.writer.dropped,
    )


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


def _site(site: Site, rules: int, workers: list[Keeper]) -> told.Site:
    seen: dict[str, list[OriginState]] = {f"http://{address}": [] for address in site.origins}
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
        body=site.body,
        rules=rules,
        exceptions=len(site.exceptions),
        origins=tuple(origin(url, states) for url, states in seen.items()),
    )


def origin(url: str, states: list[OriginState]) -> told.Origin:
    """Up unless the last connection that each worker tried has failed."""
    return told.Origin(
        url=url,
        up=not states or any(not state.error for state in states),
        busy=sum(state.busy for state in states),
        idle=sum(state.idle for state in states),
        pinned=sum(state.pinned for state in states),
        error=next((state.error for state in states if state.error), ""),
    )
