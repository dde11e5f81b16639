"""What did which client send on which day, by logs of every kind and by Stopgap's own event log?

An event stands for one request, its summary for the further ones of the same client. What an event tells of
what was not sent by a client (a failed origin) or what the origin answered is passed over.
"""

import contextlib
import ipaddress
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from msgspec import Struct

from stopgap.events import find
from stopgap.events.schema import ANSWER, Event
from stopgap.forensics import sources
from stopgap.forensics.lines import LONGEST, CutOff, Move, Opened
from stopgap.forensics.request import Told
from stopgap.forensics.sources import CUT_OFF, Account

TRIED = 20
"""Lines by which an event log is known."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Sent(NamedTuple):
    """A request of a client that was sent so many `times`; `event` is what told of it, None for other logs.

    `site` is the name of the site that judged, "" where the Host has to say; `whole`: head and body are
    known.
    """

    where: str
    line: int
    told: Told
    times: int
    site: str
    event: Event | None
    whole: bool


class Heard(Struct):
    """What was read beside the requests: events, requests that these do not hold, and who was left out."""

    events: int = 0
    no_request: int = 0
    others: int = 0
    """Requests of clients that are not to be learned from, or that nobody knows."""


class Corpus(Struct, frozen=True):
    """Which files, and whose requests. `clients` () are all; `host` is for what names none."""

    files: Sequence[str]
    form: str | None
    host: bytes
    clients: tuple[Network, ...]
    statuses: range | None

    def sent(self, account: Account, heard: Heard, move: Move = lambda done: None) -> Iterator[Sent]:
        """Every request. Raises `InputError`."""
        wanted = among(self.clients)
        for name in self.files:
            with contextlib.closing(Opened(name, move)) as opened:
                for one in self._of(opened, account, heard):
                    if wanted(one.told.client.decode("latin-1")):
                        yield one
                    else:
                        heard.others += one.times

    def _of(self, opened: Opened, account: Account, heard: Heard) -> Iterator[Sent]:
        if self.form is None and _tells_events(opened):
            yield from _events(opened, account, heard)
            return
        if not opened.beginning().strip():
            account.files += 1
            return
        form = self.form or sources.detected(opened)
        found = sources.requests(opened, form, self.host, account)
        for line, told in sources.answered(found, self.statuses, account) if self.statuses else found:
            yield Sent(opened.name, line, told, 1, "", None, form in sources.WHOLE)


def _tells_events(opened: Opened) -> bool:
    """Whether one of the first lines is an event."""
    beginning = opened.beginning().split(b"\n")[:TRIED]
    return any(find.told(line) for line in beginning)


def _events(opened: Opened, account: Account, heard: Heard) -> Iterator[Sent]:
    account.files += 1
    number = 0
    try:
        for number, line in enumerate(opened.lines(), 1):
            event = find.told(line) if 0 < len(line) <= LONGEST else None
            if event is None:
                if line and b"lost" not in line:
                    account.lose(opened.name, number, "is no event")
                continue
            if event.event_action == ANSWER or event.tier == "failed":
                continue
            heard.events += 1
            request = find.rebuilt(event)
            if request is None:
                heard.no_request += max(event.count, 1)
                continue
            account.requests += 1
            told = Told(request.request, bool(event.host), 0, *_who(event))
            times = max(event.count, 1)
            yield Sent(opened.name, number, told, times, event.site, event, False)
    except CutOff:
        account.lose(opened.name, number + 1, CUT_OFF)


def _who(event: Event) -> tuple[bytes, bytes]:
    return event.client.encode(), event.timestamp[:10].encode()


def among(networks: Sequence[Network]) -> Callable[[str], bool]:
    """Says whether a client, an address or a masked network, is of these; () are all clients."""
    known: dict[str, bool] = {}

    def wanted(client: str) -> bool:
        if not networks:
            return True
        if client not in known:
            if len(known) > 100_000:
                known.clear()
            known[client] = _within(client, networks)
        return known[client]

    return wanted


def _within(client: str, networks: Sequence[Network]) -> bool:
    try:
        one = ipaddress.ip_network(client)
    except ValueError:
        return False
    return any(
        int(network.network_address) <= int(one.network_address)
        and int(one.broadcast_address) <= int(network.broadcast_address)
        for network in networks
        if network.version == one.version
    )
