"""How are files of requests judged by two rulesets, and what comes of it?

What `stopgap replay` and `stopgap reload --gate` have in common: which site judges, which requests count, and
a bar on the terminal.
"""

import contextlib
import re
import sys
from collections.abc import Iterator, Sequence

from msgspec import Struct
from rich.progress import BarColumn, DownloadColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

from stopgap.cli.terminal import console
from stopgap.errors import ConfigError, nearest
from stopgap.forensics import report, sources
from stopgap.forensics.lines import Move, Opened, size
from stopgap.forensics.replay import Differences, Judge, compare, speechless
from stopgap.forensics.report import Report
from stopgap.forensics.sources import Account
from stopgap.ruleset import diff, vectors
from stopgap.ruleset.model import Rule

_STATUSES = re.compile(r"([1-5]\d\d)(?:-([1-5]\d\d))?")


class Chosen(Struct, frozen=True):
    """Which requests count: files, their format, the site that judges, the statuses; and what to show.

    `verb` stands before the bar, `top` is how many paths of a rule are told.
    """

    files: Sequence[str]
    form: str | None
    site: str | None
    answered: str | None
    verb: str
    top: int


def compared(chosen: Chosen, candidate: diff.Side, active: diff.Side) -> Report:
    """What the candidate would judge otherwise. Raises `InputError`."""
    wanted = statuses(chosen.answered) if chosen.answered else None
    old, new = (Judge(side, site_of(side, chosen.site)) for side in (active, candidate))
    host = host_of(candidate, chosen.site)
    account, found = Account(), Differences()
    with progress(sum(map(size_of, chosen.files)), chosen.verb) as move:
        for name in chosen.files:
            with contextlib.closing(Opened(name, move)) as opened:
                seen = sources.requests(opened, chosen.form, host, account)
                counted = sources.answered(seen, wanted, account) if wanted else seen
                compare(old, new, opened.name, counted, found)
    _need_requests(account, chosen.answered)
    unheard = speechless(_rules(candidate, chosen.site), account.shows)
    names = (candidate.name, active.name)
    return report.report(names, account, found, unheard, _notes(candidate, active), chosen.top)


def site_of(side: diff.Side, name: str | None) -> int | None:
    """The site that judges everything; None: the Host decides."""
    if name is None:
        return None
    if name not in side.sites:
        raise ConfigError(f'--site: {side.name}: no site is called "{name}"{nearest(name, side.sites)}')
    return side.sites.index(name)


def host_of(side: diff.Side, name: str | None) -> bytes:
    """The Host of requests of which a file names none: the first one of the site that judges them."""
    sites = side.config.sites if side.config else ()
    site = sites[site_of(side, name) or 0]
    plain = [host for host in site.hosts if not host.startswith("*")]
    return (plain[0] if plain else vectors.HOST).encode()


def statuses(text: str) -> range:
    """The statuses that --answered names. Raises `ConfigError`."""
    found = _STATUSES.fullmatch(text)
    if found is None:
        raise ConfigError(f'--answered: "{text}" is no status, such as 200, and no range, such as 200-399')
    return range(int(found[1]), int(found[2] or found[1]) + 1)


def _need_requests(account: Account, answered: str | None) -> None:
    if account.requests == account.left_out:
        what = f"answered {answered}" if account.requests else "that could be read"
        raise ConfigError(*account.first_broken, f"FILE: holds no request {what}; nothing was compared")


def _rules(side: diff.Side, site: str | None) -> list[Rule]:
    """The rules that may have judged."""
    ruleset = side.ruleset
    places = {index for name, active in ruleset.sites.items() if site in (None, name) for index in active}
    return [ruleset.rules[index] for index in sorted(places)]


def _notes(*sides: diff.Side) -> list[str]:
    """What else a request in a file does not tell, where it matters."""
    sites = [(side, site) for side in sides if side.config for site in side.config.sites]
    notes = []
    if any(one.clients for _, site in sites for one in site.exceptions):
        notes.append("exceptions for certain clients are left out: they are judged as if for nobody")
    if any(rule.rate for side in sides for rule in side.ruleset.rules):
        notes.append("rules with a rate refuse nothing here: each request is judged alone")
    canaries = dict.fromkeys(f'{side.name}: site "{site.name}"' for side, site in sites if site.canary)
    notes += [f"{one}: what a canary refuses for some clients counts as refused" for one in canaries]
    return notes


def size_of(name: str) -> int:
    """Bytes of a file, 0 for a pipe. Raises `ConfigError`."""
    try:
        return size(name)
    except OSError as error:
        raise ConfigError(f"{name}: cannot be read: {error.strerror}") from None


@contextlib.contextmanager
def progress(total: int, verb: str, count: ProgressColumn | None = None) -> Iterator[Move]:
    """A bar on standard error, if that is a terminal; what it yields moves it, by bytes without `count`."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    columns = (TextColumn(verb), BarColumn(), count or DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(sys.stderr), transient=True) as bar:
        task = bar.add_task("", total=total or None)
        yield lambda done: bar.advance(task, done)
